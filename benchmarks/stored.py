"""What thousands of cases that are over cost the ten that go on: a message, a start, and memory."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from benchmarks.filling import WORDS, filler
from benchmarks.results import Benchmark, Measure, at_most
from benchmarks.scene import Desk, scene
from benchmarks.watch import Ledger, Stopwatch, Usage

LIVE: Final = 10
STARTS: Final = 3
SETTLING: Final = 10
"""Seconds after which what follows a start is done."""


@dataclass(slots=True)
class _Side:
    """One of the two services, and what was seen of it."""

    desk: Desk
    rooms: Sequence[str]
    starts: list[float] = field(default_factory=list)
    """Seconds until it was ready."""
    delays: list[float] = field(default_factory=list)
    """Seconds from each message's acceptance to its outbox row."""

    async def start(self) -> None:
        """Stop it, and time its start."""
        await self.desk.world.stop_service()
        began = time.monotonic()
        await self.desk.world.start_service()
        self.starts.append(time.monotonic() - began)

    async def message(self, ledger: Ledger, number: int) -> None:
        """Time one message, with nothing else going on."""
        watch = Stopwatch(ledger)
        watch.accepted(await self.desk.mediators[0].write(self.desk.http, self.rooms[number % LIVE], WORDS))
        looking = asyncio.create_task(watch.watch())
        async with asyncio.timeout(60):
            while watch.waiting:
                await asyncio.sleep(0.001)
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)
        if number >= LIVE:  # before, a key comes with each
            self.delays += watch.delays

    @property
    def megabytes(self) -> float:
        """What it holds in memory now."""
        return Usage.of(self.desk.world.service_pid).megabytes


async def stored(folder: Path, *, quick: bool) -> list[Measure]:
    """Ten live cases alone, and ten beside all the others in the same database: in turn, so that both meet the same."""
    over, messages = (1_000, 40) if quick else (9_990, 200)
    async with scene(folder / "few") as one, scene(folder / "many") as other:
        few, many = [_Side(desk, await desk.open_cases(LIVE)) for desk in (one, other)]
        await other.world.stop_service()
        async with filler(other.world.config) as fill:
            await fill.over(over)
        for _ in range(STARTS):
            await few.start()
            await many.start()
        await asyncio.sleep(SETTLING)
        with closing(_ledger(one)) as of_few, closing(_ledger(other)) as of_many:
            for number in range(LIVE + messages):
                await few.message(of_few, number)
                await many.message(of_many, number)
        kib = 1e6 / 1024 * (many.megabytes - few.megabytes) / over
        memory = f"KiB a case; {many.megabytes:.0f} MB with {over + LIVE} cases"
    delay, usual = (1000 * statistics.median(side.delays) for side in (many, few))
    start, short = (min(side.starts) for side in (many, few))
    return [
        at_most("stored_message", delay / usual, 1.2, f"{delay:.1f} ÷ {usual:.1f} ms from acceptance to outbox row"),
        at_most("stored_start", start / short, 1.5, f"{start:.2f} ÷ {short:.2f} s until ready"),
        at_most("stored_kib", kib, 50, memory),
    ]


BENCHMARK: Final = Benchmark("stored", stored)


def _ledger(desk: Desk) -> Ledger:
    return Ledger(desk.world.config.parent / "mediatrix.db")
