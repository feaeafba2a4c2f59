"""A copy of the database is put back, and made to count; and everything is sealed anew under another master key."""

from __future__ import annotations

import base64
import secrets
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import quote

import pytest
import pytest_asyncio
import yaml

from sandbox.client import Client
from sandbox.node import Node
from sandbox.world import ServiceFailed, World
from tests.e2e.cases import Desk, arriving, enter_room, flaws, mail_address, running, until
from tests.e2e.test_rooms_enforced import Admin
from tests.e2e.test_rooms_lost import other_room_named

pytest_plugins = ["tests.e2e.cases"]


def copied(database: Path, copy: Path) -> None:
    """A copy as a snapshot of the disk has it, while the service runs."""
    with closing(sqlite3.connect(database)) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)


async def all_sent(database: Path) -> None:
    """Wait until the service has noted what became of all it sent: a moment after it lies in the mailbox."""

    async def nothing_under_way() -> bool:
        with closing(sqlite3.connect(database)) as reader:
            [[count]] = reader.execute("SELECT count(*) FROM outbox WHERE sending AND state = 'ready'")
            return bool(count == 0)

    await until(nothing_under_way, "nothing under way")


def put_back(copy: Path, database: Path) -> None:
    for file in database.parent.glob(f"{database.name}*"):
        file.unlink()
    copied(copy, database)


async def yes(desk: Desk, command: str, done: str) -> None:
    """Say it, and confirm it with its code."""
    question = await desk.ask(command, "say “yes")
    await desk.ask("yes " + question.split("say “yes ")[1][:4].rstrip("”"), done)


async def mailed(world: World, to: str, text: str) -> int:
    """Wait until a text was mailed; how often it was."""
    await world.mail.wait_for(to, lambda mail: text in mail.text)
    return sum(text in mail.text for mail in world.mail.mailbox(to))


def change(config: Path, **secret: object) -> None:
    settings = yaml.safe_load(config.read_text())
    settings["secrets"] = {k: v for k, v in (settings["secrets"] | secret).items() if v is not None}
    config.write_text(yaml.safe_dump(settings))


@dataclass(frozen=True)
class Session:
    """A case in session: Alice in Matrix, Carl by mail."""

    desk: Desk
    alice: Client
    carl: str
    joint: str


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def session(tmp_path_factory: pytest.TempPathFactory, case_node: Node) -> AsyncIterator[Session]:
    async with (
        running(tmp_path_factory.mktemp("adopting"), case_node) as (world, mia),
        arriving(world, case_node) as arrive,
    ):
        desk, alice, carl = await mia.open_case(), await arrive("alice"), mail_address("carl")
        await desk.add("Alice", alice.user_id)
        await desk.add("Carl", carl)
        await desk.confirm("Carl", carl)
        await desk.caucus(alice)
        joint = await desk.open(alice)
        await desk.ask("!mode open", "open")
        yield Session(desk, alice, carl, joint)


async def test_a_copy_that_is_put_back_is_refused_until_it_is_adopted_and_repeats_nothing(session: Session) -> None:
    desk, alice, carl, joint, world = session.desk, session.alice, session.carl, session.joint, session.desk.world
    database, copy = world.config.parent / "mediatrix.db", world.folder / "copy.db"
    await alice.text(joint, "before the copy")
    await mailed(world, carl, "before the copy")
    await all_sent(database)
    copied(database, copy)
    await alice.text(joint, "after the copy")
    await mailed(world, carl, "after the copy")

    # Within seconds, so that only the mark at the end tells them apart.
    await world.stop_service()
    put_back(copy, database)
    with pytest.raises(ServiceFailed, match="older copy of the one that ran last"):
        await world.start_service()
    assert "begins epoch 2" in await world.cli("adopt", "-c", str(world.config))
    await world.start_service()
    await desk.told("This case was restored from a backup of")
    await yes(desk, "!repair", "being mended")
    await alice.text(joint, "after the adoption")
    for text in ("before the copy", "after the copy", "after the adoption"):
        assert await mailed(world, carl, text) == 1
    assert await flaws(alice) == []
    assert await flaws(desk.mediator) == []


