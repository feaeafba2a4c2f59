"""To-device messages that lie, repeat themselves or are garbage never stop the next one."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from appservice.crypto.ids import DeviceId
from appservice.crypto.olm import OLM, SESSIONS_PER_DEVICE
from appservice.crypto.to_device import Done, KeyWithheld, OtherMessage, RoomKeyArrived, Unreadable, UnreadMessage
from tests.appservice.crypto.homeserver import FakeHomeserver
from tests.appservice.crypto.libolm_device import Json, LibolmDevice
from tests.appservice.crypto.people import ALICE, BOT, CARL, GHOST, ROOM
from tests.appservice.crypto.service import Service

HOUR = 3_600_000
PHONE = DeviceId("PHONE")


@pytest.fixture
def device(ours: Service, homeserver: FakeHomeserver) -> DeviceId:
    """The bot's."""
    return next(device for user, device in homeserver.devices if user == BOT)


@pytest.fixture
async def phone(ours: Service, homeserver: FakeHomeserver, device: DeviceId) -> LibolmDevice:
    """Alice's telephone, known to us and with an Olm session to the bot."""
    phone = LibolmDevice(homeserver, ALICE, PHONE)
    phone.open_session(BOT, device)
    await ours.know(BOT, ALICE)
    return phone


async def test_a_message_delivered_twice_is_read_once(ours: Service, phone: LibolmDevice, device: DeviceId) -> None:
    phone.send_olm(BOT, device, "m.room_key", phone.room_key(ROOM))
    [event] = ours.homeserver.inbox[BOT, device]
    ours.homeserver.inbox[BOT, device] = [event, event]
    first, second = await ours.receive(BOT)
    ours.homeserver.inbox[BOT, device] = [event]
    [third] = await ours.receive(BOT)
    assert isinstance(first, RoomKeyArrived)
    assert (second, third) == (Done.DUPLICATE, Done.DUPLICATE)
    assert len(ours.database.committed.olm_sessions) == 1


async def test_a_used_one_time_key_opens_no_second_session_after_a_restart(
    ours: Service, phone: LibolmDevice, device: DeviceId
) -> None:
    phone.send_olm(BOT, device, "m.dummy", {})
    events = ours.homeserver.inbox[BOT, device].copy()
    await ours.receive(BOT)
    ours.database.committed.olm_messages.clear()
    ours.database.committed.olm_sessions.clear()
    ours.homeserver.inbox[BOT, device] = events
    assert await ours.receive(BOT) == [UnreadMessage(ALICE, Unreadable.NO_OLM_SESSION)]


@pytest.mark.parametrize(
    "lie",
    [
        {"sender": CARL},
        {"recipient": GHOST},
        {"recipient_keys": {"ed25519": "A" * 43}},
        {"recipient_keys": None},
        {"keys": {"ed25519": "A" * 43}},
        {"keys": {"ed25519": "A" * 44}},
        {"keys": {}},
        {"type": None},
        {"content": []},
        {"sender": 5},
    ],
)
async def test_a_message_that_is_not_what_it_says_has_no_effect(
    ours: Service, phone: LibolmDevice, device: DeviceId, lie: Json
) -> None:
    truth = {
        "type": "m.room_key",
        "content": phone.room_key(ROOM),
        "sender": ALICE,
        "recipient": BOT,
        "recipient_keys": {"ed25519": ours.homeserver.devices[BOT, device]["keys"][f"ed25519:{device}"]},
        "keys": {"ed25519": phone.ed25519},
    }
    phone.send_payload(BOT, device, {**truth, **lie})
    phone.send_payload(BOT, device, truth)
    lied, told = await ours.receive(BOT)
    assert lied == UnreadMessage(ALICE, Unreadable.FALSE_CLAIM)
    assert isinstance(told, RoomKeyArrived)


async def test_a_message_passed_on_by_another_sender_has_no_effect(
    ours: Service, phone: LibolmDevice, device: DeviceId
) -> None:
    phone.send_olm(BOT, device, "m.room_key", phone.room_key(ROOM))
    [event] = ours.homeserver.inbox[BOT, device]
    event["sender"] = CARL
    assert await ours.receive(BOT) == [UnreadMessage(CARL, Unreadable.FALSE_CLAIM)]
    assert ours.database.committed.inbound == {}


@pytest.mark.parametrize("in_one_batch", [True, False])
@pytest.mark.parametrize("is_first", [True, False], ids=["opens a session", "in a session"])
async def test_a_false_envelope_takes_nothing_from_the_genuine_one(
    ours: Service, phone: LibolmDevice, device: DeviceId, is_first: bool, in_one_batch: bool
) -> None:
    """Or whoever can name another sender makes a room's key unreadable, with its very ciphertext."""
    if not is_first:
        phone.send_olm(BOT, device, "m.dummy", {})
        await ours.receive(BOT)
    phone.send_olm(BOT, device, "m.room_key", phone.room_key(ROOM))
    [genuine] = ours.homeserver.inbox[BOT, device]
    false = genuine | {"sender": CARL}
    batches = [[false, genuine, genuine]] if in_one_batch else [[false], [genuine], [genuine]]
    results: list[object] = []
    for batch in batches:
        ours.homeserver.inbox[BOT, device] = batch
        results += await ours.receive(BOT)
    lied, told, again = results
    assert lied == UnreadMessage(CARL, Unreadable.FALSE_CLAIM)
    assert isinstance(told, RoomKeyArrived)
    assert again is Done.DUPLICATE
    assert len(ours.database.committed.olm_sessions) == 1


