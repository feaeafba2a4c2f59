"""Cases in a running service, as their mediators and parties see them: one shared world, and a few steps often taken.

A pytest plugin: a module that wants the fixtures says `pytest_plugins = ["tests.e2e.cases"]`. By then it has imported
this module already, so pytest can't rewrite its assertions; this tells it not to mind: PYTEST_DONT_REWRITE
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import secrets
import sqlite3
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import pytest
import pytest_asyncio

from sandbox.browser import LINK, confirms_mailbox, pin_in
from sandbox.client import TIMEOUT, Client, Isolation, NotSeen
from sandbox.node import Node
from sandbox.ports import free_port
from sandbox.seen import SeenEvent
from sandbox.world import MEDIATOR, Ports, World
from tests.e2e.conftest import NODE, SYNAPSE_PYTHON

OTHER_MEDIATOR = "otto"
SUCCESSOR = "sue"
"""Who comes into a case when no mediator is left at its desk."""
POLL = 0.05  # seconds


def new_ports() -> Ports:
    return Ports.free()


@dataclass(frozen=True)
class Desk:
    """A case, from its mediator's chair."""

    world: World
    mediator: Client
    number: str
    room: str

    @property
    def bot(self) -> str:
        return self.world.homeserver.user_id("_mediatrix_bot")

    async def ask(self, command: str, expected: str, *, within: float = TIMEOUT) -> str:
        """Say something at the desk; the bot's first answer after it that contains `expected`."""
        asked = await self.mediator.text(self.room, command)
        return await self.told(expected, after=asked, within=within)

    async def told(self, expected: str, *, after: str | None = None, within: float = TIMEOUT) -> str:
        """What the bot says at the desk that contains `expected`, seen already or yet to come."""
        return await told(self.mediator, self.room, expected, after=after, within=within)

    def notices(self) -> list[str]:
        """What the bot has said at the desk, in order."""
        return [e.body or "" for e in events_of(self.mediator, self.room) if e.sender == self.bot and e.body]

    async def add(self, name: str, address: str, *, rest: str = "") -> None:
        """Somebody takes part."""
        await self.ask(f"!party add {name} {address} {rest}".strip(), f"{name} (")

    async def confirm(self, name: str, address: str) -> None:
        """Somebody who was added by mail confirms the mailbox behind the link that came, and agrees to words there."""
        mail = await self.world.mail.wait_for(address, lambda mail: LINK.search(mail.text) is not None)
        await confirms_mailbox(mail.text, pin_in(await self.ask(f"!mail pin {name}", f"The PIN of {name} is")))
        await self.told(f"{name} has confirmed the address with the PIN")

    async def open(self, *present: Client) -> str:
        """Begin the joint session, and have the mediator and these people come in; the joint room, open to all."""
        await self.ask("!open", "The joint session begins")
        await self.ask("!mode open", "The joint room is open now")
        await self.all_agree()
        return await self._come_in(await room_named(self.mediator, f"EVERYONE · {self.number}"), *present)

    async def all_agree(self) -> None:
        """It is on record that everybody lets their words go over the networks that others read by."""
        for name in re.findall(r"– (.+): .*not yet by", await self.ask("!agreement", "agreement to mediate")):
            await self.ask(f"!agreement accepted {name}: on paper", f"{name}: agreed that words also go")

    async def caucus(self, party: Client) -> str:
        """The mediator and that party come into the party's caucus; the room."""
        return await self._come_in(await room_named(party, f"PRIVATE with mediator · {self.number}"), party)

    async def _come_in(self, room: str, *people: Client) -> str:
        """All at once; then everyone has been told who reads there."""
        everyone = (self.mediator, *people)
        await asyncio.gather(*(enter_room(who, room) for who in everyone))
        for who in everyone:
            joined = await self.mediator.wait_for(
                lambda e, who=who: (
                    e.room_id == room  # type: ignore[misc]
                    and e.state_key == who.user_id
                    and e.content.get("membership") == "join"
                )
            )
            await told(self.mediator, room, "this room: ", after=joined.event_id)
        return room


