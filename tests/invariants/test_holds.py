"""Random histories of messages that are held, and of what mediators and authors do with them, against a book.

Nothing held is shown to anybody but the desk before a mediator has posted it; posted, it goes to nobody for whom its
author did not mean it, unless its author said yes to that; what ends, ends once; and what is posted arrives, once.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies import routing
from policies.case import DESK, JOINT, Case, Conversation, Person, PersonId
from policies.commands import hold
from policies.commands.form import Misunderstood
from policies.commands.vocabulary import parse
from policies.due import decide_due
from policies.effects import Decision, EndHold, Hold, Inform, Pose, Post, Publish, Relay, ResumeHold, Tell
from policies.message import AuthenticatedMail, Message, MessageId, Proof, SignedDevice, Text, Unproven, Unreadable
from policies.moderation import keeping
from policies.moderation.hold import AtHand, HoldEnd
from policies.questions.ask import Meaning
from policies.questions.asking import code_from
from policies.releases.release import Release
from policies.schedule import Schedule
from tests.invariants.canaries import canaries_in, may_read
from tests.policies.builders import AT, both_sides, caucus_of, facts, message

START = both_sides("!party add Bea bea@example.com on Smith", "!consent Bea: x", "!mode released")
OWN = {"Alice": caucus_of(START, "Smith"), "Bea": caucus_of(START, "Smith"), "Carl": caucus_of(START, "Jones")}
DRAFT = hold._draft
STOLEN = Unproven("nobody vouches for its sender", "")


class Broken(AssertionError):
    """Something was shown that should not have been, or was not that should."""


@dataclass
class Kept:
    """A message as it was held, with those for whom it was surely meant."""

    message: Message
    audience: frozenset[PersonId]
    end: HoldEnd | None = None
    shown: int = 0


@dataclass
class Book:
    """The case, what is held, and who agreed to what."""

    case: Case = START
    at: datetime = AT
    held: list[Kept] = field(default_factory=list)
    asked: list[tuple[Pose, frozenset[PersonId]]] = field(default_factory=list)
    agreed: set[tuple[str, PersonId, frozenset[PersonId]]] = field(default_factory=set)
    alarms: list[Schedule] = field(default_factory=list)
    names: int = 0

    def audience(self, where: Conversation) -> frozenset[PersonId]:
        return frozenset(p.id for p in self.case.people if may_read(self.case, p.id, where))

    def hear(self, name: str, where: Conversation, said: Message) -> None:
        person = self.case.named(name)
        if person is None:
            return
        self.names += 1
        heard = replace(said, id=MessageId(f"m{self.names}"), at=self.at)
        words = said.content.body if isinstance(said.content, Text) else ""
        known = replace(
            facts(person.id, at=self.at, code=code_from(str(self.names))), where=where, held=self.named_in(words)
        )
        self.note_yes(person.id, where, words, said.proof)
        self.judge(routing.decide(self.case, heard, known), heard)

    def named_in(self, words: str) -> AtHand | None:
        parts = words.split()
        number = int(parts[1]) if words.startswith("!held ") else 0
        if not 0 < number <= len(self.held):
            return None
        kept = self.held[number - 1]
        return AtHand(number, kept.message, "it was held", kept.audience, kept.end)

    def note_yes(self, by: PersonId, where: Conversation, words: str, proof: Proof) -> None:
        for pose, audience in self.asked:
            proven = not isinstance(proof, Unproven)
            if words == f"yes {pose.code}" and (by, where) == (pose.to, pose.conversation) and proven:
                self.agreed.add((pose.words, by, audience))

    def judge(self, decision: Decision, about: Message | None = None) -> None:
        before, self.case = self.case, decision.case
        for effect in decision.effects:
            match effect:
                case Hold(which, _, meant_for) if about and about.id == which:
                    if not meant_for <= self.audience(about.conversation):
                        raise Broken("taken to be meant for more than read there")
                    self.held.append(Kept(about, meant_for))
                case EndHold(which, how):
                    self.end(which, how)
                case ResumeHold(which):
                    self.kept(which).end = None
                case Publish():
                    self.judge_post(effect)
                case Post() | Relay() | Tell() | Inform() | Pose() if effect.conversation != DESK:
                    self.judge_words(effect, about)
                case Schedule():
                    self.alarms.append(effect)
                case _:
                    pass
            if isinstance(effect, Pose):
                self.asked.append((effect, self.audience(JOINT)))
        assert before.id == self.case.id

    def kept(self, which: MessageId) -> Kept:
        return next(kept for kept in self.held if kept.message.id == which)

    def end(self, which: MessageId, how: HoldEnd) -> None:
        if self.kept(which).end:
            raise Broken(f"it ends twice: {which}")
        self.kept(which).end = how

    def judge_words(self, effect: Post | Relay | Tell | Inform | Pose, about: Message | None) -> None:
        for canary in canaries_in(str(effect)):
            found = [kept for kept in self.held if canary in str(kept.message.content) and kept.message != about]
            if found and not (isinstance(effect, Pose) and effect.to == found[0].message.author):
                raise Broken(f"{effect} shows what is held")

    def judge_post(self, effect: Publish) -> None:
        [canary] = canaries_in(effect.words)
        kept = next(kept for kept in self.held if canary in str(kept.message.content))
        said, now = kept.message, self.audience(effect.conversation)
        if effect.conversation != said.conversation or effect.audience != now:
            raise Broken(f"posted elsewhere, or for others: {effect}")
        kept.shown += effect.to is None
        certain = isinstance(said.content, Text) and not isinstance(said.proof, Unproven)
        meant = certain and now <= kept.audience
        if said.conversation != JOINT:
            if isinstance(said.proof, Unproven) and "without proof" not in effect.heading:
                raise Broken(f"posted as if it were proven: {effect}")
        elif not meant and (effect.words, said.author, now) not in self.agreed:
            raise Broken(f"neither meant for them nor agreed to: {effect}")


def write(book: Book, pick: int, other: int) -> None:
    """A mail that is held: to all, or to the author's own room; proven or not, clear or not."""
    name = ("Carl", "Bea")[pick % 2]
    book.names += 1
    words = f"zq{book.names:04d}qz"
    where, proof = (JOINT, JOINT, OWN[name])[other % 3], (AuthenticatedMail(), STOLEN)[other % 2]
    content = Unreadable("it quotes", words) if pick % 3 == 0 else Text(words)
    if book.case.named(name):
        book.hear(name, where, message(book.case, name, where, content, proof))


