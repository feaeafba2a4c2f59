"""Whatever is refused, held or taken away, whoever said it is told why, in private, over their own channel (M6, M7).

Random things said by anybody, anywhere, in any state of the case. The twin: what is passed on tells its author nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cache
from types import ModuleType
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies import routing
from policies.case import DESK, JOINT, Case, Person
from policies.effects import Announce, AskWhose, Decision, Effect, Explain, Hold, Inform, Redact, Tell
from policies.message import (
    AuthenticatedMail,
    Content,
    Edit,
    File,
    FileRef,
    Message,
    MessageId,
    Proof,
    SignedDevice,
    Text,
    Unproven,
    Unreadable,
)
from policies.people.membership import bridged_readers, caucuses_of, readers
from policies.questions import answers
from policies.routing import decide
from tests.policies.builders import AT, both_sides, caucus_of, done, facts, message, named

START = both_sides("!party add Bob @bob:example.org as counsel on Jones")
STATES = (
    (),
    ("!mode locked",),
    ("!mode closed",),
    ("!mode released", "!turn Bob 10m"),
    ("!mute Alice", "!mute Carl"),
    ("!cool 30m",),
    ("!pause",),
    ("!settle", "yes 4F2A"),
    ("!close", "yes 4F2A"),
    ("!withdraw Alice", "yes 4F2A"),
    ("!withdraw Carl", "yes 4F2A"),
)
PLACES = (JOINT, caucus_of(START, "Smith"), caucus_of(START, "Jones"), DESK)
THIEF = Unproven("the device it came from was not verified", "Verify it.")
CONTENTS: tuple[Content, ...] = (
    *map(
        Text, ("ordinary words", "yes 7K2B", "!withdraw", "!resume", "!return R7", "!submit", "!report", "!doc show D9")
    ),
    *map(Text, ("!mode open", "!party remove Zoe", "!opne", "!undo", "!language de", "!timezone Nowhere")),
    Edit(MessageId("m0"), "other words"),
    File("offer.pdf", "application/pdf", 7, FileRef("{}")),
    Unreadable("it is of a kind that can't be passed on"),
)


@dataclass(frozen=True)
class Said:
    """Something that somebody says, in some state of the case."""

    state: tuple[str, ...]
    who: str
    where: int
    content: Content
    proven: bool
    late: bool


SAYINGS = st.builds(
    Said,
    st.sampled_from(STATES),
    st.sampled_from(("Alice", "Carl", "Bob", "Mia")),
    st.integers(0, 3),
    st.sampled_from(CONTENTS),
    st.sampled_from((True, True, True, False)),
    st.booleans(),
)


@cache
def case_in(state: tuple[str, ...]) -> Case:
    case = START
    for command in state:
        case = done(case, command).case
    return case


def decided(said: Said) -> tuple[Case, Person, Message, Decision]:
    case = case_in(said.state)
    person = named(case, said.who)
    sure: Proof = AuthenticatedMail() if person.endpoint.is_bridged else SignedDevice()
    heard = message(case, said.who, PLACES[said.where], said.content, sure if said.proven else THIEF)
    # What it changes was said an hour ago, or just now.
    edited = AT - timedelta(hours=1) if said.late else AT
    known = replace(facts(person.id, code="8QQ8"), where=heard.conversation, edited_at=edited)
    return case, person, heard, decide(case, heard, known)


def not_passed_on(decision: Decision) -> bool:
    return decision.refused or any(isinstance(effect, Hold | Redact) for effect in decision.effects)


def is_told(case: Case, person: Person, effect: Effect) -> bool:
    """Whether an effect tells that person, and no party besides those of their own side."""
    own = caucuses_of(case, person.id)
    if case.is_staff(person.id):
        return isinstance(effect, Tell) and effect.conversation == DESK
    match effect:
        case Inform(to, where) | Explain(to, where):
            return to == person.id and where in own
        case Announce(where):
            return where in own and person.endpoint.is_bridged
        case AskWhose(to):
            return to == person.id
        case _:
            return False


def check(said: Said) -> Decision:
    case, person, heard, decision = decided(said)
    if person.id not in readers(case, heard.conversation):
        return decision  # Nobody comes to say something there: the homeserver and our addresses see to that.
    if decision.rule == "unreadable" and not {p.id for p in bridged_readers(case, heard.conversation)} - {person.id}:
        return decision  # Everybody who reads there has it as it was sent.
    told = [effect for effect in decision.effects if is_told(case, person, effect)]
    if not_passed_on(decision):
        assert told, (said, decision)
    elif decision.rule == "said" and not case.is_staff(person.id):
        assert not told, (said, decision)
    return decision


@given(SAYINGS)
def test_whoever_is_refused_is_told_why_and_nobody_else_is(said: Said) -> None:
    check(said)


def test_each_way_of_being_refused_happens() -> None:
    rules = set()
    for state in STATES:
        for who in ("Alice", "Carl"):
            for where in range(3):
                for content in CONTENTS:
                    for proven in (True, False):
                        said = Said(state, who, where, content, proven, late=True)
                        decision = check(said)
                        rules |= {decision.rule} if not_passed_on(decision) else set()
    assert rules >= {"refused", "void-answer", "not-their-turn", "unproven", "unreadable", "late-edit", "joint-file"}


Decided = Callable[..., Decision | None]


def silent(real: Decided) -> Decided:
    """The same, and nobody is told by it."""

    def quiet(*args: object, **more: object) -> Decision | None:
        decision = real(*args, **more)
        kept = decision and tuple(e for e in decision.effects if not isinstance(e, Inform | Explain | Announce))
        return replace(decision, effects=kept or ()) if decision else None

    return quiet


@pytest.mark.parametrize(
    ("module", "name"), [(routing, "_kept_back"), (routing, "_commanded_in_private"), (answers, "does_not_count")]
)
def test_a_refusal_that_tells_nobody_is_noticed(module: ModuleType, name: str) -> None:
    with patch.object(module, name, silent(getattr(module, name))), pytest.raises(AssertionError):
        test_each_way_of_being_refused_happens()
