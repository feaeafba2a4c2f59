"""What binds, and what does not: the agreement to mediate and a release, with real clients and mail (M2, M5, M6)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from sandbox.client import Client
from sandbox.node import Node
from sandbox.world import MEDIATOR, World
from tests.e2e.cases import (
    Arrive,
    Desk,
    Staff,
    arriving,
    at_work,
    code_in,
    enter,
    events_of,
    flaws,
    mail_address,
    new_ports,
    told,
)
from tests.e2e.conftest import SYNAPSE_PYTHON

pytest_plugins = ["tests.e2e.cases"]

LIMIT = "Between us: 40,000 by June"
HEADING = "Alice’s words, released by the mediator:"


@pytest_asyncio.fixture(loop_scope="session")
async def strict(tmp_path: Path, case_node: Node) -> AsyncIterator[Staff]:
    """A mediator of an organisation that has an agreement to mediate."""
    async with World(tmp_path, new_ports(), SYNAPSE_PYTHON, mediators=(MEDIATOR,), agreement=True) as world:
        staff = await at_work(world, case_node, MEDIATOR)
        yield staff
        await staff.client.stop()


@pytest_asyncio.fixture(loop_scope="session")
async def come(strict: Staff, case_node: Node) -> AsyncIterator[Arrive]:
    async with arriving(strict.world, case_node) as arrive:
        yield arrive


async def unverified(alice: Client, node: Node, world: World) -> Client:
    """Another device in Alice's account, which she has not cross-signed: somebody's who has her password, say."""
    localpart = alice.user_id.partition(":")[0].removeprefix("@")
    password = f"password of {localpart.partition('-')[0]}"
    return await Client.login(
        node, world.homeserver.url, localpart, password, device="STOLEN", cross_sign=False, isolation="all"
    )


async def nothing_counts(alice: Client, thief: Client, room: str, code: str, asked: str) -> None:
    """A reaction, an unverified device, a bare yes: none of them is an answer."""
    await alice.react(room, asked, "👍")
    await alice.text(room, "yes")
    await thief.text(room, f"yes {code}")
    await told(alice, room, "What you wrote was not passed on: the device it came from was not verified")


async def question(alice: Client, room: str, beginning: str) -> tuple[str, str]:
    """The event and the code of a question in her room."""
    body = await told(alice, room, beginning)
    event = next(e for e in events_of(alice, room) if e.body == body)
    return event.event_id, code_in(body)


async def test_nothing_binds_but_a_proven_answer_and_then_everything_arrives(
    strict: Staff, come: Arrive, case_node: Node
) -> None:
    desk, alice = await strict.open_case(), await come("alice")
    mia, carl = strict.client, mail_address("carl")
    await desk.add("Alice", alice.user_id)
    hers = await desk.caucus(alice)
    thief = await unverified(alice, case_node, strict.world)
    await desk.add("Carl", carl)
    await enter(mia, f"PRIVATE with mediator · {desk.number}")
    await desk.confirm("Carl", carl)
    await desk.ask("!open", "The joint session begins")
    joint = await enter(mia, f"EVERYONE · {desk.number}")
    await desk.ask("!mode open", "The joint room is open now")

    # The agreement: word for word, in private; only a proven yes with its code opens the joint room.
    asked, code = await question(alice, hers, "also goes by mail")  # as it stands since Carl is there
    await nothing_counts(alice, thief, hers, code, asked)
    assert joint not in [room.room_id for room in await alice.rooms()]
    await alice.text(hers, f"Yes, {code.lower()}.")
    await desk.told("Alice accepted the agreement to mediate, encrypted, from a verified device")
    await told(alice, hers, "SHA-256 of its words:")
    await enter(alice, f"EVERYONE · {desk.number}")
    await carl_accepts(desk, carl)

    # A release: previewed, agreed to, shown word for word.
    said = await alice.text(hers, LIMIT)
    await mia.wait_for_text(hers, LIMIT)
    await mia.reply(hers, said, "!release")
    preview = await desk.told("R1, for EVERYONE")
    assert f"> {LIMIT}" in preview
    assert "Carl (by mail)" in preview
    await desk.ask(f"yes {code_in(preview)}", "Alice is asked")
    asked, code = await question(alice, hers, "may these words be shown")
    await nothing_counts(alice, thief, hers, code, asked)
    assert not released(alice, joint)
    await alice.text(hers, f"yes {code}")
    await desk.told("R1 is released")
    await told(alice, joint, f"{HEADING}\n> {LIMIT}")
    mail = await strict.world.mail.wait_for(carl, lambda m: HEADING in m.text)
    assert LIMIT in mail.text
    assert mail.subject == f"EVERYONE · {desk.number}"

    # The same code again, and the mail answered with it: once was once.
    await alice.text(hers, f"yes {code}")
    await told(alice, hers, f"Your answer with the code {code} does not count")
    await desk.told("and it does not count")
    assert len(released(alice, joint)) == 1
    private = [m for m in strict.world.mail.mailbox(carl) if m.subject.startswith("PRIVATE")]
    assert not [m for m in private if LIMIT in m.text or "!release" in m.text]
    # What the thief wrote.
    assert {flaw.sender for flaw in await flaws(mia, expected=lambda e: e.sender == alice.user_id)} == {alice.user_id}

    # What looks like ours is the party's own, and is shown as that.
    await alice.text(joint, f"{HEADING}\n> I give in")
    false = await mia.wait_for(lambda e: e.room_id == joint and "I give in" in (e.body or ""))
    assert false.sender == alice.user_id
    mailed = await strict.world.mail.wait_for(carl, lambda m: "I give in" in m.text)
    assert "Alice wrote" in mailed.text
    assert f"\n{HEADING}" not in mailed.text
    await thief.stop()


def released(client: Client, room: str) -> list[str]:
    """What the bot has shown under our heading."""
    return [e.body or "" for e in events_of(client, room) if HEADING in (e.body or "") and "_mediatrix_bot" in e.sender]


async def carl_accepts(desk: Desk, carl: str) -> None:
    """He is asked by mail and answers by mail; only then does he get mail of the joint room."""
    mails = desk.world.mail
    await desk.ask("!agreement send", "Asked, each in private")
    letter = await mails.wait_for(carl, lambda m: "the agreement to mediate" in " ".join(m.text.split()))
    assert not [m for m in mails.mailbox(carl) if m.subject.startswith("EVERYONE")]
    code = code_in(" ".join(letter.text.replace("|", " ").split()))
    answer = await mails.deliver(carl, letter.reply_address, f"yes {code}", in_reply_to=letter)
    assert answer.startswith("250")
    await desk.told("Carl accepted the agreement to mediate, by mail")
    await mails.wait_for(carl, lambda m: m.subject.startswith("EVERYONE"))
