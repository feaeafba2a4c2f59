"""Room events: whose they are, which room's, once each; and how far their device is trusted."""

from dataclasses import replace
from typing import Any

import pytest
from vodozemac import GroupSession

from appservice.crypto.devices import DeviceTrust
from appservice.crypto.ids import DeviceId, EventId
from appservice.crypto.inbound import MEGOLM, Decrypted, EncryptedEvent, Undecryptable, Unread
from appservice.crypto.machine import confirm_identity, decrypt_events
from appservice.crypto.to_device import RoomKeyArrived
from tests.appservice.crypto.homeserver import FakeHomeserver
from tests.appservice.crypto.libolm_device import LibolmDevice
from tests.appservice.crypto.people import ALICE, BOT, CARL, GHOST, OTHER_ROOM, ROOM
from tests.appservice.crypto.service import Service

PHONE = DeviceId("PHONE")


@pytest.fixture
async def phone(ours: Service, homeserver: FakeHomeserver) -> LibolmDevice:
    """Alice's telephone, known to us and with an Olm session to the bot."""
    device = LibolmDevice(homeserver, ALICE, PHONE)
    device.open_session(BOT, bot_device(homeserver))
    await ours.know(BOT, ALICE)
    return device


def bot_device(homeserver: FakeHomeserver) -> DeviceId:
    return next(device for user, device in homeserver.devices if user == BOT)


async def give_key(ours: Service, phone: LibolmDevice, **changes: Any) -> None:
    """Alice's telephone sends its room key to the bot."""
    content = {**phone.room_key(ROOM), **changes}
    phone.send_olm(BOT, bot_device(phone.homeserver), "m.room_key", content)
    await ours.receive(BOT)


async def test_the_same_event_again_is_read_again_but_a_copy_of_it_is_a_replay(
    ours: Service, phone: LibolmDevice
) -> None:
    await give_key(ours, phone)
    event = phone.write(ROOM, "yes", "$1")
    assert (await ours.read_one(event)).content["body"] == "yes"
    assert (await ours.read_one(event)).content["body"] == "yes"
    copied = replace(event, event_id=EventId("$2"))
    assert (await ours.unread_one(copied)).reason is Unread.REPLAYED
    assert not (await ours.unread_one(copied)).may_heal


async def test_a_replay_in_the_same_batch_is_refused(ours: Service, phone: LibolmDevice) -> None:
    await give_key(ours, phone)
    event = phone.write(ROOM, "yes", "$1")
    first, second = await ours.read(event, replace(event, event_id=EventId("$2")))
    assert isinstance(first, Decrypted)
    assert isinstance(second, Undecryptable)


async def test_an_event_of_another_room_or_another_sender_is_not_read(ours: Service, phone: LibolmDevice) -> None:
    await give_key(ours, phone)
    event = phone.write(ROOM, "yes", "$1")
    elsewhere = await ours.unread_one(replace(event, room_id=OTHER_ROOM))
    assert elsewhere.reason is Unread.NO_SESSION
    stolen = await ours.unread_one(replace(event, sender=CARL))
    assert stolen.reason is Unread.NO_SESSION


async def test_an_event_encrypted_for_another_room_is_not_read_even_with_its_key(
    ours: Service, phone: LibolmDevice
) -> None:
    await give_key(ours, phone)
    await give_key(ours, phone, room_id=OTHER_ROOM)
    event = phone.write(ROOM, "yes", "$1")
    moved = await ours.unread_one(replace(event, room_id=OTHER_ROOM))
    assert moved.reason is Unread.WRONG_ROOM
    assert (await ours.read_one(event)).content["body"] == "yes"


async def test_a_member_who_passes_anothers_session_off_as_theirs_takes_nothing_from_its_owner(
    ours: Service, phone: LibolmDevice, homeserver: FakeHomeserver
) -> None:
    carl = LibolmDevice(homeserver, CARL, DeviceId("CARL"))
    carl.open_session(BOT, bot_device(homeserver))
    key = phone.room_key(ROOM)
    carl.send_olm(BOT, bot_device(homeserver), "m.room_key", key)
    await ours.receive(BOT)
    event = phone.write(ROOM, "Alice's words", "$1")
    assert (await ours.unread_one(event)).reason is Unread.NO_SESSION
    await give_key(ours, phone, **key)
    assert (await ours.read_one(event)).content["body"] == "Alice's words"


