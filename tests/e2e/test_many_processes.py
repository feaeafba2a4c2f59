"""Three processes of the service on one PostgreSQL: any takes any request, and those that are killed are not missed."""

from __future__ import annotations

import asyncio
import contextlib
import random
import signal
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
import yaml

from sandbox.balancer import Balancer
from sandbox.children import environment, tied_to_us
from sandbox.client import TIMEOUT, Client, NotSeen
from sandbox.node import Node
from sandbox.ports import free_port
from sandbox.world import MEDIATOR, ServiceFailed, World
from tests.appservice.storage.postgresql import Postgresql
from tests.appservice.storage.postgresql import running as postgresql
from tests.e2e.cases import arriving, events_of, flaws, new_ports, running, until
from tests.e2e.conftest import SYNAPSE_PYTHON
from tests.e2e.test_recovery import Said, Session, in_session

pytest_plugins = ["tests.e2e.cases"]

PROCESSES = 3
EACH = 30


class Crowd(World):
    """A world whose service is several processes behind a load balancer; the nth has a configuration of its own."""

    def __init__(self, folder: Path, server: Postgresql) -> None:
        super().__init__(folder, new_ports(), SYNAPSE_PYTHON, mediators=(MEDIATOR,))
        self.server = server
        self._own_ports = [(free_port(), free_port()) for _ in range(PROCESSES)]
        self._processes: dict[int, Process] = {}
        self.balancer = Balancer(self.ports.service, self.ports.lmtp, self._own_ports)

    async def configure(self) -> None:
        await super().configure()
        settings = yaml.safe_load(self.config.read_text())
        self._url = self.server.new_database()
        settings["database"] = {"url": self._url.replace("postgresql://", "postgresql+asyncpg://")}
        self.config.write_text(yaml.safe_dump(settings))
        for number, (http, lmtp) in enumerate(self._own_ports):
            settings["appservice"]["listen"]["port"] = http
            settings["email"]["lmtp"]["port"] = lmtp
            self._config_of(number).write_text(yaml.safe_dump(settings))

    async def start_service(self) -> None:
        await self.balancer.__aenter__()
        await asyncio.gather(*(self.start_one(number) for number in range(PROCESSES)))

    async def stop_service(self) -> None:
        await asyncio.gather(*(self._end_one(number, signal.SIGTERM) for number in list(self._processes)))
        await self.balancer.__aexit__()

    async def start_one(self, number: int) -> None:
        """Start one, and wait until it is ready."""
        with self.log.open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                *tied_to_us(sys.executable, "-m", "appservice.cli", "run", "-c", str(self._config_of(number))),
                env=environment(),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                start_new_session=True,
            )
        self._processes[number] = process
        assert process.stdout is not None
        line = await asyncio.wait_for(process.stdout.readline(), TIMEOUT)
        if b"ready" not in line:
            raise ServiceFailed(f"process {number} did not become ready\n{self.last_words()}")

    async def kill_one(self, number: int) -> None:
        """As a power cut does."""
        await self._end_one(number, signal.SIGKILL)

    async def _end_one(self, number: int, how: signal.Signals) -> None:
        process = self._processes.pop(number)
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(how)
        await process.wait()

    def stored(self, sql: str) -> str:
        """What the service's database says."""
        return self.server.run(f"{sql};", self._url)

    def _config_of(self, number: int) -> Path:
        return self.config.with_name(f"config-{number}.yaml")


UNKNOWN = "SELECT 'unknown: ' || count(*) || '.' FROM outbox WHERE state = 'unknown'"
LEFT_OVER = """
    SELECT o.seq, o.lane, o.kind, o.state, o.attempts, o.sending, o.due_at, o.wait_key, l.owner, l.leased_until,
        l.served, now()
    FROM outbox o LEFT JOIN outbox_lanes l ON l.lane = o.lane WHERE o.state <> 'done' ORDER BY o.seq
"""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def session(tmp_path_factory: pytest.TempPathFactory, case_node: Node) -> AsyncIterator[Session]:
    with postgresql() as server:
        world = Crowd(tmp_path_factory.mktemp("crowd"), server)
        async with running(world.folder, case_node, world) as (_, mia), arriving(world, case_node) as arrive:
            yield await in_session(await mia.open_case(), await arrive("alice"))


