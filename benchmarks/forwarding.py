"""How fast what people write becomes outbox rows, and what it costs, beside the bare homeserver.

bare … attached … bare again: the same people write into the same rooms as fast as the homeserver lets them
a backlog: the service rests while people write, and then catches up
half load: how long after the homeserver's yes a message's rows are committed
"""

from __future__ import annotations

import asyncio
import os
import signal
import statistics
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.results import Benchmark, Measure, at_least, at_most
from benchmarks.scene import Desk, bare, scene
from benchmarks.senders import Device
from benchmarks.watch import Ledger, Stopwatch, Usage, at_rest

BACKLOG = 600
WORDS = "We could meet on Tuesday at ten, in the small room on the second floor; the other side has not answered yet."


@dataclass(frozen=True, slots=True)
class Plan:
    """How long each part lasts, in seconds, and how many cases there are, of which some are written in."""

    bare: float
    attached: float
    half_load: float
    cases: int
    busy: int


@dataclass(frozen=True, slots=True)
class _Run:
    """Messages accepted, and in how many seconds."""

    messages: int
    seconds: float


FULL: Final = Plan(bare=30, attached=60, half_load=30, cases=100, busy=8)
QUICK: Final = Plan(bare=8, attached=15, half_load=8, cases=8, busy=8)


async def forwarding(folder: Path, *, quick: bool) -> list[Measure]:
    """Everything about messages that come from Matrix."""
    async with scene(folder) as desk:
        return await _measured(desk, QUICK if quick else FULL)


BENCHMARK: Final = Benchmark("forwarding", forwarding)


async def _measured(desk: Desk, plan: Plan) -> list[Measure]:
    opened = await desk.open_cases(plan.cases)
    rooms = opened[: plan.busy]
    async with bare(desk.world):
        one_send = await _sequential(desk, rooms)
        before = await _saturated(desk, rooms, plan.bare)
    attached, usage, memory = await _attached(desk, rooms, plan.attached)
    slowest = await _half_load(desk, rooms, plan.half_load, before.messages / before.seconds / 2)
    drained = await _backlog(desk, rooms)
    async with bare(desk.world):
        after = await _saturated(desk, rooms, plan.bare)
    alone = (before.messages + after.messages) / (before.seconds + after.seconds)
    together = attached.messages / attached.seconds
    ours, theirs = (1000 * each / attached.messages for each in usage)
    p50, p99 = statistics.median(slowest), statistics.quantiles(slowest, n=100)[98]
    return [
        at_least("forward", together / alone, 0.85, f"{together:.1f} ÷ {alone:.1f} messages/s"),
        at_least("drain", drained / alone, 10, f"{drained:.0f} ÷ {alone:.1f} messages/s"),
        at_most("cpu", ours / theirs, 0.2, f"{ours:.2f} ÷ {theirs:.2f} ms of processor a message"),
        at_most("memory_mb", memory, 100, f"resident, {plan.cases} live cases"),
        at_most("accepted_p50", p50 / one_send, 0.6, f"{1000 * p50:.1f} ÷ {1000 * one_send:.1f} ms"),
        at_most("accepted_p99", p99 / one_send, 2.5, f"{1000 * p99:.1f} ÷ {1000 * one_send:.1f} ms"),
    ]


async def _attached(desk: Desk, rooms: Sequence[str], seconds: float) -> tuple[_Run, tuple[float, float], float]:
    """The saturated run; its clock stops when the last message's outbox row is committed."""
    async with _ledger(desk) as ledger:
        await _write_each(desk, rooms)
        already = await _settled(desk, ledger)
        pids = (desk.world.service_pid, desk.world.homeserver.pid)
        used = [Usage.of(pid) for pid in pids]
        began = time.monotonic()
        run = await _saturated(desk, rooms, seconds)
        ended = await ledger.until(already + run.messages)
        now = [Usage.of(pid) for pid in pids]
    ours, theirs = (after.seconds - before.seconds for before, after in zip(used, now, strict=True))
    return _Run(run.messages, ended - began), (ours, theirs), now[0].megabytes


