"""Whoever wants less, or nothing, sent to them: the desk hears of it, and no room of anybody's shows a trace."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from policies import routing
from policies.case import DESK, JOINT, Case, Kind, Person
from policies.effects import Announce, Decision, Inform, Resume, Tell
from policies.message import AuthenticatedMail, SignedWebhook, Text
from policies.networks import portal, whatsapp
from policies.people.membership import conversations
from policies.plan import plan
from policies.status import readers_text
from policies.words.phrase import phrase
from tests.appservice.whatsapp.house import done, known
from tests.policies.builders import both_sides, caucus_of, message, named

CASE = done(done(both_sides(), "!party add Bea +34600123456 on Jones"), "!consent Bea: agreed")
Act = Callable[[Case, Person], Decision | None]


def _says(words: str) -> Act:
    def said(case: Case, person: Person) -> Decision:
        own = caucus_of(case, "Jones")
        proof = AuthenticatedMail() if person.name == "Carl" else SignedWebhook("1", person.endpoint.id)
        return routing.decide(
            case, message(case, person.name, own, Text(words), proof), replace(known(), by=person.id, where=own)
        )

    return said


ACTS: dict[str, tuple[str, Act]] = {
    "mail paused": ("Carl", portal.decide_paused),
    "mail discreet": ("Carl", lambda case, person: portal.decide_discreet(case, person, on=True)),
    "STOP": ("Bea", lambda case, person: whatsapp.decide_stop(case, person, "STOP")),
    "START": ("Bea", lambda case, person: whatsapp.decide_keyword(*_stopped(case, person), "START")),
    **{
        f"{name}: {words}": (name, _says(words))
        for name in ("Carl", "Bea")
        for words in ("!discreet on", "!quiet for 3d")
    },
}


def _stopped(case: Case, person: Person) -> tuple[Case, Person]:
    stopped = replace(person, endpoint=replace(person.endpoint, declined=True))
    return case.with_person(stopped), stopped


def traces(case: Case, decision: Decision, person: Person) -> list[str]:
    """What anybody but the mediators and that person could learn of it."""
    found = [
        type(effect).__name__
        for effect in decision.effects
        if not isinstance(effect, Resume)
        and not (isinstance(effect, Tell) and effect.conversation == DESK)
        and not (isinstance(effect, Inform) and effect.to == person.id)
    ]
    rooms = [where for where in conversations(case) if where.kind is not Kind.CAUCUS or where.side]
    found += [f"readers of {w.id}" for w in rooms if readers_text(case, w) != readers_text(decision.case, w)]
    found += ["rooms"] if plan(case) != plan(decision.case) else []
    return found + (["questions"] if case.asks != decision.case.asks else [])


@pytest.mark.parametrize("act", ACTS)
def test_the_desk_hears_of_it_and_nobody_else(act: str) -> None:
    name, do = ACTS[act]
    person = named(CASE, name)
    decision = do(CASE, person)
    assert decision is not None
    assert any(isinstance(effect, Tell) and effect.conversation == DESK for effect in decision.effects)
    assert named(decision.case, name) != person or act == "START"
    assert traces(CASE, decision, person) == []


def test_a_word_to_the_other_side_is_caught() -> None:
    carl = named(CASE, "Carl")
    decision = portal.decide_paused(CASE, carl)
    leaky = replace(decision, effects=(*decision.effects, Announce(JOINT, phrase("{name} is quiet.", name="Carl"))))
    assert traces(CASE, leaky, carl) == ["Announce"]