def at_the_desk(book: Book, line: str) -> None:
    if book.case.named("Mia"):
        book.hear("Mia", DESK, message(book.case, "Mia", DESK, Text(line), SignedDevice()))


def act(book: Book, pick: int, other: int) -> None:
    """The mediator does something with one of them; mostly posts."""
    act = ("post", "post", "post", "return later", "discard", "keep", "post: zq9999qz")[other % 6]
    at_the_desk(book, f"!held {1 + pick % 4} {act}")


def answer(book: Book, pick: int, other: int) -> None:
    """Who was asked answers; mostly yes, mostly with proof."""
    if not book.case.asks:
        return
    ask = book.case.asks[-1 - pick % min(2, len(book.case.asks))]
    asked = book.case.person(ask.asked)
    word = "no" if other % 7 == 0 else "yes"
    if asked and ask.where == DESK:
        at_the_desk(book, f"{word} {ask.code}")
    elif asked:
        proof = STOLEN if other % 5 == 0 else AuthenticatedMail()
        book.hear(asked.name, ask.where, message(book.case, asked.name, ask.where, Text(f"{word} {ask.code}"), proof))


def command(book: Book, line: str) -> None:
    parsed = parse(line)
    assert not isinstance(parsed, Misunderstood)
    book.judge(
        routing.decide_command(book.case, parsed, facts(None, at=book.at, code=code_from(f"{book.names} of nobody")))
    )


def come(book: Book, pick: int, other: int) -> None:
    """Somebody joins."""
    book.names += 1
    command(book, f"!party add Dora{book.names} @dora{book.names}:example.org as counsel on Smith")


def change(book: Book, pick: int, other: int) -> None:
    """The floor or the course of the case is another."""
    command(book, ("!mode locked", "!mode released", "!pause", "!resume", "!mode closed", "!mode released")[other % 6])


