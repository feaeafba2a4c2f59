"""Who gets a room's key, who is refused it, and when the key is changed."""

from dataclasses import replace
from typing import Any

import pytest

from appservice.crypto.ids import DeviceId
from appservice.crypto.inbound import Unread
from appservice.crypto.machine import confirm_identity
from appservice.crypto.outbound import Audience, Encrypted, Frozen, NotReady, NotReadyReason, Rotation
from appservice.crypto.requests import OutgoingRequest
from appservice.crypto.rows import RequestKind
from appservice.crypto.signing import public_key
from appservice.crypto.to_device import KeyWithheld, RoomKeyArrived
from tests.appservice.crypto.homeserver import FakeHomeserver
from tests.appservice.crypto.people import ALICE, BOT, CARL, GHOST, OTHER_ROOM, ROOM, Person
from tests.appservice.crypto.service import Service

MINUTE = 60_000


def messages(request: OutgoingRequest) -> dict[str, Any]:
    """To whom a request goes."""
    sent: Any = request.http.body["messages"]
    return {user: set(devices) for user, devices in sent.items()}


async def requests_for(service: Service, *members: Any) -> tuple[OutgoingRequest, ...]:
    """Prepare, without sending what carries the key."""
    requests = await service.prepare(BOT, service.audience(ROOM, members))
    assert not isinstance(requests, Frozen)
    return requests


async def test_the_key_goes_to_cross_signed_devices_and_the_others_are_told_once(
    ours: Service, homeserver: FakeHomeserver
) -> None:
    alice = Person(homeserver, ALICE)
    alice.add_device("PHONE")
    alice.add_device("LAPTOP", signed=False)
    share, withheld = await requests_for(ours, BOT, ALICE)
    assert messages(share) == {ALICE: {"PHONE"}}
    assert messages(withheld) == {ALICE: {"LAPTOP"}}
    content: Any = withheld.http.body["messages"]
    assert content[ALICE]["LAPTOP"].keys() == {
        "algorithm", "room_id", "session_id", "sender_key", "code", "reason",
    }  # fmt: skip
    assert content[ALICE]["LAPTOP"]["code"] == "m.unverified"
    for request in (share, withheld):
        await ours.send(BOT, request)
    assert await requests_for(ours, BOT, ALICE) == ()


async def test_nothing_is_encrypted_before_the_share_was_acknowledged(
    ours: Service, homeserver: FakeHomeserver
) -> None:
    Person(homeserver, ALICE).add_device("PHONE")
    audience = ours.audience(ROOM, [BOT, ALICE])
    assert await ours.try_encrypt(BOT, audience, "x") == NotReady(NotReadyReason.DEVICES_STALE)
    await ours.know(BOT, ALICE)
    assert await ours.try_encrypt(BOT, audience, "x") == NotReady(NotReadyReason.ROTATION_DUE)
    [share] = await requests_for(ours, BOT, ALICE)
    assert await ours.try_encrypt(BOT, audience, "x") == NotReady(NotReadyReason.NOT_SHARED)
    await ours.send(BOT, share)
    assert isinstance(await ours.try_encrypt(BOT, audience, "x"), Encrypted)


async def test_an_unanswered_share_leaves_again_under_the_same_transaction_id(ours: Service, alice: Service) -> None:
    [share] = await requests_for(ours, BOT, ALICE)
    ours.homeserver.handle(share.http)  # arrived, but we died before the answer
    assert await requests_for(ours, BOT, ALICE) == ()
    ours.now_ms += MINUTE
    [again] = await requests_for(ours, BOT, ALICE)
    assert again == share
    await ours.send(BOT, again)
    assert len(await alice.receive(ALICE)) == 1
    audience = ours.audience(ROOM, [BOT, ALICE])
    assert isinstance(await ours.try_encrypt(BOT, audience, "x"), Encrypted)


async def test_a_new_device_reads_what_follows_and_nothing_before(
    ours: Service, alice: Service, homeserver: FakeHomeserver
) -> None:
    carl = Service(homeserver)
    await carl.create(CARL)
    before = await ours.write(BOT, ROOM, [BOT, ALICE], "before")
    after = await ours.write(BOT, ROOM, [BOT, ALICE, CARL], "after")
    await carl.receive(CARL)
    await alice.receive(ALICE)
    assert before.content["session_id"] == after.content["session_id"]
    assert (await carl.read_one(after)).content["body"] == "after"
    assert (await carl.unread_one(before)).reason is Unread.UNKNOWN_INDEX
    assert [(await alice.read_one(event)).content["body"] for event in (before, after)] == ["before", "after"]


async def test_who_left_cannot_read_what_follows(ours: Service, alice: Service) -> None:
    before = await ours.write(BOT, ROOM, [BOT, ALICE], "before")
    after = await ours.write(BOT, ROOM, [BOT], "after")
    await alice.receive(ALICE)
    assert (await alice.read_one(before)).content["body"] == "before"
    assert (await alice.unread_one(after)).reason is Unread.NO_SESSION