async def test_room_keys_in_clear_are_refused(ours: Service, phone: LibolmDevice, device: DeviceId) -> None:
    for event_type in ("m.room_key", "m.forwarded_room_key"):
        ours.homeserver.inbox[BOT, device].append(
            {"type": event_type, "sender": ALICE, "content": phone.room_key(ROOM)}
        )
    assert set(await ours.receive(BOT)) == {UnreadMessage(ALICE, Unreadable.FALSE_CLAIM)}
    assert ours.database.committed.inbound == {}


def olm(part: Any, **changes: Any) -> Json:
    """An Olm event around some ciphertext."""
    return {
        "type": "m.room.encrypted",
        "sender": ALICE,
        "content": {"algorithm": OLM, "sender_key": "A" * 43, "ciphertext": part, **changes},
    }


@pytest.mark.parametrize(
    "event",
    [
        {},
        {"type": "m.room.encrypted", "sender": ALICE},
        {"type": 5, "sender": ALICE, "content": {}},
        {"type": "m.dummy", "sender": "x" * 300, "content": {}},
        {"type": "m.room_key.withheld", "sender": ALICE, "content": {}},
        {"type": "m.room_key.withheld", "sender": ALICE, "content": {"code": "m.x", "room_id": "\x00"}},
        {"type": "m.room_key.withheld", "sender": ALICE, "content": {"code": "m.no_olm", "sender_key": 5}},
        {"type": "m.room_key_request", "sender": ALICE, "content": {"action": "request", "body": 5}},
        olm({}),
        olm([]),
        olm({"ME": {}}),
        olm({"ME": {"type": 0, "body": "AAAA"}}),
        olm({"ME": {"type": 1, "body": "AAAA"}}),
        olm({"ME": {"type": 2, "body": "AAAA"}}),
        olm({"ME": {"type": True, "body": "AAAA"}}),
        olm({"ME": {"type": [], "body": "AAAA"}}),
        olm({"ME": {"type": 0, "body": "é"}}),
        olm({"ME": {"type": 0, "body": ""}}),
        olm({"ME": {"type": 0, "body": "AAAA"}}, sender_key="A" * 44),
        olm({"ME": {"type": 0, "body": "AAAA"}}, sender_key=None),
        olm({"ME": {"type": 0, "body": "AAAA"}}, algorithm="m.olm.v2"),
    ],
)
async def test_garbage_is_a_value_and_the_next_message_is_read(
    ours: Service, phone: LibolmDevice, device: DeviceId, event: Json
) -> None:
    own_key = ours.homeserver.devices[BOT, device]["keys"][f"curve25519:{device}"]
    part = event.get("content", {}).get("ciphertext") if isinstance(event.get("content"), dict) else None
    if isinstance(part, dict) and "ME" in part:
        content = {**event["content"], "ciphertext": {own_key: part["ME"]}}
        event = {**event, "content": content}
    phone.send_olm(BOT, device, "m.room_key", phone.room_key(ROOM))
    ours.homeserver.inbox[BOT, device] = [event, *ours.homeserver.inbox[BOT, device]]
    bad, good = await ours.receive(BOT)
    assert isinstance(bad, UnreadMessage | Done)
    assert isinstance(good, RoomKeyArrived)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["type", "body", "algorithm", "code", "action", "sender_key", "room_id", "x"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(["m.room.encrypted", "m.room_key.withheld", "m.room_key_request", "m.dummy", "x"]),
    json_values,
)
async def test_no_to_device_event_of_any_shape_raises(event_type: str, content: Any) -> None:
    homeserver = FakeHomeserver()
    ours = Service(homeserver)
    device = await ours.create(BOT)
    homeserver.inbox[BOT, device] = [
        {"type": event_type, "sender": ALICE, "content": content},
        {"type": event_type, "sender": content, "content": {}},
        content,
    ]
    assert len(await ours.receive(BOT)) == 3


async def test_a_damaged_pre_key_message_uses_up_no_one_time_key(
    ours: Service, phone: LibolmDevice, device: DeviceId
) -> None:
    phone.send_olm(BOT, device, "m.room_key", phone.room_key(ROOM))
    [event] = ours.homeserver.inbox[BOT, device]
    [(key, part)] = event["content"]["ciphertext"].items()
    broken = {**part, "body": part["body"][:-6] + "AAAAAA"}
    damaged = {**event, "content": {**event["content"], "ciphertext": {key: broken}}}
    ours.homeserver.inbox[BOT, device] = [damaged, event]
    bad, good = await ours.receive(BOT)
    assert bad == UnreadMessage(ALICE, Unreadable.NO_OLM_SESSION)
    assert isinstance(good, RoomKeyArrived)


