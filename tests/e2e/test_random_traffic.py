"""Interoperability: the rust crypto of matrix-js-sdk, libolm, and our bot and ghosts in one room, in random traffic.

People and devices come and go, hours pass, sessions are thrown away, one-time keys run out, the service is killed, the
homeserver started again; in the end everybody has read everything that was said while they were there, once, without a
warning. `MEDIATRIX_ACTS=1000` goes on for so much longer, from another seed if `MEDIATRIX_SEED` says so.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections import Counter
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
import yaml

from sandbox.client import Client, NotSeen
from sandbox.node import Node
from sandbox.world import MEDIATOR, World
from tests.e2e.cases import arriving, flaws, mail_address, new_ports, running, until
from tests.e2e.conftest import NODE, SYNAPSE_PYTHON
from tests.e2e.libolm_client import LibolmClient
from tests.e2e.traffic import MESSAGES, WORDS, Traffic, new_name, too_long

SEED, ACTS = int(os.environ.get("MEDIATRIX_SEED", "20261122")), int(os.environ.get("MEDIATRIX_ACTS", "35"))
NOW_AND_THEN = ("hour", "kill", "discard", "log in", "log out", "sleep")
RARELY = ("exhaust", "come", "homeserver")
WHAT = (*WORDS * 5, *NOW_AND_THEN * 2, *RARELY)


@pytest_asyncio.fixture(loop_scope="session")
async def traffic(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Traffic]:
    """Everybody in one room, in a world in which hours can pass."""
    folder = tmp_path_factory.mktemp("world-of-hours")
    async with Node(NODE, log=folder / "node.log") as node:
        world = World(folder, new_ports(), SYNAPSE_PYTHON, mediators=(MEDIATOR,), program="tests.e2e.later")
        await world.configure()
        settings = yaml.safe_load(world.config.read_text())
        settings["rooms"] |= {"rotation_messages": MESSAGES, "rotation_hours": 1}
        world.config.write_text(yaml.safe_dump(settings))
        async with running(folder, node, world) as (_, mia), arriving(world, node) as arrive:
            lia, alice, desk = await asyncio.gather(
                LibolmClient.log_in(world.homeserver, new_name()), arrive("alice"), mia.open_case()
            )
            carl = mail_address("carl")
            await desk.add("Alice", alice.user_id)
            await desk.add("Lia", lia.user_id)
            await desk.add("Carl", carl)
            await desk.confirm("Carl", carl)
            room = await desk.open(alice)
            await lia.join(await lia.invitation(f"EVERYONE · {desk.number}"))
            await lia.reads(room, "EVERYONE in the case reads this room")
            letter = await world.mail.wait_for(carl, lambda mail: mail.subject.startswith("EVERYONE"))
            traffic = Traffic(desk, room, alice, lia, carl, letter, node, arrive)
            yield traffic
            await asyncio.gather(*(phone.stop() for phone in traffic.phones))


async def test_random_traffic_of_three_implementations_leaves_nothing_unread_and_no_shield(traffic: Traffic) -> None:
    chance = random.Random(SEED)
    acts = [*RARELY, *NOW_AND_THEN, "hour", *(chance.choice(WHAT) for _ in range(ACTS))]
    for number, what in enumerate(chance.sample(acts, len(acts))):
        await traffic.act(what, number)
    await traffic.act("mia", len(acts))
    for client in (traffic.alice, traffic.desk.mediator):
        await shows_all(traffic, client)
    await libolm_has_all(traffic)
    # A device that came later has no key of what was said before, as everywhere.
    last = traffic.said[-1].text
    await asyncio.gather(*(phone.wait_for_text(traffic.room, last) for phone in traffic.phones))
    once = Counter({said.text: 1 for said in traffic.said})
    for client in (traffic.alice, traffic.desk.mediator):
        assert await flaws(client, traffic.room) == []
        assert traffic.shown(client) == once
    for client, before in traffic.newcomers.items():
        await read_everything_since(traffic, client, before)
    assert set(traffic.shown_to_lia().values()) == {1}

    async def last_is_mailed() -> bool:
        return traffic.mailed()[last] > 0

    # What a killed process had taken rests until its lease runs out.
    await until(last_is_mailed, "the last words mailed")
    assert max(traffic.mailed().values()) == 1
    assert list(too_long(await traffic.sessions())) == []


async def shows_all(traffic: Traffic, client: Client) -> None:
    """It shows all that was said; what it does not is named, and what it can't read."""
    try:
        await until(lambda: _all(traffic.shown(client)), f"everything shown to {client.user_id}")
    except NotSeen:
        missing = [said for said in traffic.said if not traffic.shown(client)[said.text]]
        raise NotSeen(missing, await flaws(client, traffic.room)) from None


async def libolm_has_all(traffic: Traffic) -> None:
    """It catches up."""

    async def has_all() -> bool:
        await traffic.lia.sync()
        return all(traffic.shown_to_lia().values())

    try:
        await until(has_all, "everything decrypted by libolm")
    except NotSeen:
        raise NotSeen([text for text, count in traffic.shown_to_lia().items() if not count]) from None


async def read_everything_since(traffic: Traffic, client: Client, before: int) -> None:
    """Who came later reads all that was said from then on, and sees nothing that they can't read."""
    words = [said.text for said in traffic.said[before:]]
    await until(lambda: _all({text: traffic.shown(client)[text] for text in words}), f"all shown to {client.user_id}")
    assert await flaws(client, traffic.room) == []
    assert {traffic.shown(client)[text] for text in words} == {1}


async def _all(counts: dict[str, int]) -> bool:
    return all(counts.values())