async def say_it_all(session: Session, said: Said, world: Crowd) -> None:
    """All at once; two of the processes are killed meanwhile, and one comes back."""
    chance = random.Random(20261122)

    async def write(client: Client, words: list[str]) -> None:
        for text in words:
            await client.text(session.joint, text)
            await asyncio.sleep(chance.uniform(0, 0.2))

    async def mail() -> None:
        for text in said.carl:
            await session.carl_writes(text)

    async def kill() -> None:
        await asyncio.sleep(1.5)
        await world.kill_one(0)
        await asyncio.sleep(1.5)
        await world.kill_one(1)
        await asyncio.sleep(1)
        await world.start_one(0)

    await session.letter()
    await asyncio.gather(write(session.alice, said.alice), write(session.desk.mediator, said.mia), mail(), kill())


async def test_processes_that_are_killed_leave_nothing_lost_doubled_or_out_of_order(session: Session) -> None:
    world = session.world
    assert isinstance(world, Crowd)
    said = Said(*([f"{who} says {n:02}." for n in range(EACH)] for who in ("Alice", "Mia", "Carl")))
    earlier = {who: session.noticed(who) for who in ("Alice", "Carl")}
    await say_it_all(session, said, world)
    readers = (session.alice, session.desk.mediator)

    async def all_shown() -> bool:
        return all(all(session.shown(reader, said.once_each).values()) for reader in readers)

    async def noticed() -> bool:
        return all(session.noticed(who) == count + EACH for who, count in earlier.items())

    async def accounted_for() -> bool:
        missing = len(said.native) - session.mailed(said.native).total()
        return missing <= 0 or missing <= _unknown(world)

    # What a killed process had taken rests until its lease runs out.
    await until(all_shown, "everything shown to everyone")
    try:
        await until(noticed, "one notice for each post of a party")
        await until(accounted_for, "each message mailed, or known to be uncertain")
    except NotSeen as error:
        told = {who: session.noticed(who) - count for who, count in earlier.items()}
        unmailed = [text for text, count in session.mailed(said.native).items() if not count]
        unread = await flaws(session.desk.mediator, session.joint, session.desk.room)
        left = [world.stored(LEFT_OVER), world.stored(LEFT_OVER.replace("outbox", "inbox"))]
        seen = f"noticed {told}, not mailed {unmailed}, flaws {unread}"
        raise NotSeen("\n".join([str(error), seen, *left, world.last_words()])) from None
    unknown = _unknown(world)
    listed = await session.desk.ask("!dead", "Not delivered:" if unknown else "Everything was delivered")
    assert listed.count("(unknown)") == unknown
    assert max(session.mailed(said.native).values()) == 1
    for words in (said.alice, said.mia):
        mails = [mail.text for mail in world.mail.mailbox(session.carl)]
        in_order = [text for mail in mails for text in words if text in mail]
        assert in_order == sorted(in_order)
    for reader in readers:
        assert session.shown(reader, said.once_each) == said.once_each
        assert [e.body for e in events_of(reader, session.joint) if e.body in said.carl] == said.carl
        assert await flaws(reader, session.joint, session.desk.room) == []


def _unknown(world: Crowd) -> int:
    """How many mails may have left, as the database has it: the desk is asked in the end, once."""
    return int(world.stored(UNKNOWN).partition("unknown: ")[2].partition(".")[0])


async def test_the_work_was_shared_and_nobody_stood_in_anybodys_way(session: Session) -> None:
    world = session.world
    assert isinstance(world, Crowd)
    assert len(world.balancer.served) == PROCESSES
    stood = world.server.run("SELECT 'deadlocks: ' || sum(deadlocks) FROM pg_stat_database")
    assert "deadlocks: 0" in stood


async def test_the_check_of_the_homeserver_is_right_whichever_process_hears_its_message(session: Session) -> None:
    for _ in range(PROCESSES):
        found = await session.world.cli("registration", "check", "-c", str(session.world.config))
        assert "messages for our devices arrive, with key counts" in found


async def test_whichever_process_is_asked_answers_for_all(session: Session) -> None:
    for _ in range(PROCESSES):
        answer = await session.world.cli(
            "case", "command", session.desk.number, "!status", "-c", str(session.world.config)
        )
        assert "Alice" in answer
