"""After a restore, nothing that the lost database may have sent is sent again.

    words, or a document,
    for a room …………………… the room is searched, once, for what of ours it holds since the backup; was this in it, it is
                        done; can't that be told (something of ours was redacted), a person decides
    a letter ………………… a person decides, if it follows from anything that the lost database had

What was received before `Epoch.doubt_until` may have been acted on by the database that was lost. What follows from
later things goes as always.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

from appservice.building import trouble
from appservice.matrix.errors import MatrixError
from appservice.matrix.homeserver import Homeserver
from appservice.ports import ServiceDatabase
from appservice.sending import Delivers
from appservice.upkeep.epoch import MARKER, Epoch, Searched
from policies.documents.carrying import Enclose, Hand
from policies.effects import (
    AskWhose,
    Confide,
    Explain,
    Inform,
    Introduce,
    Pose,
    Post,
    Publish,
    Reconcile,
    Relay,
    Tell,
    WriteToStranger,
)
from policies.message import Removal, Text
from policies.plan import room_key
from rooms.documents import DocumentWork
from rooms.ids import EventId, RoomId, UserId
from rooms.marks import Mark
from rooms.noticing import DeskNotice
from rooms.outcome import Cancelled, Outcome, Parked, Sent, Unanswered
from rooms.outgoing import PEOPLE, MailHeads, Outgoing, Say, Signal
from rooms.polls import Poll, PollEnd
from rooms.ports import Work
from rooms.postings import IntoRoom
from rooms.provision import Report
from rooms.queue import Item

CLOCKS_DIFFER = timedelta(hours=1)
"""How much older than the backup an event may be that was sent after it: the homeserver's clock isn't ours."""

MAYBE: Final = "the service was restored from a backup, and may have sent it before"
Said = Say | IntoRoom


class Aftermath:
    """Stands before the deliverer, for as long as the epoch that a restore began."""

    def __init__(
        self,
        deliverer: Delivers,
        database: ServiceDatabase,
        matrix: Homeserver,
        documents: DocumentWork | None = None,
        *,
        bot: UserId,
        is_ours: Callable[[UserId], bool],
    ) -> None:
        """`documents`: where there is a vault."""
        self._deliverer, self._database, self._matrix, self._documents = deliverer, database, matrix, documents
        self._bot, self._is_ours = bot, is_ours
        self._epoch: Epoch | None = None
        self._searched: dict[RoomId, Searched] = {}

    def begin(self, epoch: Epoch) -> None:
        """The epoch that this process runs in; one that came out of no backup needs nothing."""
        self._epoch = epoch if epoch.backup_at is not None else None

    # --- what is to be sent

    async def deliver(self, item: Item, outgoing: Outgoing) -> tuple[Outcome, Report]:
        """Send one item, unless the lost database did, or may have done so. Raises Trouble."""
        if self._epoch:
            already = await self._already(item, outgoing, self._epoch)
            if already:
                return already, Report()
            if isinstance(outgoing, Reconcile) and _is_old(item, self._epoch):
                # Somebody's word of before the restore lets nobody in.
                outgoing = replace(outgoing, again=False)
        return await self._deliverer.deliver(item, outgoing)

    async def stopped(self, work: Work, item: Item, outgoing: Outgoing) -> Parked | Cancelled | None:
        """Why it may not leave now; None for what has to be looked at more closely."""
        if self._epoch and _first_look(item) and await _doubtful(work, item, outgoing, self._epoch):
            return None
        return await self._deliverer.stopped(work, item, outgoing)

    async def _already(self, item: Item, outgoing: Outgoing, epoch: Epoch) -> Outcome | None:
        """What became of an item in the life of the lost database; None if it is to be sent now."""
        match outgoing:
            case Relay() | Introduce() | AskWhose() | Publish() | Inform() | Pose() | Enclose() | WriteToStranger() if (
                item.kind == PEOPLE
            ):
                async with self._database.begin() as work:
                    doubtful = _first_look(item) and await _doubtful(work, item, outgoing, epoch)
                return Unanswered(MAYBE) if doubtful else None
            case Confide():
                return Cancelled("what it opens was closed by the restore") if _is_old(item, epoch) else None
            case DeskNotice():
                return Cancelled("it was to be sent before the restore") if _is_old(item, epoch) else None
            case MailHeads():
                return Cancelled("the record was restored; the next heads follow") if _is_old(item, epoch) else None
            case Mark():
                return Cancelled("what became of a message is not shown late") if _is_old(item, epoch) else None
            case Signal():
                return Cancelled("the verification that it belongs to was lost") if _is_old(item, epoch) else None
            case Say() | Post() | Tell() | Explain() | Publish() | Hand() | Inform() | Pose() | Poll() | PollEnd():
                return await self._in_room(item, outgoing, epoch)
            case _:
                return None

    async def _in_room(self, item: Item, outgoing: Said, epoch: Epoch) -> Outcome | None:
        room = await self._room_of(item, outgoing)
        if room is None:
            return None
        searched = await self._search(room, epoch)
        async with self._database.begin() as work:
            event = await work.epochs.sent(await work.epochs.marker(item.id))
            if event and item.case and isinstance(outgoing, Post) and isinstance(outgoing.content, Text):
                await work.journal.link_event(item.case, outgoing.message, event)
            maybe = searched.gaps and _first_look(item) and await _doubtful(work, item, outgoing, epoch)
        if event and item.case and isinstance(outgoing, Hand) and self._documents:
            await self._documents.found(item, item.case, outgoing, event, datetime.now(UTC))
        if event:
            return Sent(event)
        return Unanswered(MAYBE) if maybe else None

    async def _room_of(self, item: Item, outgoing: Said) -> RoomId | None:
        if isinstance(outgoing, Say):
            return outgoing.room
        if item.case is None:
            return None
        async with self._database.begin() as work:
            record = await work.rooms.get(item.case, room_key(outgoing.conversation))
        return record.room_id if record else None

    async def _search(self, room: RoomId, epoch: Epoch) -> Searched:
        """What of ours the room holds since the backup: looked for before the first thing is sent there."""
        known = self._searched.get(room)
        if known is None:
            async with self._database.begin() as work:
                known = await work.epochs.searched(room)
        if known is None and epoch.search_from:
            found, known = await self._look_back(room, epoch.search_from - CLOCKS_DIFFER)
            async with self._database.begin() as work:
                await work.epochs.found(room, found, known)
        self._searched[room] = known = known or Searched(gaps=True)
        return known

    async def _look_back(self, room: RoomId, to: datetime) -> tuple[dict[str, EventId], Searched]:
        try:
            events = await self._matrix.rooms.since(room, int(to.timestamp() * 1000), as_user=self._bot)
        except MatrixError as error:
            if error.errcode in {"M_FORBIDDEN", "M_NOT_FOUND"}:
                return {}, Searched(gaps=True)
            raise trouble(error) from error
        found: dict[str, EventId] = {}
        gaps = False
        for event in events:
            if event.get("type") in {"m.room.encrypted", "m.room.message"} and self._is_ours(event.get("sender", "")):
                marker = event.get("content", {}).get(MARKER)
                if isinstance(marker, str):
                    found[marker] = EventId(event["event_id"])
                else:
                    gaps = True
        return found, Searched(gaps)


async def _doubtful(work: Work, item: Item, outgoing: Outgoing, epoch: Epoch) -> bool:
    """Whether it follows from anything that the lost database may have acted on."""
    if _is_old(item, epoch):
        return True
    # Word of a removal has a name of its own, and nobody's words: better twice than never.
    if item.case is None or not isinstance(outgoing, Post | Relay) or isinstance(outgoing.content, Removal):
        return False
    entry = await work.journal.get(item.case, outgoing.message)
    return entry is None or await work.epochs.doubtful(entry.message.at)


def _is_old(item: Item, epoch: Epoch) -> bool:
    return epoch.doubt_until is None or item.received_at <= epoch.doubt_until


def _first_look(item: Item) -> bool:
    """Whatever was waited with, or stopped, has a note; so has what a person sends again. What failed was perhaps never
    looked at to the end: a look that a database or a homeserver broke off counts for none. If it was a person's
    repetition that failed, they are asked again."""
    return item.failing_since is not None or (item.note is None and item.attempts == 0)
