"""What is said in somebody's name without a device of theirs: none of it binds, none of it crosses.

Whoever runs the homeserver can act in the name of every account. It has no keys: what it makes up is in clear, and what
it sends again was encrypted for another room, or has been read before (I4). Words in a membership need no power at all;
the homeserver can't keep them out, so they are taken away (M7).
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import pytest

from sandbox.client import Client
from sandbox.homeserver import RequestRefused
from sandbox.node import CommandFailed
from sandbox.world import World
from tests.e2e.cases import Arrive, Desk, Staff, code_in, enter, events_of, mail_address, told, until

pytest_plugins = ["tests.e2e.cases"]

LIMIT = "Between us: 40,000 by June"
HEADING = "Alice’s words, released by the mediator:"


@dataclass(frozen=True)
class Forger:
    """Whoever runs the homeserver, in the name of one of its users."""

    world: World
    token: str
    admin: str
    """Of the administrator's own account."""

    @classmethod
    async def of(cls, world: World, user: str) -> Forger:
        """With a token that the homeserver gives its administrator for any account, without that account's password."""
        name = f"admin-{secrets.token_hex(3)}"
        await world.homeserver.register(name, "password of admin", admin=True)
        admin = (await world.homeserver.log_in(name, "password of admin")).access_token
        path = f"/_synapse/admin/v1/users/{quote(user)}/login"
        answer = await world.homeserver.request("POST", path, token=admin, body={})
        return cls(world, answer["access_token"], admin)

    async def send(self, room: str, kind: str, content: Mapping[str, Any]) -> str:
        """An event of that user, just as it is; its id."""
        path = f"/_matrix/client/v3/rooms/{quote(room)}/send/{kind}/{secrets.token_hex(4)}"
        answer = await self.world.homeserver.request("PUT", path, token=self.token, body=content)
        return str(answer["event_id"])

    async def reacts_itself(self, room: str, event: str, key: str) -> None:
        """The administrator's own account reacts; the homeserver lets nobody in who was not invited, not even it."""
        path = f"/_matrix/client/v3/rooms/{quote(room)}/send/m.reaction/{secrets.token_hex(4)}"
        relation = {"rel_type": "m.annotation", "event_id": event, "key": key}
        with pytest.raises(RequestRefused):
            await self.world.homeserver.request("PUT", path, token=self.admin, body={"m.relates_to": relation})

    async def content(self, room: str, event: str) -> Mapping[str, Any]:
        """The content of an event as the homeserver has it."""
        path = f"/_matrix/client/v3/rooms/{quote(room)}/event/{quote(event)}"
        found: Mapping[str, Any] = (await self.world.homeserver.request("GET", path, token=self.token))["content"]
        return found


async def session(mia: Staff, alice: Client) -> tuple[Desk, str, str, str]:
    """A case in session: Alice in Matrix, Carl by mail; the desk, her caucus, the joint room, and Carl's address."""
    desk, carl = await mia.open_case(), mail_address("carl")
    await desk.add("Carl", carl)
    await enter(mia.client, f"PRIVATE with mediator · {desk.number}")
    await desk.confirm("Carl", carl)
    await desk.add("Alice", alice.user_id)
    return desk, await desk.caucus(alice), await desk.open(alice), carl


