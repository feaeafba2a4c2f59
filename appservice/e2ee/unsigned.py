"""Devices that their owners have not cross-signed, and people without any: nothing of a case is encrypted for them, and
they, or the desk, are told how to put that right, once a device and case.

    a device list came in, or somebody came into a room → one inbox item for each unsigned device, set aside for a while
    its time comes … if the device is still there and still unsigned → the decision, like any other
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta

from appservice.crypto.ids import UserId
from appservice.crypto.machine import people
from appservice.ports import ServiceWork
from appservice.worker import Fate, Finished
from policies.alarms import decide_no_device, decide_unsigned_device
from policies.case import CaseId, Network
from rooms.handle import Handler
from rooms.house import House
from rooms.lanes import case_lane
from rooms.outgoing import Codec
from rooms.queue import Item, State, item_id

UNSIGNED_DEVICE = "device.unsigned"
"""The kind of these inbox items."""

NO_DEVICE = "device.none"
"""The same for somebody without any device."""

GRACE = timedelta(seconds=10)
"""A new device is signed a moment after it appears, where all is well: whoever is about to do it isn't told to."""


async def look(work: ServiceWork, users: Collection[UserId], at: datetime) -> None:
    """Store an item for each unsigned device of these people, in each of their cases; what is known changes nothing.

    Looks at what is stored of their devices, and asks nobody.
    """
    for row in await work.crypto.device_lists(sorted(users)):
        unsigned = [device for device in row.devices if not device.cross_signed]
        nothing = bool(row.fetched) and not row.devices
        for case in await work.cases.of_matrix_user(row.user_id) if unsigned or nothing else ():
            for device in unsigned:
                body = {"user_id": row.user_id, "device_id": device.device_id}
                await work.inbox.put(_item(UNSIGNED_DEVICE, case, body, at, device.ed25519))
            if nothing:
                await work.inbox.put(_item(NO_DEVICE, case, {"user_id": row.user_id}, at))


def _item(kind: str, case: CaseId, body: Mapping[str, str], at: datetime, *more: str) -> Item:
    return Item(
        id=item_id("\0".join((kind, case, *body.values(), *more))),
        lane=case_lane(case),
        kind=kind,
        case=case,
        body=json.dumps(body).encode(),
        received_at=at,
        state=State.PARKED,
        due_at=at + GRACE,
    )


class UnsignedReader:
    """Reads the items that `look` stored."""

    def __init__(self, codec: Codec, house: House) -> None:
        self._codec, self._house = codec, house

    async def read(self, work: ServiceWork, item: Item) -> Fate:
        """Have it handled if things are as they were, all in this unit of work."""
        stored = json.loads(item.body)
        case = await work.cases.load(item.case, lock=True) if item.case else None
        person = case.at_address(Network.MATRIX, stored["user_id"]) if case else None
        (row,) = await people(work.crypto, [UserId(stored["user_id"])])
        unsigned = [device.device_id for device in row.devices if not device.cross_signed]
        handler, result = Handler(work, self._codec, self._house, item.id, datetime.now(UTC)), "handled"
        if case and person and item.kind == NO_DEVICE and not row.devices:
            await handler.follow(case, decide_no_device(case, person))
        elif case and person and item.kind == UNSIGNED_DEVICE and stored["device_id"] in unsigned:
            await handler.follow(case, decide_unsigned_device(case, person, stored["device_id"]))
        else:
            result = "signed or gone meanwhile"
        await work.inbox.done(item.id, result)
        return Finished()
