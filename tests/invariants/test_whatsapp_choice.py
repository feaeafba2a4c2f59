"""With one number: no sequence of webhooks, in any order, with any replay, shows anything to everyone without a valid
confirmation of those exact words by their author, for who reads there; and every valid one arrives (W2, I2, I4).

What is valid is said anew here, in this test's own words, and not asked of the product.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appservice.whatsapp import reader
from policies import due
from policies.case import JOINT, Case
from policies.effects import Post, Publish
from policies.questions import choice
from policies.questions.ask import TakingBack
from policies.questions.asking import meaning
from policies.releases.publishing import publications
from policies.releases.release import Release
from policies.words.phrase import verbatim
from tests.appservice.whatsapp.house import WhatsAppHouse, case_with_bea, done
from tests.bridges.whatsapp.builders import Json, contact, message, webhook
from tests.invariants.canaries import canaries_in, may_read

BO, BO_PHONE = "ES.9bo", "+34611111111"
CASE = case_with_bea(f"!party add Bo {BO_PHONE} on Jones")
HOUR, UNDO = timedelta(hours=1), timedelta(seconds=45)


@dataclass
class Question:
    """What stands on Bea's telephone: about which words, for whom, since when; and whether it is the second one."""

    words: str
    readers: frozenset[str]
    at: datetime
    undo: bool
    is_open: bool = True

    @property
    def until(self) -> datetime:
        return self.at + (UNDO if self.undo else HOUR)


@dataclass
class Town:
    """Bea's telephone, what was ever sent from it, and what everybody must have read by now."""

    there: WhatsAppHouse
    questions: list[Question] = field(default_factory=list)
    buttons: dict[str, tuple[Question, bool]] = field(default_factory=dict)
    sent: list[Json] = field(default_factory=list)
    granted: list[str] = field(default_factory=list)
    """What was validly confirmed, and may still be taken back; of that, nobody has been asked yet."""
    expected: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    is_mode_open: bool = True
    looked_at: int = 0

    def readers(self) -> frozenset[str]:
        """Who reads the joint room."""
        case = self.there.case
        return frozenset(p.name for p in case.people if may_read(case, p.id, JOINT))

    # --- what happens

    async def receive(self, payload: Json) -> None:
        """A webhook comes, and what follows from it goes out."""
        self.sent.append(payload)
        self.there.graph.write(self.there.phone, self.there.numbers.private)
        await self.there.receive(payload)
        await self.look()

    async def look(self) -> None:
        """New questions on Bea's telephone."""
        await self.there.deliver()
        for shown in self.there.phone.shows[self.looked_at :]:
            replies = [b["reply"] for b in shown.get("interactive", {}).get("action", {}).get("buttons", [])]
            if replies:
                (canary,) = canaries_in(shown["interactive"]["body"]["text"])
                undo = replies[0]["title"] == "Take it back"
                question = Question(canary, self.readers(), self.there.now, undo)
                if undo and canary in self.granted:
                    self.granted.remove(canary)
                elif undo:
                    question.is_open = False
                    self.problems.append(f"nobody has validly confirmed {canary}")
                self.questions.append(question)
                self.buttons.update({reply["id"]: (question, n == 0) for n, reply in enumerate(replies)})
        self.looked_at = len(self.there.phone.shows)
        for old in [q for q in self.questions if q.is_open and not q.undo][:-3]:
            old.is_open = False

    async def write(self, _: int) -> None:
        """Bea writes."""
        await self.receive(webhook(message(inner={"body": f"zq{len(self.sent):04d}qz"}, wamid=self.name())))

    async def press(self, pick: int) -> None:
        """Bea presses a button, old or new: the newest ones more often."""
        if self.buttons:
            ids = list(self.buttons)
            chosen = ids[-1 - pick % min(4, len(ids))] if pick % 3 else ids[pick % len(ids)]
            self.judge(chosen)
            await self.receive(self.pressed(chosen))

    async def steal(self, pick: int) -> None:
        """Bo, who is on the same side, presses a button that was Bea's."""
        if self.buttons:
            chosen = list(self.buttons)[pick % len(self.buttons)]
            await self.receive(self.pressed(chosen, BO, BO_PHONE))

    async def forge(self, pick: int) -> None:
        """Bea's telephone sends a button that nobody has shown."""
        if self.buttons:
            code, word, binds = list(self.buttons)[pick % len(self.buttons)].split(".")
            other = list(self.buttons)[(pick + 1) % len(self.buttons)].split(".")[2]
            wrong = (f"{code}.{word}.{binds[::-1]}", f"ZZ99.yes.{binds}", f"{code}.yes", f"{code}.yes.{other}x")
            await self.receive(self.pressed(wrong[pick % len(wrong)]))

    async def repeat(self, pick: int) -> None:
        """The network delivers again what it has delivered."""
        if self.sent:
            await self.receive(self.sent[pick % len(self.sent)])

    async def wait(self, pick: int) -> None:
        """Time passes."""
        self.there.later(seconds=(10, 20, 50, 3600)[pick % 4])
        for question in self.questions:
            if question.is_open and question.until <= self.there.now:
                question.is_open = False
                if question.undo:
                    self.show(question)
        await self.there.alarms()
        await self.look()

    async def change(self, pick: int) -> None:
        """The mediator opens or locks the joint room, or somebody comes in."""
        if pick % 3 == 0:
            name = f"dan{self.there.case.made}"
            await self.order(f"!party add {name} @{name}:example.org as counsel on Smith")
        else:
            self.is_mode_open = not self.is_mode_open
            await self.order("!mode open" if self.is_mode_open else "!mode locked")

    async def order(self, command: str) -> None:
        case: Case = done(self.there.case, command)
        async with self.there.database.begin() as work:
            await work.cases.save(case)

    def pressed(self, chosen: str, user: str | None = None, phone: str | None = None) -> Json:
        inner = {"type": "button_reply", "button_reply": {"id": chosen, "title": "Everyone"}}
        names = {"from": phone[1:], "from_user_id": user} if user and phone else {}
        contacts = [contact(user, phone)] if user and phone else None
        return webhook(message("interactive", inner, wamid=self.name(), **names), contacts=contacts)

    def name(self) -> str:
        return f"wamid.t{len(self.sent)}"

    # --- what must come of it

    def judge(self, chosen: str) -> None:
        """What a press of Bea's does, in this test's own words."""
        question, is_yes = self.buttons[chosen]
        if not question.is_open or question.until <= self.there.now:
            return
        question.is_open = False
        if question.undo and not is_yes:
            self.show(question)
        if not question.undo and is_yes and self.is_mode_open and question.readers == self.readers():
            self.granted.append(question.words)

    def show(self, question: Question) -> None:
        if self.is_mode_open and question.readers == self.readers():
            self.expected.append(question.words)

    def wrong(self) -> list[str]:
        """What should not be as it is."""
        effects = self.there.effects()
        posts = [e for e in effects if isinstance(e, Post) and e.conversation == JOINT]
        shown = [e for e in effects if isinstance(e, Publish) and e.to is None]
        problems = [
            *self.problems,
            *(f"posted: {post}" for post in posts),
            *(f"lost: {words}" for words in self.granted),
        ]
        if [publish.words for publish in shown] != self.expected:
            problems.append(f"everyone read {[p.words for p in shown]}, and should have read {self.expected}")
        return problems


