"""Random histories of words, releases, submissions, answers, replays, comings and goings, against what was agreed to.

Nothing crosses without a release whose words and readers its author agreed to, with proof; and what was agreed to and
passed arrives. The product's decisions are judged by a book that this test keeps of its own.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies import routing
from policies.case import DESK, JOINT, Case, Conversation, Kind, PersonId
from policies.commands.form import Misunderstood
from policies.commands.vocabulary import parse
from policies.due import decide_due
from policies.effects import Decision, Effect, Inform, Pose, Post, Publish, Relay, Tell
from policies.message import AuthenticatedMail, MessageId, Proof, SignedDevice, Text, Unproven
from policies.outcome import Facts, Quoted
from policies.questions import asking
from policies.questions.ask import Ask, Meaning, Passing
from policies.questions.asking import code_from
from policies.questions.poll import Ballot, Vote, ballot, decide_vote, shows
from policies.schedule import Schedule
from tests.invariants.canaries import canaries_in, may_read
from tests.policies.builders import AT, both_sides, caucus_of, facts, message

PEOPLE = ("Mia", "Alice", "Carl", "Bob")
START = both_sides("!party add Bob @bob:example.org on Jones", "!mode open")
PLACES = (DESK, JOINT, caucus_of(START, "Smith"), caucus_of(START, "Jones"))
PROOFS: tuple[Proof, ...] = (SignedDevice(), SignedDevice(), AuthenticatedMail(), Unproven("a thief", "none"))


class Broken(AssertionError):
    """Something crossed that should not have, or did not that should."""


@dataclass(frozen=True)
class Said:
    """A message as the service got it."""

    name: str
    where: Conversation
    words: str
    proof: Proof
    known: dict[str, Any]


@dataclass
class Asked:
    """A question that was put: to whom, where, about which words, for whom."""

    to: PersonId
    where: Conversation
    code: str
    words: str
    audience: frozenset[PersonId]
    agreed: int = 0


@dataclass(frozen=True)
class Voted:
    """A vote as the service got it: in which poll, of those that there ever were; None: of none of ours."""

    name: str
    where: Conversation
    answers: tuple[str, ...]
    poll: int | None
    proof: Proof


@dataclass
class Book:
    """The case, and everything that was said and asked."""

    case: Case = START
    at: datetime = AT
    said: list[Said] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    alarms: list[Schedule] = field(default_factory=list)
    codes: list[str] = field(default_factory=list)
    polls: list[tuple[Ask, Ballot]] = field(default_factory=list)
    votes: list[Voted] = field(default_factory=list)
    published: list[Publish] = field(default_factory=list)
    names: int = 0

    def canary(self) -> str:
        self.names += 1
        return f"zq{self.names:04d}qz"

    def hear(self, said: Said) -> Decision | None:
        """Somebody who is there says something; what follows is judged and written down."""
        person = self.case.named(said.name)
        if person is None:
            return None
        self.names += 1
        by = facts(person.id, at=self.at, code=code_from(str(self.names)))
        heard = replace(message(self.case, said.name, said.where, Text(said.words), said.proof), at=self.at)
        decision = routing.decide(self.case, heard, replace(by, where=said.where, **said.known))
        self.note_answer(person.id, said)
        self.judge(decision)
        return decision

    def count(self, voted: Voted) -> None:
        """Somebody who is there votes; what follows is judged."""
        person = self.case.named(voted.name)
        if person is None:
            return
        self.names += 1
        self.votes.append(voted)
        ask = self.polls[voted.poll][0] if voted.poll is not None else None
        poll = ask.code if ask in self.case.asks and ask else None
        by = facts(person.id, at=self.at, code=code_from(str(self.names)))
        self.note_vote(person.id, voted)
        self.judge(decide_vote(self.case, Vote(person.id, voted.where, voted.answers, poll, voted.proof), by))

    def note_vote(self, by: PersonId, voted: Voted) -> None:
        """What counts as a yes, in this test's own words: its one answer, in the poll that asks for it."""
        if voted.poll is None or isinstance(voted.proof, Unproven):
            return
        ask, shown = self.polls[voted.poll]
        if voted.answers == (shown.answers[0][0],) and (by, voted.where) == (ask.asked, ask.where):
            for asked in self.asked:
                if (asked.to, asked.code) == (ask.asked, ask.code):
                    asked.agreed += asked.audience == self.audience()

    def note_answer(self, by: PersonId, said: Said) -> None:
        """What counts as a yes, in this test's own words."""
        for asked in self.asked:
            proven = not isinstance(said.proof, Unproven)
            if said.words == f"yes {asked.code}" and (by, said.where) == (asked.to, asked.where) and proven:
                asked.agreed += asked.audience == self.audience()

    def audience(self, where: Conversation = JOINT) -> frozenset[PersonId]:
        return frozenset(p.id for p in self.case.people if may_read(self.case, p.id, where))

    def judge(self, decision: Decision) -> None:
        origins = {c: s.where for s in self.said for c in canaries_in(s.words)}
        for effect in decision.effects:
            self.judge_one(effect, origins)
        new = [a for a in decision.case.asks if a not in self.case.asks]
        self.case = decision.case
        self.polls += [
            (ask, shown)
            for effect in decision.effects
            for ask in new
            if shows(effect, ask, self.case) and (shown := ballot(self.case, ask))
        ]
        self.alarms += [e for e in decision.effects if isinstance(e, Schedule)]
        for effect in decision.effects:
            if isinstance(effect, Pose):
                self.asked.append(Asked(effect.to, effect.conversation, effect.code, effect.words, self.audience()))
        self.codes += [a.code for a in self.case.asks if a.code not in self.codes]

    def judge_one(self, effect: Effect, origins: dict[str, Conversation]) -> None:
        match effect:
            case Publish():
                if effect.to is None:
                    self.judge_release(effect)
                self.published.append(effect)
            case Post() | Relay() | Tell() | Inform() | Pose() if effect.conversation != DESK:
                for canary in canaries_in(str(effect)):
                    if origins.get(canary, effect.conversation) not in {effect.conversation, DESK}:
                        raise Broken(f"{effect} shows what was said in {origins[canary]}")
            case _:
                pass

    def judge_release(self, effect: Publish) -> None:
        """Its author agreed to exactly these words, for exactly who reads there now; each yes lets them out once."""
        if effect.conversation.kind is not Kind.JOINT:
            raise Broken("released elsewhere than it was agreed to")
        yes = [a for a in self.asked if a.words == effect.words and a.agreed > 0 and a.audience == self.audience()]
        if not yes or effect.audience != self.audience():
            raise Broken(f"nobody agreed to that: {effect}")
        yes[0].agreed = -1000
        name = effect.heading.split("’")[0] if "released by" in effect.heading else "Alice Carl Bob"
        author = self.case.person(yes[0].to)
        if author is None or author.name not in name:
            raise Broken(f"somebody else's name stands above it: {effect}")


