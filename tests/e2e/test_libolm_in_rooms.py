"""A client on libolm, as many are deployed, in our rooms beside the rust crypto of others."""

from __future__ import annotations

import asyncio
import secrets

from sandbox.mail import MailboxItem
from tests.e2e.cases import Arrive, Staff, enter_room, flaws, mail_address, room_named, told
from tests.e2e.libolm_client import LibolmClient

pytest_plugins = ["tests.e2e.cases"]


async def test_a_libolm_device_reads_and_writes_in_our_rooms(mia: Staff, arrive: Arrive) -> None:
    lia, alice, desk = await asyncio.gather(
        LibolmClient.log_in(mia.world.homeserver, f"lia-{secrets.token_hex(3)}"), arrive("alice"), mia.open_case()
    )
    carl = mail_address("carl")
    await desk.add("Lia", lia.user_id)
    caucus = await lia.invitation(f"PRIVATE with mediator · {desk.number}")
    await enter_room(mia.client, caucus)
    await told(mia.client, caucus, "this room: ")
    await lia.join(caucus)
    explained = await lia.reads(caucus, "Who reads this room: ")
    assert explained["sender"] == desk.bot

    await lia.text(caucus, "From libolm, in private")
    heard = await mia.client.wait_for_text(caucus, "From libolm, in private")
    assert (heard.shield, heard.failure) == (None, None)
    await desk.told("Lia wrote in PRIVATE")
    await mia.client.text(caucus, "To libolm, in private")
    await lia.reads(caucus, "To libolm, in private")

    await desk.add("Alice", alice.user_id)
    await desk.add("Carl", carl)
    await desk.confirm("Carl", carl)
    joint = await desk.open(alice)
    assert joint == await room_named(alice, f"EVERYONE · {desk.number}")
    await lia.join(joint)
    await lia.reads(joint, "EVERYONE in the case reads this room")

    def from_lia(mail: MailboxItem) -> bool:
        return "From libolm, to all" in mail.text

    await lia.text(joint, "From libolm, to all")
    await alice.wait_for_text(joint, "From libolm, to all")
    mail = await desk.world.mail.wait_for(carl, from_lia)
    await desk.world.mail.deliver(carl, mail.reply_address, "Carl answers all", in_reply_to=mail)
    answered = await lia.reads(joint, "Carl answers all")
    assert answered["sender"].startswith("@_mediatrix_")
    await alice.text(joint, "Alice answers all")
    await lia.reads(joint, "Alice answers all")
    assert await flaws(alice) == []
    assert await flaws(mia.client, caucus, joint) == []
