"""Who is whom: a replaced identity stops everything until a mediator has confirmed the new one."""

from __future__ import annotations

import asyncio

from tests.e2e.cases import Arrive, Staff, events_of, flaws, mail_address, told

pytest_plugins = ["tests.e2e.cases"]


async def test_a_replaced_identity_stops_sending_and_believing_until_a_mediator_has_confirmed_it(
    mia: Staff, arrive: Arrive
) -> None:
    desk, alice = await asyncio.gather(mia.open_case(), arrive("alice"))
    carl = mail_address("carl")
    await desk.add("Alice", alice.user_id)
    await desk.add("Carl", carl)
    await desk.ask("!consent Carl: by telephone", "On record")
    caucus = await desk.caucus(alice)
    joint = await desk.open(alice)
    await alice.text(joint, "Before")
    first = await desk.world.mail.wait_for(carl, lambda mail: "Before" in mail.text)
    shown = await desk.ask("!identity Alice", "Alice: the identity we trust is")
    assert f"{alice.device_id}, signed by this identity" in shown

    await alice.reset_identity()
    await desk.told("ALARM: the encryption identity of Alice was replaced", within=30)

    # Nothing is believed …
    await alice.text(joint, "In between, to all")
    await alice.text(caucus, "In between, in private")
    await desk.told("Held: something from Alice in EVERYONE")
    await desk.told("Held: something from Alice in PRIVATE")
    # … and nothing is encrypted for her, nor sent where she reads.
    assert (await desk.world.mail.deliver(carl, first.reply_address, "Carl to all", in_reply_to=first)).startswith(
        "250"
    )
    await desk.told("Carl wrote in EVERYONE")

    # Only the very key that was shown is confirmed.
    shown = await desk.ask("!identity Alice", "identity was REPLACED")
    assert f"{alice.device_id}, signed by this identity" in shown
    command = shown.partition("Then say: ")[2].splitlines()[0]
    await desk.ask("!confirm Alice: AAAA BBBB CCCC", "That is not the identity there is now")
    await desk.ask(command[:-3], "At least 12 characters")
    so_far = events_of(mia.client, desk.room)[-1].event_id
    await alice.reset_identity()
    await desk.told("ALARM: the encryption identity of Alice was replaced", after=so_far, within=30)
    await desk.ask(command, "it may have been replaced again")
    assert not any("Carl to all" in (event.body or "") for event in events_of(alice, joint))
    assert not any("In between" in mail.text for mail in desk.world.mail.mailbox(carl))

    # Confirmed, all goes on where it stopped, in order.
    shown = await desk.ask("!identity Alice", "identity was REPLACED")
    await desk.ask(shown.partition("Then say: ")[2].splitlines()[0], "The new identity of Alice is confirmed")
    await told(alice, caucus, "A mediator has made sure that it is you")
    await alice.wait_for_text(joint, "Carl to all")
    await desk.world.mail.wait_for(carl, lambda mail: "In between, to all" in mail.text)
    await desk.told("Alice wrote in EVERYONE")
    await desk.told("Alice wrote in PRIVATE")
    await alice.text(joint, "Afterwards")
    await desk.world.mail.wait_for(carl, lambda mail: "Afterwards" in mail.text)
    await desk.ask("!identity Alice", "Alice: the identity we trust is")
    assert await flaws(alice) == []
