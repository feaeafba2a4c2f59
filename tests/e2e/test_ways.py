"""Whose words go by mail is their own yes, with a real client and a mailbox: until then they only read (B2)."""

from __future__ import annotations

import pytest

from sandbox.node import CommandFailed
from tests.e2e.cases import Arrive, Staff, enter_room, mail_address, room_named, told, until

pytest_plugins = ["tests.e2e.cases"]


async def test_until_she_agrees_that_it_goes_by_mail_she_reads_and_does_not_write(mia: Staff, arrive: Arrive) -> None:
    desk, alice, carl = await mia.open_case(), await arrive("alice"), mail_address("carl")
    await desk.add("Alice", alice.user_id)
    hers = await desk.caucus(alice)
    await desk.add("Carl", carl)
    await desk.confirm("Carl", carl)
    question = await told(alice, hers, "May yours also go this way?")
    assert f"What is said in EVERYONE · {desk.number} also goes by mail." in question
    await desk.ask("!open", "The joint session begins")
    await desk.ask("!mode open", "The joint room is open now")
    joint = await room_named(alice, f"EVERYONE · {desk.number}")
    await enter_room(desk.mediator, joint)
    await enter_room(alice, joint)
    await told(alice, joint, "EVERYONE in the case reads this room")

    async def level() -> int:
        levels = await desk.mediator.state(joint, "m.room.power_levels")
        return int(levels["users"].get(alice.user_id, 0))

    async def kept_silent() -> bool:
        return await level() == -1

    await until(kept_silent, "Alice kept from writing")
    with pytest.raises(CommandFailed) as refused:
        await alice.text(joint, "not by mail yet")
    assert refused.value.errcode == "M_FORBIDDEN"
    await desk.mediator.text(joint, "Mia goes by mail meanwhile.")
    await desk.world.mail.wait_for(carl, lambda mail: "Mia goes by mail meanwhile." in mail.text)

    code = question.partition("“yes ")[2].partition("”")[0]
    await alice.text(hers, f"yes {code}")
    await desk.told(
        "Alice agreed that their words also go by mail in the joint room, encrypted, from a verified device"
    )

    async def may_write() -> bool:
        return await level() == 0

    await until(may_write, "Alice writing again")
    await alice.text(joint, "Now it goes by mail.")
    await desk.world.mail.wait_for(carl, lambda mail: "Now it goes by mail." in mail.text)
    assert not [mail for mail in desk.world.mail.mailbox(carl) if "not by mail yet" in mail.text]
