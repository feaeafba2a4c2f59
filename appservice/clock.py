"""Reads what time itself brings: what a case or a verification scheduled is due."""

from __future__ import annotations

from datetime import UTC, datetime

from appservice.e2ee.trust import Verifications
from appservice.ports import ServiceWork
from appservice.worker import Fate, Finished
from rooms.clock import scheduled
from rooms.handle import Handler
from rooms.house import House
from rooms.outgoing import Codec
from rooms.queue import Item


class TimeReader:
    """Reads items of time, and has them handled."""

    def __init__(self, codec: Codec, house: House, verifications: Verifications) -> None:
        self._codec, self._house, self._verifications = codec, house, verifications

    async def read(self, work: ServiceWork, item: Item) -> Fate:
        """One of them, in this unit of work. A clock that goes behind the one it was scheduled by is set right."""
        due = scheduled(item)
        if item.case is None:
            await self._verifications.time_is_up(work, item, due.key)
        else:
            at = max(due.at, datetime.now(UTC))
            await Handler(work, self._codec, self._house, item.id, at).due(item.case, due.key)
        await work.inbox.done(item.id, "handled")
        return Finished()
