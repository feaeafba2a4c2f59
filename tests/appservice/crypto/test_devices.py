"""Whose devices are believed: signatures, pins, and answers that cross each other."""

from typing import Any

import pytest
from vodozemac import Account

from appservice.crypto.devices import eligible, read_keys, take_answer
from appservice.crypto.ids import DeviceId
from appservice.crypto.machine import confirm_identity, old_devices_changed, people
from appservice.crypto.requests import Answer, KeysQuery
from appservice.crypto.rows import Pin, StoredDeviceList
from appservice.crypto.signing import public_key
from tests.appservice.crypto.homeserver import FakeHomeserver
from tests.appservice.crypto.people import ALICE, BOT, CARL, Person
from tests.appservice.crypto.service import Service


async def known(service: Service, user_id: str = ALICE) -> StoredDeviceList:
    async with service.database.begin() as tx:
        [row] = await people(tx, [ALICE if user_id == ALICE else CARL])
    return row


def content(homeserver: FakeHomeserver) -> dict[str, Any]:
    """The body of /keys/query for Alice."""
    return {
        "device_keys": {ALICE: {d: k for (u, d), k in homeserver.devices.items() if u == ALICE}},
        "master_keys": homeserver.master_keys,
        "self_signing_keys": homeserver.self_signing_keys,
    }


async def test_a_device_counts_as_cross_signed_when_the_chain_of_signatures_reaches_it(
    ours: Service, homeserver: FakeHomeserver
) -> None:
    alice = Person(homeserver, ALICE)
    phone, laptop = alice.add_device("PHONE"), alice.add_device("LAPTOP", signed=False)
    await ours.know(BOT, ALICE)
    row = await known(ours)
    assert (row.pin, row.pinned_key) == (Pin.PINNED, public_key(alice.seeds.master))
    assert [(d.device_id, d.cross_signed) for d in row.devices] == [("LAPTOP", False), ("PHONE", True)]
    assert [d.curve25519 for d in row.devices] == [
        laptop.curve25519_key.to_base64(),
        phone.curve25519_key.to_base64(),
    ]
    assert [d.device_id for d in eligible(row)] == ["PHONE"]


@pytest.mark.parametrize(
    "damage",
    [
        lambda keys: keys.update(user_id=CARL),
        lambda keys: keys.update(device_id="OTHER"),
        lambda keys: keys.update(algorithms=["another"]),
        lambda keys: keys.pop("signatures"),
        lambda keys: keys["keys"].pop("ed25519:PHONE"),
        lambda keys: keys["keys"].update({"curve25519:PHONE": Account().curve25519_key.to_base64()}),
        lambda keys: keys["keys"].update({"ed25519:PHONE": "A" * 44}),
        lambda keys: keys.update(keys=[]),
        lambda keys: keys.clear(),
    ],
)
def test_a_device_that_its_own_signature_does_not_vouch_for_is_left_out(
    homeserver: FakeHomeserver, damage: Any
) -> None:
    alice = Person(homeserver, ALICE)
    alice.add_device("PHONE")
    alice.add_device("LAPTOP")
    damage(homeserver.devices[ALICE, DeviceId("PHONE")])
    _, devices = read_keys(ALICE, content(homeserver))
    assert [(device.device_id, device.cross_signed) for device in devices] == [("LAPTOP", True)]


@pytest.mark.parametrize(
    "damage",
    [
        lambda server: server.self_signing_keys[ALICE].pop("signatures"),
        lambda server: server.self_signing_keys[ALICE].update(usage=["master"]),
        lambda server: server.self_signing_keys[ALICE]["keys"].update({"ed25519:x": "x"}),
        lambda server: server.self_signing_keys.pop(ALICE),
        lambda server: server.self_signing_keys.update({ALICE: "nonsense"}),
        lambda server: server.master_keys.pop(ALICE),
        lambda server: server.master_keys[ALICE].update(usage=["self_signing"]),
        lambda server: server.master_keys[ALICE].update(user_id=CARL),
        lambda server: server.master_keys[ALICE].update(keys={"ed25519:x": "A" * 44}),
        lambda server: server.devices[ALICE, "PHONE"]["signatures"][ALICE].popitem(),
    ],
)
def test_a_broken_chain_leaves_the_device_unsigned(homeserver: FakeHomeserver, damage: Any) -> None:
    Person(homeserver, ALICE).add_device("PHONE")
    damage(homeserver)
    _, [device] = read_keys(ALICE, content(homeserver))
    assert not device.cross_signed


@pytest.mark.parametrize(
    "body", [{}, {"device_keys": []}, {"device_keys": {ALICE: {"X": 5}}}, {"master_keys": {ALICE: []}}]
)
def test_an_answer_of_any_shape_is_read(body: dict[str, Any]) -> None:
    assert read_keys(ALICE, body) == (None, ())