async def test_the_better_copy_of_a_key_is_kept_whichever_came_first(ours: Service, phone: LibolmDevice) -> None:
    early_key = phone.room_key(ROOM)
    first, second = phone.write(ROOM, "first", "$1"), phone.write(ROOM, "second", "$2")
    await give_key(ours, phone)
    third = phone.write(ROOM, "third", "$3")
    assert (await ours.unread_one(first)).reason is Unread.UNKNOWN_INDEX
    assert (await ours.read_one(third)).message_index == 2
    await give_key(ours, phone, **early_key)
    await give_key(ours, phone)
    assert [(await ours.read_one(event)).message_index for event in (first, second, third)] == [0, 1, 2]


async def test_a_key_that_is_not_the_session_it_names_is_refused(ours: Service, phone: LibolmDevice) -> None:
    await give_key(ours, phone, session_id="another")
    await give_key(ours, phone, session_key=GroupSession().session_key.to_base64())
    await give_key(ours, phone, session_key="nonsense")
    await give_key(ours, phone, algorithm="m.megolm.v2")
    await give_key(ours, phone, room_id=7)
    assert ours.database.committed.inbound == {}
    await give_key(ours, phone)
    assert len(ours.database.committed.inbound) == 1


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"algorithm": MEGOLM},
        {"algorithm": MEGOLM, "session_id": 5, "ciphertext": "x"},
        {"algorithm": MEGOLM, "session_id": "x" * 256, "ciphertext": "AwgAEhA"},
        {"algorithm": MEGOLM, "session_id": "x", "ciphertext": ["x"]},
        {"algorithm": MEGOLM, "session_id": "x", "ciphertext": "é\ud800"},
        {"algorithm": MEGOLM, "session_id": "x\x00", "ciphertext": "AwgAEhA"},
        {"algorithm": "m.olm.v1.curve25519-aes-sha2", "ciphertext": {}},
    ],
)
async def test_a_malformed_event_is_a_value_and_its_neighbours_are_read(
    ours: Service, phone: LibolmDevice, content: dict[str, Any]
) -> None:
    await give_key(ours, phone)
    good = phone.write(ROOM, "good", "$1")
    bad = EncryptedEvent(EventId("$bad"), ROOM, ALICE, content)
    readings = await ours.read(bad, good, bad)
    assert [type(reading) for reading in readings] == [Undecryptable, Decrypted, Undecryptable]
    assert isinstance(readings[0], Undecryptable)
    assert readings[0].reason is Unread.MALFORMED


async def test_a_damaged_ciphertext_is_a_value(ours: Service, phone: LibolmDevice) -> None:
    await give_key(ours, phone)
    event = phone.write(ROOM, "yes", "$1")
    other = phone.write(ROOM, "no", "$2")
    text = str(event.content["ciphertext"])
    mixed = replace(event, content={**event.content, "ciphertext": text[:-8] + "AAAAAAAA"})
    assert (await ours.unread_one(mixed)).reason in {Unread.BAD_CIPHERTEXT, Unread.MALFORMED}
    assert (await ours.read_one(other)).content["body"] == "no"


@pytest.mark.parametrize("plaintext", ["", "[]", '{"room_id": "!room"}', '{"type": 5, "content": {}}', "{" * 5000])
async def test_a_plaintext_of_any_shape_is_a_value(ours: Service, phone: LibolmDevice, plaintext: str) -> None:
    await give_key(ours, phone)
    content = {
        "algorithm": MEGOLM,
        "session_id": phone.outbound.id,
        "ciphertext": phone.outbound.encrypt(plaintext or " "),
    }
    event = EncryptedEvent(EventId("$1"), ROOM, ALICE, content)
    assert (await ours.unread_one(event)).reason is Unread.BAD_CIPHERTEXT


