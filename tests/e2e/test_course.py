"""A party pauses and withdraws in its own private room, as the others and the homeserver see it (R5)."""

from __future__ import annotations

import asyncio

import pytest

from sandbox.client import Client
from sandbox.node import CommandFailed
from tests.e2e.cases import Arrive, Staff, code_in, enter, mail_address, told, until

pytest_plugins = ["tests.e2e.cases"]


async def level(mediator: Client, room: str) -> int:
    """The power that it takes to speak there."""
    levels = await mediator.state(room, "m.room.power_levels")
    return int(levels["events"]["m.room.encrypted"])


async def rests(mediator: Client, room: str, wanted: int) -> None:
    async def is_so() -> bool:
        return await level(mediator, room) == wanted

    await until(is_so, f"a room that takes {wanted} to speak")


async def test_a_party_pauses_takes_it_back_and_withdraws(mia: Staff, arrive: Arrive) -> None:
    desk, alice = await asyncio.gather(mia.open_case(), arrive("alice"))
    me, mail, carl = mia.client, desk.world.mail, mail_address("carl")
    await desk.add("Carl", carl)
    his = await enter(me, f"PRIVATE with mediator · {desk.number}")
    await desk.confirm("Carl", carl)
    await desk.add("Alice", alice.user_id)
    hers = await desk.caucus(alice)
    joint = await desk.open(alice)

    await alice.text(hers, "!pause")
    await told(alice, hers, "!resume takes it back")
    await desk.told("Alice paused the mediation")
    await rests(me, joint, 50)
    assert await level(me, hers) == await level(me, his) == 0
    with pytest.raises(CommandFailed) as refused:
        await alice.text(joint, "While it rests")
    assert "403" in str(refused.value)
    letter = await mail.wait_for(carl, lambda mail: "The mediation is paused" in mail.text)
    assert letter.subject.startswith("PRIVATE")
    assert "Alice" not in letter.text

    await alice.text(hers, "!resume")
    await rests(me, joint, 0)
    await alice.text(joint, "On we go")
    await me.wait_for_text(joint, "On we go")

    await alice.text(hers, "!withdraw")
    question = await told(alice, hers, "do you withdraw from this mediation?")
    await alice.text(hers, f"yes {code_in(question)}")
    await desk.told("Alice has withdrawn")
    await rests(me, hers, 50)
    await rests(me, joint, 50)
    assert await level(me, his) == 0
    await told(alice, hers, "You have withdrawn from the mediation")
    with pytest.raises(CommandFailed):
        await alice.text(hers, "One more thing")
    assert not [notice for notice in desk.notices() if "ALARM" in notice]
