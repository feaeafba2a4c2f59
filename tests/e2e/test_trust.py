"""Who is whom: a replaced identity stops everything until a mediator has confirmed the new one."""

from __future__ import annotations

import asyncio

from sandbox.seen import Emoji
from sandbox.world import World
from tests.e2e.cases import Arrive, Staff, enter_room, events_of, flaws, mail_address, told, until

pytest_plugins = ["tests.e2e.cases"]


async def test_a_replaced_identity_stops_sending_and_believing_until_a_mediator_has_confirmed_it(
    mia: Staff, arrive: Arrive
) -> None:
    desk, alice = await asyncio.gather(mia.open_case(), arrive("alice"))
    carl = mail_address("carl")
    await desk.add("Alice", alice.user_id)
    await desk.add("Carl", carl)
    await desk.confirm("Carl", carl)
    caucus = await desk.caucus(alice)
    joint = await desk.open(alice)
    await alice.text(joint, "Before")
    first = await desk.world.mail.wait_for(carl, lambda mail: "Before" in mail.text)
    shown = await desk.ask("!identity Alice", "Alice: the identity we trust is")
    assert f"“{alice.device_id}”, signed by this identity" in shown

    await alice.reset_identity()
    await desk.told("ALARM: the encryption identity of Alice was replaced")

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
    assert f"“{alice.device_id}”, signed by this identity" in shown
    command = shown.partition("Then say: ")[2].splitlines()[0]
    await desk.ask("!confirm Alice: AAAA BBBB CCCC", "That is not the identity there is now")
    await desk.ask(command[:-3], "At least 12 characters")
    so_far = events_of(mia.client, desk.room)[-1].event_id
    await alice.reset_identity()
    await desk.told("ALARM: the encryption identity of Alice was replaced", after=so_far)
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


async def compared(world: World, user: str, shown: Emoji) -> str:
    """The administrator, on the telephone with whoever sees `shown`: the code of the verification with the same."""
    found: list[str] = []

    async def listed() -> bool:
        printed = await world.cli("trust", "show", "-c", str(world.config))
        about = printed.partition(f"  {user}, since")
        found[:] = about[0].split()[-1:]
        return bool(about[1]) and "   ".join(shown.emoji) in about[2] and str(list(shown.numbers)) in about[2]

    await until(listed, "the same emoji at the machine")
    return found[0]


async def test_a_mediators_own_replaced_identity_is_not_heard_and_the_others_and_the_cli_still_are(
    mia: Staff, otto: Staff
) -> None:
    # Before he verifies the bot: a client that did, and was reset, refuses to write to the bot until its owner looks.
    desk = await mia.open_case()
    await desk.ask(f"!mediator add Otto {otto.client.user_id}", "Otto (co-mediator) is in")
    await enter_room(otto.client, desk.room)
    await otto.client.text(desk.room, "!status")
    await told(otto.client, desk.room, "Otto: co-mediator")

    await otto.client.reset_identity()
    await desk.told("ALARM: the encryption identity of Otto was replaced")
    await otto.client.text(desk.room, "!side add Whisper")
    await desk.told("Held: something from Otto")
    shown = await desk.ask("!identity Otto", "identity was REPLACED")
    assert not any("The side Whisper" in notice for notice in desk.notices())
    assert not any("REPLACED" in (event.body or "") for event in events_of(otto.client, desk.room))

    command = shown.partition("Then say: ")[2].splitlines()[0]
    cli = ("case", "command", desk.number, command, "-c", str(desk.world.config))
    assert "The new identity of Otto is confirmed" in await desk.world.cli(*cli)
    await desk.told("The new identity of Otto is confirmed")
    await otto.client.text(desk.room, "!side add Heard")
    await told(otto.client, desk.room, "The side Heard stands")


async def test_a_mediator_verifies_the_bot_in_the_direct_chat_and_the_administrator_compares(otto: Staff) -> None:
    world, bot = otto.world, otto.world.homeserver.user_id("_mediatrix_bot")
    assert not await otto.client.is_verified(bot)
    shown = await otto.client.verify_in_room(bot, otto.lobby)
    assert "I don't show them here" in await told(otto.client, otto.lobby, "Compare them with those")
    code = await compared(world, otto.client.user_id, shown)
    await otto.client.confirm_emoji()
    answer = await world.cli("trust", "same", code.lower(), "-c", str(world.config))
    assert "Verified" in answer or "as soon as" in answer
    assert await otto.client.verification_end() == "done"
    await until(lambda: otto.client.is_verified(bot), "the bot verified in the mediator's client")
    for one in shown.emoji:
        assert not any(one in (event.body or "") for event in events_of(otto.client, otto.lobby))


async def test_a_party_verifies_the_bot_by_to_device_messages_across_a_restart_and_the_desk_sees_it(
    mia: Staff, arrive: Arrive
) -> None:
    desk, alice = await asyncio.gather(mia.open_case(), arrive("alice"))
    await desk.add("Alice", alice.user_id)
    await desk.caucus(alice)
    (device,) = await alice.devices(desk.bot)
    shown = await alice.verify_device(desk.bot, device.device_id)
    code = await compared(desk.world, alice.user_id, shown)
    await desk.world.kill_service()
    await desk.world.start_service()
    await desk.world.cli("trust", "same", code, "-c", str(desk.world.config))
    assert not await alice.is_verified(desk.bot)
    await alice.confirm_emoji()
    assert await alice.verification_end() == "done"
    await until(lambda: alice.is_verified(desk.bot), "the bot verified in the party's client")
    assert "Its emoji were compared with the administrator" in await desk.ask("!identity Alice", "Alice: the identity")


async def test_emoji_that_differ_verify_nobody_whoever_says_so(mia: Staff, otto: Staff) -> None:
    world, bot = otto.world, otto.world.homeserver.user_id("_mediatrix_bot")
    shown = await mia.client.verify_in_room(bot, mia.lobby)
    code = await compared(world, mia.client.user_id, shown)
    assert "Cancelled" in await world.cli("trust", "different", code, "-c", str(world.config))
    assert "m.mismatched_sas" in await mia.client.verification_end()
    assert not await mia.client.is_verified(bot)

    shown = await mia.client.verify_in_room(bot, mia.lobby)
    code = await compared(world, mia.client.user_id, shown)
    await mia.client.deny_emoji()

    async def forgotten() -> bool:
        return code not in await world.cli("trust", "show", "-c", str(world.config))

    await until(forgotten, "the denied verification gone")
    assert not await mia.client.is_verified(bot)
    assert await flaws(mia.client) == []
