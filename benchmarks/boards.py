"""What a thousand open cases cost the mediator who asks for the board: beside the same with ten.

From the homeserver's yes to `!board` in the direct chat until the mediator's real client (matrix-js-sdk) has the board,
decrypted. In each of the cases somebody is waited for, so each has to be weighed.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from benchmarks.filling import filler
from benchmarks.results import Benchmark, Measure, at_most
from benchmarks.scene import SYNAPSE
from rooms.ids import UserId
from sandbox.node import Node
from sandbox.world import MEDIATOR, World
from tests.e2e.cases import Staff, at_work, new_ports, told
from tests.e2e.conftest import NODE

FEW: Final = 10
MANY: Final = 1_000
WARMING: Final = 3
"""Boards before the clock runs."""
REST: Final = 0.25
"""Seconds between two, in which what follows from the one is done."""


async def boards(folder: Path, *, quick: bool) -> list[Measure]:
    """Two mediators, each with a service of their own, in turn."""
    count = 10 if quick else 40
    async with (
        Node(NODE, log=folder.with_suffix(".log")) as node,
        _mediator(folder / "few", node, FEW) as one,
        _mediator(folder / "many", node, MANY) as other,
    ):
        few, many = list[float](), list[float]()
        for _ in range(WARMING + count):
            few.append(await _board(one))
            many.append(await _board(other))
    usual, delay = (1000 * statistics.median(times[WARMING:]) for times in (few, many))
    return [at_most("board", delay / usual, 3, f"{delay:.1f} ÷ {usual:.1f} ms until the mediator has it")]


BENCHMARK: Final = Benchmark("boards", boards)


@asynccontextmanager
async def _mediator(folder: Path, node: Node, cases: int) -> AsyncIterator[Staff]:
    """Somebody with so many open cases. They are stored while the service runs: at a start it looks for their rooms."""
    async with World(folder, new_ports(), SYNAPSE) as world:
        staff = await at_work(world, node, MEDIATOR)
        async with filler(world.config) as fill:
            await fill.waiting(cases, UserId(staff.client.user_id))
        yield staff
        await staff.client.stop()


async def _board(staff: Staff) -> float:
    """Ask for the board; the seconds until it is there."""
    await asyncio.sleep(REST)
    asked = await staff.client.text(staff.lobby, "!board")
    accepted = time.monotonic()
    shown = await told(staff.client, staff.lobby, "In the others", after=asked)
    took = time.monotonic() - accepted
    assert shown.count("answer your question") == min(len(shown.splitlines()) - 1, 40) >= FEW, shown
    return took