async def test_a_broken_session_is_mended_with_a_dummy_at_most_once_an_hour(
    ours: Service, phone: LibolmDevice, device: DeviceId
) -> None:
    phone.send_olm(BOT, device, "m.dummy", {})
    await ours.receive(BOT)
    ours.database.committed.olm_sessions.clear()  # as after a restore of an older database
    phone.sessions.clear()

    async def break_again() -> None:
        phone.sessions.setdefault("lost", None)
        peer_key = phone.open_session(BOT, device)
        message = olm({"ME": {}})
        message["content"]["sender_key"] = phone.curve25519
        message["content"]["ciphertext"] = {peer_key: {"type": 1, "body": "AwogAAAA"}}
        ours.homeserver.inbox[BOT, device] = [message]
        assert await ours.receive(BOT) == [UnreadMessage(ALICE, Unreadable.NO_OLM_SESSION)]

    await break_again()
    await break_again()
    assert await ours.mend(BOT)
    [payload] = phone.receive()
    assert payload["type"] == "m.dummy"
    assert not await ours.mend(BOT)
    await break_again()
    assert not await ours.mend(BOT)
    phone.send_olm(BOT, device, "m.room_key", phone.room_key(ROOM))
    ours.now_ms += HOUR
    await break_again()
    assert await ours.mend(BOT)


async def test_a_broken_device_that_is_gone_is_asked_for_once(
    ours: Service, phone: LibolmDevice, device: DeviceId
) -> None:
    content = {"algorithm": OLM, "code": "m.no_olm", "sender_key": phone.curve25519}
    ours.homeserver.inbox[BOT, device] = [{"type": "m.room_key.withheld", "sender": ALICE, "content": content}]
    await ours.receive(BOT)
    ours.homeserver.delete_device((ALICE, PHONE))
    assert await ours.mend(BOT)
    assert not await ours.mend(BOT)


async def test_a_device_that_cannot_reach_us_gets_a_fresh_session(
    ours: Service, phone: LibolmDevice, device: DeviceId
) -> None:
    content = {"algorithm": OLM, "code": "m.no_olm", "sender_key": phone.curve25519}
    ours.homeserver.inbox[BOT, device] = [{"type": "m.room_key.withheld", "sender": ALICE, "content": content}]
    assert await ours.receive(BOT) == [KeyWithheld(None, None, ALICE, "m.no_olm")]
    assert await ours.mend(BOT)
    [payload] = phone.receive()
    assert payload["type"] == "m.dummy"


async def test_an_unknown_device_makes_us_ask_for_its_owners_list_at_most_once_a_minute(
    ours: Service, phone: LibolmDevice, homeserver: FakeHomeserver, device: DeviceId
) -> None:
    for step, expected in ((0, False), (60_000, True)):
        ours.now_ms += step
        laptop = LibolmDevice(homeserver, ALICE, DeviceId(f"LAPTOP{step}"))
        laptop.open_session(BOT, device)
        laptop.send_olm(BOT, device, "m.room_key", laptop.room_key(ROOM))
        [arrived] = await ours.receive(BOT)
        assert isinstance(arrived, RoomKeyArrived)
        async with ours.database.begin() as tx:
            assert (await ours.machine(BOT).stale_devices(tx) is not None) is expected


async def test_a_device_may_open_as_many_sessions_as_it_likes_and_we_keep_a_few(
    ours: Service, phone: LibolmDevice, device: DeviceId
) -> None:
    for _ in range(SESSIONS_PER_DEVICE + 3):
        ours.now_ms += 1
        phone.open_session(BOT, device)
        phone.send_olm(BOT, device, "m.dummy", {})
        assert await ours.receive(BOT) == [Done.DUMMY]
    assert len(ours.database.committed.olm_sessions) == SESSIONS_PER_DEVICE


async def test_what_is_not_about_keys_is_handed_on_with_what_proves_its_sender(
    ours: Service, phone: LibolmDevice, device: DeviceId
) -> None:
    phone.send_olm(BOT, device, "m.key.verification.request", {"x": 1})
    ours.homeserver.inbox[BOT, device].append(
        {"type": "m.key.verification.request", "sender": ALICE, "content": {"x": 2}}
    )
    sealed, clear = await ours.receive(BOT)
    assert isinstance(sealed, OtherMessage)
    assert (sealed.content, sealed.device_id, sealed.trust) == ({"x": 1}, PHONE, "cross_signed")
    assert isinstance(clear, OtherMessage)
    assert (clear.content, clear.device_id, clear.trust) == ({"x": 2}, None, None)
