"""How long it takes to open a case, beside the same requests sent by somebody who has nothing else to think of.

First one case is opened through a recorder, which writes down what the service asks of the homeserver. Then, in turn:
the service opens a case on its own, and a bare client sends what was recorded, one request after another, to the same
homeserver.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import aiohttp
import yaml
from aiohttp import web
from yarl import URL

from appservice.setup import config
from benchmarks.results import Benchmark, Measure, at_most
from benchmarks.scene import SYNAPSE, Desk, case_file
from benchmarks.senders import Http
from benchmarks.watch import Ledger
from sandbox.ports import LOOPBACK, free_port
from sandbox.world import Ports, World

SIDES: Final = 4
MEDIATORS: Final = ("mia", "max")
_BACKGROUND: Final = ("/sync", "/account_data/", "/keys/", "/sendToDevice/")
"""Requests that may fall into that time and have nothing to do with it."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request of the service, and the room that was made by it, if one was."""

    method: str
    target: str
    body: str
    made: str | None


@dataclass(slots=True)
class Recorder:
    """Stands between the service and the homeserver, and writes down what it passes on."""

    upstream: str
    http: aiohttp.ClientSession
    requests: list[Request] = field(default_factory=list)

    async def pass_on(self, request: web.Request) -> web.Response:
        """One request, as it is."""
        body = await request.read()
        headers = {name: request.headers[name] for name in ("Authorization", "Content-Type") if name in request.headers}
        target = f"{self.upstream}{request.raw_path}"
        async with self.http.request(request.method, target, data=body, headers=headers) as answer:
            content = await answer.read()
        made = json.loads(content).get("room_id") if request.path.endswith("/createRoom") else None
        self.requests.append(Request(request.method, request.raw_path, body.decode(), made))
        return web.Response(status=answer.status, body=content, content_type="application/json")


async def opening(folder: Path, *, quick: bool) -> list[Measure]:
    """Desk, joint room, four caucuses, their Spaces; two mediators and four parties."""
    ports = Ports.free()
    world = World(folder, ports, SYNAPSE, mediators=MEDIATORS)
    await world.configure()
    people = [world.homeserver.user_id(name) for name in (*MEDIATORS, *(f"party{n}" for n in range(SIDES)))]
    file = case_file(people[: len(MEDIATORS)], [[one] for one in people[len(MEDIATORS) :]])
    async with aiohttp.ClientSession() as http, _recording(world, http) as recorder, world:
        for one in people:
            await world.homeserver.register(one.removeprefix("@").partition(":")[0], "a password of theirs")
        await _open(world, file)
        recorder.requests.clear()
        await _open(world, file)
        recorded = [r for r in recorder.requests if not any(part in r.target for part in _BACKGROUND)]
        await world.stop_service()
        _point_at(world, world.homeserver.url)
        await world.start_service()
        await _open(world, file)
        ours, bare = [], []
        for _ in range(2 if quick else 6):
            ours.append(await _open(world, file))
            bare.append(await _replay(world, http, recorded))
    took, needed = statistics.median(ours), statistics.median(bare)
    made_of = f"{1000 * took:.0f} ÷ {1000 * needed:.0f} ms, {len(recorded)} requests"
    return [at_most("opening", took / needed, 1.3, made_of)]


BENCHMARK: Final = Benchmark("opening", opening)


@asynccontextmanager
async def _recording(world: World, http: aiohttp.ClientSession) -> AsyncIterator[Recorder]:
    """Have the service speak to a recorder."""
    recorder, app, port = Recorder(world.homeserver.url, http), web.Application(), free_port()
    app.add_routes([web.route("*", "/{anything:.*}", recorder.pass_on)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, LOOPBACK, port).start()
    _point_at(world, f"http://{LOOPBACK}:{port}")
    try:
        yield recorder
    finally:
        await runner.cleanup()


def _point_at(world: World, url: str) -> None:
    settings = yaml.safe_load(world.config.read_text())
    settings["homeserver"]["url"] = url
    world.config.write_text(yaml.safe_dump(settings))


async def _open(world: World, file: dict[str, object]) -> float:
    """Open a case; the seconds until its rooms stood."""
    ledger = Ledger(world.config.parent / "mediatrix.db")
    try:
        async with Http(world.homeserver.url) as http, asyncio.timeout(120):
            began = time.monotonic()
            await Desk(world, http, (), ()).open_case(file)
            while ledger.building():
                await asyncio.sleep(0.002)
            return time.monotonic() - began
    finally:
        ledger.close()


async def _replay(world: World, http: aiohttp.ClientSession, requests: Sequence[Request]) -> float:
    """Send them again, one after another, about rooms of their own; the seconds that it took."""
    token = config.load(world.config).appservice.registration.as_token.get_secret_value()
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    rooms: dict[str, str] = {}
    began = time.monotonic()
    for one in requests:
        target, body = one.target, one.body
        for old, new in rooms.items():
            target, body = target.replace(_quoted(old), _quoted(new)), body.replace(old, new)
        url = URL(f"{world.homeserver.url}{target}", encoded=True)
        async with http.request(one.method, url, data=body.encode() or None, headers=headers) as response:
            answer: Any = await response.json(content_type=None)
        if one.made is not None:
            rooms[one.made] = answer["room_id"]
    return time.monotonic() - began


def _quoted(room: str) -> str:
    return room.replace("!", "%21").replace(":", "%3A")