@dataclass(frozen=True)
class Staff:
    """A mediator at their client, with a direct chat to the bot."""

    world: World
    client: Client
    lobby: str

    async def open_case(self, title: str = "Smith and Jones") -> Desk:
        asked = await self.client.text(self.lobby, f"!case new {title}")
        answer = await told(self.client, self.lobby, "is open. Its desk is", after=asked)
        number = answer.split()[1]
        desk = Desk(self.world, self.client, number, await enter(self.client, f"Desk · {number}"))
        await desk.told("What to do next")
        return desk


def events_of(client: Client, room: str) -> list[SeenEvent]:
    """What the client has seen in a room, each event once in its newest version, in order of arrival."""
    newest = {seen.event_id: seen for seen in client.seen if isinstance(seen, SeenEvent) and seen.room_id == room}
    return list(newest.values())


async def told(client: Client, room: str, expected: str, *, after: str | None = None, within: float = TIMEOUT) -> str:
    """The bot's words in a room that contain `expected`; `after` that event."""

    def later(event: SeenEvent) -> bool:
        order = [seen.event_id for seen in events_of(client, room)]
        return after is None or (after in order and order.index(event.event_id) > order.index(after))

    def is_it(event: SeenEvent) -> bool:
        return (
            event.room_id == room
            and event.sender.startswith("@_mediatrix_")
            and expected in (event.body or "")
            and later(event)
        )

    found = await client.wait_for(is_it, f"notice with {expected!r}", within)
    return found.body or ""


def code_in(question: str) -> str:
    """The code with which a question wants to be answered."""
    found = re.search(r"“yes (\w{4})”", question)
    assert found, question
    return found[1]


async def enter(client: Client, name: str) -> str:
    """Accept the invitation to the room of that name; its id."""
    return await client.join(await room_named(client, name))


async def room_named(client: Client, name: str, within: float = TIMEOUT) -> str:
    """The id of the room of that name, once the client has it in its list."""
    found: list[str] = []

    async def listed() -> bool:
        found[:] = [room.room_id for room in await client.rooms() if room.name == name]
        return bool(found)

    await until(listed, f"{name} among the rooms of {client.user_id}", within)
    return found[0]


async def enter_room(client: Client, room: str) -> None:
    """Accept the invitation to that room."""
    await client.wait_for_invite(room)
    await client.join(room)


async def until(holds: Callable[[], Awaitable[bool]], what: str, within: float = TIMEOUT) -> None:
    """Wait until something holds that can only be asked about. Raises NotSeen, which names `what`."""
    try:
        async with asyncio.timeout(within):
            while not await holds():  # noqa: ASYNC110 (nobody tells us; it can only be asked about)
                await asyncio.sleep(POLL)
    except TimeoutError:
        raise NotSeen(f"after {within:.0f} s: not {what}") from None


async def sits_in(world: World, user: str, room: str, watcher: Client) -> bool:
    """Whether the user is joined, as a member of the room sees it."""
    return any(m.user_id == user and m.membership == "join" for m in await watcher.members(room))


def hurry(world: World, queue: str, case: str, what: str) -> None:
    """What rests in a case for at most two hours is due now, as if the time had passed; `what` are the kind and the
    lane of it (LIKE). The service looks at what is due every few seconds."""
    soon = int((time.time() + 7200) * 1_000_000)
    sql = (
        f"UPDATE {queue} SET due_at = received_at WHERE state = 'parked' AND case_id = ? AND kind || ' ' || lane LIKE ?"
        " AND due_at < ?"
    )
    file = world.config.parent / "mediatrix.db"
    with contextlib.closing(sqlite3.connect(file, timeout=TIMEOUT)) as database, database:
        database.execute(sql, (case, what, soon))


