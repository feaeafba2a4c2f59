"""Two services with a machine each talk through a homeserver."""

from collections.abc import Sequence

from appservice.crypto.devices import DeviceTrust
from appservice.crypto.inbound import Unread
from appservice.crypto.to_device import RoomKeyArrived, ToDeviceResult
from tests.appservice.crypto.people import ALICE, BOT, ROOM
from tests.appservice.crypto.service import Service


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
