"""Reads what became of a file, and has it decided."""

from __future__ import annotations

from datetime import UTC, datetime

from appservice.documents.intake import FILING
from appservice.ports import ServiceWork
from appservice.worker import Fate, Finished
from rooms.apply import Codec
from rooms.handle import Handler
from rooms.house import House
from rooms.ports import Item


class FilingReader:
    """Reads those items of the inbox."""

    def __init__(self, codec: Codec, house: House) -> None:
        self._codec, self._house = codec, house

    async def read(self, work: ServiceWork, item: Item) -> Fate:
        """One of them, in this unit of work."""
        if item.case is not None:
            handler = Handler(work, self._codec, self._house, item.id, datetime.now(UTC))
            await handler.filed(item.case, FILING.load(item.body))
        await work.inbox.done(item.id, "handled")
        return Finished()
