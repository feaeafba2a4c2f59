"""A question that binds is answered in an encrypted poll, as Element sends votes; what is forged does not bind (M6)."""

from __future__ import annotations

import asyncio

import pytest

from sandbox.client import POLL_END, Client
from sandbox.node import CommandFailed, Node
from sandbox.seen import Poll
from tests.e2e.cases import Arrive, Desk, Staff, code_in, enter, flaws, told
from tests.e2e.test_release import HEADING, released, unverified

pytest_plugins = ["tests.e2e.cases"]

RESPONSE = "org.matrix.msc3381.poll.response"
LIMIT = "Between us: 40,000 by June"
FORGED = 5
"""Votes that are forged or void: of her counsel, of the other side, of a thief; of two answers, and in another poll."""


async def is_ended(client: Client, room: str, poll: Poll) -> None:
    """The bot has ended that poll, where this client sees it."""
    about = {"rel_type": "m.reference", "event_id": poll.event_id}
    await client.wait_for(
        lambda e: (
            e.room_id == room
            and e.type == POLL_END
            and e.relates_to == about
            and e.sender.startswith("@_mediatrix_bot")
        ),
        "end of the poll",
    )


async def asked(desk: Desk, alice: Client, hers: str) -> Poll:
    """The mediator releases what Alice said, by a vote at the desk; the poll in which Alice is asked."""
    mia = desk.mediator
    said = await alice.text(hers, LIMIT)
    await mia.wait_for_text(hers, LIMIT)
    await mia.reply(hers, said, "!release")
    preview = await desk.told("R1, for EVERYONE")
    at_desk = await mia.wait_for_poll(desk.room, code_in(preview))
    assert LIMIT in at_desk.question
    await mia.vote(desk.room, at_desk.event_id, at_desk.answers["Yes"])
    await desk.told("Alice is asked")
    await is_ended(mia, desk.room, at_desk)
    words = await told(alice, hers, "may these words be shown")
    return await alice.wait_for_poll(hers, code_in(words))


async def test_a_vote_in_our_poll_binds_and_no_forged_one_does(mia: Staff, arrive: Arrive, case_node: Node) -> None:
    desk, alice, bob, dora = await asyncio.gather(mia.open_case(), arrive("alice"), arrive("bob"), arrive("dora"))
    for name, who, rest in (
        ("Alice", alice, "on Smith"),
        ("Bob", bob, "as counsel on Smith"),
        ("Dora", dora, "on Jones"),
    ):
        await desk.add(name, who.user_id, rest=rest)
    hers, theirs = await desk.caucus(alice), await desk.caucus(dora)
    await enter(bob, f"PRIVATE with mediator · {desk.number}")
    joint = await desk.open(alice, dora)
    thief = await unverified(alice, case_node, desk.world)
    poll = await asked(desk, alice, hers)
    yes = poll.answers["Yes"]
    assert poll.most == 1
    assert poll.question.endswith(f"{LIMIT}”")
    assert "Who will read it:" in poll.question

    # Her counsel, somebody of the other side, and whoever has her password but not her keys.
    shown = await bob.wait_for_poll(hers, poll.question.split("(")[1][:4])
    assert shown == poll
    await bob.vote(hers, poll.event_id, yes)
    await told(bob, hers, "does not count")
    with pytest.raises(CommandFailed, match="same room"):
        await dora.vote(theirs, poll.event_id, yes)
    await dora.send(theirs, {RESPONSE: {"answers": [yes]}}, RESPONSE)
    await told(dora, theirs, "does not count")
    await thief.vote(hers, poll.event_id, yes)
    await told(alice, hers, "does not count: the device it came from was not verified")

    # She herself: two answers, none that there is, and ours in a poll that her counsel has made to look like another.
    await alice.vote(hers, poll.event_id, *poll.answers.values())
    await told(alice, hers, "It was not one of the two answers")
    trap = {
        "question": {"org.matrix.msc1767.text": "Lunch?"},
        "answers": [{"id": yes, "org.matrix.msc1767.text": "Soup"}],
    }
    lunch = await bob.send(hers, {"org.matrix.msc3381.poll.start": trap}, "org.matrix.msc3381.poll.start")
    await alice.wait_for(lambda e: e.event_id == lunch)
    await alice.vote(hers, lunch, yes)
    await told(alice, hers, "It was not given in the poll that asks it")

    # And then her own yes.
    await alice.vote(hers, poll.event_id, yes)
    await desk.told("R1 is released")
    await told(dora, joint, f"{HEADING}\n> {LIMIT}")
    await is_ended(alice, hers, poll)

    # Once was once.
    await alice.vote(hers, poll.event_id, poll.answers["No"])
    await told(alice, hers, "It was answered already, is too old, or was put anew")
    assert len(released(dora, joint)) == 1
    seen = await flaws(mia.client, hers, desk.room, expected=lambda e: e.sender == alice.user_id)
    assert {flaw.sender for flaw in seen} == {alice.user_id}, "the thief's vote alone"
    notices = desk.notices()
    assert not [notice for notice in notices if "can't carry" in notice and "response" in notice], "a vote is no post"
    # What was forged came before, and nothing had come of it.
    [bound] = [number for number, notice in enumerate(notices) if "R1 is released" in notice]
    forged = [number for number, notice in enumerate(notices) if "does not count" in notice]
    assert len([number for number in forged if number < bound]) == FORGED
    await thief.stop()