@pytest.mark.parametrize(
    "change", ["deleted", "unsigned", "replaced by another under its name", "identity reset and confirmed"]
)
async def test_the_session_ends_when_a_device_that_holds_it_is_no_longer_eligible(
    ours: Service, homeserver: FakeHomeserver, change: str
) -> None:
    alice = Person(homeserver, ALICE)
    alice.add_device("PHONE")
    alice.add_device("LAPTOP")
    first = await ours.write(BOT, ROOM, [BOT, ALICE], "first")
    match change:
        case "deleted":
            homeserver.delete_device((ALICE, DeviceId("LAPTOP")))
        case "unsigned":
            alice.add_device("LAPTOP", signed=False)
        case "replaced by another under its name":
            alice.add_device("LAPTOP")
        case _:
            alice.reset()
            alice.sign_device("PHONE")
    await ours.know(BOT, ALICE)
    audience = ours.audience(ROOM, [BOT, ALICE])
    if change.startswith("identity"):
        assert await ours.try_encrypt(BOT, audience, "x") == Frozen(frozenset({ALICE}))
        assert await ours.prepare(BOT, audience) == Frozen(frozenset({ALICE}))
        async with ours.database.begin() as tx:
            await confirm_identity(tx, ALICE, public_key(alice.seeds.master))
    assert await ours.try_encrypt(BOT, audience, "x") == NotReady(NotReadyReason.ROTATION_DUE)
    second = await ours.write(BOT, ROOM, [BOT, ALICE], "second")
    assert second.content["session_id"] != first.content["session_id"]


async def test_a_room_without_the_frozen_person_goes_on_with_another_session(
    ours: Service, homeserver: FakeHomeserver
) -> None:
    alice = Person(homeserver, ALICE)
    alice.add_device("PHONE")
    first = await ours.write(BOT, ROOM, [BOT, ALICE], "first")
    alice.reset()
    await ours.know(BOT, ALICE)
    second = await ours.write(BOT, ROOM, [BOT], "second")
    assert second.content["session_id"] != first.content["session_id"]


async def test_the_session_ends_after_the_rooms_own_number_of_messages_and_time(ours: Service) -> None:
    sessions = []
    for _ in range(7):
        audience = Audience(ROOM, frozenset({BOT}), Rotation(messages=3))
        encrypted = await ours.try_encrypt(BOT, audience, "x")
        if not isinstance(encrypted, Encrypted):
            await ours.prepare(BOT, audience)
            encrypted = await ours.try_encrypt(BOT, audience, "x")
        assert isinstance(encrypted, Encrypted)
        sessions.append((encrypted.session_id, encrypted.message_index))
    assert [index for _, index in sessions] == [0, 1, 2, 0, 1, 2, 0]
    assert len({session for session, _ in sessions}) == 3
    audience = Audience(ROOM, frozenset({BOT}), Rotation(period_ms=MINUTE))
    ours.now_ms += MINUTE
    assert await ours.try_encrypt(BOT, audience, "x") == NotReady(NotReadyReason.ROTATION_DUE)


async def test_a_retired_session_is_not_used_again(ours: Service) -> None:
    first = await ours.write(BOT, ROOM, [BOT], "first")
    async with ours.database.begin() as tx:
        await ours.machine(BOT).retire_session(tx, ROOM, now_ms=ours.now_ms)
        await ours.machine(BOT).retire_session(tx, OTHER_ROOM, now_ms=ours.now_ms)
    second = await ours.write(BOT, ROOM, [BOT], "second")
    assert second.content["session_id"] != first.content["session_id"]


async def test_a_device_without_one_time_keys_is_told_and_tried_again_later(
    ours: Service, homeserver: FakeHomeserver
) -> None:
    alice = Person(homeserver, ALICE)
    account = alice.add_device("PHONE", one_time_keys=0)
    [withheld] = await requests_for(ours, BOT, ALICE)
    content: Any = withheld.http.body["messages"]
    assert content[ALICE]["PHONE"]["code"] == "m.no_olm"
    assert "session_id" not in content[ALICE]["PHONE"]
    await ours.send(BOT, withheld)
    audience = ours.audience(ROOM, [BOT, ALICE])
    assert isinstance(await ours.try_encrypt(BOT, audience, "x"), Encrypted)
    ours.now_ms += 10 * MINUTE
    assert await ours.try_encrypt(BOT, audience, "x") == NotReady(NotReadyReason.NOT_SHARED)
    assert await requests_for(ours, BOT, ALICE) == ()  # still nothing to claim; it was told already
    assert isinstance(await ours.try_encrypt(BOT, audience, "x"), Encrypted)
    alice.add_device("PHONE", account=account)
    ours.now_ms += 10 * MINUTE
    [share] = await requests_for(ours, BOT, ALICE)
    assert (share.kind, messages(share)) == (RequestKind.TO_DEVICE, {ALICE: {"PHONE"}})


