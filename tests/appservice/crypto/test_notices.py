"""A notice reaches a device that gets no keys, and its session carries nothing else."""

from appservice.crypto.devices import DeviceTrust
from appservice.crypto.outbound import Encrypted, Frozen
from tests.appservice.crypto.homeserver import FakeHomeserver
from tests.appservice.crypto.people import ALICE, BOT, ROOM, Person
from tests.appservice.crypto.service import Service


def unsign(homeserver: FakeHomeserver) -> None:
    """Take its owner's signature off Alice's device."""
    name = next(device for device in homeserver.devices if device[0] == ALICE)
    signatures = homeserver.devices[name]["signatures"][ALICE]
    for key_id in [key_id for key_id in signatures if key_id != f"ed25519:{name[1]}"]:
        del signatures[key_id]


async def test_an_unsigned_device_reads_the_notice_and_nothing_else_of_the_room(
    ours: Service, alice: Service, homeserver: FakeHomeserver
) -> None:
    unsign(homeserver)
    secret = await ours.write(BOT, ROOM, [BOT, ALICE], "secret")
    notice = await ours.notice(BOT, ROOM, [ALICE], ALICE, "verify this device")
    for request in notice.requests:
        await ours.send(BOT, request)
    later = await ours.write(BOT, ROOM, [BOT, ALICE], "another secret")
    await alice.receive(ALICE)
    await alice.know(ALICE, BOT)
    read = await alice.read_one(ours.event(BOT, ROOM, notice.content))
    assert (read.content["body"], read.trust) == ("verify this device", DeviceTrust.CROSS_SIGNED)
    await alice.unread_one(secret)
    await alice.unread_one(later)


async def test_every_notice_has_a_session_of_its_own_that_is_stored_nowhere(
    ours: Service, homeserver: FakeHomeserver
) -> None:
    Person(homeserver, ALICE).add_device("PHONE", signed=False)
    room = await ours.try_encrypt(BOT, ours.audience(ROOM, [BOT]), "x")
    assert not isinstance(room, Encrypted)
    sessions = set()
    for _ in range(3):
        notice = await ours.notice(BOT, ROOM, [ALICE], ALICE, "x")
        sessions.add(notice.content["session_id"])
    assert len(sessions) == 3
    assert ours.database.committed.outbound == {}
    assert ours.database.committed.inbound == {}


async def test_a_device_that_cannot_be_reached_is_left_out(ours: Service, homeserver: FakeHomeserver) -> None:
    Person(homeserver, ALICE).add_device("PHONE", signed=False, one_time_keys=0)
    notice = await ours.notice(BOT, ROOM, [ALICE], ALICE, "x")
    assert notice.requests == ()


async def test_a_replaced_identity_gets_no_notice(ours: Service, homeserver: FakeHomeserver) -> None:
    alice = Person(homeserver, ALICE)
    alice.add_device("PHONE", signed=False)
    await ours.know(BOT, ALICE)
    alice.reset()
    await ours.know(BOT, ALICE)
    async with ours.database.begin() as tx:
        step = await ours.machine(BOT).encrypt_notice(
            tx, ours.audience(ROOM, [ALICE]), ALICE, "m.room.message", {}, now_ms=ours.now_ms
        )
    assert step == Frozen(frozenset({ALICE}))


async def test_a_notice_leaves_again_after_a_crash_under_the_same_id(ours: Service, homeserver: FakeHomeserver) -> None:
    Person(homeserver, ALICE).add_device("PHONE", signed=False)
    notice = await ours.notice(BOT, ROOM, [ALICE], ALICE, "x")
    ids = {request.request_id for request in notice.requests}
    async with ours.database.begin() as tx:
        assert await ours.machine(BOT).unacknowledged(tx, ids) == ids
    ours.now_ms += 30_000
    assert await ours.outgoing(BOT) == notice.requests
    ours.now_ms += 30_000
    await ours.send_outgoing(BOT)
    async with ours.database.begin() as tx:
        assert await ours.machine(BOT).unacknowledged(tx, ids) == frozenset()
