"""The rounds after a start: what changed in any case's rooms while we were away is looked at, and repaired (R6); and
each desk learns whom the configuration has come in when no mediator is left, before they do (A4).

Nobody waits for them: a room is looked at before anything is sent there, too. So they go gently, some cases at a time,
for the homeserver has others to serve; and they pass over cases that are over.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from datetime import UTC, datetime

from appservice.ports import ServiceDatabase
from appservice.storage.errors import DatabaseUnavailable
from policies.case import CaseId, Phase
from policies.schedule import Due, Schedule, due_key
from rooms.clock import alarm
from rooms.handle import Handler
from rooms.house import House
from rooms.lanes import case_lane
from rooms.manning import man_mediators_room, man_triage
from rooms.outgoing import Codec
from rooms.ports import Work
from rooms.queue import ItemId, item_id

logger = logging.getLogger(__name__)

AT_ONCE = 20
"""Cases that are read in one unit of work."""
LOOKED_AT_ONCE = 2
"""Of these so many at most are looked at: each has some seven rooms, which the homeserver shows us one by one."""
REST = 0.4
"""Seconds for each of them that is looked at, four times what the homeserver takes to show us its rooms."""
REST_FROM_READING = 0.1
"""Seconds after so many that are over, for to find that takes the database from those who use it."""
_AGAIN = 1.0


class Rounds:
    """Has the rooms of every case looked at that goes on."""

    def __init__(self, database: ServiceDatabase, codec: Codec, house: House) -> None:
        self._database, self._codec, self._house = database, codec, house

    async def go(self) -> None:
        """Once through all cases, however often the database fails on the way."""
        left: Sequence[CaseId] | None = None
        while left is None or left:
            try:
                async with self._database.begin() as work:
                    if left is None:
                        await self._man(work)
                        left = await work.cases.all_ids()
                    read, looked_at = await self._some(work, left[:AT_ONCE])
            except DatabaseUnavailable as error:
                logger.warning("will try again: %s", error)
                await asyncio.sleep(_AGAIN)
                continue
            left = left[read:]
            await asyncio.sleep((REST * looked_at or REST_FROM_READING) if left else 0)

    async def _some(self, work: Work, cases: Sequence[CaseId]) -> tuple[int, int]:
        """How many of these were read, in this order, and how many of those have their rooms looked at."""
        looked_at = 0
        for read, case in enumerate(cases, 1):
            looked_at += await self._look_at(work, case)
            if looked_at == LOOKED_AT_ONCE:
                return read, looked_at
        return len(cases), looked_at

    async def _man(self, work: Work) -> None:
        """The triage desk and the mediators' room are as configured, if there are to be any."""
        now = datetime.now(UTC)
        if self._house.triage:
            await man_triage(work, self._codec, self._house, item_id(f"triage/{now.isoformat()}"), now)
        if self._house.mediators_room:
            await man_mediators_room(work, self._codec, self._house, item_id(f"mediators/{now.isoformat()}"), now)

    async def _look_at(self, work: Work, case_id: CaseId) -> bool:
        """Have its rooms looked at; False for a case that is over."""
        try:
            case = await work.cases.load(case_id)
        except DatabaseUnavailable:
            raise
        except Exception:
            logger.exception("a case can't be read, so its rooms are not looked at")
            return False
        if case and case.phase is Phase.CLOSED and case.closing is None:
            # Closed before closed cases had times.
            due, now = ItemId(f"closing/{case_id}"), datetime.now(UTC)
            await work.inbox.put(alarm(due, case_lane(case_id), case_id, Schedule(now, due_key(Due.CLOSING)), now))
        if case is None or case.phase is Phase.CLOSED:
            return False
        item = item_id(f"start/{case_id}/{time.time()}")
        await Handler(work, self._codec, self._house, item, datetime.now(UTC)).started(case_id)
        return True
