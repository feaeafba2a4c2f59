"""No letter to WhatsApp, repeated or not, leaves the conversation of the words that it carries (I1, I3), however often
the network says that it failed; and what it says so of arrives in that conversation.
"""

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appservice.whatsapp import statuses
from bridges.whatsapp.convert_out import LABELS
from policies.case import JOINT, Conversation
from policies.message import AuthenticatedMail, Message, MessageId, PinnedLink, Proof, SignedDevice, Text, Unproven
from policies.networks.whatsapp import decide_again
from rooms.handle import Handler
from rooms.ports import Entry
from rooms.queue import ItemId
from tests.appservice.whatsapp.house import CODEC, HOUSE, WhatsAppHouse, case_with_bea
from tests.bridges.whatsapp.builders import JOINT_NUMBER, PRIVATE
from tests.fakes.memory import MemoryJournal
from tests.invariants.canaries import canaries_in
from tests.policies.builders import caucus_of, confirmed, named

CASE = confirmed(case_with_bea("!party add Carl carl@example.net on Jones", "!consent Carl: agreed"))
OWN = caucus_of(CASE, "Jones")
NO_PROOF = Unproven("no DKIM", "")
MAY_WORK = (131000, 131047)


@dataclass
class Town:
    """Bea's telephone, those who write to her, and where each word of theirs must stand."""

    there: WhatsAppHouse
    home: dict[str, Conversation] = field(default_factory=dict)
    ids: Any = field(default_factory=itertools.count)

    async def say(self, name: str, where: Conversation, proof: Proof, *, home: Conversation | None = None) -> Message:
        """Somebody says something with a canary in it; `home`: where it must stand, if not where it was said."""
        number = next(self.ids)
        canary = f"zq{number:04d}qz"
        self.home[canary] = home or where
        author, native = named(self.there.case, name).id, isinstance(proof, SignedDevice)
        said = Message(MessageId(f"m{number}"), author, where, Text(canary), proof, self.there.now, native=native)
        await self._handled(lambda handler: handler.message(self.there.case.id, said, None, None))
        return said

    async def confirm(self, where: Conversation) -> None:
        """A mail of Carl's comes without proof, and he says that it was his."""
        said = await self.say("Carl", where, NO_PROOF, home=OWN)
        carl = named(self.there.case, "Carl")
        await self._handled(lambda handler: handler.mine(self.there.case, carl, said.id))

    async def _handled(self, what: Callable[[Handler], Awaitable[object]]) -> None:
        item = ItemId(f"h{next(self.ids)}")
        async with self.there.database.begin() as work:
            await what(Handler(work, CODEC, HOUSE, item, self.there.now))

    async def fail(self, pick: int, code: int) -> None:
        """The network says that something which it took has failed."""
        if self.there.graph.accepted:
            number, sent = self.there.graph.accepted[pick % len(self.there.graph.accepted)]
            item, _, part = sent["biz_opaque_callback_data"].rpartition("/")
            await self.there.reports(item, "failed", code, number=number, part=part)

    async def step(self, kind: str, pick: int) -> None:
        """One thing happens."""
        match kind:
            case "joint":
                await self.say("Alice", JOINT, SignedDevice())
            case "private":
                await self.say("Mia", OWN, SignedDevice())
            case "mail":
                await self.say("Carl", (JOINT, OWN)[pick % 2], AuthenticatedMail())
            case "confirm":
                await self.confirm((JOINT, OWN)[pick % 2])
            case "fail":
                await self.fail(pick, (*MAY_WORK, 131026)[pick % 3])
            case "write":
                await self.there.says("hello", (JOINT_NUMBER, PRIVATE)[pick % 2])
            case _:
                await self.there.deliver()

    def astray(self) -> list[str]:
        """What arrived in another conversation, or from another number, than its own."""
        return [
            f"{body!r} belongs to {home}"
            for number, sent in self.there.graph.accepted
            for body in [sent.get("text", {}).get("body", "")]
            for home in [self.home[canary] for canary in canaries_in(body)]
            if not body.startswith(LABELS[home.kind]) or number != self.there.numbers.of(home)
        ]

    def arrived(self, canary: str) -> int:
        """How often words arrived."""
        return sum(canary in text for text in self.there.phone.texts)


async def town() -> Town:
    there = await WhatsAppHouse(case=CASE).begin()
    for number in (JOINT_NUMBER, PRIVATE):
        await there.says("hello", number)
    return Town(there)


def lived(steps: list[tuple[str, int]]) -> Town:
    """A town after these steps."""

    async def live() -> Town:
        found = await town()
        for kind, pick in steps:
            found.there.later(seconds=1)
            await found.step(kind, pick)
        return found

    return asyncio.run(live())


KINDS = ("joint", "private", "mail", "confirm", "deliver", "deliver", "fail", "fail", "write")


@given(st.lists(st.tuples(st.sampled_from(KINDS), st.integers(0, 11)), max_size=14))
def test_whatever_fails_however_often_nothing_leaves_its_conversation(steps: list[tuple[str, int]]) -> None:
    assert not lived([*steps, ("deliver", 0)]).astray()


@pytest.mark.parametrize("code", MAY_WORK)
@pytest.mark.parametrize(("kind", "pick"), [("joint", 0), ("private", 0), ("mail", 0), ("mail", 1), ("confirm", 0)])
async def test_what_may_work_another_time_arrives_once_more(kind: str, pick: int, code: int) -> None:
    found = await town()
    await found.step(kind, pick)
    await found.there.deliver()
    found.there.later(seconds=1)
    await found.fail(-1, code)
    for number in (JOINT_NUMBER, PRIVATE):
        await found.there.says("here I am", number)
    await found.there.deliver()
    (canary,) = found.home
    assert found.arrived(canary) == 2
    assert not found.astray()


FAILED = [("confirm", 0), ("mail", 1), ("deliver", 0), ("fail", 0), ("deliver", 0)]


def the_journal_has_a_confirmed_mail_where_it_was_meant_for(patch: pytest.MonkeyPatch) -> None:
    append = MemoryJournal.append

    async def wrong(journal: MemoryJournal, entry: Entry) -> None:
        meant = JOINT if isinstance(entry.message.proof, PinnedLink) else entry.message.conversation
        await append(journal, replace(entry, message=replace(entry.message, conversation=meant)))

    patch.setattr(MemoryJournal, "append", wrong)


def what_failed_is_repeated_to_all(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(statuses, "decide_again", lambda case, relay: decide_again(case, replace(relay, conversation=JOINT)))


@pytest.mark.parametrize(
    "plant", [the_journal_has_a_confirmed_mail_where_it_was_meant_for, what_failed_is_repeated_to_all]
)
def test_a_planted_fault_is_noticed(plant: Callable[[pytest.MonkeyPatch], None]) -> None:
    assert not lived(FAILED).astray()
    with pytest.MonkeyPatch.context() as patch:
        plant(patch)
        assert lived(FAILED).astray()