def wait(book: Book, pick: int, other: int) -> None:
    """Time passes, and something that was scheduled is due."""
    book.at += timedelta(hours=1 + pick)
    for due in [alarm for alarm in book.alarms if alarm.at <= book.at]:
        book.alarms.remove(due)
        book.judge(decide_due(book.case, due.key, facts(None, at=book.at)))


Step = Callable[[Book, int, int], None]
STEPS: tuple[Step, ...] = (write, write, act, act, act, answer, answer, answer, come, change, wait)
HISTORY = st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, 40), st.integers(0, 40)), min_size=1, max_size=30)


@given(HISTORY)
def test_nothing_held_is_shown_but_as_its_author_meant_or_agreed_to(history: list[tuple[Step, int, int]]) -> None:
    book = Book()
    for step, pick, other in history:
        step(book, pick, other)
    for kept in book.held:
        if kept.shown != (kept.end is HoldEnd.POSTED):
            raise Broken(f"{kept.end}, and shown {kept.shown} times: {kept.message}")
    arrives(book)


def arrives(book: Book) -> None:
    """The liveness twin: whatever happened before, what is held now and posted stands there, once."""
    if not (book.case.named("Mia") and book.case.named("Carl")):
        return
    command(book, "!resume") if book.case.phase == "paused" else None
    command(book, "!mode released")
    book.names += 1
    words = f"zq{book.names:04d}qz"
    book.hear("Carl", JOINT, message(book.case, "Carl", JOINT, Text(words), AuthenticatedMail()))
    at_the_desk(book, f"!held {len(book.held)} post")
    for _ in range(2):
        at_the_desk(book, f"yes {book.case.asks[-1].code}" if book.case.asks else "yes 2AAA")
    if (book.held[-1].shown, book.held[-1].end) != (1, HoldEnd.POSTED):
        raise Broken("it did not arrive, or twice")


# --- planted faults


@contextmanager
def noticed() -> Iterator[Book]:
    with pytest.raises(Broken):
        yield Book()


def carls(book: Book, proof: Proof) -> None:
    book.hear("Carl", JOINT, message(book.case, "Carl", JOINT, Text("zq0001qz"), proof))


def post(book: Book) -> None:
    at_the_desk(book, "!held 1 post")
    at_the_desk(book, f"yes {book.case.asks[-1].code}")


def certain(case: Case, held: AtHand, author: Person, words: str) -> Release:
    """As if it had been proven, and meant for all who read there."""
    proven = replace(held.message, proof=AuthenticatedMail())
    return DRAFT(case, replace(held, message=proven, audience=frozenset(p.id for p in case.people)), author, words)


def test_unproven_words_that_are_taken_for_their_authors_are_noticed() -> None:
    with noticed() as book, patch.object(hold, "_draft", certain):
        carls(book, STOLEN)
        post(book)


def test_readers_who_came_since_are_noticed() -> None:
    def blind(words: str, _: frozenset[PersonId]) -> Meaning:
        return Meaning(words, book.audience(JOINT))

    with noticed() as book, patch.object(hold, "Meaning", blind):
        carls(book, AuthenticatedMail())
        come(book, 0, 0)
        post(book)


def test_a_second_post_of_the_same_is_noticed() -> None:
    with noticed() as book, patch.object(hold, "_waiting", lambda facts, item: facts.held):
        carls(book, AuthenticatedMail())
        post(book)
        post(book)


def test_words_of_a_held_message_in_what_its_author_s_side_is_told_are_noticed() -> None:
    real = keeping.hold_back

    def leaky(case: Case, said: Message, why: str, *, rule: str) -> Decision:
        decision = real(case, said, why, rule=rule)
        return replace(decision, effects=(*decision.effects, Tell(JOINT, f"held: {said.content}")))

    with noticed() as book, patch.object(routing, "hold_back", leaky), patch.object(keeping, "hold_back", leaky):
        carls(book, STOLEN)
        book.held[0].message = replace(book.held[0].message, id=MessageId("m0"))
        book.judge(leaky(book.case, book.held[0].message, "x", rule="x"))
