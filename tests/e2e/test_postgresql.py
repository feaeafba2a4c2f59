"""The main flow on PostgreSQL: a case, a party in Matrix and one by mail, both ways, and a power cut in the middle."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
import yaml

from sandbox.client import Client
from sandbox.node import Node
from sandbox.world import MEDIATOR, World
from tests.appservice.storage.postgresql import running as postgresql
from tests.e2e.cases import Staff, events_of, flaws, mail_address, new_ports, running
from tests.e2e.conftest import SYNAPSE_PYTHON

pytest_plugins = ["tests.e2e.cases"]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def staff(tmp_path_factory: pytest.TempPathFactory, case_node: Node) -> AsyncIterator[Staff]:
    """The mediator of a world whose service keeps everything in PostgreSQL."""
    folder = tmp_path_factory.mktemp("world-on-postgresql")
    world = World(folder, new_ports(), SYNAPSE_PYTHON, mediators=(MEDIATOR,))
    with postgresql() as server:
        await world.configure()
        settings = yaml.safe_load(world.config.read_text())
        settings["database"] = {"url": server.new_database().replace("postgresql://", "postgresql+asyncpg://")}
        world.config.write_text(yaml.safe_dump(settings))
        async with running(folder, case_node, world) as (_, staff):
            yield staff


async def test_a_case_runs_on_postgresql_and_survives_a_kill(staff: Staff, case_node: Node) -> None:
    world, carl = staff.world, mail_address("carl")
    await world.homeserver.register("alice", "password of alice")
    desk, alice = await asyncio.gather(
        staff.open_case(),
        Client.login(case_node, world.homeserver.url, "alice", "password of alice", device="PHONE-PG"),
    )
    await desk.add("Alice", alice.user_id)
    await desk.add("Carl", carl)
    await desk.ask("!consent Carl: by telephone", "On record")
    caucus, joint = await desk.caucus(alice), await desk.open(alice)

    await alice.text(joint, "To all")
    await alice.text(caucus, "In private")
    await desk.told(f"Alice wrote in PRIVATE with mediator · {desk.number} (Alice)")
    mail = await world.mail.wait_for(carl, lambda mail: "To all" in mail.text)
    await world.kill_service()
    await alice.text(joint, "While nobody listened")
    await world.start_service()
    await world.mail.wait_for(carl, lambda mail: "While nobody listened" in mail.text, timeout=60)
    assert (await world.mail.deliver(carl, mail.reply_address, "Carl to all", in_reply_to=mail)).startswith("250")
    answered = await alice.wait_for_text(joint, "Carl to all")
    assert answered.sender.startswith("@_mediatrix_")
    assert not any("In private" in item.text for item in world.mail.mailbox(carl))
    assert sum("To all" in item.text for item in world.mail.mailbox(carl)) == 1
    assert [e.body for e in events_of(alice, joint)].count("Carl to all") == 1
    assert await flaws(alice) == []
    assert await flaws(staff.client) == []
    await alice.stop()
