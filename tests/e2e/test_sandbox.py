"""The sandbox itself: its Synapse and its clients are real, and refuse what real ones refuse."""

import hashlib
import secrets
from pathlib import Path

import pytest

from sandbox.client import Client
from sandbox.homeserver import Homeserver, HomeserverConfig, HomeserverFailed
from sandbox.node import CommandFailed, Node, NodeFailed
from sandbox.ports import PortTaken, free_port
from sandbox.seen import SeenEvent
from tests.e2e.conftest import LogIn, StartHomeserver


async def conversation(first: Client, second: Client) -> str:
    """An encrypted room in which each knows that the other has joined."""
    room = await first.create_room(invite=[second.user_id])
    await second.wait_for_invite(room)
    await second.join(room)

    def joined(event: SeenEvent) -> bool:
        return event.state_key == second.user_id and event.content.get("membership") == "join"

    await first.wait_for(joined, "join")
    return room


def assert_trusted(event: SeenEvent) -> None:
    assert event.encrypted
    assert event.failure is None
    assert event.shield is None


async def test_two_clients_talk_encrypted_without_a_warning(log_in: LogIn) -> None:
    alice, bob = await log_in("alice"), await log_in("bob")
    room = await conversation(alice, bob)

    asked = await alice.text(room, "are you there?")
    assert_trusted(await bob.wait_for_text(room, "are you there?"))
    await bob.reply(room, asked, "yes")
    answer = await alice.wait_for_text(room, "yes")

    assert_trusted(answer)
    assert answer.sender == bob.user_id
    assert answer.relates_to == {"m.in_reply_to": {"event_id": asked}}


async def test_an_edit_a_reaction_and_a_redaction_arrive_as_what_they_are(log_in: LogIn) -> None:
    alice, bob = await log_in("alice"), await log_in("bob")
    room = await conversation(alice, bob)
    original = await alice.text(room, "tuesday")

    await alice.edit(room, original, "wednesday")
    edit = await bob.wait_for_text(room, "* wednesday")
    assert_trusted(edit)
    assert edit.content["m.new_content"]["body"] == "wednesday"
    assert edit.relates_to == {"rel_type": "m.replace", "event_id": original}

    await bob.react(room, original, "👍")
    reaction = await alice.wait_for(lambda event: event.type == "m.reaction", "reaction")
    assert not reaction.encrypted
    assert reaction.relates_to == {"rel_type": "m.annotation", "event_id": original, "key": "👍"}

    await alice.redact(room, original)
    redacted = await bob.wait_for(lambda event: event.event_id == original and event.redacted, "redaction")
    assert redacted.content == {}


async def test_a_file_travels_encrypted_and_arrives_whole(log_in: LogIn) -> None:
    alice, bob = await log_in("alice"), await log_in("bob")
    room = await conversation(alice, bob)
    data = secrets.token_bytes(200_000)

    sent = await alice.send_file(room, "offer.pdf", data, mimetype="application/pdf")
    event = await bob.wait_for(lambda event: event.event_id == sent and not event.pending, "file")
    file = await bob.download_file(event)

    assert_trusted(event)
    assert file.encrypted
    assert file.data == data
    assert file.sha256 == hashlib.sha256(data).hexdigest()
    assert (file.name, file.mimetype) == ("offer.pdf", "application/pdf")


async def test_an_unsigned_device_is_sent_no_key_and_is_not_believed(log_in: LogIn) -> None:
    alice, bob = await log_in("alice"), await log_in("bob")
    room = await conversation(alice, bob)
    stranger = await log_in("bob", device="UNSIGNED", cross_sign=False, isolation="all")
    await alice.wait_for_device(bob.user_id, "UNSIGNED", signed=False)

    sent = await alice.text(room, "for signed devices only")
    assert_trusted(await bob.wait_for_text(room, "for signed devices only"))
    withheld = "MEGOLM_KEY_WITHHELD_FOR_UNVERIFIED_DEVICE"
    await stranger.wait_for(lambda event: event.event_id == sent and event.failure == withheld, withheld)

    said = await stranger.text(room, "believe me")
    unsigned = "UNSIGNED_SENDER_DEVICE"
    refused = await alice.wait_for(lambda event: event.event_id == said and event.failure == unsigned, unsigned)
    assert refused.content == {}


