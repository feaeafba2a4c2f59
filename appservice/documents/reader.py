"""Reads what became of a file, and has it decided."""

from __future__ import annotations

from datetime import UTC, datetime

from appservice.documents.intake import FILING, REDACTED, REDACTION
from appservice.ports import ServiceWork
from appservice.worker import Fate, Finished
from policies.case import CaseId
from policies.documents.document import Kept
from policies.documents.filing import Passed, Refused, Waits
from rooms.handle import Handler
from rooms.house import House
from rooms.outgoing import Codec
from rooms.queue import Item


class FilingReader:
    """Reads those items of the inbox."""

    def __init__(self, codec: Codec, house: House) -> None:
        self._codec, self._house = codec, house

    async def read(self, work: ServiceWork, item: Item) -> Fate:
        """One of them, in this unit of work."""
        if item.case is not None:
            handler = Handler(work, self._codec, self._house, item.id, datetime.now(UTC))
            result = await self._handled(handler, item.case, item)
            await _forget_unused(work, item.case, result)
        await work.inbox.done(item.id, "handled")
        return Finished()

    async def _handled(self, handler: Handler, case: CaseId, item: Item) -> Passed | Refused | Waits:
        if item.kind == REDACTED:
            made = REDACTION.load(item.body)
            await handler.redacted(case, made)
            return made.result
        filing = FILING.load(item.body)
        await handler.filed(case, filing)
        return filing.result


async def _forget_unused(work: ServiceWork, case_id: CaseId, result: Passed | Refused | Waits) -> None:
    """What was kept of a file that made no document, since there is one of it: without its key nobody reads it."""
    case = await work.cases.load(case_id)
    used = {kept.blob for d in case.documents for v in d.versions for kept in (v.served, v.original)} if case else set()
    match result:
        case Passed(served=served, original=original):
            await work.vault.forget({served.blob, original.blob} - used)
        case Refused(kept=Kept() as locked):
            await work.vault.forget({locked.blob} - used)
        case _:
            pass
