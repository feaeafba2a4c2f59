"""Reads what became of a file, and has it decided."""

from __future__ import annotations

from datetime import UTC, datetime

from appservice.documents.intake import FILING
from appservice.ports import ServiceWork
from appservice.worker import Fate, Finished
from policies.case import CaseId
from policies.filing import Filing, Passed
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
            filing = FILING.load(item.body)
            await handler.filed(item.case, filing)
            await _forget_unused(work, item.case, filing)
        await work.inbox.done(item.id, "handled")
        return Finished()


async def _forget_unused(work: ServiceWork, case_id: CaseId, filing: Filing) -> None:
    """What was kept of a file that made no document, since there is one of it: without its key nobody reads it."""
    case = await work.cases.load(case_id)
    used = {kept.blob for d in case.documents for v in d.versions for kept in (v.served, v.original)} if case else set()
    if isinstance(filing.result, Passed):
        await work.vault.forget({filing.result.served.blob, filing.result.original.blob} - used)
