"""A process that works off the inbox until nothing is left: run several, and see that no two are ever in one lane.

    python -m tests.appservice.storage.claimer URL DIRECTORY NAME [careless | briefly]

It keeps a file for the lane it works in, and says `overlap` when another's is there already; it says the id of each
item that it has done. A careless one ignores the leases of others, and begins when another one does: the fault that the
test must see. One that claims briefly soon loses what it claimed.
"""

import asyncio
import os
import sys
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import select, update

from appservice.crypto.sealing import Sealer
from appservice.storage.database import SqlDatabase
from appservice.storage.queue import SqlQueue
from appservice.storage.schema import INBOX
from rooms.queue import Item, Lane, State
from tests.appservice.storage.master import MASTER

LEASE, BRIEFLY = timedelta(minutes=2), timedelta(seconds=1.5)


async def work_off(database: SqlDatabase, directory: Path, name: str, lease: timedelta) -> None:
    """Claim and do, until every item is done."""
    while True:
        async with database.begin() as work:
            items = await work.inbox.claim(name, datetime.now(UTC), lease, limit=3)
        if items:
            await _work_in(database, directory / items[0].lane, name, items)
            continue
        async with database.read() as work:
            if not await work.inbox.in_state({State.READY}):
                return
        await asyncio.sleep(0.02)


async def _work_in(database: SqlDatabase, room: Path, name: str, items: tuple[Item, ...]) -> None:
    _enter(room)
    for item in items:
        await asyncio.sleep(0.003)
        async with database.begin() as work:
            await work.inbox.done(item.id)
            await work.outbox.put(Item(item.id, Lane(f"out {item.lane}"), "kind", None, b"", datetime.now(UTC)))
        print(item.id, flush=True)  # noqa: T201 (its parent listens)
    _leave(room)
    async with database.begin() as work:
        await work.inbox.free(name, items[0].lane)


def _enter(room: Path) -> None:
    try:
        os.close(os.open(room, os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        print("overlap", flush=True)  # noqa: T201 (its parent listens)


def _leave(room: Path) -> None:
    room.unlink(missing_ok=True)


async def _take_anything(self: SqlQueue, moment: Mapping[str, datetime]) -> tuple[Lane, int] | None:
    lanes = INBOX.lanes
    waiting = select(lanes.c.lane, lanes.c.head_seq).where(lanes.c.head_seq.is_not(None))
    found = (await self._connection.execute(waiting.order_by(lanes.c.head_seq).limit(1))).one_or_none()
    if found is None:
        return None
    await self._connection.execute(
        update(lanes).where(lanes.c.lane == found.lane).values(owner=None, leased_until=None)
    )
    return found.lane, found.head_seq


async def _begin_together(directory: Path, name: str) -> None:
    (directory / f"{name} is here").touch()
    while len(list(directory.glob("* is here"))) < 2:  # noqa: ASYNC110, ASYNC240 (files have no event for it)
        await asyncio.sleep(0.01)


async def main(url: str, directory: str, name: str, *faults: str) -> None:
    """The process."""
    if "careless" in faults:
        SqlQueue._claimable = _take_anything  # type: ignore[method-assign]
    database = SqlDatabase(url, Sealer([MASTER]))
    await database.open()
    if "careless" in faults:
        await _begin_together(Path(directory), name)
    await work_off(database, Path(directory), name, BRIEFLY if "briefly" in faults else LEASE)
    await database.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
