"""Two processes on one PostgreSQL beside one, where the homeserver is not the limit: it is a stand-in.

Each of them is brought the same number of messages, of many cases, as fast as it stores them; the clock stops when the
last one's outbox row is committed.
"""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import aiohttp
import asyncpg  # type: ignore[import-untyped]
import yaml

from benchmarks.filling import WORDS, Writer, filler
from benchmarks.results import Benchmark, Measure, at_least
from benchmarks.scene import SYNAPSE
from benchmarks.standin import Feed, standing_in
from sandbox.ports import free_port
from sandbox.world import Ports, World
from tests.appservice.storage.postgresql import running

CASES: Final = 32
AT_ONCE: Final = 25
"""Messages of a transaction."""
FLOWS: Final = 4
"""Transactions under way at once, each of cases of its own: what one case says comes in its order."""


async def processes(folder: Path, *, quick: bool) -> list[Measure]:
    """The same cases and messages for one and for two, one after the other, twice."""
    count = 1_600 if quick else 10_000
    rates: dict[int, list[float]] = {1: [], 2: []}
    with running() as server:
        server.run("ALTER SYSTEM SET fsync = on; SELECT pg_reload_conf();")
        for number, how_many in enumerate((1, 2) if quick else (1, 2, 2, 1)):
            url = server.new_database()
            rates[how_many].append(await _rate(folder / str(number), url, how_many, count))
    one, two = (sum(rates[n]) / len(rates[n]) for n in (1, 2))
    return [at_least("two_processes", two / one, 1.6, f"{two:.0f} ÷ {one:.0f} messages/s on PostgreSQL")]


BENCHMARK: Final = Benchmark("processes", processes)


async def _rate(folder: Path, url: str, how_many: int, count: int) -> float:
    """Messages a second."""
    async with AsyncExitStack() as stack:
        http = await stack.enter_async_context(aiohttp.ClientSession())
        worlds = await _configured(folder, url, how_many)
        async with filler(worlds[0].config) as fill:
            writers = await fill.live(CASES)
        await stack.enter_async_context(standing_in(worlds[0].ports.homeserver))
        feeds = [Feed(await stack.enter_async_context(_serving(world)), http) for world in worlds]
        await feeds[0].bring([writer.event("warm") for writer in writers])
        ledger = await asyncpg.connect(url)
        stack.push_async_callback(ledger.close)
        await _until(ledger, CASES)
        flows = [_batches(writers[flow::FLOWS], count // FLOWS) for flow in range(FLOWS)]
        began = time.monotonic()
        async with asyncio.TaskGroup() as group:
            for number, batches in enumerate(flows):
                group.create_task(_bring(feeds[number % how_many], batches))
        await _until(ledger, CASES + count)
        return count / (time.monotonic() - began)


async def _configured(folder: Path, url: str, how_many: int) -> list[World]:
    """The same service, set up so many times on one database: each copy listens elsewhere."""
    homeserver = free_port()
    worlds: list[World] = []
    for number in range(how_many):
        ports = replace(Ports.free(), homeserver=homeserver)
        world = World(folder / str(number), ports, SYNAPSE, mediators=("mia", "max"))
        if worlds:
            shutil.copytree(worlds[0].config.parent, world.config.parent)
        else:
            await world.configure()
        settings = yaml.safe_load(world.config.read_text())
        settings["database"] = {"url": url.replace("postgresql://", "postgresql+asyncpg://")}
        settings["appservice"]["listen"]["port"] = ports.service
        settings["email"]["lmtp"]["port"] = ports.lmtp
        world.config.write_text(yaml.safe_dump(settings))
        worlds.append(world)
    return worlds


@asynccontextmanager
async def _serving(world: World) -> AsyncIterator[World]:
    await world.start_service()
    try:
        yield world
    finally:
        await world.stop_service()


def _batches(writers: Sequence[Writer], count: int) -> list[list[dict[str, Any]]]:
    """Transactions, each with messages of many cases, encrypted before the clock runs."""
    events = [writers[number % len(writers)].event(WORDS) for number in range(count)]
    return [events[first : first + AT_ONCE] for first in range(0, count, AT_ONCE)]


async def _bring(feed: Feed, batches: Sequence[Sequence[Mapping[str, Any]]]) -> None:
    for batch in batches:
        await feed.bring(batch)


async def _until(ledger: Any, relays: int) -> None:
    """Wait until there are so many relays, and nothing is unread."""
    async with asyncio.timeout(300):
        while await ledger.fetchval(
            "SELECT count(*) FROM outbox WHERE kind = 'people'"
        ) < relays or await ledger.fetchval("SELECT count(*) FROM inbox WHERE state = 'ready'"):
            await asyncio.sleep(0.05)
