"""A backup under traffic, everything lost, a restore: people read on without a warning, and nothing comes twice."""

from __future__ import annotations

import asyncio
import shutil
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from sandbox.client import Client
from sandbox.mail import Behaviour
from sandbox.node import Node
from sandbox.world import ServiceFailed, World
from tests.e2e.cases import (
    Arrive,
    Desk,
    arriving,
    enter,
    enter_room,
    events_of,
    flaws,
    mail_address,
    running,
    told,
    until,
)

pytest_plugins = ["tests.e2e.cases"]


@dataclass(frozen=True)
class Session:
    """A case in session: Alice and Bob in Matrix, Carl by mail, in a world of its own."""

    desk: Desk
    alice: Client
    bob: Client
    carl: str
    joint: str

    @property
    def world(self) -> World:
        return self.desk.world

    @property
    def database(self) -> Path:
        return self.world.config.parent / "mediatrix.db"

    @property
    def backup(self) -> Path:
        return self.world.folder / "backup"

    def mails(self, text: str) -> int:
        """In how many of Carl's mails a text stands."""
        return sum(text in mail.text for mail in self.world.mail.mailbox(self.carl))

    async def mailed(self, text: str) -> None:
        await self.world.mail.wait_for(self.carl, lambda mail: text in mail.text)

    async def back_up(self) -> str:
        return await self.world.cli("backup", str(self.backup), "-c", str(self.world.config))

    async def restore(self) -> str:
        return await self.world.cli("restore", str(self.backup), "-c", str(self.world.config))

    def put_database(self, where: Path) -> None:
        """Move it away, with what SQLite keeps beside it."""
        where.mkdir()
        for file in self.database.parent.glob("mediatrix.db*"):
            shutil.move(file, where / file.name)

    def get_database(self, where: Path) -> None:
        """Copy it back."""
        for file in self.database.parent.glob("mediatrix.db*"):
            file.unlink()
        for file in where.iterdir():
            shutil.copy(file, self.database.parent / file.name)


@pytest_asyncio.fixture(loop_scope="session")
async def session(tmp_path: Path, case_node: Node) -> AsyncIterator[Session]:
    async with running(tmp_path / "world", case_node) as (world, mia), arriving(world, case_node) as arrive:
        yield await _in_session(world, await mia.open_case(), arrive)


async def _in_session(world: World, desk: Desk, arrive: Arrive) -> Session:
    alice, bob, ben = await asyncio.gather(arrive("alice"), arrive("bob"), arrive("ben"))
    carl = mail_address("carl")
    await desk.add("Alice", alice.user_id)
    await desk.add("Carl", carl)
    await desk.confirm("Carl", carl)
    await desk.add("Bob", bob.user_id)
    # Said to Bob's caucus while nobody is in it: it waits.
    await desk.add("Ben", ben.user_id, rest="as counsel on Bob")
    await desk.caucus(alice)
    joint = await desk.open(alice)
    return Session(desk, alice, bob, carl, joint)