def of(pick: int, other: int) -> tuple[str, Conversation, Proof]:
    """Somebody, the private room of theirs, and a proof."""
    name = PEOPLE[pick % len(PEOPLE)]
    return name, PLACES[3] if name in {"Carl", "Bob"} else PLACES[2], PROOFS[other % len(PROOFS)]


def speak(book: Book, pick: int, other: int) -> None:
    """Somebody says something in a room of theirs."""
    name, own, proof = of(pick, other)
    say(book, Said(name, PLACES[other % 4] if name == "Mia" else (own, JOINT)[other % 2], book.canary(), proof, {}))


def release(book: Book, pick: int, other: int) -> None:
    """The mediator replies to something that was said in private, perhaps with other words."""
    private = [(i, s) for i, s in enumerate(book.said) if s.where.kind is Kind.CAUCUS and s.name != "Mia"]
    number, said = private[pick % len(private)] if private else (0, None)
    author = book.case.named(said.name) if said else None
    if said and author:
        words = "!release" if other % 3 else f"!release: {book.canary()} instead"
        quoted = Quoted(MessageId(f"m{number}"), author.id, said.words)
        say(book, Said("Mia", said.where, words, SignedDevice(), {"quoted": quoted}))


def submit(book: Book, pick: int, other: int) -> None:
    """A party submits words."""
    name, own, proof = of(pick, other)
    say(book, Said(name, own, f"!submit: {book.canary()}", proof, {}))


