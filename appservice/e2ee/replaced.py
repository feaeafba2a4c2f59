"""Encryption identities that were replaced: the desks of that person's cases are alarmed.

The item is stored with the list that showed it, so an alarm isn't lost, whatever dies in between.

    a device list came in that shows another identity → one inbox item a case → the decision, like any other
    … or shows the known one again → what waited for it goes on
"""

from __future__ import annotations

import json
from collections.abc import Collection
from datetime import UTC, datetime

from appservice.crypto.ids import UserId
from appservice.crypto.rows import Pin
from appservice.ports import ServiceWork
from appservice.worker import Fate, Finished
from policies.alarms import decide_replaced
from policies.case import Network
from rooms.handle import Handler
from rooms.house import House
from rooms.lanes import case_lane, identity_wait_key
from rooms.outgoing import Codec
from rooms.queue import Item, item_id

REPLACED_IDENTITY = "identity.replaced"
"""The kind of these inbox items."""


async def look(work: ServiceWork, users: Collection[UserId], replaced: Collection[UserId], at: datetime) -> None:
    """The lists of `users` came in, and some were just found to be `replaced`."""
    for row in await work.crypto.device_lists(sorted(users)):
        if row.pin is Pin.PINNED:
            for queue in (work.inbox, work.outbox):
                await queue.wake(identity_wait_key(row.user_id))
        for case in await work.cases.of_matrix_user(row.user_id) if row.user_id in replaced else ():
            identity = "\0".join((REPLACED_IDENTITY, case, row.user_id, str(row.fetched)))
            name = item_id(identity)
            body = json.dumps({"user_id": row.user_id}).encode()
            await work.inbox.put(Item(name, case_lane(case), REPLACED_IDENTITY, case, body, at))


class ReplacedReader:
    """Reads the items that `look` stored."""

    def __init__(self, codec: Codec, house: House) -> None:
        self._codec, self._house = codec, house

    async def read(self, work: ServiceWork, item: Item) -> Fate:
        """Alarm the case's desk, unless all is well again, all in this unit of work."""
        user = UserId(json.loads(item.body)["user_id"])
        case = await work.cases.load(item.case, lock=True) if item.case else None
        person = case.at_address(Network.MATRIX, user) if case else None
        known = (await work.identities.known([user])).get(user)
        if case and person and known and known.replaced:
            handler = Handler(work, self._codec, self._house, item.id, datetime.now(UTC))
            await handler.follow(case, decide_replaced(case, person))
        await work.inbox.done(item.id, "handled")
        return Finished()