async def flaws(
    client: Client, *rooms: str, expected: Callable[[SeenEvent], bool] = lambda _: False
) -> list[SeenEvent]:
    """What this client shows with a warning shield, or can't decrypt, in the end; in these rooms, if any are given.

    Waits for what is being decrypted, for keys and for devices that are being looked up: for all but what is
    `expected` to be flawed.
    """
    shown: list[SeenEvent] = []

    async def all_well() -> bool:
        wanted = rooms or [room.room_id for room in await client.rooms()]
        shown[:] = [event for room in wanted for event in await client.timeline(room)]
        return not any(event.pending or (_is_flawed(event) and not expected(event)) for event in shown)

    with contextlib.suppress(NotSeen):
        await until(all_well, f"everything readable at {client.user_id}")
    return [event for event in shown if event.pending or _is_flawed(event)]


def _is_flawed(event: SeenEvent) -> bool:
    return bool(event.shield or event.failure)


def mail_address(name: str) -> str:
    """An address that no other test uses."""
    return f"{name}-{secrets.token_hex(4)}@example.org"


class Arrive(Protocol):
    """Someone new, with an account of this test's own, at a real client."""

    async def __call__(
        self, name: str, *, device: str = "PHONE", cross_sign: bool = True, isolation: Isolation = "onlySigned"
    ) -> Client: ...


@asynccontextmanager
async def running(folder: Path, node: Node, world: World | None = None) -> AsyncIterator[tuple[World, Staff]]:
    """A world with its mediator at work.

    Its administrator did not make encryption the homeserver's default: what is encrypted, we encrypted.
    """
    world = world or World(
        folder, new_ports(), SYNAPSE_PYTHON, mediators=(MEDIATOR, OTHER_MEDIATOR), successor=SUCCESSOR
    )
    settings = world.homeserver.config
    world.homeserver.config = replace(settings, overrides={"encryption_enabled_by_default_for_room_type": "off"})
    async with world:
        staff = await at_work(world, node, MEDIATOR)
        try:
            yield world, staff
        finally:
            await staff.client.stop()


async def at_work(world: World, node: Node, name: str) -> Staff:
    """A mediator logs in and begins a direct chat with the bot."""
    await world.homeserver.register(name, f"password of {name}")
    client = await Client.login(node, world.homeserver.url, name, f"password of {name}", device=f"DESK{free_port()}")
    bot = world.homeserver.user_id("_mediatrix_bot")
    lobby = await client.create_room(invite=[bot], encrypted=True, direct=True)
    await until(lambda: sits_in(world, bot, lobby, client), "the bot in the direct chat")
    return Staff(world, client, lobby)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def case_node(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Node]:
    async with Node(NODE, log=tmp_path_factory.mktemp("case-node") / "node.log") as node:
        yield node


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def mia(tmp_path_factory: pytest.TempPathFactory, case_node: Node) -> AsyncIterator[Staff]:
    """The mediator of the shared world."""
    async with running(tmp_path_factory.mktemp("world"), case_node) as (_, staff):
        yield staff


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def otto(mia: Staff, case_node: Node) -> AsyncIterator[Staff]:
    """Another mediator of the same organisation."""
    staff = await at_work(mia.world, case_node, OTHER_MEDIATOR)
    yield staff
    await staff.client.stop()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def world(mia: Staff) -> World:
    """The shared world."""
    return mia.world


@asynccontextmanager
async def arriving(world: World, node: Node) -> AsyncIterator[Arrive]:
    """Lets people arrive; they stop when this ends."""
    clients: list[Client] = []
    test = secrets.token_hex(3)

    async def arrive(
        name: str, *, device: str = "PHONE", cross_sign: bool = True, isolation: Isolation = "onlySigned"
    ) -> Client:
        localpart, password = f"{name}-{test}", f"password of {name}"
        await world.homeserver.register(localpart, password)
        client = await Client.login(
            node,
            world.homeserver.url,
            localpart,
            password,
            device=device,
            cross_sign=cross_sign,
            isolation=isolation,
        )
        clients.append(client)
        return client

    yield arrive
    await asyncio.gather(*(client.stop() for client in clients))


@pytest_asyncio.fixture(loop_scope="session")
async def arrive(case_node: Node, world: World) -> AsyncIterator[Arrive]:
    async with arriving(world, case_node) as arrive:
        yield arrive
