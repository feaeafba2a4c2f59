"""Where everything is measured: a real Synapse, the service as its own process, cases, and people with real devices."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import aiohttp

from appservice.setup import config
from benchmarks.senders import Device, Http
from sandbox.homeserver import Homeserver
from sandbox.world import Ports, World

MEDIATORS = ("mia", "max")
SYNAPSE = Path(".venv-synapse/bin/python")


@dataclass(slots=True)
class Desk:
    """Two mediators and whoever else has a device, in a world of their own."""

    world: World
    http: Http
    mediators: Sequence[Device]
    parties: Sequence[Device]

    async def open_cases(self, count: int) -> tuple[str, ...]:
        """Open cases with the mediators, one party here and one by mail each, everybody in; the joint rooms' ids.

        What is said for the party by mail becomes an outbox row each, and waits there: no mail server is measured.
        The joint room has five members then: the bot, the mail party's ghost, and three with devices.
        """
        before = await self.names()
        for number in range(count):
            party = mail(number)
            case = await self.open_case(case_file([d.user for d in self.mediators], [[self.parties[0].user], [party]]))
            await self.call(f"/{case}/commands", {"command": f"!mail pause {name_of(party)}"})
        wanted = len(joint_rooms(before)) + count
        async with asyncio.timeout(60 + 10 * count):
            while len(joint := joint_rooms(await self.names())) < wanted:
                await asyncio.sleep(0.2)
        return tuple(room for name, room in joint.items() if name not in before)

    async def names(self) -> dict[str, str]:
        """The rooms that all of them are in, by name; whoever is invited goes in."""
        everyone = [await person.accept_invitations(self.http) for person in (*self.mediators, *self.parties)]
        return {name: room for name, room in everyone[0].items() if all(room in one.values() for one in everyone)}

    async def open_case(self, file: dict[str, object]) -> str:
        """Open one case by the provisioning API; its number."""
        return str((await self.call("", file))["id"])

    async def call(self, path: str, content: Mapping[str, object]) -> Mapping[str, object]:
        """Something that the provisioning API does with cases."""
        token = config.load(self.world.config).secrets.provisioning_token.get_secret_value()
        headers = {"Authorization": f"Bearer {token}"}
        url = f"http://127.0.0.1:{self.world.ports.service}/v1/cases{path}"
        async with (
            aiohttp.ClientSession(headers=headers) as http,
            http.post(url, data=json.dumps(content), headers={"Content-Type": "application/json"}) as response,
        ):
            answer: Mapping[str, object] = await response.json()
            if response.status not in {200, 201}:
                raise RuntimeError(f"the service did not do it: {answer}")
            return answer


@asynccontextmanager
async def scene(folder: Path) -> AsyncIterator[Desk]:
    """A fresh world, stopped at the end."""
    ports = Ports.free()
    async with (
        World(folder, ports, SYNAPSE, mediators=MEDIATORS) as world,
        Http(world.homeserver.url) as http,
    ):
        arrive = [Device.arrive(world.homeserver, http, name) for name in (*MEDIATORS, "alice")]
        mia, max_, alice = [await each for each in arrive]
        yield Desk(world, http, (mia, max_), (alice,))


@asynccontextmanager
async def bare(world: World) -> AsyncIterator[None]:
    """The same homeserver, users and rooms, with no application service: neither running nor registered."""
    await world.stop_service()
    await world.homeserver.stop()
    alone = Homeserver(replace(world.homeserver.config, registrations=()))
    await alone.start()
    try:
        yield
    finally:
        await alone.stop()
        await world.homeserver.start()
        await world.start_service()


def case_file(mediators: Sequence[str], sides: Sequence[Sequence[str]]) -> dict[str, object]:
    """A case in session, as the provisioning API takes it. People are named by their address: Matrix or mail."""
    people = [[{"name": name_of(a), "matrix" if a.startswith("@") else "email": a} for a in side] for side in sides]
    return {
        "title": "A bakery",
        "mediators": list(mediators),
        "open": True,
        "mode": "open",
        "sides": [{"name": f"Side {number}", "people": side} for number, side in enumerate(people, 1)],
    }


def mail(number: int) -> str:
    """An address that nobody reads."""
    return f"party{number}@example.org"


def joint_rooms(names: Mapping[str, str]) -> dict[str, str]:
    """Those of these rooms in which everybody speaks with everybody."""
    return {name: room for name, room in names.items() if name.startswith("EVERYONE")}


def name_of(address: str) -> str:
    """What somebody is called in a case file."""
    return address.lstrip("@").replace(":", " at ").replace("@", " at ")
