"""An identity is created without an unsigned moment, and its keys are published once each."""

import json

from appservice.crypto.account import ONE_TIME_KEYS
from appservice.crypto.devices import read_keys
from appservice.crypto.ids import DeviceId, MegolmSessionId
from appservice.crypto.machine import OlmMachine, people
from appservice.crypto.requests import Answer, Postponed
from appservice.crypto.rows import RequestKind
from tests.appservice.crypto.homeserver import FakeHomeserver
from tests.appservice.crypto.people import ALICE, BOT, GHOST, ROOM
from tests.appservice.crypto.service import SEALER, Service

HOUR = 3_600_000


async def take_counts(service: Service, device: DeviceId) -> None:
    """The counts that the homeserver would tell now."""
    fallback = [] if (BOT, device) in service.homeserver.used_fallback else ["signed_curve25519"]
    async with service.database.begin() as tx:
        await service.machine(BOT).take_key_counts(
            tx,
            one_time_keys=service.homeserver.count((BOT, device)),
            unused_fallback_types=fallback,
            now_ms=service.now_ms,
        )


def claim(homeserver: FakeHomeserver, device: DeviceId, count: int) -> None:
    keys = homeserver.one_time_keys[BOT, device]
    for key_id in list(keys)[:count]:
        del keys[key_id]


async def test_the_requests_leave_in_the_order_that_shows_no_unsigned_device(
    homeserver: FakeHomeserver,
) -> None:
    service = Service(homeserver)
    device = await service.create(BOT)
    paths = [http.path.removeprefix("/_matrix/client/v3") for http in homeserver.seen]
    assert paths == ["/register", f"/devices/{device}", "/keys/device_signing/upload", "/keys/upload"]
    register, make, cross_signing, upload = homeserver.seen
    assert register.body == {
        "type": "m.login.application_service",
        "username": "bot",
        "inhibit_login": True,
    }
    assert (register.user_id, register.device_id) == (None, None)
    assert (make.method, make.user_id, make.device_id) == ("PUT", BOT, None)
    assert (cross_signing.user_id, cross_signing.device_id) == (BOT, device)
    assert (upload.user_id, upload.device_id) == (BOT, device)


async def test_the_first_thing_others_see_is_a_cross_signed_device(ours: Service) -> None:
    answer = ours.homeserver.handle(ours.homeserver.seen[-1])
    assert answer.ok
    query = {
        "device_keys": {BOT: {d: k for (u, d), k in ours.homeserver.devices.items() if u == BOT}},
        "master_keys": ours.homeserver.master_keys,
        "self_signing_keys": ours.homeserver.self_signing_keys,
    }
    master_key, [device] = read_keys(BOT, query)
    assert device.cross_signed
    async with ours.database.begin() as tx:
        me = await tx.identity(BOT)
    assert me is not None
    assert me.ready
    assert (me.master_key, me.curve25519, me.ed25519) == (master_key, device.curve25519, device.ed25519)
    own_key = f"ed25519:{device.device_id}"
    signing_keys = ours.homeserver.self_signing_keys[BOT]["keys"].keys()
    assert json.loads(me.device_keys)["signatures"][BOT].keys() == {own_key, *signing_keys}


async def test_our_own_list_is_known_without_asking_and_is_what_others_see(ours: Service) -> None:
    async with ours.database.begin() as tx:
        assert await ours.machine(BOT).stale_devices(tx) is None
        [before] = await people(tx, [BOT])
    await ours.know(BOT, BOT)
    async with ours.database.begin() as tx:
        [after] = await people(tx, [BOT])
    assert (after.pin, after.pinned_key, after.devices) == (before.pin, before.pinned_key, before.devices)


async def test_everything_is_written_down_before_the_first_request_leaves(homeserver: FakeHomeserver) -> None:
    service = Service(homeserver)
    async with service.database.begin() as tx:
        await service.machine(BOT).create(tx, display_name="Bot", now_ms=1)
    assert homeserver.seen == []
    rows = service.database.committed.requests.values()
    assert [row.kind for row in rows] == [
        RequestKind.REGISTER,
        RequestKind.MAKE_DEVICE,
        RequestKind.CROSS_SIGNING,
        RequestKind.FIRST_KEYS,
    ]


async def test_creation_goes_on_where_a_crash_left_it_whatever_was_answered(
    homeserver: FakeHomeserver,
) -> None:
    service = Service(homeserver)
    async with service.database.begin() as tx:
        first = await service.machine(BOT).create(tx, display_name="Bot", now_ms=1)
    for _ in range(4):
        [lost] = await service.outgoing(BOT)
        homeserver.handle(lost.http)  # the answer never came back to us
        assert await service.outgoing(BOT) == ()
        service.now_ms += HOUR
        async with service.database.begin() as tx:
            again = await service.machine(BOT).create(tx, display_name="Bot", now_ms=service.now_ms)
        assert again == first
        [repeated] = await service.outgoing(BOT)
        assert repeated.request_id == lost.request_id
        await service.send(BOT, repeated)
    await service.send_outgoing(BOT)
    async with service.database.begin() as tx:
        assert await tx.unfinished_identities() == []
    assert set(homeserver.published.values()) == {1}
    assert homeserver.count((BOT, first.device_id)) >= ONE_TIME_KEYS