KINDS = ("write", "write", "press", "press", "press", "wait", "wait", "steal", "forge", "repeat", "change")
Steps = list[tuple[str, int]]


def lived(steps: Steps) -> Town:
    """A town after these steps."""

    async def live() -> Town:
        town = Town(await WhatsAppHouse(two_numbers=False, case=CASE).begin())
        for kind, pick in steps:
            town.there.later(seconds=1)
            await town.wait(0) if kind == "tick" else await getattr(town, kind)(pick)
        await town.wait(2)
        return town

    return asyncio.run(live())


@given(st.lists(st.tuples(st.sampled_from(KINDS), st.integers(0, 23)), max_size=16))
def test_everyone_reads_exactly_what_was_validly_confirmed(steps: Steps) -> None:
    assert not lived(steps).wrong()


CONFIRMED: Steps = [("write", 0), ("press", 1), ("wait", 2)]
"""The last button but one of the first question is "Everyone"."""


def test_what_was_validly_confirmed_arrives() -> None:
    town = lived(CONFIRMED)
    assert len(town.expected) == 1
    assert not town.wrong()


def silence_is_a_yes(patch: pytest.MonkeyPatch) -> None:
    def wrong(case: Case, ask: Any, **more: Any) -> Any:
        act = TakingBack(ask.asked, ask.act.message, ask.act.words, "silence")
        bound = meaning(case, act)
        assert bound is not None
        return choice.shown(case, replace(ask, binds=bound.sha256), act, ask.expires)

    patch.setattr(due, "lapse", wrong)


def anybody_answers(patch: pytest.MonkeyPatch) -> None:
    find = reader.find

    async def bea(work: Any, sender: Any, **more: Any) -> Any:
        found = await find(work, sender, **more)
        return (found[0], found[0].named("Bea")) if found else None

    patch.setattr(reader, "find", bea)
    patch.setattr(reader, "recognise", lambda endpoint, now: endpoint.seen)


def other_words_are_shown(patch: pytest.MonkeyPatch) -> None:
    def wrong(case: Case, release: Release, title: str) -> Any:
        return publications(case, replace(release, words="all of it"), verbatim(title))

    patch.setattr(choice, "publications", wrong)


def nobody_looks_who_reads(patch: pytest.MonkeyPatch) -> None:
    patch.setattr("policies.questions.asking.readers", lambda case, conversation: frozenset(["p1", "p2", "p4", "p5"]))
    patch.setattr(choice, "readers", lambda case, conversation: frozenset())


def confirmations_are_lost(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(choice, "not_taken_back", lambda case, ask, act, **more: choice.taken_back(case, ask, act))


PLANTS: list[tuple[Callable[[pytest.MonkeyPatch], None], Steps]] = [
    (silence_is_a_yes, [("write", 0), ("wait", 3)]),
    (anybody_answers, [("write", 0), ("steal", 0), ("wait", 2)]),
    (other_words_are_shown, CONFIRMED),
    (nobody_looks_who_reads, [("write", 0), ("change", 0), ("press", 1), ("wait", 2)]),
    (confirmations_are_lost, CONFIRMED),
]


@pytest.mark.parametrize(("plant", "steps"), PLANTS, ids=lambda one: getattr(one, "__name__", ""))
def test_a_planted_fault_is_noticed(plant: Callable[[pytest.MonkeyPatch], None], steps: Steps) -> None:
    assert not lived(steps).wrong()
    with pytest.MonkeyPatch.context() as patch:
        plant(patch)
        assert lived(steps).wrong()
