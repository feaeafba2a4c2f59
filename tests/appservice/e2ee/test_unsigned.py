"""Telling people of their unsigned devices: each device once, none that was signed in time."""

from dataclasses import replace

import pytest

from appservice.codec import JsonCodec
from appservice.crypto.ids import Curve25519Key, DeviceId, Ed25519Key, UserId
from appservice.crypto.rows import Pin, StoredDevice, StoredDeviceList
from appservice.e2ee.unsigned import GRACE, UnsignedReader, look
from policies.case import DESK, Case, caucus
from policies.effects import Explain, Tell
from rooms.clock import TIME
from rooms.house import House
from rooms.queue import Item, State
from tests.fakes.memory import MemoryDatabase
from tests.policies.builders import ALICE_JOINS, AT, done, new_case

ALICE, MIA = UserId("@alice:example.org"), UserId("@mia:example.org")
CODEC = JsonCodec()
READER = UnsignedReader(CODEC, House("example.org", "_mediatrix_", None, {MIA: "Mia"}))
LAPTOP = StoredDevice(DeviceId("LAPTOP"), Curve25519Key("c1"), Ed25519Key("e1"), cross_signed=False)
PHONE = StoredDevice(DeviceId("PHONE"), Curve25519Key("c2"), Ed25519Key("e2"), cross_signed=True)


@pytest.fixture
def case() -> Case:
    return done(new_case(), ALICE_JOINS).case


@pytest.fixture
async def database(case: Case) -> MemoryDatabase:
    database = MemoryDatabase()
    async with database.begin() as work:
        await work.cases.save(case)
    return database


async def has(database: MemoryDatabase, user: UserId, *devices: StoredDevice) -> None:
    """That person's device list came in, and shows these."""
    async with database.begin() as work:
        master = Ed25519Key("m")
        await work.crypto.put_device_list(StoredDeviceList(user, 1, 1, Pin.PINNED, master, master, devices, 0))
        await look(work, [user], AT)


async def due(database: MemoryDatabase) -> tuple[Item, ...]:
    """What there is to be told when the time has come."""
    async with database.begin() as work:
        assert await work.inbox.ripen(AT) == 0
        assert await work.inbox.claim("early", AT, GRACE) == ()
        await work.inbox.ripen(AT + GRACE)
        return await work.inbox.claim("worker", AT + GRACE, GRACE, 9)


async def told(database: MemoryDatabase, items: tuple[Item, ...]) -> list[Explain | Tell]:
    """What follows from these items."""
    async with database.begin() as work:
        for item in items:
            await READER.read(work, item)
        effects = [CODEC.load(item.body) for item in await work.outbox.in_state([State.READY])]
    assert all(isinstance(effect, Explain | Tell) for effect in effects)
    return [effect for effect in effects if isinstance(effect, Explain | Tell)]


async def test_a_partys_unsigned_device_is_explained_in_her_caucus_and_named_at_the_desk(
    database: MemoryDatabase, case: Case
) -> None:
    await has(database, ALICE, LAPTOP, PHONE)
    explained, noticed = await told(database, await due(database))
    assert isinstance(explained, Explain)
    assert explained.to_unsigned_devices
    [side] = case.sides
    assert explained.conversation == caucus(side.id)
    assert "LAPTOP" in explained.text
    assert "PHONE" not in explained.text
    assert noticed.conversation == DESK


async def test_a_mediators_unsigned_device_is_explained_at_the_desk(database: MemoryDatabase) -> None:
    await has(database, MIA, LAPTOP)
    assert {effect.conversation for effect in await told(database, await due(database))} == {DESK}


async def test_a_device_is_told_of_once_however_often_its_list_comes_in(database: MemoryDatabase) -> None:
    await has(database, ALICE, LAPTOP)
    await has(database, ALICE, LAPTOP, PHONE)
    items = await due(database)
    assert len(items) == 1
    await told(database, items)
    await has(database, ALICE, LAPTOP)
    async with database.begin() as work:
        # Only time is left: when the record's heads are due.
        assert {item.kind for item in await work.inbox.in_state([State.READY, State.PARKED])} <= {TIME}


async def test_another_device_under_the_same_name_is_another_device(database: MemoryDatabase) -> None:
    await has(database, ALICE, LAPTOP)
    await has(database, ALICE, replace(LAPTOP, ed25519=Ed25519Key("e3")))
    assert len(await due(database)) == 2


@pytest.mark.parametrize("now", [(replace(LAPTOP, cross_signed=True),), (PHONE,), ()])
async def test_nothing_is_said_of_a_device_that_was_signed_or_went_in_time(
    database: MemoryDatabase, now: tuple[StoredDevice, ...]
) -> None:
    await has(database, ALICE, LAPTOP)
    await has(database, ALICE, *now)
    assert not [effect for effect in await told(database, await due(database)) if "LAPTOP" in effect.text]


async def test_nobody_is_told_who_has_left_the_case_meanwhile(database: MemoryDatabase, case: Case) -> None:
    await has(database, ALICE, LAPTOP)
    async with database.begin() as work:
        await work.cases.save(replace(case, people=case.people[:1], participations=case.participations[:1]))
    assert await told(database, await due(database)) == []


async def test_the_devices_of_strangers_are_nobodys_business(database: MemoryDatabase) -> None:
    await has(database, UserId("@stranger:example.org"), LAPTOP)
    assert await due(database) == ()


async def test_the_desk_learns_once_that_somebody_has_no_device_at_all(database: MemoryDatabase) -> None:
    await has(database, ALICE)
    [noticed] = await told(database, await due(database))
    assert noticed.conversation == DESK
    assert "Alice (@alice:example.org) has no device" in noticed.text
    await has(database, ALICE)
    assert await due(database) == ()


async def test_whoever_logs_in_in_time_is_not_reported(database: MemoryDatabase) -> None:
    await has(database, ALICE)
    await has(database, ALICE, PHONE)
    assert await told(database, await due(database)) == []
