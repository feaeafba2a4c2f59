"""PostgreSQL on a disk that is full: what can't be stored is not taken, the service says so, and goes on by itself.

Needs a small disk of its own: `.ci/root/60-full-disk` mounts one, and names it in MEDIATRIX_SMALL_DISK.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import pytest_asyncio
import yaml

from sandbox.node import Node
from sandbox.world import MEDIATOR, ServiceFailed, World
from tests.appservice.storage.postgresql import Postgresql
from tests.appservice.storage.postgresql import running as postgresql
from tests.e2e.cases import arriving, events_of, flaws, new_ports, running, until
from tests.e2e.conftest import SYNAPSE_PYTHON
from tests.e2e.test_recovery import Session, in_session

pytest_plugins = ["tests.e2e.cases"]
pytestmark = pytest.mark.skipif("MEDIATRIX_SMALL_DISK" not in os.environ, reason=".ci/root/60-full-disk mounts one")

BLOCK = 8192


@pytest.fixture(scope="module")
def disk() -> Path:
    return Path(os.environ["MEDIATRIX_SMALL_DISK"])


@pytest.fixture(scope="module")
def server(disk: Path) -> Iterator[Postgresql]:
    """A PostgreSQL server whose every file is there, its log of what is written too."""
    with postgresql(disk) as server:
        yield server


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def session(
    tmp_path_factory: pytest.TempPathFactory, case_node: Node, server: Postgresql
) -> AsyncIterator[Session]:
    world = World(tmp_path_factory.mktemp("full-disk"), new_ports(), SYNAPSE_PYTHON, mediators=(MEDIATOR,))
    await world.configure()
    settings = yaml.safe_load(world.config.read_text())
    settings["database"] = {"url": server.new_database().replace("postgresql://", "postgresql+asyncpg://")}
    world.config.write_text(yaml.safe_dump(settings))
    async with running(world.folder, case_node, world) as (_, mia), arriving(world, case_node) as arrive:
        yield await in_session(await mia.open_case(), await arrive("alice"))


@contextmanager
def full(disk: Path) -> Iterator[None]:
    """Not a block is left, within the block."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(BLOCK))
        except OSError:
            pass
    try:
        yield
    finally:
        filler.unlink()


async def is_wrong(world: World) -> str:
    """What `mediatrix status` finds broken; nothing where all is well."""
    try:
        await world.cli("status", "-c", str(world.config))
    except ServiceFailed as broken:
        return str(broken)
    return ""


async def test_nothing_is_lost_the_service_says_so_and_goes_on_when_there_is_room(
    session: Session, disk: Path, server: Postgresql
) -> None:
    world = session.world
    letter = await session.letter()
    long = f"Carl, at length\n\n{os.urandom(400_000).hex()}"
    with full(disk):
        answer = await world.mail.deliver(session.carl, letter.reply_address, long)
        assert answer.startswith("451"), answer
        for number in range(3):
            await session.alice.text(session.joint, f"Alice {number}, to a full disk")
        await until(lambda: says_why(world), "the full disk in what is wrong")
    server.start_again()  # should it have died of it: PostgreSQL does where its log can't grow
    words = [*(f"Alice {number}, to a full disk" for number in range(3)), "Alice, when there was room"]
    await session.alice.text(session.joint, words[-1])
    await session.carl_writes("Carl, when there was room")

    async def all_mailed() -> bool:
        return all(session.mailed(words).values())

    await until(all_mailed, "all mailed")
    await session.alice.wait_for_text(session.joint, "Carl, when there was room")
    mails = [mail.text for mail in world.mail.mailbox(session.carl)]
    assert [word for mail in mails for word in words if word in mail] == words
    assert not [event for event in events_of(session.alice, session.joint) if "at length" in (event.body or "")]

    async def is_well() -> bool:
        return not await is_wrong(world)

    await until(is_well, "nothing wrong any more", within=120)
    assert await flaws(session.alice) == []


async def says_why(world: World) -> bool:
    wrong = await is_wrong(world)
    return "no room left" in wrong or "the database does not answer" in wrong