async def test_a_device_that_is_cross_signed_later_reads_what_follows(log_in: LogIn) -> None:
    alice, bob = await log_in("alice"), await log_in("bob")
    room = await conversation(alice, bob)
    laptop = await log_in("bob", device="LAPTOP", cross_sign=False, isolation="all")

    await laptop.cross_sign()
    await alice.wait_for_device(bob.user_id, "LAPTOP")
    await alice.text(room, "welcome")

    assert_trusted(await laptop.wait_for_text(room, "welcome"))


async def test_the_second_device_of_a_person_signs_itself_with_the_first_ones_identity(
    log_in: LogIn,
) -> None:
    alice, bob = await log_in("alice"), await log_in("bob")
    room = await conversation(alice, bob)
    await bob.text(room, "from the telephone")
    await alice.wait_for_text(room, "from the telephone")

    laptop = await log_in("bob", device="LAPTOP")
    await alice.wait_for_device(bob.user_id, "LAPTOP")
    await laptop.text(room, "from the laptop")

    assert_trusted(await alice.wait_for_text(room, "from the laptop"))


async def test_a_new_device_reads_the_history_when_it_is_given_the_old_ones_keys(log_in: LogIn) -> None:
    alice, bob = await log_in("alice"), await log_in("bob")
    room = await conversation(alice, bob)
    await alice.text(room, "before the laptop")
    await bob.wait_for_text(room, "before the laptop")

    laptop = await log_in("bob", device="LAPTOP")
    await laptop.wait_for(lambda event: event.failure == "HISTORICAL_MESSAGE_NO_KEY_BACKUP", "history")
    await laptop.import_keys(await bob.export_keys())

    assert (await laptop.wait_for_text(room, "before the laptop")).failure is None
    assert "before the laptop" in [event.body for event in await laptop.timeline(room)]


async def test_a_replaced_identity_is_noticed_and_still_cross_signed(log_in: LogIn) -> None:
    alice, bob = await log_in("alice"), await log_in("bob")
    room = await conversation(alice, bob)
    before = await alice.request("POST", "/_matrix/client/v3/keys/query", {"device_keys": {bob.user_id: []}})

    await bob.reset_identity()
    after = await alice.request("POST", "/_matrix/client/v3/keys/query", {"device_keys": {bob.user_id: []}})

    assert before["master_keys"][bob.user_id] != after["master_keys"][bob.user_id]
    await alice.wait_for_device(bob.user_id, "PHONE")
    await bob.text(room, "it is still me")
    assert (await alice.wait_for_text(room, "it is still me")).failure is None


async def test_a_refusal_of_the_homeserver_keeps_its_code(log_in: LogIn) -> None:
    alice = await log_in("alice")
    with pytest.raises(CommandFailed) as refused:
        await alice.state("!nowhere", "m.room.name")
    assert (refused.value.errcode, refused.value.status) == ("M_FORBIDDEN", 403)


async def test_a_homeserver_keeps_its_users_and_their_logins_over_a_restart(homeserver: Homeserver) -> None:
    await homeserver.register("old-timer", "secret")
    session = await homeserver.log_in("old-timer", "secret")

    await homeserver.restart()

    who = await homeserver.request("GET", "/_matrix/client/v3/account/whoami", token=session.access_token)
    assert who["user_id"] == homeserver.user_id("old-timer")


async def test_a_taken_port_is_named(homeserver: Homeserver) -> None:
    with pytest.raises(PortTaken, match=str(homeserver.config.port)):
        await Homeserver(homeserver.config).start()


async def test_what_is_not_installed_is_named_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(NodeFailed, match="make setup"):
        await Node(tmp_path / "node").start()
    with pytest.raises(HomeserverFailed, match="make setup"):
        await Homeserver(HomeserverConfig(tmp_path / "python", tmp_path, free_port())).start()


async def test_a_homeserver_that_refuses_its_configuration_says_why(start_homeserver: StartHomeserver) -> None:
    with pytest.raises(HomeserverFailed, match="invalid format"):
        await start_homeserver(overrides={"server_name": "not a name"})
