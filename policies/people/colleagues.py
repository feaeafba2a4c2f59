"""The mediators' room: the private room of a case without parties, in which the organisation's mediators talk (R13).

Matrix ── mediators as configured, at its desk and in the room
WhatsApp, mail ── colleagues: added at that desk ── the code, from that channel ──▶ in the room, from then on
                                          └ a wrong one, a no, or a day without any ──▶ out again

A colleague is no staff of any case. What they write stands in the room and goes nowhere else: it is said in another
case than any dispute's, and no command of a case is heard there. Until the code has come, they read nothing, and what
comes from their channel is held at the desk.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from policies.case import DESK, Case, Consent, Conversation, Network, PersonId, Phase, Side, SideId
from policies.case import caucus as private_room
from policies.effects import Decision, Resume, Tell
from policies.message import Message, Text
from policies.names import MEDIATORS, Sort
from policies.networks.delivery import channel_key
from policies.networks.way import CARRIED_BY
from policies.outcome import Done, Facts
from policies.people.membership import caucuses_of, is_proven
from policies.plan import MEDIATORS_ROOM
from policies.questions.ask import Ask, Proving
from policies.questions.asking import read_answer
from policies.words.language import Language

SIDE: Final = Side(SideId("mediators"), "Mediators")
ROOM: Final = private_room(SIDE.id)
STEPS: Final = (
    "This is the desk of the mediators' room: the organisation's mediators in Matrix and I read it. You talk in the"
    f" room itself, “{MEDIATORS_ROOM}”. Nothing of any case comes there by itself, and what is written there goes to no"
    " case.\n"
    "!colleague add Nora +34600123456 – a mediator who is only on WhatsApp\n"
    "!colleague add Nora nora@example.org – by mail\n"
    "!colleague remove Nora – reads nothing from then on\n"
    "!status shows who is there, !help everything else."
)


def new_room(language: Language, zone: str) -> Case:
    """The case before anybody is there."""
    return Case(MEDIATORS, MEDIATORS_ROOM, phase=Phase.CONVENED, sides=(SIDE,), language=language, zone=zone)


def home_of(case: Case, person: PersonId) -> tuple[Conversation, ...]:
    """The private conversations for which something is that somebody writes: their own, or the mediators' room for
    whoever is not in it yet; there it is held."""
    known = case.person(person)
    guest = case.sort is Sort.MEDIATORS and known is not None and known.endpoint.is_bridged
    return caucuses_of(case, person) or ((ROOM,) if guest else ())


def shown_code(case: Case, message: Message) -> tuple[str, bool] | None:
    """The answer that shows whose channel it is, from somebody of whom nothing shows that yet."""
    person = case.person(message.author)
    if case.sort is not Sort.MEDIATORS or person is None or not person.endpoint.is_bridged:
        return None
    if is_proven(case, person.id) or not isinstance(message.content, Text):
        return None
    return read_answer(message.content.body)


def proven(case: Case, act: Proving, facts: Facts) -> Done:
    """The code came back: the channel is theirs, and they asked to be written to there."""
    person = case.person(act.person)
    if person is None:
        return Done(case, "They are in no more already.")
    endpoint = replace(person.endpoint, enrolled=facts.at)
    if endpoint.network is Network.WHATSAPP:
        wording = (
            "said the code of an invitation from there; whoever invited them was to tell them first that Meta can read"
            " what goes that way, and the first message says so"
        )
        endpoint = replace(endpoint, content_consent=Consent(person.name, facts.at, wording))
    answer = (
        f"The code came: {person.name} is at {endpoint.address} {CARRIED_BY[endpoint.network]}, in the"
        " mediators' room from now on, and reads nothing older."
    )
    resumed = Resume(channel_key(case, endpoint.id))
    return Done(case.with_person(replace(person, endpoint=endpoint)), answer, (resumed,))


def not_proven(case: Case, person: PersonId, why: str) -> Done:
    """Whoever is there is not, or not any more, whom a mediator meant: out again."""
    known = case.person(person)
    if known is None or is_proven(case, person):
        return Done(case, "")
    sent = "Nothing" if known.endpoint.network is Network.WHATSAPP else "Nothing but the code"
    text = f"{known.name} is not in: {why}. {sent} was sent there. !colleague add makes another code."
    return Done(without(case, person), "", (Tell(DESK, text),))


def decide_wrong_code(case: Case, person: PersonId) -> Decision:
    """From a channel that is nobody's yet came another code: nobody tries them out one by one."""
    done = not_proven(case, person, "a wrong code came from there")
    return Decision(done.case, done.effects, "wrong-code", "a wrong code", refused=True)


def without(case: Case, person: PersonId) -> Case:
    """The case without somebody, and without what they were asked."""
    return replace(
        case,
        people=tuple(p for p in case.people if p.id != person),
        participations=tuple(p for p in case.participations if p.person != person),
        asks=tuple(a for a in case.asks if not _is_about(a, person)),
    )


def _is_about(ask: Ask, person: PersonId) -> bool:
    return ask.asked == person or (isinstance(ask.act, Proving) and ask.act.person == person)