async def test_a_restored_identity_is_the_same_person_on_another_device(ours: Service) -> None:
    async with ours.database.begin() as tx:
        before = await tx.identity(BOT)
        seeds = await ours.machine(BOT).seeds(tx)
    restored = Service(ours.homeserver)
    async with restored.database.begin() as tx:
        after = await OlmMachine(BOT, SEALER).create(tx, display_name="Bot", seeds=seeds, now_ms=9)
    assert before is not None
    assert after.master_key == before.master_key
    assert after.device_id != before.device_id
    assert after.curve25519 != before.curve25519


async def test_low_one_time_keys_are_topped_up_to_the_full_count(ours: Service) -> None:
    [device] = [name for user, name in ours.homeserver.devices if user == BOT]
    claim(ours.homeserver, device, 24)
    await take_counts(ours, device)
    assert await ours.outgoing(BOT) == ()
    claim(ours.homeserver, device, 1)
    await take_counts(ours, device)
    await ours.send_outgoing(BOT)
    assert ours.homeserver.count((BOT, device)) == ONE_TIME_KEYS
    assert set(ours.homeserver.published.values()) == {1}


async def test_counts_that_are_old_news_never_overshoot(ours: Service) -> None:
    [device] = [name for user, name in ours.homeserver.devices if user == BOT]
    claim(ours.homeserver, device, 40)
    for _ in range(5):
        async with ours.database.begin() as tx:
            await ours.machine(BOT).take_key_counts(
                tx, one_time_keys=10, unused_fallback_types=None, now_ms=ours.now_ms
            )
        await ours.send_outgoing(BOT)
        async with ours.database.begin() as tx:  # the snapshot arrives again, from before the upload
            await ours.machine(BOT).take_key_counts(
                tx, one_time_keys=10, unused_fallback_types=None, now_ms=ours.now_ms
            )
            await ours.machine(BOT).take_key_counts(
                tx, one_time_keys=10, unused_fallback_types=None, now_ms=ours.now_ms
            )
        await ours.send_outgoing(BOT)
    assert ours.homeserver.count((BOT, device)) == ONE_TIME_KEYS


async def test_an_upload_of_unknown_fate_is_not_repeated_with_its_one_time_keys(ours: Service) -> None:
    [device] = [name for user, name in ours.homeserver.devices if user == BOT]
    claim(ours.homeserver, device, 50)
    await take_counts(ours, device)
    [probe] = await ours.outgoing(BOT)
    await ours.send(BOT, probe)
    [upload] = await ours.outgoing(BOT)
    ours.homeserver.handle(upload.http)
    claim(ours.homeserver, device, 10)
    async with ours.database.begin() as tx:
        await ours.machine(BOT).mark_request_as_unanswered(tx, upload, now_ms=ours.now_ms)
    ours.now_ms += HOUR
    await ours.send_outgoing(BOT)
    assert ours.homeserver.count((BOT, device)) == ONE_TIME_KEYS
    assert set(ours.homeserver.published.values()) == {1}


async def test_a_used_fallback_key_is_replaced_and_messages_on_either_are_read(ours: Service, alice: Service) -> None:
    [device] = [name for user, name in ours.homeserver.devices if user == BOT]
    claim(ours.homeserver, device, 50)
    first = dict(ours.homeserver.fallback_keys[BOT, device])
    await alice.write(ALICE, ROOM, [BOT], "on the first fallback key")
    late = ours.homeserver.inbox.pop((BOT, device))
    ours.now_ms += 2 * HOUR
    await take_counts(ours, device)
    await ours.send_outgoing(BOT)
    second = dict(ours.homeserver.fallback_keys[BOT, device])
    assert first.keys().isdisjoint(second.keys())
    ours.homeserver.inbox[BOT, device] = late
    [result] = await ours.receive(BOT)
    assert type(result).__name__ == "RoomKeyArrived"


async def test_a_fallback_key_rests_for_an_hour(ours: Service) -> None:
    [device] = [name for user, name in ours.homeserver.devices if user == BOT]
    ours.homeserver.used_fallback.add((BOT, device))
    ours.now_ms += HOUR - 1
    await take_counts(ours, device)
    assert await ours.outgoing(BOT) == ()
    ours.now_ms += 1
    await take_counts(ours, device)
    await ours.send_outgoing(BOT)
    assert (BOT, device) not in ours.homeserver.used_fallback


async def test_a_refused_request_waits_longer_each_time_and_as_long_as_it_was_told(ours: Service) -> None:
    async with ours.database.begin() as tx:
        await ours.machine(BOT).request_key(tx, ROOM, MegolmSessionId("session"), ALICE, now_ms=ours.now_ms)
    for wait in (2_000, 4_000, 60_000):
        [request] = await ours.outgoing(BOT)
        answer = Answer(429, {"errcode": "M_LIMIT_EXCEEDED", "retry_after_ms": 60_000 if wait > 9_000 else 1})
        async with ours.database.begin() as tx:
            outcome = await ours.machine(BOT).mark_request_as_sent(tx, request, answer, now_ms=ours.now_ms)
        assert outcome == Postponed(429, "M_LIMIT_EXCEEDED")
        ours.now_ms += wait - 1
        assert await ours.outgoing(BOT) == ()
        ours.now_ms += 1
    await ours.send_outgoing(BOT)


async def test_a_request_is_handed_to_one_sender_at_a_time(ours: Service) -> None:
    async with ours.database.begin() as tx:
        await ours.machine(GHOST).create(tx, display_name="Ghost", now_ms=ours.now_ms)
    [request] = await ours.outgoing(GHOST)
    assert await ours.outgoing(GHOST) == ()
    ours.now_ms += 30_000
    [again] = await ours.outgoing(GHOST)
    assert again == request