async def test_a_replaced_identity_freezes_until_that_very_key_is_confirmed(
    ours: Service, homeserver: FakeHomeserver
) -> None:
    alice = Person(homeserver, ALICE)
    alice.add_device("PHONE")
    await ours.know(BOT, ALICE)
    old = public_key(alice.seeds.master)
    alice.reset()
    alice.sign_device("PHONE")
    await ours.know(BOT, ALICE)
    row = await known(ours)
    assert (row.pin, row.pinned_key, eligible(row)) == (Pin.REPLACED, old, ())
    assert row.devices[0].cross_signed
    new = public_key(alice.seeds.master)
    async with ours.database.begin() as tx:
        assert not await confirm_identity(tx, ALICE, old)
        assert not await confirm_identity(tx, CARL, new)
        assert await confirm_identity(tx, ALICE, new)
    row = await known(ours)
    assert (row.pin, row.pinned_key, len(eligible(row))) == (Pin.PINNED, new, 1)


async def test_a_vanished_identity_freezes_and_its_return_thaws(ours: Service, homeserver: FakeHomeserver) -> None:
    alice = Person(homeserver, ALICE)
    alice.add_device("PHONE")
    await ours.know(BOT, ALICE)
    del homeserver.master_keys[ALICE]
    await ours.know(BOT, ALICE)
    assert (await known(ours)).pin is Pin.REPLACED
    alice.publish_identity()
    await ours.know(BOT, ALICE)
    assert (await known(ours)).pin is Pin.PINNED


async def test_somebody_without_an_identity_is_pinned_once_there_is_one(
    ours: Service, homeserver: FakeHomeserver
) -> None:
    await ours.know(BOT, ALICE)
    assert (await known(ours)).pin is Pin.NONE
    Person(homeserver, ALICE)
    await ours.know(BOT, ALICE)
    assert (await known(ours)).pin is Pin.PINNED


async def test_the_caller_hears_of_a_replaced_identity_once(ours: Service, homeserver: FakeHomeserver) -> None:
    alice = Person(homeserver, ALICE)
    await ours.know(BOT, ALICE)
    alice.reset()
    heard = []
    for generation in (3, 4):
        async with ours.database.begin() as tx:
            await tx.mark_changed([ALICE])
            query = await ours.machine(BOT).stale_devices(tx)
        assert query is not None
        assert query.generations == {ALICE: generation}
        heard.append((await ours.send(BOT, query)).replaced)
    assert heard == [{ALICE}, frozenset()]


async def test_a_change_during_a_query_leaves_the_list_stale_and_the_older_answer_never_wins(
    ours: Service, homeserver: FakeHomeserver
) -> None:
    alice = Person(homeserver, ALICE)
    async with ours.database.begin() as tx:
        await people(tx, [ALICE])
        first = await ours.machine(BOT).stale_devices(tx)
    assert isinstance(first, KeysQuery)
    early = homeserver.handle(first.http)
    alice.add_device("PHONE")
    async with ours.database.begin() as tx:
        await tx.mark_changed([ALICE])
        second = await ours.machine(BOT).stale_devices(tx)
    assert isinstance(second, KeysQuery)
    await ours.send(BOT, second)
    async with ours.database.begin() as tx:
        await take_answer(tx, first, early, ours.now_ms)
        assert await ours.machine(BOT).stale_devices(tx) is None
    assert len((await known(ours)).devices) == 1


async def test_a_crash_during_a_query_leaves_the_list_stale(ours: Service) -> None:
    async with ours.database.begin() as tx:
        await people(tx, [ALICE])
    for _ in range(2):
        async with ours.database.begin() as tx:
            assert await ours.machine(BOT).stale_devices(tx) is not None


async def test_people_whose_homeserver_did_not_answer_stay_stale(ours: Service) -> None:
    async with ours.database.begin() as tx:
        await people(tx, [ALICE])
        query = await ours.machine(BOT).stale_devices(tx)
        assert query is not None
        await take_answer(tx, query, Answer(200, {"failures": {"example.org": {}}}), ours.now_ms)
        assert await ours.machine(BOT).stale_devices(tx) is not None


async def test_a_refused_query_changes_nothing(ours: Service) -> None:
    async with ours.database.begin() as tx:
        await people(tx, [ALICE])
        query = await ours.machine(BOT).stale_devices(tx)
        assert query is not None
        answer = Answer(500, {})
        await ours.machine(BOT).mark_request_as_sent(tx, query, answer, now_ms=ours.now_ms)
        assert await ours.machine(BOT).stale_devices(tx) is not None


async def test_old_lists_are_asked_for_again(ours: Service) -> None:
    await ours.know(BOT, ALICE)
    ours.now_ms += 1
    await ours.know(BOT, CARL)
    async with ours.database.begin() as tx:
        await old_devices_changed(tx, before_ms=ours.now_ms)
        query = await ours.machine(BOT).stale_devices(tx)
    assert query is not None
    assert ALICE in query.generations
    assert CARL not in query.generations