async def test_after_a_restore_people_read_on_and_nothing_is_sent_twice_nor_anybody_let_in_again(
    session: Session, case_node: Node
) -> None:
    desk, alice, bob, world = session.desk, session.alice, session.bob, session.world
    await alice.text(session.joint, "long before")
    await session.mailed("long before")

    # Under traffic, and with mails waiting.
    world.mail.behaviour = Behaviour.DEFER
    so_far = _last(desk)
    await alice.text(session.joint, "not mailed yet")
    await desk.told("Alice wrote in EVERYONE", after=so_far)
    done = asyncio.Event()
    traffic = asyncio.create_task(_write(alice, session.joint, done))
    assert "1 cases" in await session.back_up()
    done.set()
    said = await traffic

    # What the backup doesn't know.
    world.mail.behaviour = Behaviour.DELIVER
    await session.mailed("not mailed yet")
    await alice.text(session.joint, "after the backup")
    await session.mailed("after the backup")
    for text in said:
        await session.mailed(text)
    caucus = await enter(bob, f"PRIVATE with mediator · {desk.number}")
    await enter_room(desk.mediator, caucus)
    await told(bob, caucus, "Ben (counsel)")
    question = await desk.ask("!party remove Bob", "say “yes")
    await desk.ask("yes " + question.split("say “yes ")[1][:4].rstrip("”"), "Bob takes part no more")
    await bob.wait_for_membership(lambda seen: seen.room_id == caucus and seen.membership == "leave")
    await told(desk.mediator, caucus, "Who reads this room: Mia")
    noticed = Counter(e.body for e in events_of(desk.mediator, caucus))

    # Everything is lost.
    bot_devices = await alice.devices(desk.bot)
    await world.kill_service()
    session.put_database(world.folder / "lost")
    assert "1 cases" in await session.restore()
    await world.start_service()
    notice = await desk.told("This case was restored from a backup of")
    assert "Until you say !repair" in notice

    # Nothing comes twice: what may have been mailed, a person decides.
    await desk.told("Perhaps not delivered: a mail to Carl from EVERYONE")
    before = {text: session.mails(text) for text in ("long before", "not mailed yet", "after the backup", *said)}
    assert set(before.values()) == {1}

    # People read on, from new devices that nobody has to doubt.
    letter = await world.mail.wait_for(session.carl, lambda mail: mail.subject.startswith("EVERYONE"))
    answer = await world.mail.deliver(session.carl, letter.reply_address, "Carl reads on", in_reply_to=letter)
    assert answer.startswith("250")
    await alice.wait_for_text(session.joint, "Carl reads on")
    so_far = _last(desk)
    await alice.text(session.joint, "after the restore")
    await desk.told("Alice wrote in EVERYONE", after=so_far)
    assert await flaws(alice) == []
    assert await flaws(desk.mediator) == []

    async def only_the_new_device() -> bool:
        devices = await alice.devices(desk.bot)
        return len(devices) == 1 and devices != bot_devices and devices[0].signed

    await until(only_the_new_device, "the bot's one new device, signed")

    # Bob was removed after the backup: he is not invited again, nor is anything mailed, until the mediator has looked.
    assert all(room.membership == "leave" for room in await bob.rooms() if room.room_id == caucus)
    assert session.mails("after the restore") == 0
    question = await desk.ask("!party remove Bob", "say “yes")
    await desk.ask("yes " + question.split("say “yes ")[1][:4].rstrip("”"), "Bob takes part no more")
    question = await desk.ask("!repair", "say “yes")
    await desk.ask("yes " + question.split("say “yes ")[1][:4].rstrip("”"), "being mended")
    await session.mailed("after the restore")
    await alice.text(session.joint, "after the repair")
    await session.mailed("after the repair")
    assert {text: session.mails(text) for text in before} == before
    assert all(room.membership == "leave" for room in await bob.rooms() if room.room_id == caucus)
    again = Counter(e.body for e in events_of(desk.mediator, caucus)) - noticed
    assert not any("Ben (counsel)" in (body or "") and "Bob" in (body or "") for body in again), again

    # The database that was lost turns up again.
    await world.stop_service()
    session.put_database(world.folder / "restored")
    session.get_database(world.folder / "lost")
    with pytest.raises(ServiceFailed, match="epoch 2, this one in 1"):
        await world.start_service()
    session.get_database(world.folder / "restored")
    await world.start_service()
    await alice.text(session.joint, "and on")
    await session.mailed("and on")


async def _write(alice: Client, room: str, done: asyncio.Event) -> list[str]:
    """Message after message until it is done; what was said."""
    said: list[str] = []
    while not done.is_set():
        said.append(f"traffic {len(said)}.")
        await alice.text(room, said[-1])
        await asyncio.sleep(0.05)
    return said


def _last(desk: Desk) -> str:
    """The last event at the desk."""
    return events_of(desk.mediator, desk.room)[-1].event_id