async def _half_load(desk: Desk, rooms: Sequence[str], seconds: float, rate: float) -> list[float]:
    """Seconds from each message's acceptance to its committed outbox row, at so many messages a second."""
    async with _ledger(desk) as ledger:
        watch = Stopwatch(ledger)
        looking = asyncio.create_task(watch.watch())
        pairs = _pairs(desk, rooms)
        async with asyncio.TaskGroup() as group:
            began = time.monotonic()
            for number in range(int(seconds * rate)):
                await asyncio.sleep(began + number / rate - time.monotonic())
                group.create_task(_timed(desk, *pairs[number % len(pairs)], watch))
        async with asyncio.timeout(60):
            while watch.waiting:
                await asyncio.sleep(0.01)
        looking.cancel()
        with suppress(asyncio.CancelledError):
            await looking
    return watch.delays


async def _backlog(desk: Desk, rooms: Sequence[str]) -> float:
    """Messages a second at which the service catches up with what was written while it rested."""
    async with _ledger(desk) as ledger:
        already = await _settled(desk, ledger)
        os.kill(desk.world.service_pid, signal.SIGSTOP)
        try:
            await _written(desk, rooms, BACKLOG)
        finally:
            os.kill(desk.world.service_pid, signal.SIGCONT)
        began = time.monotonic()
        ended = await ledger.until(already + BACKLOG)
    return BACKLOG / (ended - began)


# --- people who write


async def _saturated(desk: Desk, rooms: Sequence[str], seconds: float) -> _Run:
    """Everyone writes everywhere, each the next as soon as the last was accepted."""
    began = time.monotonic()
    counts = await _everywhere(desk, rooms, lambda: time.monotonic() - began < seconds)
    return _Run(sum(counts), time.monotonic() - began)


async def _written(desk: Desk, rooms: Sequence[str], count: int) -> None:
    """So many messages, as fast as the homeserver takes them."""
    left = iter(range(count))
    await _everywhere(desk, rooms, lambda: next(left, None) is not None)


async def _sequential(desk: Desk, rooms: Sequence[str], count: int = 100) -> float:
    """The median of one encrypted send, with nothing else going on; in seconds."""
    await _write_each(desk, rooms)
    times: list[float] = []
    pairs = _pairs(desk, rooms)
    for number in range(count):
        device, room = pairs[number % len(pairs)]
        began = time.monotonic()
        await device.write(desk.http, room, WORDS)
        times.append(time.monotonic() - began)
    return statistics.median(times)


async def _everywhere(desk: Desk, rooms: Sequence[str], goes_on: Callable[[], bool]) -> list[int]:
    async def write(device: Device, room: str) -> int:
        count = 0
        while goes_on():
            await device.write(desk.http, room, WORDS)
            count += 1
        return count

    return await asyncio.gather(*(write(device, room) for device, room in _pairs(desk, rooms)))


async def _write_each(desk: Desk, rooms: Sequence[str]) -> None:
    """Once for everyone everywhere, so that keys are shared before the clock runs."""
    await asyncio.gather(*(device.write(desk.http, room, WORDS) for device, room in _pairs(desk, rooms)))


async def _timed(desk: Desk, device: Device, room: str, watch: Stopwatch) -> None:
    watch.accepted(await device.write(desk.http, room, WORDS))


def _pairs(desk: Desk, rooms: Sequence[str]) -> list[tuple[Device, str]]:
    """Mediators write: what they say is carried to the party by mail, one outbox row a message."""
    return [(device, room) for room in rooms for device in desk.mediators]


# --- the service's ledger


@asynccontextmanager
async def _ledger(desk: Desk) -> AsyncIterator[Ledger]:
    ledger = Ledger(desk.world.config.parent / "mediatrix.db")
    try:
        yield ledger
    finally:
        ledger.close()


async def _settled(desk: Desk, ledger: Ledger) -> int:
    """Wait until nothing is under way; how many relays there are then.

    After a start every room of every case is looked at, and every device swept, which has the homeserver busy for
    half a minute with a hundred cases. It happens once a start, and is no part of what a message costs.
    """
    async with asyncio.timeout(300):
        while ledger.unread() or ledger.building():
            await asyncio.sleep(0.1)
        await at_rest(desk.world.service_pid, desk.world.homeserver.pid)
    return ledger.relays()
