"""Work off one inbox item, whatever brought it (hops two and three)."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime

from appservice.clock import TimeReader
from appservice.documents.intake import FILED, REDACTED
from appservice.documents.reader import FilingReader
from appservice.e2ee.encryption import SESSIONS, Encryption
from appservice.e2ee.replaced import ReplacedReader
from appservice.e2ee.seeking import Seeker
from appservice.e2ee.trust import JUDGEMENT, Verifications
from appservice.e2ee.unsigned import UnsignedReader
from appservice.mail.reader import MailReader
from appservice.mail.reports import ReportReader
from appservice.mail.strangers import StrangerMailReader
from appservice.portal.reader import PortalReader
from appservice.ports import ServiceDatabase, ServiceWork
from appservice.provisioning import CommandReader
from appservice.reading import MAIL, REPORT, STRANGERS, TO_DEVICE, EventReader
from appservice.reported import KIND as EVENT_REPORT
from appservice.reported import EventReportReader
from appservice.storage.receiving import KEY_COUNTS
from appservice.whatsapp.webhooks import KIND as WEBHOOK
from appservice.whatsapp.webhooks import WebhookWork
from appservice.worker import Done, End, Fate, Finished, Park, is_still_due
from policies.frozen import frozen
from rooms.clock import TIME
from rooms.handle import Handler
from rooms.homeserver import Trouble
from rooms.house import House
from rooms.outgoing import Codec
from rooms.queue import Item, State, item_id

logger = logging.getLogger(__name__)


@frozen
class Readers:
    """Who reads which kind of item. `mails` and `webhooks` are None where mail or WhatsApp isn't set up."""

    events: EventReader
    encryption: Encryption
    verifications: Verifications
    commands: CommandReader
    clock: TimeReader
    unsigned: UnsignedReader
    replaced: ReplacedReader
    mails: MailReader | None
    strangers: StrangerMailReader | None
    reports: ReportReader
    portal: PortalReader
    webhooks: WebhookWork | None
    filings: FilingReader
    event_reports: EventReportReader

    def each(self, kind: str) -> Callable[[ServiceWork, Item], Awaitable[Fate]] | None:
        """Who reads the items of a kind one by one."""
        if self.webhooks and kind.startswith(f"{WEBHOOK}."):
            return self.webhooks.read
        return {
            "device.unsigned": self.unsigned.read,
            "device.none": self.unsigned.read,
            "time": self.clock.read,
            "verification.judgement": self.verifications.judged,
            "identity.replaced": self.replaced.read,
            "portal": self.portal.read,
            FILED: self.filings.read,
            REDACTED: self.filings.read,
            "command": self.commands.read,
            EVENT_REPORT: self.event_reports.read,
        }.get(kind)


class InboxWork:
    """What the inbox's worker does."""

    def __init__(self, database: ServiceDatabase, readers: Readers, seeker: Seeker, codec: Codec, house: House) -> None:
        self._database, self._readers, self._seeker = database, readers, seeker
        self._codec, self._house = codec, house
        self.unsent = asyncio.Event()
        """Set when our machines have something to send: whoever sees it calls `Encryption.flush_all`."""

    async def one(self, item: Item) -> Fate:
        """Read, decide and apply one item."""
        if item.kind == MAIL and self._readers.mails:
            return await self._readers.mails.read(item)
        if item.kind == REPORT:
            return await self._readers.reports.read(item)
        if item.kind == STRANGERS and self._readers.strangers:
            return await self._readers.strangers.read(item)
        async with self._database.begin() as work:
            if not await is_still_due(work.inbox, item):
                return Finished()
            (fate,) = await self._dispatch(work, item.kind, [item])
        return fate

    async def quick(self, work: ServiceWork, items: Sequence[Item]) -> Sequence[Fate]:
        """The same for items of one lane, up to the first mail: those are parsed outside of any unit of work."""
        fates: list[Fate] = []
        for kind, alike in itertools.groupby(items, lambda item: item.kind):
            if kind in {MAIL, REPORT, STRANGERS}:
                break
            fates += await self._dispatch(work, kind, list(alike))
        return fates

    async def after(self, item: Item, fate: Fate) -> None:
        """What reading an item calls for, once it is stored."""
        match fate:
            case Park(key) if key.startswith(SESSIONS):
                await self._seeker.seek(item)
            case End(State.DEAD | State.UNKNOWN as state, why):
                await self._unreadable(item, state, why)
            case _ if item.kind in {TO_DEVICE, KEY_COUNTS, TIME, JUDGEMENT}:
                self.unsent.set()

    async def _dispatch(self, work: ServiceWork, kind: str, items: Sequence[Item]) -> Sequence[Fate]:
        readers = self._readers
        match kind:
            case "matrix.event":
                return await readers.events.read(work, items)
            case "matrix.to_device":
                return await readers.encryption.receive(work, items)
            case "matrix.key_counts":
                return [await readers.encryption.take_counts(work, item) for item in items]
            case "matrix.beside":
                return [Done()] * len(items)
            case _ if read := readers.each(kind):
                return [await read(work, item) for item in items]
            case _:
                raise Trouble(f"nothing reads items of kind {kind}", transient=False)

    async def _unreadable(self, item: Item, state: State, why: str) -> None:
        logger.error("an inbox item of kind %s ended as %s", item.kind, state)
        if item.case is not None:
            text = f"Something that arrived could not be read ({why}). It is kept; your administrator can see it."
            async with self._database.begin() as work:
                handler = Handler(work, self._codec, self._house, item_id(f"unreadable/{item.id}"), datetime.now(UTC))
                await handler.tell_desk(item.case, text)