def guess(book: Book, pick: int, other: int) -> None:
    """Somebody answers some question, wherever they are."""
    name, own, proof = of(pick, other)
    where = DESK if name == "Mia" else (own, own, JOINT)[other % 3]
    code = book.codes[-1 - other % min(4, len(book.codes))] if book.codes else "2AAA"
    say(book, Said(name, where, f"{word(other)} {code}", proof, {}))


def reply(book: Book, pick: int, other: int) -> None:
    """Who was asked answers where they were asked, with proof or without."""
    if book.case.asks:
        ask = book.case.asks[-1 - pick % min(2, len(book.case.asks))]
        asked = book.case.person(ask.asked)
        if asked:
            say(book, Said(asked.name, ask.where, f"{word(other)} {ask.code}", PROOFS[other % len(PROOFS)], {}))


def vote(book: Book, pick: int, other: int) -> None:
    """Somebody votes for something in some poll, wherever they are."""
    if not book.polls:
        return
    name, own, proof = of(pick, other)
    number = len(book.polls) - 1 - pick % min(4, len(book.polls))
    another = other % len(book.polls)
    yes, no = (one for one, _ in book.polls[number][1].answers)
    answers = ((yes,), (yes,), (no,), (yes, no), (yes, yes), (), (f"{yes}0",), (book.polls[another][1].answers[0][0],))
    where = book.polls[number][0].where if other % 2 else DESK if name == "Mia" else own
    book.count(Voted(name, where, answers[other % len(answers)], (number, number, another, None)[pick % 4], proof))


def press(book: Book, pick: int, other: int) -> None:
    """Who was asked votes in the poll that asks it, with proof or without."""
    if book.polls:
        number = len(book.polls) - 1 - pick % min(2, len(book.polls))
        ask, shown = book.polls[number]
        asked = book.case.person(ask.asked)
        if asked:
            answer = shown.answers[other % 7 == 0][0]
            book.count(Voted(asked.name, ask.where, (answer,), number, PROOFS[other % len(PROOFS)]))


def vote_again(book: Book, pick: int, other: int) -> None:
    """A vote comes again."""
    if book.votes:
        book.count(book.votes[pick % len(book.votes)])


def word(other: int) -> str:
    """Mostly yes."""
    return "no" if other % 7 == 0 else "yes"


def replay(book: Book, pick: int, other: int) -> None:
    """What was said is heard again."""
    if book.said:
        say(book, book.said[pick % len(book.said)])


def come(book: Book, pick: int, other: int) -> None:
    """Somebody joins the other side."""
    command(book, f"!party add Dora{book.names} @dora{book.names}:example.org as counsel on Jones")


def go(book: Book, pick: int, other: int) -> None:
    """Whoever came last leaves."""
    command(book, f"!party remove {book.case.people[-1].name}")


def command(book: Book, line: str) -> None:
    """The organisation gives a command."""
    parsed = parse(line)
    assert not isinstance(parsed, Misunderstood)
    book.judge(routing.decide_command(book.case, parsed, facts(None, at=book.at)))


