"""Real processes, killed by SIGKILL before and after each of their first commits, one after another on one database."""

import asyncio
import signal
import sys
from collections import Counter
from pathlib import Path

import pytest

from appservice.crypto.sealing import Sealer
from appservice.storage.database import SqlDatabase
from rooms.queue import Item, ItemId, Lane, State
from tests.appservice.storage.master import MASTER
from tests.appservice.storage.queue_contract import AT

pytestmark = pytest.mark.e2e

NAMES = [f"{kind}{lane}{number}" for number in range(4) for lane in "ab" for kind in "pm"]
"""Posts and mails, in two lanes each."""
NEVER = 10**6


async def live(database: Path, network: Path, commit: int, when: str) -> int:
    """One process's life; how it ended."""
    arguments = (str(database), str(network), str(commit), when)
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "tests.faults.mortal", *arguments)
    return await process.wait()


async def test_nothing_is_lost_no_mail_leaves_twice_and_each_lane_keeps_its_order(tmp_path: Path) -> None:
    path, network = tmp_path / "mediatrix.db", tmp_path / "network"
    database = SqlDatabase(f"sqlite:///{path}", Sealer([MASTER]))
    await database.open()
    async with database.begin() as work:
        for name in NAMES:
            await work.outbox.put(Item(ItemId(name), Lane(name[:2]), "kind", None, b"", AT))
    deaths = [await live(path, network, commit, when) for commit in range(1, 5) for when in ("before", "after")]
    assert deaths == [-signal.SIGKILL] * len(deaths)
    assert await live(path, network, NEVER, "after") == 0
    async with database.read() as work:
        states = {name: found.state for name in NAMES if (found := await work.outbox.get(ItemId(name)))}
    await database.close()
    sent = network.read_text().split()
    times = Counter(sent)
    assert all(times[name] == 1 for name in NAMES if name[0] == "m" and states[name] is State.DONE)
    assert all(times[name] <= 1 for name in NAMES if name[0] == "m")
    assert all(states[name] is State.DONE and times[name] for name in NAMES if name[0] == "p")
    assert {states[name] for name in NAMES} <= {State.DONE, State.UNKNOWN}
    first = list(dict.fromkeys(sent))
    for lane in {name[:2] for name in NAMES}:
        of_lane = [name for name in first if name.startswith(lane)]
        assert of_lane == sorted(of_lane)
