"""Reports that people made in their clients: fetched from the homeserver, and shown at the desk (M10)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final, Protocol

from appservice.matrix.reports import AT_ONCE, EventReport
from appservice.ports import ServiceDatabase, ServiceWork
from appservice.reading import conversation_of
from appservice.storage.documents import Document
from appservice.worker import Fate, Finished
from policies.case import CaseId, Network
from policies.moderation.reported import decide_reported
from rooms.handle import Handler
from rooms.house import House
from rooms.ids import EventId, RoomId
from rooms.lanes import case_lane
from rooms.outgoing import Codec
from rooms.queue import Item, ItemId, item_id

KIND: Final = "matrix.report"
PAGES: Final = 20
"""So many are looked through at most in one round; what lies behind them stays unread."""
_REPORT: Final[Document[EventReport]] = Document(EventReport)


class Pages(Protocol):
    """The homeserver's list, as `appservice.matrix.reports.EventReports` reads it."""

    async def page(self, start: int = 0) -> tuple[EventReport, ...]: ...


class ReportsIn:
    """Fetches them."""

    def __init__(self, database: ServiceDatabase, source: Pages) -> None:
        self._database, self._source = database, source
        self._seen = 0
        """The number of the latest that this process has looked at; most are about rooms of others, and not stored."""

    async def fetch(self) -> None:
        """Store what is new about rooms of ours, under its number at the homeserver. Raises MatrixError."""
        found: list[EventReport] = []
        for start in range(0, PAGES * AT_ONCE, AT_ONCE):
            page = await self._source.page(start)
            found += page
            if await self._knows_of(page) or len(page) < AT_ONCE or page[-1].number <= self._seen:
                break
        # All at once, or the next round would meet the newest ones, and look no further.
        async with self._database.begin() as work:
            for report in reversed(found):
                record = await work.rooms.by_room_id(RoomId(report.room))
                if record is not None and record.case is not None:
                    await work.inbox.put(_item(report, record.case))
        self._seen = max([self._seen, *(report.number for report in found)])

    async def _knows_of(self, page: tuple[EventReport, ...]) -> bool:
        async with self._database.read() as work:
            return any([await work.inbox.get(_named(report)) for report in page])


def _named(report: EventReport) -> ItemId:
    return item_id(f"{KIND}/{report.number}")


def _item(report: EventReport, case: CaseId) -> Item:
    return Item(_named(report), case_lane(case), KIND, case, _REPORT.dump(report), datetime.now(UTC))


class EventReportReader:
    """Reads those items of the inbox."""

    def __init__(self, codec: Codec, house: House) -> None:
        self._codec, self._house = codec, house

    async def read(self, work: ServiceWork, item: Item) -> Fate:
        """One of them, in this unit of work."""
        report = _REPORT.load(item.body)
        record = await work.rooms.by_room_id(RoomId(report.room))
        case = await work.cases.load(item.case, lock=True) if item.case else None
        where = conversation_of(case, record) if case and record else None
        if case and where:
            entry = await work.journal.by_event(case.id, EventId(report.event))
            author = case.person(entry.message.author) if entry else None
            by = case.at_address(Network.MATRIX, report.reporter)
            handler = Handler(work, self._codec, self._house, item.id, datetime.now(UTC))
            await handler.follow(case, decide_reported(case, where, by, author, report.reason))
        await work.inbox.done(item.id, "report")
        return Finished()
