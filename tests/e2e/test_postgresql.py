"""The main flow on PostgreSQL: a case, a party in Matrix and one by mail, both ways, and a power cut in the middle; and
the database gone, and back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio
import yaml

from sandbox.client import Client
from sandbox.node import Node
from sandbox.world import MEDIATOR, World
from tests.appservice.storage.postgresql import Postgresql
from tests.appservice.storage.postgresql import running as postgresql
from tests.e2e.cases import Staff, arriving, events_of, flaws, mail_address, new_ports, running, until
from tests.e2e.conftest import SYNAPSE_PYTHON
from tests.e2e.test_recovery import in_session

pytest_plugins = ["tests.e2e.cases"]


@pytest.fixture(scope="module")
def server() -> Iterator[Postgresql]:
    """A PostgreSQL server of our own."""
    with postgresql() as server:
        yield server


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def staff(tmp_path_factory: pytest.TempPathFactory, case_node: Node, server: Postgresql) -> AsyncIterator[Staff]:
    """The mediator of a world whose service keeps everything in PostgreSQL."""
    folder = tmp_path_factory.mktemp("world-on-postgresql")
    world = World(folder, new_ports(), SYNAPSE_PYTHON, mediators=(MEDIATOR,))
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
    await desk.confirm("Carl", carl)
    caucus, joint = await desk.caucus(alice), await desk.open(alice)

    await alice.text(joint, "To all")
    await alice.text(caucus, "In private")
    await desk.told(f"Alice wrote in PRIVATE with mediator · {desk.number} (Alice)")
    mail = await world.mail.wait_for(carl, lambda mail: "To all" in mail.text)
    await world.kill_service()
    await alice.text(joint, "While nobody listened")
    await world.start_service()
    await world.mail.wait_for(carl, lambda mail: "While nobody listened" in mail.text)
    assert (await world.mail.deliver(carl, mail.reply_address, "Carl to all", in_reply_to=mail)).startswith("250")
    answered = await alice.wait_for_text(joint, "Carl to all")
    assert answered.sender.startswith("@_mediatrix_")
    assert not any("In private" in item.text for item in world.mail.mailbox(carl))
    assert sum("To all" in item.text for item in world.mail.mailbox(carl)) == 1
    assert [e.body for e in events_of(alice, joint)].count("Carl to all") == 1
    assert await flaws(alice) == []
    assert await flaws(staff.client) == []
    await alice.stop()


async def test_a_database_that_goes_and_comes_back_loses_nothing_and_needs_nobody(
    staff: Staff, case_node: Node, server: Postgresql
) -> None:
    world = staff.world
    async with arriving(world, case_node) as arrive:
        desk, alice = await asyncio.gather(staff.open_case(), arrive("alice"))
        session = await in_session(desk, alice)
        letter = await session.letter()
        server.crash()
        assert (await world.mail.deliver(session.carl, letter.reply_address, "Not taken")).startswith("451")
        await alice.text(session.joint, "While the database was away")
        server.start_again()
        words = ["While the database was away", "When it was back"]
        await alice.text(session.joint, words[1])
        await session.carl_writes("Carl, when it was back")

        async def all_mailed() -> bool:
            return all(session.mailed(words).values())

        await until(all_mailed, "all mailed")
        await alice.wait_for_text(session.joint, "Carl, when it was back")
        assert list(session.mailed(words).values()) == [1, 1]
        assert "Not taken" not in [event.body for event in events_of(alice, session.joint)]
        assert await flaws(alice) == []
