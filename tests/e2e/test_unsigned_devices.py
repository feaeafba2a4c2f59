"""A party whose device is not cross-signed: nothing of the case reaches it, and she is told how to put that right."""

from __future__ import annotations

import asyncio

from tests.e2e.cases import Arrive, Staff, events_of, flaws, mail_address, told

pytest_plugins = ["tests.e2e.cases"]

REMEDY = "verify it with another device of yours or with your recovery key"


async def test_a_party_with_only_an_unsigned_device_is_told_and_reads_and_is_heard_once_it_is_signed(
    mia: Staff, arrive: Arrive
) -> None:
    desk, alice = await asyncio.gather(mia.open_case(), arrive("alice", cross_sign=False, isolation="all"))
    carl = mail_address("carl")
    await desk.add("Alice", alice.user_id)
    await desk.add("Carl", carl)
    await desk.confirm("Carl", carl)
    caucus = await desk.caucus(alice)
    joint = await desk.open(alice)

    # She has written nothing, and is told: where this device can read it, and nobody but her side does.
    explained = await told(alice, caucus, REMEDY)
    assert alice.device_id in explained
    assert "Smith" not in explained
    await desk.told(f"Alice has a device that is not verified (“{alice.device_id}”)")

    # Nothing of the case is encrypted for it, from the bot, from the mediator or from a ghost.
    await mia.client.text(caucus, "A word in private")
    await mia.client.text(joint, "A word to all")
    first = await desk.world.mail.wait_for(carl, lambda mail: mail.subject.startswith("EVERYONE"))
    assert (await desk.world.mail.deliver(carl, first.reply_address, "Carl to all", in_reply_to=first)).startswith(
        "250"
    )
    await mia.client.wait_for_text(joint, "Carl to all")
    await alice.wait_for(lambda e: e.room_id == joint and e.failure is not None and "carl" not in e.sender)

    # What she writes isn't passed on, and she is told so; still nobody else is shown a warning but the mediator.
    unheard = await alice.text(caucus, "Can you hear me?")
    await told(alice, caucus, "What you wrote was not passed on: the device it came from was not verified")
    await desk.told("Held: something from Alice")

    words = [event.body or "" for room in (caucus, joint) for event in events_of(alice, room)]
    assert [body for body in words if "A word" in body or "Carl to all" in body] == []

    # She follows the advice.
    await alice.cross_sign()
    await mia.client.wait_for_device(alice.user_id, alice.device_id, signed=True)
    await mia.client.text(joint, "A second word to all")
    await alice.wait_for_text(joint, "A second word to all")
    await alice.text(joint, "Now you hear me")
    await desk.told("Alice wrote in EVERYONE")
    await desk.world.mail.wait_for(carl, lambda mail: "Now you hear me" in mail.text)
    heard = await mia.client.wait_for_text(joint, "Now you hear me")
    assert (heard.shield, heard.failure) == (None, None)
    await alice.text(caucus, "And in private")
    await desk.told("Alice wrote in PRIVATE")
    assert not any("Can you hear me" in mail.text for mail in desk.world.mail.mailbox(carl))

    # The advice came once, and nobody was shown a warning but for what she wrote unsigned.
    assert len([e for e in events_of(alice, caucus) if REMEDY in (e.body or "")]) == 1
    flawed = await flaws(mia.client, caucus, joint, expected=lambda e: e.event_id == unheard)
    assert [flaw.event_id for flaw in flawed] == [unheard]


async def test_an_unsigned_device_beside_a_signed_one_is_explained_and_the_signed_one_misses_nothing(
    mia: Staff, arrive: Arrive
) -> None:
    desk, phone = await asyncio.gather(mia.open_case(), arrive("alice"))
    await desk.add("Alice", phone.user_id)
    caucus = await desk.caucus(phone)
    laptop = await arrive("alice", device="LAPTOP", cross_sign=False, isolation="all")
    await told(laptop, caucus, REMEDY)
    seen = await phone.wait_for(lambda e: REMEDY in (e.body or ""))
    assert (seen.shield, seen.failure) == (None, None)

    await mia.client.text(caucus, "For your signed devices")
    await phone.wait_for_text(caucus, "For your signed devices")
    await desk.told("Alice has a device that is not verified (“LAPTOP”)")
    withheld = await laptop.wait_for(lambda e: e.sender == mia.client.user_id and e.failure is not None)
    assert withheld.body is None
    assert await flaws(phone) == []
