"""A lost key is asked for, and given again only to whom it was given before."""

from typing import Any

from appservice.crypto.ids import DeviceId, MegolmSessionId, UserId
from appservice.crypto.inbound import MEGOLM, EncryptedEvent, Unread
from appservice.crypto.to_device import Done, RoomKeyArrived
from tests.appservice.crypto.homeserver import FakeHomeserver
from tests.appservice.crypto.libolm_device import LibolmDevice
from tests.appservice.crypto.people import ALICE, BOT, CARL, ROOM
from tests.appservice.crypto.service import Service

MINUTE = 60_000


def session_of(event: EncryptedEvent) -> MegolmSessionId:
    return MegolmSessionId(str(event.content["session_id"]))


async def ask(service: Service, user_id: UserId, event: EncryptedEvent) -> None:
    """Ask the event's sender for its session."""
    async with service.database.begin() as tx:
        machine = service.machine(user_id)
        await machine.request_key(tx, ROOM, session_of(event), event.sender, now_ms=service.now_ms)
    await service.send_outgoing(user_id)


async def lost_key(ours: Service, alice: Service) -> EncryptedEvent:
    """Two of our events, from the first of which on Alice was given the key, and has lost it."""
    await ours.write(BOT, ROOM, [BOT], "before Alice")
    event = await ours.write(BOT, ROOM, [BOT, ALICE], "for Alice")
    await alice.receive(ALICE)
    alice.database.committed.inbound.clear()
    await alice.know(ALICE, BOT)
    assert (await alice.unread_one(event)).reason is Unread.NO_SESSION
    return event


async def test_a_lost_key_comes_back_when_its_owner_is_asked(ours: Service, alice: Service) -> None:
    event = await lost_key(ours, alice)
    ours.now_ms += MINUTE
    await ask(alice, ALICE, event)
    request: Any = alice.homeserver.seen[-1].body
    content = request["messages"][BOT]["*"]
    assert content["action"] == "request"
    assert content["body"] == {"algorithm": MEGOLM, "room_id": ROOM, "session_id": session_of(event)}
    assert await ours.receive(BOT) == [Done.KEY_REQUEST]
    await ours.send_outgoing(BOT)
    [arrived] = await alice.receive(ALICE)
    assert arrived == RoomKeyArrived(ROOM, session_of(event), BOT)
    read = await alice.read_one(event)
    assert (read.content["body"], read.message_index) == ("for Alice", 1)
    await alice.send_outgoing(ALICE)
    cancelled: Any = alice.homeserver.seen[-1].body
    assert cancelled["messages"][BOT]["*"]["action"] == "request_cancellation"
    assert cancelled["messages"][BOT]["*"]["request_id"] == content["request_id"]
    assert alice.database.committed.key_requests == {}


async def test_the_same_question_is_answered_once_a_minute(ours: Service, alice: Service) -> None:
    event = await lost_key(ours, alice)
    answers = []
    for step in (0, MINUTE, 0, MINUTE):
        ours.now_ms += step
        await ask(alice, ALICE, event)
        await ours.receive(BOT)
        requests = await ours.outgoing(BOT)
        for request in requests:
            await ours.send(BOT, request)
        answers.append(len(requests))
    assert answers == [0, 1, 0, 1]


async def test_who_was_never_given_the_key_gets_no_answer(
    ours: Service, alice: Service, homeserver: FakeHomeserver
) -> None:
    event = await lost_key(ours, alice)
    carl = Service(homeserver)
    await carl.create(CARL)
    await ours.know(BOT, CARL)
    ours.now_ms += MINUTE
    await ask(carl, CARL, event)
    assert await ours.receive(BOT) == [Done.KEY_REQUEST]
    assert await ours.outgoing(BOT) == ()


async def test_a_device_that_is_not_eligible_any_more_gets_no_answer(
    ours: Service, alice: Service, homeserver: FakeHomeserver
) -> None:
    event = await lost_key(ours, alice)
    del homeserver.self_signing_keys[ALICE]
    await ours.know(BOT, ALICE)
    ours.now_ms += MINUTE
    await ask(alice, ALICE, event)
    await ours.receive(BOT)
    assert await ours.outgoing(BOT) == ()


async def test_a_request_in_another_persons_name_gets_no_answer(
    ours: Service, alice: Service, homeserver: FakeHomeserver
) -> None:
    event = await lost_key(ours, alice)
    ours.now_ms += MINUTE
    await ask(alice, ALICE, event)
    [event_of_alice] = homeserver.inbox[BOT, next(name for user, name in homeserver.devices if user == BOT)]
    event_of_alice["sender"] = CARL
    await ours.receive(BOT)
    assert await ours.outgoing(BOT) == ()


async def forwarded(ours: Service, device: LibolmDevice, owner: LibolmDevice, key: str) -> list[Any]:
    """A forwarded key arrives, sent by one device in the name of another."""
    bot = next(name for user, name in device.homeserver.devices if user == BOT)
    content = {
        "algorithm": MEGOLM,
        "room_id": ROOM,
        "session_id": owner.outbound.id,
        "session_key": key,
        "sender_key": owner.curve25519,
        "sender_claimed_ed25519_key": owner.ed25519,
        "forwarding_curve25519_key_chain": [],
    }
    device.send_olm(BOT, bot, "m.forwarded_room_key", content)
    return list(await ours.receive(BOT))


async def test_a_forwarded_key_is_kept_only_if_asked_for_and_only_from_its_owner(
    ours: Service, homeserver: FakeHomeserver
) -> None:
    bot = next(name for user, name in homeserver.devices if user == BOT)
    phone = LibolmDevice(homeserver, ALICE, DeviceId("PHONE"))
    carl = LibolmDevice(homeserver, CARL, DeviceId("CARL"))
    for device in (phone, carl):
        device.open_session(BOT, bot)
    await ours.know(BOT, ALICE, CARL)
    exported = phone.export_outbound()
    event = phone.write(ROOM, "asked for", "$1")
    assert await forwarded(ours, phone, phone, exported) == [Done.REFUSED_KEY]
    await ask(ours, BOT, event)
    assert await forwarded(ours, carl, phone, exported) == [Done.REFUSED_KEY]
    assert await forwarded(ours, phone, carl, exported) == [Done.REFUSED_KEY]
    assert ours.database.committed.inbound == {}
    [arrived] = await forwarded(ours, phone, phone, exported)
    assert isinstance(arrived, RoomKeyArrived)
    assert (await ours.read_one(event)).content["body"] == "asked for"
    assert await forwarded(ours, phone, phone, exported) == [Done.REFUSED_KEY]
