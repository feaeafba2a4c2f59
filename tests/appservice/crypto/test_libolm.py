"""Deployed clients on libolm read what we write, and we read what they write."""

import pytest

from appservice.crypto.devices import DeviceTrust
from appservice.crypto.ids import DeviceId, RoomId
from appservice.crypto.to_device import RoomKeyArrived
from tests.appservice.crypto.homeserver import FakeHomeserver
from tests.appservice.crypto.libolm_device import LibolmDevice
from tests.appservice.crypto.people import ALICE, BOT, ROOM
from tests.appservice.crypto.service import Service

PHONE = DeviceId("PHONE")


async def test_a_libolm_device_reads_our_room_key_and_every_message(homeserver: FakeHomeserver) -> None:
    ours = Service(homeserver)
    await ours.create(BOT)
    alice = LibolmDevice(homeserver, ALICE, PHONE)
    events = [await ours.write(BOT, ROOM, [BOT, ALICE], f"message {n} — “é”") for n in range(5)]
    [payload] = alice.receive()
    assert payload["sender"] == BOT
    assert payload["recipient_keys"] == {"ed25519": alice.ed25519}
    assert [alice.read(event) for event in events] == [f"message {n} — “é”" for n in range(5)]


async def test_we_read_a_libolm_device_that_opened_the_session(homeserver: FakeHomeserver) -> None:
    ours = Service(homeserver)
    device = await ours.create(BOT)
    alice = LibolmDevice(homeserver, ALICE, PHONE)
    await ours.know(BOT, ALICE)
    alice.open_session(BOT, device)
    alice.send_olm(BOT, device, "m.room_key", alice.room_key(ROOM))
    events = [alice.write(ROOM, f"message {n}", f"${n}") for n in range(5)]
    [arrived] = await ours.receive(BOT)
    assert isinstance(arrived, RoomKeyArrived)
    for n, event in enumerate(events):
        read = await ours.read_one(event)
        assert (read.content["body"], read.message_index) == (f"message {n}", n)
        assert (read.trust, read.device_id) == (DeviceTrust.CROSS_SIGNED, PHONE)


async def test_olm_messages_go_back_and_forth_over_one_session(homeserver: FakeHomeserver) -> None:
    ours = Service(homeserver)
    device = await ours.create(BOT)
    alice = LibolmDevice(homeserver, ALICE, PHONE)
    for turn in range(3):
        await ours.write(BOT, RoomId(f"!room{turn}"), [BOT, ALICE], "hello")
        assert len(alice.receive()) == 1
        for n in range(3):
            alice.send_olm(BOT, device, "m.dummy", {"n": n})
        assert len(set(await ours.receive(BOT))) == 1
    async with ours.database.begin() as tx:
        sessions = await tx.olm_sessions(BOT, [row.peer_key for row in tx.tables.olm_sessions.values()])
    assert len(sessions) == 1


async def test_a_session_shared_later_is_readable_from_there_on_only(homeserver: FakeHomeserver) -> None:
    ours = Service(homeserver)
    await ours.create(BOT)
    alice = LibolmDevice(homeserver, ALICE, PHONE)
    before = await ours.write(BOT, ROOM, [BOT], "before Alice joined")
    after = await ours.write(BOT, ROOM, [BOT, ALICE], "after")
    assert before.content["session_id"] == after.content["session_id"]
    alice.receive()
    assert alice.read(after) == "after"
    with pytest.raises(Exception, match="UNKNOWN_MESSAGE_INDEX"):
        alice.read(before)
