"""The ladder: what is done, rung by rung, about an event whose key has not come, and what people hear of it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from appservice.codec import JsonCodec
from appservice.e2ee.encryption import Encryption, session_key
from appservice.e2ee.patience import ASK, RESTS, SWEEP, TELL
from appservice.e2ee.seeking import COVERS, Seeker
from appservice.e2ee.sweeping import Sweeper
from appservice.e2ee.trust import Verifications
from appservice.inbox import InboxWork, Readers
from appservice.opened import Closed, Opened
from appservice.ports import ServiceWork
from appservice.reading import EVENT, EventReader
from appservice.worker import Fate, Finished, Park
from policies.case import DESK, Kind
from policies.effects import Explain, Tell
from policies.message import SignedDevice, Unreadable
from policies.people.membership import conversations
from policies.plan import room_key
from rooms.house import House
from rooms.ids import RoomId, UserId
from rooms.ports import RoomRecord, Standing
from rooms.queue import Item, ItemId, Lane, State
from tests.appservice.crypto.people import ALICE, BOT
from tests.appservice.crypto.service import SEALER
from tests.fakes.memory import MemoryDatabase
from tests.policies.builders import ALICE_JOINS, done, new_case

CODEC = JsonCodec()
MIA = UserId("@mia:example.org")
ROOM, SESSION = RoomId("!caucus"), "SESSION"
KEY = session_key(ROOM, SESSION)
SWEPT, ASKED = f"swept {BOT}", f"asked {ALICE} for {SESSION}"


@dataclass
class Locked:
    """Decrypts nothing until the key has come, but for one event."""

    key_came: bool = False
    readable: str | None = None
    """The event that has a key of its own."""

    async def open(self, work: ServiceWork, events: Sequence[Mapping[str, Any]]) -> Sequence[Opened | Closed]:
        plain = Opened("m.room.message", {"msgtype": "m.text", "body": "hello"}, SignedDevice())
        no_key = Closed(KEY, "no key", False)
        return [plain if self.key_came or event["event_id"] == self.readable else no_key for event in events]


@dataclass
class Sought:
    """What was done to find the key."""

    acts: list[str] = field(default_factory=list)

    async def sweep_user(self, user: UserId, *, hurries: bool) -> None:
        assert hurries
        self.acts.append(f"swept {user}")

    async def ask_for_key(self, room: RoomId, session: str, sender: UserId) -> None:
        self.acts.append(f"asked {sender} for {session}")


class Ladder:
    """An event of Alice's in her caucus, climbing."""

    def __init__(self) -> None:
        self.database, self.lock, self.sought = MemoryDatabase(), Locked(), Sought()
        self.case = done(new_case(), ALICE_JOINS).case
        house = House("example.org", "_mediatrix_", None, {MIA: "Mia"})
        self.reader = EventReader(
            self.lock, Verifications(SEALER, CODEC, BOT, [MIA]), CODEC, house, BOT, is_ours=lambda user: user == BOT
        )
        self.now, self.lasts = datetime.now(UTC), COVERS
        sweeper = cast(Sweeper, self.sought)
        seeker = Seeker(cast(Encryption, self.sought), sweeper, BOT, clock=lambda: self.now)
        self.inbox = InboxWork(self.database, cast(Readers, None), seeker, CODEC, house)
        content = {"algorithm": "m.megolm.v1.aes-sha2", "session_id": SESSION}
        self.event = {"type": "m.room.encrypted", "room_id": ROOM, "sender": ALICE, "content": content}
        self.item, self.later = self._item("e"), self._item("later")

    def _item(self, name: str) -> Item:
        body = json.dumps(self.event | {"event_id": f"${name}", "origin_server_ts": 0}).encode()
        return Item(ItemId(name), Lane("l"), EVENT, self.case.id, body, datetime.now(UTC))

    async def begin(self) -> Ladder:
        (caucus,) = [c for c in conversations(self.case) if c.kind is Kind.CAUCUS]
        async with self.database.begin() as work:
            await work.cases.save(self.case)
            await work.rooms.save(RoomRecord(self.case.id, room_key(caucus), Standing.MADE, "", ROOM))
            await work.inbox.put(self.item)
            await work.inbox.put(self.later)
        return self

    async def climb(self, *, killed: bool = False) -> Fate:
        """Look at it once more, as the worker does; `killed`, up to where it is stored."""
        return await self.look(self.item, killed=killed)

    async def look(self, wanted: Item, *, killed: bool = False) -> Fate:
        async with self.database.begin() as work:
            item = await work.inbox.get(wanted.id)
            assert item
            (fate,) = await self.reader.read(work, [item])
            if isinstance(fate, Park):
                await work.inbox.park(item.id, fate.key, None, fate.why, is_attempt=fate.is_attempt)
        if not killed:
            await self.inbox.after(item, fate)
        self.now += self.lasts
        return fate

    async def told(self) -> list[str]:
        """Who hears what."""
        async with self.database.begin() as work:
            effects = [CODEC.load(item.body) for item in await work.outbox.in_state([State.READY])]
        return [
            f"{'desk' if effect.conversation == DESK else 'private'}: {effect.text}"
            for effect in effects
            if isinstance(effect, Tell | Explain)
        ]


