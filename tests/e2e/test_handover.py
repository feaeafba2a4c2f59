"""What is one step for a mediator, at real clients: to hand a case over, to correct a side, to be told by mail that
something waits; and who comes in when no mediator is left (M11, R12)."""

from __future__ import annotations

import asyncio
import re
from urllib.parse import quote

import pytest

from sandbox.client import Client
from sandbox.mail import MailboxItem
from sandbox.node import CommandFailed, Node
from tests.e2e.cases import (
    SUCCESSOR,
    Arrive,
    Staff,
    code_in,
    enter,
    enter_room,
    events_of,
    hurry,
    mail_address,
    sits_in,
    told,
    until,
)

pytest_plugins = ["tests.e2e.cases"]


async def test_a_case_is_taken_over_by_somebody_who_comes_in_for_it(mia: Staff, arrive: Arrive) -> None:
    desk, alice, successor = await asyncio.gather(mia.open_case(), arrive("alice"), arrive("max"))
    await desk.add("Alice", alice.user_id)
    hers = await desk.caucus(alice)
    await desk.ask(f"!handover Max {successor.user_id}", "do you take this case over")

    # Who comes in reads nothing older, so it is asked again.
    await enter(successor, f"Desk · {desk.number}")
    question = await told(successor, desk.room, "do you take this case over")
    await enter_room(successor, hers)
    await successor.text(desk.room, f"yes {code_in(question)}")

    await told(successor, desk.room, "Max has taken the case over")
    await told(alice, hers, "Max is your mediator from now on")
    await has_left(mia, successor, desk.room)
    await has_left(mia, alice, hers)
    asked = await successor.text(desk.room, "!status")
    await told(successor, desk.room, "Max: mediator", after=asked)
    await alice.text(hers, "To Max alone")
    await successor.wait_for_text(hers, "To Max alone")


async def test_who_was_on_the_wrong_side_reads_on_the_right_one_alone(mia: Staff, arrive: Arrive) -> None:
    desk, alice, bob = await asyncio.gather(mia.open_case(), arrive("alice"), arrive("bob"))
    await desk.add("Alice", alice.user_id, rest="on Smith")
    hers = await desk.caucus(alice)
    await desk.ask("!side add Jones", "Jones")
    await desk.add("Bob", bob.user_id, rest="as counsel on Smith")
    await enter_room(bob, hers)
    await told(mia.client, hers, "Bob (counsel)")
    await alice.text(hers, "While he is here")
    await bob.wait_for_text(hers, "While he is here")

    tried = await desk.ask("!dry party side Bob on Jones", "nothing was done")
    assert "(Smith) no more" in tried
    asked = await desk.ask("!party side Bob on Jones", "say “yes")
    await desk.ask(f"yes {code_in(asked)}", "Bob is on the side Jones from now on")
    await told(alice, hers, "Bob was in this room by a mistake of ours")
    await until(lambda: _is_out(mia, bob, hers, alice), "Bob out of the wrong room")
    after = await alice.text(hers, "And now without him")
    await mia.client.wait_for_text(hers, "And now without him")
    with pytest.raises(CommandFailed):
        await bob.request("GET", f"/_matrix/client/v3/rooms/{quote(hers)}/event/{quote(after)}")

    theirs = await _invited(bob, f"PRIVATE with mediator · {desk.number}", but=hers)
    await bob.join(theirs)
    await told(bob, theirs, "this is your private room with the mediator")


async def _invited(client: Client, name: str, *, but: str) -> str:
    """The other room of that name, once somebody is invited there."""
    found: list[str] = []

    async def is_listed() -> bool:
        found[:] = [r.room_id for r in await client.rooms() if r.name == name and r.room_id != but]
        return bool(found)

    await until(is_listed, f"another {name}")
    return found[0]


async def _is_out(mia: Staff, who: Client, room: str, watcher: Client) -> bool:
    return not await sits_in(mia.world, who.user_id, room, watcher)


async def test_a_mediator_is_told_by_mail_and_a_successor_comes_when_none_is_left(
    mia: Staff, arrive: Arrive, case_node: Node
) -> None:
    desk, alice = await asyncio.gather(mia.open_case(), arrive("alice"))
    await desk.told(f"Sue ({mia.world.homeserver.user_id(SUCCESSOR)}) comes in as the mediator")
    await desk.add("Alice", alice.user_id)
    hers = await desk.caucus(alice)

    mailbox = mail_address("mia")
    await desk.ask(f"!notify {mailbox}", "A code is mailed")
    letter = await mia.world.mail.wait_for(mailbox, lambda mail: "your code" in mail.subject)
    found = re.search(r"^yes (\w{4})", letter.text, re.MULTILINE)
    assert found, letter.text
    await desk.ask(f"yes {found[1]}", "Mia is told by mail from now on")
    await alice.text(hers, "Between us: 40,000")
    await desk.told("Alice wrote in PRIVATE")
    notices: list[MailboxItem] = []

    async def is_noticed() -> bool:
        hurry(mia.world, "outbox", desk.number, "people notice:%")
        notices[:] = [mail for mail in mia.world.mail.mailbox(mailbox) if mail.subject.endswith("something waits")]
        return bool(notices)

    await until(is_noticed, "a notice in the mediator's mailbox")
    assert [word for word in ("Alice", "40,000", "PRIVATE") if word in notices[0].text] == []

    password = f"password of {SUCCESSOR}"
    await mia.world.homeserver.register(SUCCESSOR, password)
    sue = await Client.login(case_node, mia.world.homeserver.url, SUCCESSOR, password, device="DESK")
    await mia.client.leave(desk.room)

    async def is_told() -> bool:
        hurry(mia.world, "inbox", desk.number, "time %")
        return any("Sue is your mediator from now on" in (event.body or "") for event in events_of(alice, hers))

    await until(is_told, "the successor in her room")
    await enter(sue, f"Desk · {desk.number}")
    await enter_room(sue, hers)
    asked = await sue.text(desk.room, "!status")
    await told(sue, desk.room, "Sue: mediator", after=asked)
    await sue.stop()


async def has_left(mia: Staff, watcher: Client, room: str) -> None:
    """As the homeserver tells somebody who is still there."""

    async def gone() -> bool:
        return not await sits_in(mia.world, mia.client.user_id, room, watcher)

    await until(gone, "the former mediator out of the room")
