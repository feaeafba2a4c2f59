"""Looks for keys that have not come, as the ladder of `appservice.e2ee.patience` says."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

from appservice.e2ee.encryption import Encryption
from appservice.e2ee.patience import ASK, SWEEP, TELL
from appservice.e2ee.sweeping import Sweeper
from rooms.ids import RoomId, UserId
from rooms.queue import Item

COVERS: Final = timedelta(seconds=1)
"""So long a sweep counts for others: who wants one has waited for longer already, so that it would find nothing more. A
flood of what can't be read makes no flood of sweeps."""


def now() -> datetime:
    """The time."""
    return datetime.now(UTC)


class Seeker:
    """Looks for keys."""

    def __init__(
        self, encryption: Encryption, sweeper: Sweeper, bot: UserId, *, clock: Callable[[], datetime] = now
    ) -> None:
        """`bot`: whose device sweeps and asks."""
        self._encryption, self._sweeper, self._bot, self._clock = encryption, sweeper, bot, clock
        self._swept: datetime | None = None
        """When the last sweep was begun that did not fail."""

    async def seek(self, item: Item) -> None:
        """Do what the event's rung asks for, and the one below it once more: whoever climbed that may have been killed
        before anything was done. Outside of any unit of work."""
        if item.attempts in {SWEEP, ASK}:
            await self._sweep()
        if item.attempts in {ASK, TELL}:
            event = json.loads(item.body)
            session = event["content"].get("session_id") if isinstance(event["content"], dict) else None
            if isinstance(session, str):
                await self._encryption.ask_for_key(RoomId(event["room_id"]), session, UserId(event["sender"]))

    async def _sweep(self) -> None:
        at = self._clock()
        if self._swept and timedelta(0) <= at - self._swept < COVERS:  # earlier than that, the clock was set back
            return
        # Somebody's words wait for it, and what is read after them.
        await self._sweeper.sweep_user(self._bot, hurries=True)
        self._swept = at
