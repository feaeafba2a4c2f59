"""A flood stays in the database: however much arrives, a worker has only what it works on in memory."""

import asyncio
import gc
from datetime import UTC, datetime

from appservice.worker import BATCH, Done, Fate, Worker
from rooms.queue import Item, ItemId, Lane
from tests.appservice.storage.conftest import opened

AT = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
TASKS = 4
ITEMS = 20 * TASKS * BATCH


def _in_memory() -> int:
    """How many items of the flood there are anywhere in this process."""
    gc.collect()
    return sum(type(one) is Item and one.lane.startswith("flood") for one in gc.get_objects())


async def test_a_worker_takes_no_more_of_a_flood_than_it_works_on(sqlite_url: str) -> None:
    busy, everybody = 0, asyncio.Event()

    async def work(item: Item) -> Fate:
        nonlocal busy
        busy += 1
        if busy == TASKS:
            everybody.set()
        await asyncio.Event().wait()
        return Done()

    async def after(item: Item, fate: Fate) -> None:
        """Nothing follows."""

    async with opened(sqlite_url) as database:
        async with database.begin() as unit:
            lanes = [Lane(f"flood {number}") for number in range(2 * TASKS)]
            flood = (Item(ItemId(str(n)), lanes[n % len(lanes)], "kind", None, b"x", AT) for n in range(ITEMS))
            assert await unit.inbox.put_all(flood) == ITEMS
        worker = Worker("test", database, lambda unit: unit.inbox, work, after, tasks=TASKS)
        running = asyncio.create_task(worker.run())
        async with asyncio.timeout(120):
            await everybody.wait()
        assert TASKS <= _in_memory() <= TASKS * BATCH
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
