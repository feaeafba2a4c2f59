"""The modes of the joint room, as the homeserver enforces them on a party's own client (M1)."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from sandbox.client import TIMEOUT, Client
from sandbox.node import CommandFailed
from tests.e2e.cases import Arrive, Desk, Staff, enter, mail_address, told, until

pytest_plugins = ["tests.e2e.cases"]


class Session:
    """A case in session: Alice in Matrix, Carl by mail."""

    def __init__(self, desk: Desk, alice: Client, carl: str, joint: str, caucus: str) -> None:
        self.desk, self.alice, self.carl, self.joint, self.caucus = desk, alice, carl, joint, caucus

    async def set(self, command: str, answer: str, speak: int, **levels: int) -> None:
        """Give a command, and wait until its levels are those of the room."""
        await self.desk.ask(command, answer)

        async def written() -> bool:
            now = await self.desk.mediator.state(self.joint, "m.room.power_levels")
            users = {self.alice.user_id: levels["alice"]} if "alice" in levels else {}
            mediator = {self.desk.mediator.user_id: 75}
            ghosts = {user: level for user, level in now["users"].items() if "_mediatrix_" in user}
            return bool(now["events"]["m.room.encrypted"] == speak and now["users"] == {**mediator, **users, **ghosts})

        await until(written, f"the levels of {command}")

    async def refused(self, client: Client, type_: str, content: Mapping[str, Any]) -> None:
        path = f"/_matrix/client/v3/rooms/{self.joint}/send/{type_}/{type_}-{id(content)}"
        with pytest.raises(CommandFailed) as failed:
            await client.request("PUT", path, content)
        assert failed.value.errcode == "M_FORBIDDEN"

    async def silent(self, client: Client) -> None:
        """This client may post nothing in the joint room: no words, no reaction, no event of its own make."""
        mine = await self.desk.mediator.request("GET", f"/_matrix/client/v3/rooms/{self.joint}/messages?dir=b&limit=1")
        target = {"event_id": mine["chunk"][0]["event_id"], "rel_type": "m.annotation", "key": "x" * 500}
        await self.refused(client, "m.room.encrypted", {"algorithm": "m.megolm.v1.aes-sha2", "ciphertext": "x"})
        await self.refused(client, "m.room.message", {"msgtype": "m.text", "body": "in clear"})
        await self.refused(client, "m.reaction", {"m.relates_to": target})
        await self.refused(client, "com.evil.chat", {"body": "in clear"})

    async def may_only_speak(self, client: Client) -> None:
        """In the open room, too: no event of its own make, no setting, nobody invited, put out or made mightier."""
        await self.refused(client, "com.evil.chat", {"body": "in clear"})
        for type_, content in (
            ("m.room.name", {"name": "Ours"}),
            ("m.room.topic", {"topic": "words"}),
            ("m.room.pinned_events", {"pinned": []}),
            ("m.room.encryption", {"algorithm": "none"}),
            ("m.room.history_visibility", {"history_visibility": "shared"}),
            ("m.room.power_levels", {"users": {client.user_id: 100}}),
            ("com.evil.state", {"words": "in clear"}),
        ):
            with pytest.raises(CommandFailed) as failed:
                await client.send_state(self.joint, type_, content)
            assert failed.value.errcode == "M_FORBIDDEN", type_
        path, guest = f"/_matrix/client/v3/rooms/{self.joint}/invite", self.desk.world.homeserver.user_id("guest")
        with pytest.raises(CommandFailed) as failed:
            await client.request("POST", path, {"user_id": guest, "reason": "words"})
        assert failed.value.errcode == "M_FORBIDDEN"
        mine = await client.text(self.joint, "I may not take this back")
        with pytest.raises(CommandFailed) as failed:
            await client.redact(self.joint, mine)
        assert failed.value.errcode == "M_FORBIDDEN"


async def in_session(mia: Staff, arrive: Arrive) -> Session:
    desk, alice = await asyncio.gather(mia.open_case(), arrive("alice"))
    carl = mail_address("carl")
    await desk.add("Carl", carl)
    await enter(mia.client, f"PRIVATE with mediator · {desk.number}")
    await desk.confirm("Carl", carl)
    await desk.add("Alice", alice.user_id)
    caucus = await desk.caucus(alice)
    return Session(desk, alice, carl, await desk.open(alice), caucus)


async def says(client: Client, room: str, text: str, reader: Client) -> None:
    await client.text(room, text)
    await reader.wait_for_text(room, text)


async def test_each_mode_is_what_the_homeserver_enforces(mia: Staff, arrive: Arrive) -> None:
    case = await in_session(mia, arrive)
    alice, me = case.alice, mia.client

    await says(alice, case.joint, "In the open room", me)
    await case.may_only_speak(alice)
    for command, answer in (
        ("!mode released", "The joint room is released now"),
        ("!mode locked for 2h", "The joint room is locked now"),
        ("!mode moderated", "needs a module"),
        ("!cool 30m", "We pause here until"),
    ):
        await case.set(command, answer, 50)
        await case.silent(alice)
        await says(me, case.joint, f"The mediator, after {command}", alice)
    await case.set("!mode closed", "The joint room is closed now", 100)
    await case.silent(alice)
    await case.silent(me)
    await told(alice, case.joint, "nobody writes here any more")
    await says(alice, case.caucus, "In private I always may", me)

    await case.set("!undo", "Taken back: entry", 50)
    await says(me, case.joint, "Cooling off once more", alice)
    await case.set("!mode open", "The joint room is open now", 0)
    await says(alice, case.joint, "Open again", me)
    assert not [notice for notice in case.desk.notices() if "ALARM" in notice]


async def test_a_turn_a_mute_and_slow_mode_are_what_the_homeserver_enforces(mia: Staff, arrive: Arrive) -> None:
    case = await in_session(mia, arrive)
    alice, me = case.alice, mia.client

    await case.set("!turn Carl 10m", "Carl has the word", 50)
    await case.silent(alice)
    await case.set("!turn Alice 10m", "Alice has the word", 50, alice=50)
    await says(alice, case.joint, "My turn", me)
    await case.refused(alice, "com.evil.chat", {"body": "in clear"})
    await case.set("!turn off", "The turn is over", 0)

    await case.set("!mute Alice 1h", "Alice may read in the joint room and not write", 0, alice=-1)
    await case.silent(alice)
    await told(alice, case.caucus, "The mediator asks you to read in the joint room")
    await case.set("!unmute Alice", "Alice may write again", 0)

    await case.desk.ask("!slow 10m", "a party waits 10 minutes")
    await says(alice, case.joint, "One post", me)
    await until(lambda: _waits(case), "Alice waiting")
    await case.silent(alice)
    await case.set("!slow off", "Nobody has to wait", 0)
    await says(alice, case.joint, "Another post", me)


async def _open(case: Session) -> bool:
    levels = await case.desk.mediator.state(case.joint, "m.room.power_levels")
    return bool(levels["events"]["m.room.encrypted"] == 0)


async def _waits(case: Session) -> bool:
    levels = await case.desk.mediator.state(case.joint, "m.room.power_levels")
    return bool(levels["users"].get(case.alice.user_id) == -1)


async def test_a_party_by_mail_meets_the_same_rule_and_what_is_timed_ends_by_itself(mia: Staff, arrive: Arrive) -> None:
    case = await in_session(mia, arrive)
    mail = case.desk.world.mail
    letter = await mail.wait_for(case.carl, lambda mail: mail.subject.startswith("EVERYONE"))
    await case.set("!mode released", "The joint room is released now", 50)
    assert (await mail.deliver(case.carl, letter.reply_address, "Against the mode")).startswith("250")
    held = await case.desk.told("Held: something from Carl for EVERYONE")
    assert "only the mediator writes" in held
    await case.set("!turn Carl", "Carl has the word", 50)
    assert (await mail.deliver(case.carl, letter.reply_address, "In my turn")).startswith("250")
    await case.alice.wait_for_text(case.joint, "In my turn")
    assert "Against the mode" not in {event.body for event in await case.alice.timeline(case.joint)}
    await case.silent(case.alice)
    await case.set("!mode open", "The joint room is open now", 0)
    await case.set("!mode locked for 1m", "The joint room is locked now", 50)
    await case.silent(case.alice)
    await until(lambda: _open(case), "the room open again", within=60 + TIMEOUT)
    await says(case.alice, case.joint, "After its time", mia.client)
