"""Reports about our own mails, from the inbox: they change what is known of a delivery, and nothing else."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from appservice.mail.stored import StoredMail
from appservice.ports import ServiceDatabase
from appservice.worker import Fate, Finished, is_still_due
from bridges.email.reports import read_report
from policies.mail import MailState
from rooms.apply import Codec
from rooms.handle import Handler
from rooms.house import House
from rooms.ports import Item

_FINAL = frozenset({MailState.FAILED, MailState.DELIVERED})


class ReportReader:
    """Reads reports from the inbox."""

    def __init__(self, database: ServiceDatabase, codec: Codec, house: House) -> None:
        self._database, self._codec, self._house = database, codec, house

    async def read(self, item: Item) -> Fate:
        """Read one report, and have it handled. What came last counts, but nothing undoes a final word."""
        stored = StoredMail.load(item.body)
        report = await asyncio.to_thread(read_report, stored.raw)
        now = datetime.now(UTC)
        async with self._database.begin() as work:
            if not await is_still_due(work.inbox, item):
                return Finished()
            mail = await work.mails.by_bounce(stored.token_hash)
            case = await work.cases.load(mail.case, lock=True) if mail else None
            person = case.person(mail.person) if case and mail else None
            if mail and case and person and mail.state not in _FINAL:
                if report.state is not None:
                    await work.mails.mark(mail.bounce_hash, report.state, report.status, now)
                handler = Handler(work, self._codec, self._house, item.id, now)
                await handler.report(case, person, mail.endpoint, report)
            await work.inbox.done(item.id, "report")
        return Finished()