def wait(book: Book, pick: int, other: int) -> None:
    """Time passes, and something that was scheduled is due."""
    book.at += timedelta(hours=1 + pick)
    if book.alarms:
        due = book.alarms[pick % len(book.alarms)]
        if due.at <= book.at:
            book.judge(decide_due(book.case, due.key, facts(None, at=book.at)))


def let_out(book: Book, pick: int, other: int) -> None:
    """The mediator releases what waits."""
    say(book, Said("Mia", DESK, f"!release R{1 + pick % 3}", SignedDevice(), {}))


def give_back(book: Book, pick: int, other: int) -> None:
    """The mediator gives something back."""
    say(book, Said("Mia", DESK, f"!return R{1 + pick % 3}: a note", SignedDevice(), {}))


def take_back(book: Book, pick: int, other: int) -> None:
    """The mediator takes back what was done last."""
    say(book, Said("Mia", DESK, "!undo", SignedDevice(), {}))


STEPS = (
    *(speak, release, submit, let_out, guess, replay, come, go, wait, give_back, take_back),
    *(speak, release, reply, reply, reply, let_out),
    *(vote, press, press, vote_again, release, press),
)  # fmt: skip


def say(book: Book, said: Said) -> None:
    book.said.append(said)
    book.hear(said)


Step = Callable[[Book, int, int], None]
HISTORY = st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, 40), st.integers(0, 40)), min_size=1, max_size=40)


@given(HISTORY)
def test_nothing_crosses_without_a_yes_and_what_was_agreed_to_arrives(history: list[tuple[Step, int, int]]) -> None:
    book = Book()
    for step, pick, other in history:
        step(book, pick, other)
    arrives(book)
    arrives(book, by_vote=True)


def arrives(book: Book, *, by_vote: bool = False) -> None:
    """The liveness twin: whatever happened before, words that are agreed to now stand before everyone, once."""
    alice = book.case.named("Alice")
    if alice is None or book.case.named("Mia") is None:
        return
    words, before = book.canary(), len(book.published)
    say(book, Said("Alice", PLACES[2], words, SignedDevice(), {}))
    quoted = Quoted(MessageId("m"), alice.id, words)
    say(book, Said("Mia", PLACES[2], "!release", SignedDevice(), {"quoted": quoted}))
    code = next(
        a.code for a in book.case.asks if isinstance(a.act, Passing) and a.at == book.at and a.code == book.codes[-1]
    )
    agree(book, "Mia", DESK, code, by_vote=by_vote)
    code = book.asked[-1].code
    agree(book, "Alice", PLACES[2], code, by_vote=by_vote)
    new = book.published[before:]
    bridged = {p.id for p in book.case.people if p.endpoint.is_bridged and may_read(book.case, p.id, JOINT)}
    if {p.to for p in new} != {None, *bridged} or {p.words for p in new} != {words}:
        raise Broken(f"it did not arrive: {new}")
    agree(book, "Alice", PLACES[2], code, by_vote=by_vote)
    if len(book.published) != before + len(new):
        raise Broken("it arrived twice")


def agree(book: Book, name: str, where: Conversation, code: str, *, by_vote: bool) -> None:
    """Somebody says yes, in words or in the last poll with that code."""
    if by_vote:
        number = max(n for n, (ask, _) in enumerate(book.polls) if ask.code == code)
        book.count(Voted(name, where, (book.polls[number][1].answers[0][0],), number, SignedDevice()))
    else:
        say(book, Said(name, where, f"yes {code}", SignedDevice(), {}))


def in_whatever_poll(case: Case, given: Vote) -> Vote:
    pressed = asking.read_answer_id(given.answers[0])
    return replace(given, poll=pressed.code if pressed else None)


def from_whatever_device(case: Case, given: Vote) -> Vote:
    return replace(given, proof=SignedDevice())


def whatever_else_was_chosen(case: Case, given: Vote) -> Vote:
    return replace(given, answers=given.answers[:1])


def by_whomever(case: Case, given: Vote) -> Vote:
    return replace(given, by=next((a.asked for a in case.asks if a.code == given.poll), given.by))


