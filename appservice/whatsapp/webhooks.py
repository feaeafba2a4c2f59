"""Webhooks between the web and the readers: stored, whole, part by part, in one unit of work; then read one by one.

What is no message and no report (a template was judged, a number's quality changed, a shape that nobody knew when this
was written) is kept, and logged without its content.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Final

from appservice.matrix.transaction import UnreadableJsonError, read_json
from appservice.ports import ServiceWork
from appservice.storage.receiving import ReceivingDatabase
from appservice.storage.together import Together
from appservice.whatsapp.callback import ours
from appservice.whatsapp.door import DROPPED, LANE, DroppedReader, StrangersDoor
from appservice.whatsapp.reader import WebhookReader, find
from appservice.whatsapp.statuses import StatusReader
from appservice.worker import Fate, Finished
from bridges.whatsapp.convert_in import read_message, read_status
from bridges.whatsapp.incoming import Sender
from bridges.whatsapp.webhook import Part, PartKind, parts
from policies.case import CaseId
from rooms.lanes import case_lane
from rooms.queue import Item, Lane, item_id

logger = logging.getLogger(__name__)

KIND: Final = "whatsapp"
"""How the kinds of such items begin; `PartKind` follows after a dot."""
_OTHERS: Final = Lane("whatsapp:others")


class WebhookInbox:
    """Stores webhooks: `appservice.web.ports.WebhookStore`."""

    def __init__(
        self,
        database: ReceivingDatabase,
        opened: Callable[[], Awaitable[None]],
        *,
        door: StrangersDoor | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`opened` waits until this database is known to be the one that counts."""
        self._database, self._opened, self._clock = database, opened, clock
        self._together = Together(self._store)
        self._door = door or StrangersDoor(time.monotonic)

    async def accept(self, body: bytes) -> None:
        """Store each part once, behind whatever else its case has to deal with. Raises DatabaseUnavailable, and then
        nothing was stored."""
        await self._opened()
        await self._together.keep(parts(_payload(body)))

    async def _store(self, webhooks: Sequence[Sequence[Part]]) -> list[None]:
        at, known, counted = self._clock(), dict[Sender, CaseId | None](), list[str]()
        try:
            async with self._database.begin() as work:
                await work.inbox.put_all(
                    [await self._item(work, part, known, at, counted) for webhook in webhooks for part in webhook]
                )
        except BaseException:
            self._door.not_stored(counted)
            raise
        return [None] * len(webhooks)

    async def _item(
        self, work: ServiceWork, part: Part, known: dict[Sender, CaseId | None], at: datetime, counted: list[str]
    ) -> Item:
        """What is stored of a part; of a stranger's that is too much, that it was. `known`: the cases of those who
        wrote other parts of the same unit of work."""
        case = await _case(work, part, known)
        lane = case_lane(case) if case else _OTHERS if part.kind is PartKind.OTHER else LANE
        identity, raw = item_id(f"{KIND}\0{part.identity}"), json.dumps(part.body).encode()
        item = Item(identity, lane, f"{KIND}.{part.kind}", case, raw, at)
        if case is None and part.kind is PartKind.MESSAGE:
            return await self._door.let_in(work, item, _name(part), counted)
        return item


class WebhookWork:
    """Reads whatever a webhook brought, and that of some nothing was kept."""

    def __init__(self, messages: WebhookReader, statuses: StatusReader, dropped: DroppedReader) -> None:
        self._messages, self._statuses, self._dropped = messages, statuses, dropped

    async def read(self, work: ServiceWork, item: Item) -> Fate:
        """Read one part, and have it handled in the caller's unit of work."""
        if item.kind == DROPPED:
            return await self._dropped.read(work, item)
        match PartKind(item.kind.removeprefix(f"{KIND}.")):
            case PartKind.MESSAGE:
                return await self._messages.read(work, item)
            case PartKind.STATUS:
                return await self._statuses.read(work, item)
            case PartKind.OTHER:
                logger.warning("WhatsApp sent something that is neither a message nor a report; it is kept")
                await work.inbox.done(item.id, "kept")
                return Finished()


def _name(part: Part) -> str:
    """Under which whoever wrote it is counted."""
    sender = read_message(part.body).sender
    return sender.user or sender.phone or "nobody"


async def _case(work: ServiceWork, part: Part, known: dict[Sender, CaseId | None]) -> CaseId | None:
    """The case of whoever wrote, or of the message that is reported about."""
    match part.kind:
        case PartKind.MESSAGE:
            sender = read_message(part.body).sender
            if sender not in known:
                found = await find(work, sender, lock=False)
                known[sender] = found[0].id if found else None
            return known[sender]
        case PartKind.STATUS:
            about = ours(read_status(part.body).ours)
            sent = await work.outbox.get(about.item) if about else None
            return sent.case if sent else None
        case PartKind.OTHER:
            return None


def _payload(body: bytes) -> object:
    """The JSON of a body; what is none is kept as text, for it was signed."""
    try:
        return read_json(body)
    except UnreadableJsonError:
        return body.decode("utf-8", "replace")
