"""Killed at every boundary while somebody gets a second channel, is asked and writes on both, and leaves the first:
each channel gets what others say once, nothing of her own comes back to her, and she answers once."""

from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest

from policies.case import JOINT, Case, Network, Person, PersonId
from policies.effects import Post, Tell
from policies.message import AuthenticatedMail, Message, MessageId, Text
from policies.people.membership import caucuses_of
from policies.questions.ask import Wondering
from rooms.handle import Handler
from rooms.lanes import person_lane
from rooms.queue import Item, ItemId, State
from tests.appservice.whatsapp.both import MAILBOX, Both
from tests.appservice.whatsapp.house import CODEC
from tests.faults.dying import dying, handled, survived

ADDED, LEFT = f"!channel add Bea {MAILBOX}", "!channel leave Bea (WhatsApp)"
TO_BOTH, TO_ONE = "the first.", "the second."
BY_CHAT, BY_MAIL = "from the telephone.", "from the mailbox."
_FAR = 10_000


class Two(Both):
    """Bea, by WhatsApp; and by mail, too, from some time on."""

    @property
    def bea(self) -> Person:
        """Her channel on WhatsApp; the one that is left when she has left it."""
        return next(iter(self.legs), None) or self.first.people[-1]

    @property
    def legs(self) -> tuple[Person, ...]:
        """All channels of hers, as they are now."""
        return self.case.called("Bea") if self.first.id in self.database.committed.cases else ()

    def for_bea(self) -> list[Item]:
        """What was put into the outbox for her, by whichever channel."""
        ids = {leg.id for leg in self.legs} | {leg.person for leg in self.case.legs} | {self.first.people[-1].id}
        lanes = {person_lane(self.case.id, one) for one in ids}
        return [item for item in self.database.committed.outbox.items.values() if item.lane in lanes]

    async def confirms(self, *, name: str) -> None:
        """She shows that the mailbox is hers, and agrees to words there."""
        leg = next(leg for leg in self.legs if leg.endpoint.network is Network.EMAIL)
        if leg.endpoint.enrolled is None:
            async with self.database.begin() as work:
                handler = Handler(work, CODEC, self.house, ItemId(name), self.now)
                await handler.enrolled(self.case, leg, words=True)

    async def mails(self, words: str, *, name: str, to_all: bool = True) -> None:
        """She writes by mail, as proven as a mail can be."""
        leg = next(leg for leg in self.legs if leg.endpoint.network is Network.EMAIL)
        where = JOINT if to_all else caucuses_of(self.case, leg.id)[0]
        said = Message(MessageId(name), leg.id, where, Text(words), AuthenticatedMail(), self.now, native=False)
        await handled(self.database, self.house, self.case.id, said)

    def answer(self, network: Network) -> str | None:
        """Her yes to the question that was put to her over that network, while it is open."""
        to = {leg.id for leg in self.legs if leg.endpoint.network is network}
        mine = (ask for ask in self.case.asks if ask.asked in to and isinstance(ask.act, Wondering))
        return next((f"yes {ask.code}" for ask in mine), None)

    def hers(self) -> list[str]:
        """What was posted as her words, by whichever channel."""
        ids: set[PersonId] = {self.first.people[-1].id, *(leg.person for leg in self.case.legs)}
        posts = (effect for effect in self.effects() if isinstance(effect, Post) and effect.author in ids)
        return [post.content.body for post in posts if isinstance(post.content, Text)]

    def answers(self) -> int:
        """How often the desk heard of an answer of hers."""
        return sum("Bea says " in tell.text for tell in self.effects() if isinstance(tell, Tell))


async def lived(at: int) -> tuple[Two, int]:
    """From the day on which she gets the second channel to that on which she leaves the first."""
    there = Two()
    await there.begin()
    with there.open():
        await there.says("it is me")
        await there.goes_out()
        with dying(at) as boundaries:

            async def smtp(_: str) -> None:
                boundaries.boundary()

            there.post.hazard = smtp
            for step in _steps(there):
                await survived(step, there.restarted)
        await there.goes_out()
    return there, boundaries.passed


def _steps(there: Two) -> Iterator[Callable[[], Awaitable[Any]]]:
    yield lambda: there.moves(ADDED, name="add")
    yield lambda: there.confirms(name="confirmed")
    yield lambda: there.writes(TO_BOTH, name="w1")
    yield there.goes_out
    yield lambda: there.writes("!ask Bea: Does Thursday suit you?", "Mia", name="ask")
    yield there.goes_out
    yield lambda: there.says(BY_CHAT, wamid="wamid.chat")
    yield lambda: there.mails(BY_MAIL, name="mail")
    by_mail, by_chat = there.answer(Network.EMAIL), there.answer(Network.WHATSAPP)
    assert by_mail
    assert by_chat
    yield lambda: there.mails(by_mail, name="answer", to_all=False)
    yield lambda: there.says(by_chat, wamid="wamid.answer")
    yield there.goes_out
    yield lambda: there.moves(LEFT, name="leave")
    yield lambda: there.writes(TO_ONE, name="w2")
    yield lambda: there.says("from a telephone that is not hers", wamid="wamid.late")
    yield there.goes_out


def wrong(there: Two) -> list[str]:
    """What should not be as it is."""
    problems = [] if [leg.endpoint.network for leg in there.legs] == [Network.EMAIL] else ["she did not change"]
    unknown = sum(item.state is State.UNKNOWN for item in there.for_bea())
    missing = 0
    for words, where in ((TO_BOTH, ("telephone", "mailbox")), (TO_ONE, ("mailbox",))):
        arrived = there.arrived(words)
        problems += [f"“{words}” came so: {arrived}"] if any(arrived[one] > (one in where) for one in arrived) else []
        missing += sum(not arrived[one] for one in where)
    if missing > unknown:
        problems.append(f"{missing} did not come, and {unknown} are unknown")
    # On the telephone itself her words are shown, to ask who should read them.
    for words, other in ((BY_CHAT, "mailbox"), (BY_MAIL, "telephone")):
        problems += [f"“{words}” came back"] if there.arrived(words)[other] else []
        problems += (
            [f"“{words}” was posted {there.hers().count(words)} times"] if there.hers().count(words) != 1 else []
        )
    problems += [f"{there.answers()} answers counted"] if there.answers() != 1 else []
    return problems


async def test_unharmed_each_channel_gets_what_is_for_it() -> None:
    there, passed = await lived(_FAR)
    assert wrong(there) == []
    assert dict(+there.arrived(TO_BOTH)) == {"telephone": 1, "mailbox": 1}
    assert dict(+there.arrived(TO_ONE)) == {"mailbox": 1}
    assert passed > 30


async def test_killed_anywhere_nothing_comes_twice_or_back_and_one_answer_counts() -> None:
    _, passed = await lived(_FAR)
    for at in range(1, passed + 1):
        there, _ = await lived(at)
        assert wrong(there) == [], at


async def test_words_that_come_back_by_the_other_channel_are_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Case, "same_voice", lambda _, one, other: one is not None and one == other)
    there, _ = await lived(_FAR)
    assert {f"“{BY_CHAT}” came back", f"“{BY_MAIL}” came back", "2 answers counted"} <= set(wrong(there))
