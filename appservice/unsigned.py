"""Devices that their owners have not cross-signed: nothing of a case is encrypted for them, and their owners are told
how to put that right, once a device and case.

    a device list came in, or somebody came into a room → one inbox item for each unsigned device, set aside for a while
    its time comes … if the device is still there and still unsigned → the decision, like any other
"""

from __future__ import annotations

import json
from collections.abc import Collection
from datetime import UTC, datetime, timedelta

from appservice.crypto.ids import UserId
from appservice.crypto.machine import people
from appservice.ports import ServiceWork
from appservice.worker import Fate, Finished
from policies.case import Network
from rooms.apply import Codec
from rooms.handle import Handler, House
from rooms.ports import Item, State, case_lane, item_id

UNSIGNED_DEVICE = "device.unsigned"
"""The kind of these inbox items."""

GRACE = timedelta(seconds=10)
"""A new device is signed a moment after it appears, where all is well: whoever is about to do it isn't told to."""


async def look(work: ServiceWork, users: Collection[UserId], at: datetime) -> None:
    """Store an item for each unsigned device of these people, in each of their cases; what is known changes nothing.

    Looks at what is stored of their devices, and asks nobody.
    """
    for row in await work.crypto.device_lists(sorted(users)):
        unsigned = [device for device in row.devices if not device.cross_signed]
        for case in await work.cases.of_matrix_user(row.user_id) if unsigned else ():
            for device in unsigned:
                identity = "\0".join((UNSIGNED_DEVICE, case, row.user_id, device.device_id, device.ed25519))
                item = Item(
                    id=item_id(identity),
                    lane=case_lane(case),
                    kind=UNSIGNED_DEVICE,
                    case=case,
                    body=json.dumps({"user_id": row.user_id, "device_id": device.device_id}).encode(),
                    received_at=at,
                    state=State.PARKED,
                    due_at=at + GRACE,
                )
                await work.inbox.put(item)


class UnsignedReader:
    """Reads the items that `look` stored."""

    def __init__(self, codec: Codec, house: House) -> None:
        self._codec, self._house = codec, house

    async def read(self, work: ServiceWork, item: Item) -> Fate:
        """Have it handled if the device is as it was, all in this unit of work."""
        stored = json.loads(item.body)
        case = await work.cases.load(item.case, lock=True) if item.case else None
        person = case.at_address(Network.MATRIX, stored["user_id"]) if case else None
        unsigned = [
            device.device_id
            for row in await people(work.crypto, [UserId(stored["user_id"])])
            for device in row.devices
            if not device.cross_signed
        ]
        if case is None or person is None or stored["device_id"] not in unsigned:
            await work.inbox.done(item.id, "signed or gone meanwhile")
            return Finished()
        handler = Handler(work, self._codec, self._house, item.id, datetime.now(UTC))
        await handler.unsigned_device(case, person, stored["device_id"])
        await work.inbox.done(item.id, "handled")
        return Finished()
