"""Reports about our own mails, from the inbox: they change what is known of a delivery, and nothing else."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from appservice.mail.stored import StoredMail
from appservice.portal.store import Whose
from appservice.ports import ServiceDatabase, ServiceWork
from appservice.worker import Fate, Finished, is_still_due
from bridges.email import ids
from bridges.email.reports import read_report
from policies.effects import Decision
from policies.networks.mail import MailState, Report, decide_report
from policies.networks.states import MessageState
from rooms.handle import Handler
from rooms.house import House
from rooms.mails import SentMail
from rooms.marks import Mark, show
from rooms.outgoing import Codec
from rooms.queue import Item

_SHOWN = {MailState.FAILED: MessageState.FAILED, MailState.DELIVERED: MessageState.DELIVERED}
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
                if report.state is MailState.FAILED:
                    # The link that came back keeps no other one back: behind it everything new would be called sent.
                    await work.shelf.lose_links(Whose(mail.case, mail.person), mail.endpoint)
                handler = Handler(work, self._codec, self._house, item.id, now)
                await handler.follow(case, decide_report(case, person, mail.endpoint, report, len(mail.more)))
                await self._show(work, handler, mail, report, item)
            await work.inbox.done(item.id, "report")
        return Finished()

    async def _show(self, work: ServiceWork, handler: Handler, mail: SentMail, report: Report, item: Item) -> None:
        """How far somebody's words have come, beside each message that went in it; in words it is said once."""
        state = _SHOWN.get(report.state) if report.state else None
        case, domain = await work.cases.load(mail.case), self._house.reply_domain
        if state is None or case is None or domain is None:
            return
        told: Decision | None = None
        for sent in (mail.item, *mail.more):
            entry = await work.journal.by_mail_id(case.id, ids.message_id(sent, domain))
            if entry:
                mark = Mark(entry.message.conversation, entry.message.id, mail.person, state, sent)
                said = await show(work, self._codec, case, mark, by=item.id, at=item.received_at)
                told = told or said
        if told:
            await handler.follow(case, told)