@pytest.mark.parametrize("damage", ["signature", "key", "shape"])
async def test_a_claimed_key_that_the_device_did_not_sign_opens_no_session(
    ours: Service, homeserver: FakeHomeserver, damage: str
) -> None:
    alice = Person(homeserver, ALICE)
    alice.add_device("PHONE", one_time_keys=1)
    [key] = homeserver.one_time_keys[ALICE, DeviceId("PHONE")].values()
    match damage:
        case "signature":
            key["signatures"][ALICE]["ed25519:PHONE"] = "A" * 86
        case "key":
            key["key"] = "A" * 43
        case _:
            key.clear()
    [withheld] = await requests_for(ours, BOT, ALICE)
    content: Any = withheld.http.body["messages"]
    assert content[ALICE]["PHONE"]["code"] == "m.no_olm"


async def test_a_device_that_its_owner_signs_later_gets_the_key_from_there_on(
    ours: Service, homeserver: FakeHomeserver, alice: Service
) -> None:
    name = next(device for device in homeserver.devices if device[0] == ALICE)
    signatures = homeserver.devices[name]["signatures"][ALICE]
    [by_owner] = [key_id for key_id in signatures if key_id != f"ed25519:{name[1]}"]
    signature = signatures.pop(by_owner)
    before = await ours.write(BOT, ROOM, [BOT, ALICE], "before")
    await alice.know(ALICE, BOT)
    [refused] = await alice.receive(ALICE)
    assert isinstance(refused, KeyWithheld)
    assert refused.code == "m.unverified"
    withheld = await alice.unread_one(before)
    assert (withheld.reason, withheld.code, withheld.may_heal) == (Unread.WITHHELD, "m.unverified", True)
    signatures[by_owner] = signature
    await ours.know(BOT, ALICE)
    after = await ours.write(BOT, ROOM, [BOT, ALICE], "after")
    [arrived] = await alice.receive(ALICE)
    assert isinstance(arrived, RoomKeyArrived)
    assert (await alice.read_one(after)).content["body"] == "after"
    assert (await alice.unread_one(before)).reason is Unread.UNKNOWN_INDEX


async def test_identities_and_rooms_never_share_a_session(ours: Service) -> None:
    await ours.create(GHOST)
    events = [await ours.write(user, room, [BOT, GHOST], "x") for user in (BOT, GHOST) for room in (ROOM, OTHER_ROOM)]
    assert len({event.content["session_id"] for event in events}) == 4


async def test_a_relation_is_readable_outside_and_inside(ours: Service) -> None:
    relation = {"m.in_reply_to": {"event_id": "$other"}}
    event = await ours.write(BOT, ROOM, [BOT], "x", **{"m.relates_to": relation})
    assert event.content["m.relates_to"] == relation
    assert (await ours.read_one(event)).content["m.relates_to"] == relation
    outside = replace(event, content={**event.content, "m.relates_to": {"rel_type": "m.replace"}})
    assert (await ours.read_one(outside)).content["m.relates_to"] == relation


async def test_many_devices_go_out_in_requests_of_a_hundred(ours: Service, homeserver: FakeHomeserver) -> None:
    alice = Person(homeserver, ALICE)
    for number in range(101):
        alice.add_device(f"D{number}", one_time_keys=1)
    requests = await requests_for(ours, BOT, ALICE)
    assert sorted(len(messages(request)[ALICE]) for request in requests) == [1, 100]


async def test_the_key_of_an_event_is_given_to_whoever_came_in_before_it_and_reads_no_earlier_one(
    ours: Service, alice: Service
) -> None:
    earlier = await ours.write(BOT, ROOM, [BOT], "before")
    encrypted = await ours.try_encrypt(BOT, ours.audience(ROOM, [BOT]), "while she came in")
    assert isinstance(encrypted, Encrypted)
    await alice.know(ALICE, BOT)
    for _ in range(2):  # once more after a crash changes nothing
        for request in await ours.share_later(BOT, encrypted.key, ALICE):
            await ours.send(BOT, request)
    assert len(await alice.receive(ALICE)) == 1
    read = await alice.read_one(ours.event(BOT, ROOM, encrypted.content))
    assert read.content["body"] == "while she came in"
    await alice.unread_one(earlier)
    later = await ours.write(BOT, ROOM, [BOT, ALICE], "after")
    assert (await alice.read_one(later)).content["body"] == "after"


async def test_the_key_of_an_event_is_given_to_signed_devices_of_undoubted_people_only(
    ours: Service, homeserver: FakeHomeserver
) -> None:
    Person(homeserver, ALICE).add_device("PHONE", signed=False)
    carl = Person(homeserver, CARL)
    carl.add_device("PHONE")
    await ours.know(BOT, CARL)
    carl.reset()
    await ours.know(BOT, CARL)
    await ours.write(BOT, ROOM, [BOT], "before")
    encrypted = await ours.try_encrypt(BOT, ours.audience(ROOM, [BOT]), "x")
    assert isinstance(encrypted, Encrypted)
    assert await ours.share_later(BOT, encrypted.key, ALICE, CARL) == ()
