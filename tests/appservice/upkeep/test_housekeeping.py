"""Housekeeping: done by whoever is on duty; old lists are asked for again, and what is long past is forgotten."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import cast

import pytest

from appservice.crypto.ids import MessageDigest
from appservice.crypto.rows import StoredOlmMessage
from appservice.e2ee.exchange import now_ms
from appservice.e2ee.sweeping import Sweeper
from appservice.portal.store import Whose
from appservice.reading import TO_DEVICE
from appservice.storage.receiving import BESIDE
from appservice.upkeep.housekeeping import LINKS_FOR, LISTS_FOR, PASSING_FOR, REMEMBERED_FOR, Housekeeping
from bridges.email.reception import Counted
from policies.case import CaseId, EndpointId, PersonId
from rooms.ids import UserId
from rooms.queue import Item, ItemId, Lane
from tests.fakes.memory import MemoryDatabase

BOT, ALICE, BOB = (UserId(f"@{name}:example.org") for name in ("_mediatrix_bot", "alice", "bob"))
NEW, OLD = MessageDigest("new"), MessageDigest("old")


@dataclass
class Duty:
    is_ours: bool = True


@dataclass
class Sweeps:
    count: int = 0
    broken: bool = False

    bot: int = 0

    async def sweep_bot(self) -> None:
        self.bot += 1

    async def sweep_all(self) -> None:
        self.count += 1
        if self.broken:
            raise OSError("no homeserver")


@dataclass
class BrokenVault:
    tries: int = 0

    async def sweep(self) -> None:
        self.tries += 1
        raise PermissionError(13, "denied", "/var/documents")


@pytest.fixture
async def database() -> MemoryDatabase:
    """With a fresh and an old list of devices, and digests of a message of today and one of long ago."""
    database = MemoryDatabase()
    async with database.begin() as work:
        await work.crypto.track([ALICE, BOB])
        for row in await work.crypto.device_lists([ALICE, BOB]):
            age = 0 if row.user_id == ALICE else int(LISTS_FOR.total_seconds() * 1000) + 1
            fetched = replace(row, fetched=row.changed, fetched_at_ms=now_ms() - age)
            await work.crypto.put_device_list(fetched)
        long_ago = now_ms() - int(REMEMBERED_FOR.total_seconds() * 1000) - 1
        digests = [StoredOlmMessage(BOT, NEW, now_ms()), StoredOlmMessage(BOT, OLD, long_ago)]
        await work.crypto.put_olm_messages(digests)
    return database


async def stale(database: MemoryDatabase) -> list[str]:
    """Whose devices are to be asked for."""
    async with database.begin() as work:
        return list(await work.crypto.stale_people(10))


async def remembered(database: MemoryDatabase) -> frozenset[MessageDigest]:
    """Which messages would be known again."""
    async with database.begin() as work:
        return await work.crypto.seen_olm_messages(BOT, [NEW, OLD])


def housekeeping(database: MemoryDatabase, duty: Duty, sweeps: Sweeps) -> Housekeeping:
    return Housekeeping(database, duty, cast(Sweeper, sweeps))


async def test_a_round_sweeps_and_has_old_lists_asked_for_again_and_forgets_what_is_long_past(
    database: MemoryDatabase,
) -> None:
    sweeps = Sweeps()
    await housekeeping(database, Duty(), sweeps).round()
    assert sweeps.count == 1
    assert await stale(database) == [BOB]
    assert await remembered(database) == {NEW}


async def test_what_never_came_from_rooms_is_looked_for_by_who_is_on_duty(database: MemoryDatabase) -> None:
    sweeps = Sweeps()
    await housekeeping(database, Duty(), sweeps).look_for_events()
    await housekeeping(database, Duty(is_ours=False), sweeps).look_for_events()
    assert (sweeps.bot, sweeps.count) == (1, 0)
    assert Housekeeping.events_every < Housekeeping.every


async def test_a_vault_that_can_not_be_tidied_keeps_nothing_else_from_being_done(
    database: MemoryDatabase, caplog: pytest.LogCaptureFixture
) -> None:
    vault, sweeps = BrokenVault(), Sweeps()
    await Housekeeping(database, Duty(), cast(Sweeper, sweeps), vault).round()
    assert (vault.tries, sweeps.count) == (1, 1)
    assert "PermissionError" in caplog.text
    assert "/var" not in caplog.text


async def test_what_came_beside_long_ago_is_forgotten_once_it_was_read(database: MemoryDatabase) -> None:
    now = datetime.now(UTC)
    times = {"read": now - PASSING_FOR * 2, "unread": now - PASSING_FOR * 2, "fresh": now}
    async with database.begin() as work:
        for name, at in times.items():
            await work.inbox.put(Item(ItemId(name), Lane("beside"), BESIDE, None, b"{}", at))
        for name in ("read", "fresh"):
            await work.inbox.done(ItemId(name))
    await housekeeping(database, Duty(), Sweeps()).round()
    async with database.begin() as work:
        left = [name for name in times if await work.inbox.get(ItemId(name))]
    assert left == ["unread", "fresh"]


async def test_messages_to_our_devices_are_forgotten_after_a_month_once_the_homeserver_has_none_to_send_again(
    database: MemoryDatabase,
) -> None:
    now = datetime.now(UTC)
    times = {"read": now - REMEMBERED_FOR * 2, "unread": now - REMEMBERED_FOR * 2, "fresh": now}
    async with database.begin() as work:
        for name, at in times.items():
            await work.inbox.put(Item(ItemId(name), Lane("keys"), TO_DEVICE, None, b"{}", at))
        for name in ("read", "fresh"):
            await work.inbox.done(ItemId(name))

    async def left() -> list[str]:
        async with database.begin() as work:
            return [name for name in times if await work.inbox.get(ItemId(name))]

    with pytest.raises(OSError, match="no homeserver"):
        await housekeeping(database, Duty(), Sweeps(broken=True)).round()
    assert await left() == ["read", "unread", "fresh"]
    await housekeeping(database, Duty(), Sweeps()).round()
    assert await left() == ["unread", "fresh"]


async def test_links_of_long_ago_and_counts_of_mails_are_forgotten_and_no_others(database: MemoryDatabase) -> None:
    now, mail = datetime.now(UTC), Counted("an address", 1)
    ends = {"old": now - LINKS_FOR * 2, "of last month": now - REMEMBERED_FOR, "open": now + REMEMBERED_FOR}
    async with database.begin() as work:
        for token, until in ends.items():
            await work.shelf.add_link(token, Whose(CaseId("1001"), PersonId("p2")), EndpointId("e2"), until, until)
        assert await work.mails.counted([[mail]], now - PASSING_FOR * 2) == [True]
    await housekeeping(database, Duty(), Sweeps()).round()
    async with database.begin() as work:
        assert [token for token in ends if await work.shelf.link(token)] == ["of last month", "open"]
        assert await work.mails.counted([[mail]], now - PASSING_FOR * 2) == [True]


async def test_whoever_is_not_on_duty_does_nothing(database: MemoryDatabase) -> None:
    sweeps = Sweeps()
    await housekeeping(database, Duty(is_ours=False), sweeps).round()
    assert sweeps.count == 0
    assert await stale(database) == []
    assert await remembered(database) == {NEW, OLD}


async def test_a_homeserver_that_can_not_be_swept_keeps_nothing_else_from_being_done(database: MemoryDatabase) -> None:
    with pytest.raises(OSError, match="no homeserver"):
        await housekeeping(database, Duty(), Sweeps(broken=True)).round()
    assert await stale(database) == [BOB]
    assert await remembered(database) == {NEW}