async def test_any_of_our_identities_that_holds_the_session_reads(
    ours: Service, homeserver: FakeHomeserver, alice: Service
) -> None:
    await ours.create(GHOST)
    event = await alice.write(ALICE, ROOM, [GHOST], "to the ghost only")
    await ours.receive(GHOST)
    assert (await ours.read_one(event)).content["body"] == "to the ghost only"


async def test_trust_follows_what_is_known_of_the_device(ours: Service, homeserver: FakeHomeserver) -> None:
    phone = LibolmDevice(homeserver, ALICE, PHONE)
    phone.open_session(BOT, bot_device(homeserver))
    await give_key(ours, phone)
    event = phone.write(ROOM, "yes", "$1")
    assert (await ours.read_one(event)).trust is DeviceTrust.UNKNOWN_DEVICE
    await ours.know(BOT, ALICE)
    assert (await ours.read_one(event)).trust is DeviceTrust.CROSS_SIGNED
    master_key = homeserver.master_keys.pop(ALICE)
    await ours.know(BOT, ALICE)
    assert (await ours.read_one(event)).trust is DeviceTrust.IDENTITY_REPLACED
    homeserver.master_keys[ALICE] = master_key
    await ours.know(BOT, ALICE)
    assert (await ours.read_one(event)).trust is DeviceTrust.CROSS_SIGNED


async def test_an_unsigned_device_is_read_and_called_unsigned(ours: Service, homeserver: FakeHomeserver) -> None:
    phone = LibolmDevice(homeserver, ALICE, PHONE, signed=False)
    phone.open_session(BOT, bot_device(homeserver))
    await ours.know(BOT, ALICE)
    await give_key(ours, phone)
    read = await ours.read_one(phone.write(ROOM, "yes", "$1"))
    assert (read.trust, read.device_id) == (DeviceTrust.UNSIGNED, PHONE)


async def test_a_device_that_logged_out_since_is_still_believed_unless_its_identity_changed(
    ours: Service, phone: LibolmDevice, homeserver: FakeHomeserver
) -> None:
    await give_key(ours, phone)
    event = phone.write(ROOM, "my last words", "$1")
    homeserver.delete_device((ALICE, PHONE))
    await ours.know(BOT, ALICE)
    read = await ours.read_one(event)
    assert (read.trust, read.device_id) == (DeviceTrust.CROSS_SIGNED, PHONE)
    LibolmDevice(homeserver, ALICE, DeviceId("NEW"))
    await ours.know(BOT, ALICE)
    assert (await ours.read_one(event)).trust is DeviceTrust.IDENTITY_REPLACED
    async with ours.database.begin() as tx:
        [row] = await tx.device_lists([ALICE])
        assert row.master_key is not None
        await confirm_identity(tx, ALICE, row.master_key)
    assert (await ours.read_one(event)).trust is DeviceTrust.UNKNOWN_DEVICE


async def test_a_batch_costs_no_more_store_calls_than_one_event(ours: Service, phone: LibolmDevice) -> None:
    await give_key(ours, phone)
    events = [phone.write(ROOM, str(n), f"${n}") for n in range(50)]
    calls: list[str] = []
    async with ours.database.begin() as tx:
        for name in ("inbound", "withheld", "device_lists", "claim_indexes"):
            method = getattr(tx, name)

            def counted(*args: Any, _method: Any = method, _name: str = name) -> Any:
                calls.append(_name)
                return _method(*args)

            setattr(tx, name, counted)
        readings = await decrypt_events(tx, ours.sealer, events)
    assert [r.message_index for r in readings if isinstance(r, Decrypted)] == list(range(50))
    assert sorted(calls) == ["claim_indexes", "device_lists", "inbound"]


async def test_a_room_key_wakes_what_waits_for_it(ours: Service, phone: LibolmDevice) -> None:
    event = phone.write(ROOM, "before its key", "$1")
    waiting = await ours.unread_one(event)
    assert (waiting.reason, waiting.may_heal) == (Unread.NO_SESSION, True)
    phone.send_olm(BOT, bot_device(phone.homeserver), "m.room_key", phone.room_key(ROOM))
    [arrived] = await ours.receive(BOT)
    assert isinstance(arrived, RoomKeyArrived)
    assert (arrived.room_id, arrived.session_id) == (ROOM, waiting.session_id)
