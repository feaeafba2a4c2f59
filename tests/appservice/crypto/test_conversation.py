"""Two services with a machine each talk through a homeserver."""

from collections.abc import Sequence

import pytest

from appservice.crypto.devices import DeviceTrust
from appservice.crypto.ids import RoomId, UserId
from appservice.crypto.inbound import Unread
from appservice.crypto.to_device import RoomKeyArrived, ToDeviceResult
from tests.appservice.crypto.homeserver import FakeHomeserver
from tests.appservice.crypto.service import Service

BOT = UserId("@bot:example.org")
GHOST = UserId("@ghost:example.org")
ALICE = UserId("@alice:example.org")
ROOM = RoomId("!room")


@pytest.fixture
def homeserver() -> FakeHomeserver:
    return FakeHomeserver()


@pytest.fixture
async def ours(homeserver: FakeHomeserver) -> Service:
    """Our service, with a bot."""
    service = Service(homeserver)
    await service.create(BOT)
    return service


@pytest.fixture
async def alice(homeserver: FakeHomeserver) -> Service:
    """Alice's client: another machine with its own database."""
    service = Service(homeserver)
    await service.create(ALICE)
    return service


def keys_in(results: Sequence[ToDeviceResult]) -> int:
    return sum(isinstance(result, RoomKeyArrived) for result in results)


async def test_each_reads_what_the_other_writes_from_a_cross_signed_device(ours: Service, alice: Service) -> None:
    hello = await ours.write(BOT, ROOM, [BOT, ALICE], "hello")
    assert keys_in(await alice.receive(ALICE)) == 1
    await alice.know(ALICE, BOT)
    read = await alice.read_one(hello)
    assert (read.type, read.content["body"]) == ("m.room.message", "hello")
    assert read.trust is DeviceTrust.CROSS_SIGNED

    answer = await alice.write(ALICE, ROOM, [BOT, ALICE], "hello yourself")
    assert (await ours.unread_one(answer)).reason is Unread.NO_SESSION
    assert keys_in(await ours.receive(BOT)) == 1
    read = await ours.read_one(answer)
    assert (read.sender, read.content["body"]) == (ALICE, "hello yourself")
    assert read.trust is DeviceTrust.CROSS_SIGNED
    assert (await ours.read_one(hello)).content["body"] == "hello"
