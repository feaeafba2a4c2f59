"""What the desk is told of the work on rooms and letters: put into the outbox in the unit of work that makes it so."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from rooms.handle import Handler
from rooms.house import House
from rooms.outgoing import MATRIX, Codec
from rooms.ports import Database, RoomRecord, Standing, Work
from rooms.provision import Report, Telling
from rooms.queue import Item, item_id


class Reports:
    """Tells them."""

    def __init__(self, codec: Codec, house: House) -> None:
        self._codec, self._house = codec, house

    async def put(self, work: Work, item: Item, report: Report, once: str) -> None:
        """Of an item of a case. The same of the same item and `once` within the hour, as after a crash, is told once;
        later it is news."""
        assert item.case is not None
        text, now = "\n".join([*report.tell, *report.failed]), datetime.now(UTC)
        identity = item_id(f"report/{item.id}/{once}/{now:%Y-%m-%dT%H}/{text}")
        handler = Handler(work, self._codec, self._house, identity, now)
        await handler.tell_desk(item.case, text)
        for conversation in report.remade:
            await handler.remade(item.case, conversation)
        if item.kind == MATRIX:
            await handler.drift(item.case)

    def about(self, item: Item) -> Telling:
        """Tells what is found while that one is carried out."""

        async def tell(work: Work, report: Report, once: str) -> None:
            await self.put(work, item, report, once)

        return tell


async def suspend(
    database: Database, reports: Reports, item: Item, record: RoomRecord, wrong: str, *, name: str
) -> None:
    """Nothing more goes into a room until a reconciliation found it fit; one is made, and the desk is told (I9)."""
    async with database.begin() as work:
        case = await work.cases.load(item.case, lock=True) if item.case else None
        if case is None or await work.rooms.get(case.id, record.key) != record:
            # It was repaired or made anew while it was looked at: that one is looked at the next time.
            return
        await work.rooms.save(replace(record, standing=Standing.SUSPENDED, reason=wrong))
        report = Report(tell=(f"{name}: nothing is sent there for now: {wrong}",))
        await reports.put(work, item, report, f"{item.attempts}")
