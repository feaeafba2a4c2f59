"""A process that works off an outbox as the service does, and is killed by SIGKILL at one of its commits.

    python -m tests.faults.mortal DATABASE NETWORK COMMIT before | after

Whatever is sent is a line of the file NETWORK. Items whose name begins with `m` are mails: nothing tells a second one
from the first.
"""

import asyncio
import os
import signal
import sys
from datetime import timedelta
from itertools import count
from pathlib import Path

from appservice import worker as workers
from appservice.crypto.sealing import Sealer
from appservice.storage import sqlite
from appservice.storage.database import SqlDatabase
from appservice.worker import Done, End, Fate, Worker
from rooms.queue import Item, State
from tests.appservice.storage.master import MASTER


class Outside:
    """What cannot be taken back, and how it is begun."""

    def __init__(self, database: SqlDatabase, network: Path) -> None:
        self._database, self._network = database, network

    async def send(self, item: Item) -> Fate:
        """As the couriers do: a mail is marked before it leaves, and never sent when it was."""
        if item.id.startswith("m"):
            if item.sending:
                return End(State.UNKNOWN, "the process stopped")
            async with self._database.begin() as work:
                await work.outbox.mark_sending(item.id, None)
        with self._network.open("a") as lines:
            lines.write(f"{item.id}\n")
        return Done("sent")

    async def after(self, item: Item, fate: Fate) -> None:
        """Nobody is told."""


def die_at(commit: int, when: str) -> None:
    """From now on, be killed at that commit."""
    commits, genuine = count(), sqlite._Connection.commit

    def mortal(self: sqlite._Connection) -> None:
        last = self.total_changes != self.changes_before and next(commits) == commit
        if last and when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        genuine(self)
        if last:
            os.kill(os.getpid(), signal.SIGKILL)

    sqlite._Connection.commit = mortal  # type: ignore[assignment, method-assign]


async def main(path: str, network: str, commit: str, when: str) -> None:
    """Until nothing is left to be done."""
    workers.LEASE = timedelta(seconds=0.2)
    workers.IDLE = timedelta(seconds=0.1)
    database = SqlDatabase(f"sqlite:///{path}", Sealer([MASTER]))
    await database.open()
    die_at(int(commit), when)
    outside = Outside(database, Path(network))
    worker = Worker("outbox", database, lambda work: work.outbox, outside.send, outside.after, tasks=2)
    running = asyncio.create_task(worker.run())
    while True:
        async with database.read() as work:
            if not await work.outbox.in_state({State.READY}):
                break
        await asyncio.sleep(0.02)
    running.cancel()
    await asyncio.wait([running])
    await database.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