async def test_each_rung_is_climbed_in_turn_and_each_rest_is_longer() -> None:
    ladder = await Ladder().begin()
    for attempts, rest in enumerate(RESTS):
        assert await ladder.climb() == Park(KEY, "no key", rest)
        looked = {SWEEP: [SWEPT], ASK: [SWEPT, ASKED], TELL: [ASKED]}
        assert ladder.sought.acts == looked.get(attempts, [])
        ladder.sought.acts.clear()
    assert list(RESTS) == sorted(RESTS)


@pytest.mark.parametrize("rung", [SWEEP, ASK])
async def test_whoever_is_killed_on_a_rung_before_anything_is_done_leaves_it_to_the_next(rung: int) -> None:
    ladder = await Ladder().begin()
    for attempts in range(TELL + 1):
        await ladder.climb(killed=attempts == rung)
    assert {SWEPT, ASKED} <= set(ladder.sought.acts)


async def test_what_waits_only_for_its_authors_earlier_words_climbs_no_rung_and_has_no_key_looked_for() -> None:
    ladder = await Ladder().begin()
    ladder.lock.readable = "$later"
    await ladder.climb()
    for _ in RESTS:
        fate = await ladder.look(ladder.later)
        assert isinstance(fate, Park)
        assert not fate.is_attempt
    assert ladder.sought.acts == []
    for _ in range(TELL):
        await ladder.climb()
    assert isinstance(await ladder.look(ladder.later), Finished), "people were told of the first"


async def test_two_that_have_no_key_climb_side_by_side() -> None:
    ladder = await Ladder().begin()
    for rest in RESTS[: TELL + 1]:
        assert await ladder.climb() == Park(KEY, "no key", rest)
        assert await ladder.look(ladder.later) == Park(KEY, "no key", rest)
    assert Counter(ladder.sought.acts) == {SWEPT: 4, ASKED: 4}
    assert len(await ladder.told()) == 4


async def test_one_sweep_counts_for_all_who_want_one_in_that_moment() -> None:
    ladder = await Ladder().begin()
    ladder.lasts = COVERS / 3
    for _ in range(SWEEP + 1):
        await ladder.climb()
        await ladder.look(ladder.later)
    assert ladder.sought.acts == [SWEPT]


async def test_people_are_told_once_with_the_remedy_when_looking_was_in_vain() -> None:
    ladder = await Ladder().begin()
    for attempts in range(len(RESTS)):
        await ladder.climb()
        assert len(await ladder.told()) == (2 if attempts >= TELL else 0)
    assert {text.partition(":")[0] for text in await ladder.told()} == {"desk", "private"}
    assert any("send it again" in text for text in await ladder.told())


@pytest.mark.parametrize("late", range(len(RESTS)))
async def test_whenever_the_key_comes_the_words_are_read(late: int) -> None:
    ladder = await Ladder().begin()
    for _ in range(late):
        await ladder.climb()
    ladder.lock.key_came = True
    assert isinstance(await ladder.climb(), Finished)
    (entry,) = ladder.database.committed.journal.values()
    assert not isinstance(entry.message.content, Unreadable)


async def test_at_the_end_it_is_held_as_unreadable() -> None:
    ladder = await Ladder().begin()
    for _ in RESTS:
        await ladder.climb()
    assert isinstance(await ladder.climb(), Finished)
    (entry,) = ladder.database.committed.journal.values()
    assert isinstance(entry.message.content, Unreadable)
