"""Time as an item of the inbox: put there when something is scheduled, handled in its order when it is due."""

from __future__ import annotations

import json
from datetime import datetime

from policies.case import CaseId
from policies.schedule import Schedule
from rooms.queue import Item, ItemId, Lane, State, item_id

TIME = "time"
"""The kind of such an item."""


def alarm(cause: ItemId, lane: Lane, case: CaseId | None, schedule: Schedule, now: datetime) -> Item:
    """The item that rests until then; `cause` is the item that was handled when it was scheduled."""
    at, key = schedule.at.isoformat(), schedule.key
    return Item(
        id=item_id("\0".join((TIME, cause, key, at))),
        lane=lane,
        kind=TIME,
        case=case,
        body=json.dumps({"at": at, "key": key}).encode(),
        received_at=now,
        state=State.PARKED,
        due_at=schedule.at,
    )


def scheduled(item: Item) -> Schedule:
    """What was scheduled. Raises ValueError or KeyError for what is no such item."""
    stored = json.loads(item.body)
    return Schedule(datetime.fromisoformat(stored["at"]), stored["key"])