@pytest.mark.parametrize("lenient", [in_whatever_poll, from_whatever_device, whatever_else_was_chosen, by_whomever])
def test_a_vote_that_is_none_is_noticed(lenient: Callable[[Case, Vote], Vote]) -> None:
    """A planted fault: something about a vote is not looked at. Without it, nothing comes of these."""
    assert not wrong_votes(Book()).published

    real = decide_vote

    def wrong(case: Case, given: Vote, known: Facts) -> Decision:
        return real(case, lenient(case, given), known)

    with patch(f"{__name__}.decide_vote", wrong), pytest.raises(Broken):
        wrong_votes(Book())


def wrong_votes(book: Book) -> Book:
    """Alice is asked, and everything votes but she, as she should."""
    say(book, Said("Alice", PLACES[2], book.canary(), SignedDevice(), {}))
    alice = book.case.named("Alice")
    assert alice
    quoted = Quoted(MessageId("m"), alice.id, book.said[-1].words)
    say(book, Said("Mia", PLACES[2], "!release", SignedDevice(), {"quoted": quoted}))
    agree(book, "Mia", DESK, book.codes[-1], by_vote=True)
    number = len(book.polls) - 1
    yes, no = (one for one, _ in book.polls[number][1].answers)
    book.count(Voted("Alice", PLACES[2], (yes,), None, SignedDevice()))
    book.count(Voted("Alice", PLACES[2], (yes,), number, Unproven("a thief", "none")))
    book.count(Voted("Alice", PLACES[2], (yes, no), number, SignedDevice()))
    book.count(Voted("Mia", PLACES[2], (yes,), number, SignedDevice()))
    return book


def test_a_release_without_a_yes_is_noticed() -> None:
    """A planted fault: the mediator's act is enough."""
    with patch("policies.releases.releasing._need_not_agree", lambda case, release: True), pytest.raises(Broken):
        arrives(Book())


def test_a_yes_of_somebody_else_is_noticed() -> None:
    """A planted fault: whoever names the code answers."""

    def anybody(case: Case, given: asking.Answer, at: datetime) -> object:
        ask = next((a for a in case.asks if a.code == given.code), None)
        return (asking.without(case, ask), ask) if ask else asking.answered(case, given, at)

    book = Book()
    say(book, Said("Alice", PLACES[2], f"!submit: {book.canary()}", SignedDevice(), {}))
    with patch("policies.questions.answering.answered", anybody):
        say(book, Said("Bob", PLACES[3], f"yes {book.codes[-1]}", SignedDevice(), {}))
        say(book, Said("Mia", DESK, "!release R1", SignedDevice(), {}))
        with pytest.raises(Broken):
            say(book, Said("Mia", DESK, f"yes {book.codes[-1]}", SignedDevice(), {}))


def test_a_reader_who_came_after_the_yes_is_noticed() -> None:
    """A planted fault: who reads is not part of what is agreed to."""
    real = asking.meaning

    def blind(case: Case, act: Any) -> Meaning | None:
        bound = real(case, act)
        return replace(bound, audience=frozenset()) if bound else None

    names = (
        "policies.questions.asking.meaning",
        "policies.questions.answering.meaning",
        "policies.releases.releasing.meaning",
    )
    with patch(names[0], blind), patch(names[1], blind), patch(names[2], blind):
        book = Book()
        say(book, Said("Alice", PLACES[2], f"!submit: {book.canary()}", SignedDevice(), {}))
        say(book, Said("Alice", PLACES[2], f"yes {book.codes[-1]}", SignedDevice(), {}))
        come(book, 0, 0)
        say(book, Said("Mia", DESK, "!release R1", SignedDevice(), {}))
        with pytest.raises(Broken):
            say(book, Said("Mia", DESK, f"yes {book.codes[-1]}", SignedDevice(), {}))
