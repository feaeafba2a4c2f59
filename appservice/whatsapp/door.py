"""How much those may write who take part in no case: what is more is counted and not kept, so that nobody fills a disk.

Their items have a lane of their own, so they keep nobody waiting either. Counted in this process, from when it began:
what several processes let in together is as many times as much.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Final

from appservice.ports import ServiceWork
from appservice.worker import Fate, Finished
from bridges.email.rate import RateCap
from policies.case import DESK
from policies.effects import Decision, Tell
from policies.people.stranger import TRIAGE
from rooms.apply import Applier
from rooms.house import House
from rooms.outgoing import Codec
from rooms.queue import Item, Lane, State, item_id

logger = logging.getLogger(__name__)

ONE_MOST: Final = 20
ALL_MOST: Final = 200
"""Messages an hour, of one account or number, and of all strangers together."""
BYTES_MOST: Final = 32 * 1024
"""Of one message as it came; one of 4,096 characters has less."""
DROPPED: Final = "whatsapp.dropped"
"""The kind of the item that says so, once an hour; and the name under which they are counted."""
LANE: Final = Lane("whatsapp:strangers")
_ALL: Final = ""
_HOUR: Final = timedelta(hours=1)


class StrangersDoor:
    """Lets in so many an hour."""

    def __init__(self, now: Callable[[], float]) -> None:
        """`now` is a clock that never goes back, in seconds."""
        self._each, self._all = RateCap(now, limit=ONE_MOST), RateCap(now, limit=ALL_MOST)

    async def let_in(self, work: ServiceWork, item: Item, name: str, counted: list[str]) -> Item:
        """What is to be stored of what somebody of that name wrote: itself or, where that is too much, the notice that
        something was dropped, which is the same for all of an hour. What is stored already counts once. `counted` are
        those who were counted in this unit of work."""
        if await work.inbox.get(item.id):
            return item
        if len(item.body) > BYTES_MOST or self._each.is_full(name) or self._all.is_full(_ALL):
            await work.tallies.add(DROPPED)
            return _notice(item.received_at)
        self._each.count(name)
        self._all.count(_ALL)
        counted.append(name)
        return item

    def not_stored(self, counted: Iterable[str]) -> None:
        """That unit of work failed: what they wrote comes again, and counts then."""
        for name in counted:
            self._each.uncount(name)
            self._all.uncount(_ALL)


class DroppedReader:
    """Says at the triage desk how much was not kept."""

    def __init__(self, codec: Codec, house: House) -> None:
        self._codec, self._house = codec, house

    async def read(self, work: ServiceWork, item: Item) -> Fate:
        """Once an hour, if there was any; in the log where there is no such desk."""
        dropped = await work.tallies.take(DROPPED)
        case = await work.cases.load(TRIAGE, lock=True) if self._house.triage else None
        if case and dropped:
            text = (
                f"{dropped} messages of strangers on WhatsApp were not kept: within an hour at most {ONE_MOST} of one"
                f" number are, and {ALL_MOST} of all together, and none that is too long."
            )
            decision = Decision(case, (Tell(DESK, text),), "strangers-dropped", "too much was written")
            await Applier(work, self._codec, item.id, item.received_at).apply(case, decision)
        elif dropped:
            logger.warning("%d messages of strangers on WhatsApp were not kept: there were too many", dropped)
        await work.inbox.done(item.id, f"{dropped} dropped")
        return Finished()


def _notice(at: datetime) -> Item:
    """The item that says so when the hour is over; the same for all of that hour."""
    hour = at.replace(minute=0, second=0, microsecond=0)
    body = json.dumps({"hour": hour.isoformat()}).encode()
    name = item_id(f"{DROPPED}/{hour.isoformat()}")
    return Item(name, LANE, DROPPED, None, body, at, state=State.PARKED, due_at=hour + _HOUR)
