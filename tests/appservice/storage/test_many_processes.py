"""Several processes on one PostgreSQL: never two in one lane, nothing lost, nothing twice, each lane in its order."""

import asyncio
import sys
from asyncio.subprocess import PIPE, Process
from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest

from appservice.storage.database import SqlDatabase
from rooms.queue import ItemId, State
from tests.appservice.storage.conftest import opened
from tests.appservice.storage.queue_contract import AT, item

LANES = 7
ITEMS = 70


async def start(url: str, directory: Path, name: str, *faults: str) -> Process:
    """A claimer."""
    module = "tests.appservice.storage.claimer"
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, url, str(directory), name, *faults, stdout=PIPE
    )


async def fill(database: SqlDatabase, first: int, last: int) -> None:
    """Items in turn for each lane."""
    for number in range(first, last):
        async with database.begin() as work:
            await work.inbox.put(item(f"{number:03}", f"lane{number % LANES}"))


async def said(*processes: Process) -> Counter[str]:
    """What they said until they ended."""
    outputs = await asyncio.gather(*(process.communicate() for process in processes))
    return Counter(line for output, _ in outputs for line in output.decode().split())


async def assert_all_done_in_order(database: SqlDatabase) -> None:
    """Every item is done once, and each lane's results stand in its order."""
    async with database.read() as work:
        assert await work.inbox.counts() == {}
        results = await work.outbox.in_state({State.READY})
    assert len(results) == ITEMS
    for lane in range(LANES):
        of_lane = [one.id for one in results if one.lane == f"out lane{lane}"]
        assert of_lane == sorted(of_lane)


async def test_three_processes_share_the_lanes_and_keep_their_order(postgresql_url: str, tmp_path: Path) -> None:
    async with opened(postgresql_url) as database:
        await fill(database, 0, ITEMS // 2)
        processes = [await start(postgresql_url, tmp_path, name) for name in "abc"]
        await fill(database, ITEMS // 2, ITEMS)
        heard = await said(*processes)
        # The last to be stored may have come when all three had gone home.
        heard += await said(await start(postgresql_url, tmp_path, "d"))
        assert "overlap" not in heard
        assert heard == Counter(f"{number:03}" for number in range(ITEMS))
        await assert_all_done_in_order(database)


async def test_when_one_is_killed_the_others_take_over(postgresql_url: str, tmp_path: Path) -> None:
    async with opened(postgresql_url) as database:
        await fill(database, 0, ITEMS)
        victim = await start(postgresql_url, tmp_path, "victim", "briefly")
        assert victim.stdout is not None
        await victim.stdout.readline()
        victim.kill()
        await victim.wait()
        for room in list(tmp_path.iterdir()):  # noqa: ASYNC240 (a handful of empty files)
            room.unlink()
        heard = await said(victim, *[await start(postgresql_url, tmp_path, name) for name in "ab"])
        assert "overlap" not in heard
        assert max(heard.values()) == 1
        await assert_all_done_in_order(database)
        async with database.read() as work:
            assert await work.inbox.get(ItemId("000")) is not None


async def test_two_that_ignore_leases_are_caught(postgresql_url: str, tmp_path: Path) -> None:
    """The planted fault: the tests above can fail."""
    async with opened(postgresql_url) as database:
        await fill(database, 0, ITEMS)
    heard = await said(*[await start(postgresql_url, tmp_path, name, "careless") for name in "ab"])
    assert "overlap" in heard


@pytest.mark.parametrize(("claimed", "woken"), [("a", "b"), ("b", "a")])
async def test_what_is_done_in_one_lane_may_wake_another_while_something_arrives_for_both(
    migrated_postgresql_url: str, claimed: str, woken: str
) -> None:
    """Whoever claims a lane must not hold anything that those who only store something there wait for."""
    async with opened(migrated_postgresql_url) as database:
        async with database.begin() as work:
            await work.inbox.put(item("asleep", woken))
            await work.inbox.park(ItemId("asleep"), "key", None, "")
            await work.inbox.put(item("first", claimed))

        async def arrive() -> None:
            async with database.begin() as work:
                await work.inbox.put_all([item("new here", claimed), item("new there", woken)])

        async with asyncio.timeout(60):  # where they wait for each other, PostgreSQL ends one of them
            async with database.begin() as work:
                (first,) = await work.inbox.claim("me", AT, timedelta(minutes=1))
                arriving = asyncio.create_task(arrive())
                await asyncio.sleep(0.1)
                assert await work.inbox.wake("key") == 1
                await work.inbox.done(first.id)
            await arriving
        async with database.read() as work:
            assert await work.inbox.counts() == {State.READY: 3}


async def test_whoever_asks_for_a_locked_item_waits_and_sees_what_became_of_it(migrated_postgresql_url: str) -> None:
    async with opened(migrated_postgresql_url) as database:
        async with database.begin() as work:
            await work.inbox.put(item("a"))

        async def state() -> State:
            async with database.begin() as work:
                found = await work.inbox.get(ItemId("a"), lock=True)
            assert found is not None
            return found.state

        async with database.begin() as work:
            await work.inbox.get(ItemId("a"), lock=True)
            other = asyncio.create_task(state())
            done, _ = await asyncio.wait([other], timeout=0.2)
            assert not done
            await work.inbox.done(ItemId("a"))
        assert await other is State.DONE
