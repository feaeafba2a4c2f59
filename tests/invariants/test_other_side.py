"""What one side is shown is the same, word for word and at the same moments, whatever the other says, submits, reports
and answers in private, as long as nothing of it is released (I1, M5).

Each history is played twice: as it was, and without what happened in private on the other side. Whoever is on the one
side can't tell the two apart: not by a notice, a number, a letter, a room or its members, nor by anything that happens
because of what they must not know of.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies import routing
from policies.case import DESK, JOINT, Case, Conversation, PersonId, ReleaseId
from policies.effects import Announce, Decision, Effect
from policies.message import AuthenticatedMail, Message, MessageId, Proof, SignedDevice, Text
from policies.outcome import Facts, Quoted
from policies.people.membership import readers
from policies.plan import plan
from policies.questions.asking import code_from
from policies.words.phrase import phrase
from tests.invariants.canaries import canaries_in
from tests.policies.builders import AT, both_sides, caucus_of, facts, message, named

START = both_sides(
    "!party add Bob @bob:example.org as counsel on Jones", "!party add Dora @dora:example.org as counsel on Smith"
)
SMITH, JONES = caucus_of(START, "Smith"), caucus_of(START, "Jones")
WATCHED = (JOINT, JONES)


class Told(AssertionError):
    """The one side can tell what the other did."""


@dataclass(frozen=True)
class Step:
    """Somebody says something somewhere. `hidden`: on the other side, in private, or about that at the desk.

    `answers`: the last question that was put in an open step, or in a hidden one, is answered so.
    """

    who: str
    where: Conversation
    words: str
    hidden: bool = False
    answers: bool = False
    quotes: bool = False


@dataclass
class Life:
    """A case, as it goes on; `seen` is what the one side is shown, step by step."""

    case: Case = START
    codes: dict[bool, str] = field(default_factory=dict)
    seen: list[tuple[int, str]] = field(default_factory=list)

    def live(self, number: int, step: Step) -> None:
        person = self.case.named(step.who)
        if person is None:
            return
        code = self.codes.get(step.hidden, "2AAA")
        words = f"{step.words} {code}" if step.answers else step.words.format(number=f"zq{number:04d}qz")
        proof: Proof = AuthenticatedMail() if person.endpoint.is_bridged else SignedDevice()
        at = AT + timedelta(minutes=number)
        said = replace(message(self.case, step.who, step.where, Text(words), proof), id=MessageId(f"m{number}"), at=at)
        known = replace(facts(person.id, at=at, code=code_from(str(number))), where=step.where)
        if step.quotes:
            author = named(self.case, "Alice" if step.where == SMITH else "Carl").id
            known = replace(known, quoted=Quoted(MessageId("q"), author, f"zq{number:04d}qz"))
        before = {ask.code for ask in self.case.asks}
        decision = routing.decide(self.case, said, known)
        self.case = decision.case
        new = [ask.code for ask in self.case.asks if ask.code not in before]
        self.codes |= {step.hidden: new[-1]} if new else {}
        self.seen += [(number, shown) for effect in decision.effects if (shown := self.shown(effect))]
        self.seen += [(number, str(room)) for room in plan(self.case) if room.readers & self.watchers]

    @property
    def watchers(self) -> frozenset[PersonId]:
        return readers(self.case, JONES) - {p.id for p in self.case.people if self.case.is_staff(p.id)}

    def shown(self, effect: Effect) -> str | None:
        """What of an effect comes before the eyes of the one side."""
        to = getattr(effect, "to", None)
        if to is not None:
            return str(effect) if to in self.watchers else None
        return str(effect) if getattr(effect, "conversation", None) in WATCHED else None


OPEN = (
    Step("Alice", JOINT, "{number}"),
    Step("Mia", JOINT, "{number}"),
    Step("Carl", JOINT, "{number}"),
    Step("Carl", JONES, "{number}"),
    Step("Bob", JONES, "{number}"),
    Step("Mia", JONES, "{number}"),
    Step("Carl", JONES, "!submit: {number}"),
    Step("Carl", JONES, "yes", answers=True),
    Step("Carl", JONES, "no", answers=True),
    Step("Mia", JONES, "!release", quotes=True),
    Step("Mia", DESK, "yes", answers=True),
    Step("Mia", DESK, "!release R1001"),
    Step("Mia", DESK, "!ask Jones: {number}?"),
    Step("Bob", JONES, "!report: {number}"),
    Step("Bob", JONES, "!doc list"),
    Step("Carl", JONES, "!pause"),
    Step("Carl", JONES, "!resume"),
    Step("Mia", DESK, "!mode locked"),
    Step("Mia", DESK, "!mode open"),
    Step("Mia", DESK, "!slow 10m"),
    Step("Mia", DESK, "!party add Zoe @zoe:example.org as observer"),
)
HIDDEN = tuple(
    replace(step, hidden=True)
    for step in (
        Step("Alice", SMITH, "{number}"),
        Step("Dora", SMITH, "{number}"),
        Step("Mia", SMITH, "{number}"),
        Step("Alice", SMITH, "!submit: {number}"),
        Step("Alice", SMITH, "yes", answers=True),
        Step("Alice", SMITH, "no", answers=True),
        Step("Alice", SMITH, "!return R1"),
        Step("Mia", SMITH, "!release", quotes=True),
        Step("Mia", SMITH, "!release: {number} instead", quotes=True),
        Step("Mia", DESK, "no", answers=True),
        Step("Mia", DESK, "!return R1: later"),
        Step("Mia", DESK, "!ask Alice: {number}?"),
        Step("Mia", DESK, "!dry release R1"),
        Step("Alice", SMITH, "!report: {number}"),
        Step("Alice", SMITH, "!timezone Asia/Tokyo"),
        Step("Alice", SMITH, "!language fr"),
        Step("Alice", SMITH, "!nonsense"),
        Step("Dora", SMITH, "yes 4F2A"),
    )
)
HISTORIES = st.lists(st.one_of(st.sampled_from(OPEN), st.sampled_from(HIDDEN)), min_size=2, max_size=24)


def lived(history: list[Step], *, all_of_it: bool) -> Life:
    life = Life()
    for number, step in enumerate(history):
        if all_of_it or not step.hidden:
            life.live(number, step)
    return life


def looks_the_same(history: list[Step]) -> Life:
    """Raises Told where the one side could tell; what it was shown is all that it was to be shown, besides."""
    whole, without = lived(history, all_of_it=True), lived(history, all_of_it=False)
    open_ones = {number for number, step in enumerate(history) if not step.hidden}
    events = [one for one in whole.seen if one[0] in open_ones]
    if events != without.seen:
        raise Told(str([one for one in events if one not in without.seen] or without.seen))
    rooms = {text for _, text in without.seen} | {str(room) for room in plan(START)}
    extra = [one for one in whole.seen if one[0] not in open_ones and one[1] not in rooms]
    if extra:
        raise Told(str(extra))
    return whole


@given(HISTORIES)
def test_one_side_is_shown_the_same_whatever_the_other_does_in_private(history: list[Step]) -> None:
    looks_the_same(history)


def test_what_is_open_is_shown_to_that_side() -> None:
    """The liveness twin: there is something to see, of each thing that all may see."""
    life = looks_the_same([HIDDEN[0], OPEN[0], HIDDEN[3], OPEN[1], OPEN[17], OPEN[12]])
    seen = " ".join(text for _, text in life.seen)
    assert set(canaries_in(seen)) == {"zq0001qz", "zq0003qz", "zq0005qz"}
    assert "Here only the mediator writes" in seen


SUBMITTED = [HIDDEN[3], OPEN[6], OPEN[7]]
"""Each side submits something."""


def numbered_through(case: Case, origin: Conversation) -> ReleaseId:
    return ReleaseId(f"R{len(case.releases) + 1}")


def test_a_number_that_counts_what_others_submitted_is_noticed() -> None:
    looks_the_same(SUBMITTED)
    with patch.object(Case, "new_release_id", numbered_through), pytest.raises(Told):
        looks_the_same(SUBMITTED)


Decide = Callable[[Case, Message, Facts], Decision]


def chatty(real: Decide, where: Conversation) -> Decide:
    def decide(case: Case, said: Message, known: Facts) -> Decision:
        decision = real(case, said, known)
        notice = Announce(where, phrase("Something was said in private."))
        return replace(decision, effects=(*decision.effects, notice)) if said.conversation == SMITH else decision

    return decide


@pytest.mark.parametrize("where", WATCHED)
def test_a_notice_to_others_that_something_was_said_in_private_is_noticed(where: Conversation) -> None:
    with patch.object(routing, "decide", chatty(routing.decide, where)), pytest.raises(Told):
        looks_the_same([HIDDEN[0], OPEN[0]])