async def test_what_the_homeserver_says_in_a_partys_name_neither_binds_nor_crosses(mia: Staff, arrive: Arrive) -> None:
    alice = await arrive("alice")
    desk, hers, joint, carl = await session(mia, alice)
    forger = await Forger.of(mia.world, alice.user_id)
    said = await alice.text(hers, LIMIT)
    await mia.client.wait_for_text(hers, LIMIT)
    await mia.client.reply(hers, said, "!release")
    await desk.ask(f"yes {code_in(await desk.told('R1001, for EVERYONE'))}", "Alice is asked")
    question = await told(alice, hers, "may these words be shown")
    asked, code = next(e.event_id for e in events_of(alice, hers) if e.body == question), code_in(question)

    # A reaction, as the administrator's own account or as hers, with whatever key; and the very answer, in clear.
    await forger.reacts_itself(hers, asked, f"yes {code}")
    for key in ("👍", "✅", f"yes {code}"):
        relation = {"rel_type": "m.annotation", "event_id": asked, "key": key}
        await forger.send(hers, "m.reaction", {"m.relates_to": relation})
    await forger.send(hers, "m.room.message", {"msgtype": "m.text", "body": f"yes {code}"})
    await told(alice, hers, "was taken away, because it was sent without encryption")

    # Her own ciphertext, in the room where all read; and in its own room, once more.
    secret = await forger.content(hers, said)
    moved = await forger.send(joint, "m.room.encrypted", secret)
    await forger.send(hers, "m.room.encrypted", secret)
    await desk.told("because I could not decrypt it (replayed)")
    assert await unreadable(mia.client, moved)

    # What follows is read after all that: she is still waited for. Her own answer counts, and it counts once.
    await desk.ask("!board", "Alice: agree to a release")
    answer = await alice.text(hers, f"yes {code}")
    await desk.told("R1001 is released")
    await told(alice, joint, f"{HEADING}\n> {LIMIT}")
    await forger.send(hers, "m.room.encrypted", await forger.content(hers, answer))
    await forger.send(hers, "m.room.message", {"msgtype": "m.text", "body": f"yes {code}"})
    await alice.text(joint, "And now to something else")
    await mia.world.mail.wait_for(carl, lambda mail: "something else" in mail.text)
    assert [HEADING in mail.text for mail in mia.world.mail.mailbox(carl) if LIMIT in mail.text] == [True]


async def unreadable(client: Client, event: str) -> bool:
    """Whether a client has the event, and can't open it: waits for it to have tried."""
    seen = await client.wait_for(lambda e: e.event_id == event and not e.pending)
    return seen.body is None


async def test_words_in_a_membership_are_taken_away_explained_in_private_and_carried_to_nobody(
    mia: Staff, arrive: Arrive
) -> None:
    alice, outsider = await asyncio.gather(arrive("alice"), arrive("outsider"))
    desk, hers, joint, carl = await session(mia, alice)
    forger = await Forger.of(mia.world, mia.client.user_id)  # who sees what the homeserver still has
    member = f"/_matrix/client/v3/rooms/{joint}/state/m.room.member/{alice.user_id}"

    # A name that is a sentence: the room's state allows it, whatever her power.
    named = await alice.request("PUT", member, {"membership": "join", "displayname": "Carl owes me 40,000"})
    await emptied(forger, joint, named["event_id"])
    explained = await told(alice, hers, "names, pictures and reasons carry no words in the joint room")
    assert explained.startswith(f"What you wrote in EVERYONE · {desk.number} was taken away")
    await desk.told("may have seen it")

    # A reason for leaving.
    await alice.request("POST", f"/_matrix/client/v3/rooms/{joint}/leave", {"reason": "Carl lies, see the bank letter"})
    left = await mia.client.wait_for(
        lambda e: e.room_id == joint and e.state_key == alice.user_id and e.content.get("membership") == "leave"
    )
    await emptied(forger, joint, left.event_id)
    await desk.told("Alice left EVERYONE")

    # To put others out, to knock: the homeserver refuses both, and the words with them.
    words = {"reason": "Carl lies", "user_id": mia.client.user_id}
    for client, path in (
        (outsider, f"knock/{quote(joint)}"),
        (alice, f"rooms/{quote(hers)}/kick"),
        (alice, f"rooms/{quote(hers)}/ban"),
    ):
        with pytest.raises(CommandFailed):
            await client.request("POST", f"/_matrix/client/v3/{path}", words)

    # Nothing of it was mailed: what was said later is there, and comes after it.
    await mia.client.text(joint, "Alice has left us for now")
    await mia.world.mail.wait_for(carl, lambda mail: "left us for now" in mail.text)
    letters = " ".join(mail.text for mail in mia.world.mail.mailbox(carl))
    assert [word for word in ("owes me", "Carl lies", "bank letter") if word in letters] == []


async def emptied(forger: Forger, room: str, event: str) -> None:
    """Waits until the homeserver itself has nothing of a membership but whether somebody is in."""

    async def is_empty() -> bool:
        return set(await forger.content(room, event)) == {"membership"}

    await until(is_empty, "a membership without words")