async def test_everything_is_sealed_under_a_new_master_key_while_the_service_runs(session: Session) -> None:
    alice, carl, joint, world = session.alice, session.carl, session.joint, session.desk.world
    new = world.config.parent / "secrets" / "new.key"
    new.write_text(base64.b64encode(secrets.token_bytes(32)).decode())
    new.chmod(0o600)
    old = yaml.safe_load(world.config.read_text())["secrets"]["master_key"]
    await world.stop_service()
    change(world.config, master_key={"file": "secrets/new.key"}, old_master_keys=[old])
    await world.start_service()
    await alice.text(joint, "under both keys")
    printed = await world.cli("keys", "rotate", "-c", str(world.config))
    assert "sealed anew" in printed
    assert "sealed anew" not in await world.cli("keys", "rotate", "-c", str(world.config))
    await mailed(world, carl, "under both keys")

    await world.stop_service()
    change(world.config, old_master_keys=None)
    await world.start_service()
    await alice.text(joint, "under the new key alone")
    assert await mailed(world, carl, "under the new key alone") == 1
    assert await flaws(alice) == []
    await world.stop_service()
    change(world.config, master_key=old)
    with pytest.raises(ServiceFailed, match="sealed under another master key"):
        await world.start_service()


async def test_a_bot_that_was_deactivated_is_named_and_goes_on_with_a_new_device_in_new_rooms(session: Session) -> None:
    """Goes on where the tests above have left off: in epoch 2, under another master key."""
    desk, alice, carl, world = session.desk, session.alice, session.carl, session.desk.world
    change(world.config, master_key={"file": "secrets/new.key"})
    await world.start_service()
    bot, root = world.homeserver.user_id("_mediatrix_bot"), await administrator(world)
    await root.change(bot, {"deactivated": True})
    with pytest.raises(ServiceFailed, match=r"the bot's device is gone.*was its account deactivated"):
        await world.cli("status", "-c", str(world.config))
    letter = await world.mail.wait_for(carl, lambda mail: mail.subject.startswith("EVERYONE"))
    taken = await world.mail.deliver(carl, letter.reply_address, "while it was deactivated", in_reply_to=letter)
    assert taken.startswith("250")
    joint = await other_room_named(alice, f"EVERYONE · {desk.number}", session.joint)
    room = await other_room_named(desk.mediator, f"Desk · {desk.number}", desk.room)

    # As the runbook has it.
    await root.change(bot, {"deactivated": False, "password": secrets.token_urlsafe(32)})
    await world.stop_service()
    assert "begins epoch 3" in await world.cli("adopt", "-c", str(world.config))
    await world.start_service()
    assert "the bot's device" in await world.cli("status", "-c", str(world.config))
    # Alice first: what waits is said to whoever has come in, and nobody reads what was said before they did.
    for client, invited in ((alice, joint), (desk.mediator, room), (desk.mediator, joint)):
        await enter_room(client, invited)
    await yes(replace(desk, room=room), "!repair", "being mended")
    await alice.wait_for_text(joint, "while it was deactivated")
    await alice.text(joint, "after it was reactivated")
    assert await mailed(world, carl, "after it was reactivated") == 1
    shown = [event.body for event in await alice.timeline(joint)]
    assert shown.count("while it was deactivated") == 1
    assert await flaws(alice, joint) == []
    assert await flaws(desk.mediator, joint, room) == []


class Root(Admin):
    """An administrator who changes accounts."""

    async def change(self, user: str, account: object) -> None:
        """Deactivate an account, or reactivate it."""
        await self._call("PUT", f"/v2/users/{quote(user)}", account)


async def administrator(world: World) -> Root:
    await world.homeserver.register("root", "password of root", admin=True)
    return Root(world, (await world.homeserver.log_in("root", "password of root")).access_token)
