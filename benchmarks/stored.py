"""What thousands of cases that are over cost the ten that go on: a message, a start, and memory."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.filling import WORDS, filler
from benchmarks.results import Benchmark, Measure, at_most
from benchmarks.scene import Desk, scene
from benchmarks.watch import Ledger, Stopwatch, Usage
from sandbox.world import World

LIVE: Final = 10
STARTS: Final = 3
_PAUSE: Final = 0.03
"""Seconds between one message and the next: nothing waits for anything."""


@dataclass(frozen=True, slots=True)
class _Seen:
    """With so many cases: seconds of a message, seconds of a start, MB of memory after both."""

    message: float
    start: float
    megabytes: float


async def stored(folder: Path, *, quick: bool) -> list[Measure]:
    """Ten live cases, first alone, then beside all the others in the same database."""
    over, messages = (1_000, 60) if quick else (9_990, 300)
    async with scene(folder) as desk:
        rooms = await desk.open_cases(LIVE)
        few = await _look(desk, rooms, messages)
        await desk.world.stop_service()
        async with filler(desk.world.config) as fill:
            await fill.over(over)
        await desk.world.start_service()
        many = await _look(desk, rooms, messages)
    each = 1000 * 1000 * (many.megabytes - few.megabytes) / 1024 / over
    message = f"{1000 * many.message:.1f} ÷ {1000 * few.message:.1f} ms from its acceptance to its outbox row"
    return [
        at_most("stored_message", many.message / few.message, 1.2, message),
        at_most("stored_start", many.start / few.start, 1.5, f"{many.start:.2f} ÷ {few.start:.2f} s until ready"),
        at_most("stored_kib", each, 50, f"KiB a case; {many.megabytes:.0f} MB with {over + LIVE} cases"),
    ]


BENCHMARK: Final = Benchmark("stored", stored)


async def _look(desk: Desk, rooms: Sequence[str], messages: int) -> _Seen:
    starts = [await _start(desk.world) for _ in range(STARTS)]
    await asyncio.sleep(5)  # what follows a start is done
    delays = await _one_by_one(desk, rooms, messages)
    return _Seen(statistics.median(delays), min(starts), Usage.of(desk.world.service_pid).megabytes)


async def _start(world: World) -> float:
    await world.stop_service()
    began = time.monotonic()
    await world.start_service()
    return time.monotonic() - began


async def _one_by_one(desk: Desk, rooms: Sequence[str], count: int) -> list[float]:
    """Seconds from each message's acceptance to its outbox row."""
    with closing(Ledger(desk.world.config.parent / "mediatrix.db")) as ledger:
        watch = Stopwatch(ledger)
        looking = asyncio.create_task(watch.watch())
        for number in range(count):
            watch.accepted(await desk.mediators[0].write(desk.http, rooms[number % len(rooms)], WORDS))
            async with asyncio.timeout(60):
                while watch.waiting:
                    await asyncio.sleep(0.002)
            await asyncio.sleep(_PAUSE)
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)
    return watch.delays[len(rooms) :]
