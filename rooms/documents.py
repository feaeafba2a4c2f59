"""Work on files: into the vault, off the homeserver, and out of rooms where somebody may not have them any more."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import assert_never

from policies.case import Case, CaseId
from policies.documents.carrying import Cover, Erase, Hand, Recall
from policies.documents.document import DocumentId
from policies.documents.rights import all_may_download
from policies.effects import Ingest
from policies.message import File, FileRef
from policies.networks.delivery import Cancel, Go, Verdict
from policies.plan import room_key
from rooms.files import Files
from rooms.homeserver import Homeserver, Trouble
from rooms.ids import EventId
from rooms.outcome import Cancelled, Outcome, Parked, Sent
from rooms.ports import Database, Work
from rooms.queue import Item, ItemId, State
from rooms.vault import Media

EXAMINER = "documents:examiner"
"""What files wait for that could not be examined yet."""


class DocumentWork:
    """Carries out what is decided about files."""

    def __init__(self, database: Database, homeserver: Homeserver, files: Files) -> None:
        self._database, self._homeserver, self.files = database, homeserver, files

    async def carry_out(
        self, item: Item, case_id: CaseId, effect: Ingest | Erase | Recall | Cover, at: datetime
    ) -> Outcome:
        """Do it; `at` is now. Raises Trouble."""
        match effect:
            case Ingest():
                why = await self.files.ingest(item, case_id, effect)
                return Sent("examined") if why is None else Parked(EXAMINER, why)
            case Cover():
                why = await self.files.redact(item, case_id, effect)
                return Sent("redacted") if why is None else Parked(EXAMINER, why)
            case Erase(message):
                gone = await self.files.delete(ItemId(message))
                return Sent("deleted") if gone else Cancelled("we may not delete files from the homeserver")
            case Recall(document):
                return Sent(f"{await self._recall(item, case_id, document, at)} taken back")
            case _:
                assert_never(effect)

    async def file_of(self, item: Item, case: Case, hand: Hand, clock: Callable[[], datetime]) -> File:
        """A document's bytes at the homeserver, encrypted for this once. The ledger knows of them before, in the unit
        of work that has locked the case and found that it may still be posted: whatever takes it back finds it there.

        Raises Trouble, also where it was taken back meanwhile.
        """
        document = case.document(hand.document)
        version = document.version(hand.version) if document else None
        if document is None or version is None:
            raise Trouble("there is no such document", transient=False)
        if item.progress:
            # What was about to leave is repeated as it was stored.
            return File(document.name, version.mimetype, version.served.size, FileRef("{}"))
        async with self._database.begin() as work:
            await _insist(work, case.id, hand, clock())
            if await work.vault.media(item.id) is None:
                media = Media(item.id, case.id, hand.conversation, clock(), document=document.id, version=hand.version)
                await work.vault.note(media)
        file = await self.files.upload(item, case.id, version, document.name)
        async with self._database.begin() as work:
            # An upload takes its time.
            await _insist(work, case.id, hand, clock())
        return file

    async def handed(self, item: Item, event: EventId) -> None:
        """A document now stands in a room as that event."""
        async with self._database.begin() as work:
            known = await work.vault.media(item.id)
            if known:
                await work.vault.note(replace(known, event=event))

    async def found(self, item: Item, case_id: CaseId, hand: Hand, event: EventId, at: datetime) -> None:
        """After a restore: what that item was to post stands in its room already, as that event. The ledger learns of
        it, and what was taken back is taken out; `at` is now. Raises Trouble."""
        async with self._database.begin() as work:
            case = await work.cases.load(case_id, lock=True)
            new = Media(item.id, case_id, hand.conversation, at, document=hand.document, version=hand.version)
            media = replace(await work.vault.media(item.id) or new, event=event)
            await work.vault.note(media)
        if case is None or not _may_stay(case, media, at):
            await self._take_back(item, media)

    async def _recall(self, item: Item, case_id: CaseId, document: DocumentId, at: datetime) -> int:
        async with self._database.begin() as work:
            case = await work.cases.load(case_id)
            if case is None:
                raise Trouble(f"there is no case {case_id}", transient=False)
            posted = await work.vault.posted(case_id, document)
            stale = [one for one in posted if one.gone is None and not _may_stay(case, one, at)]
            leaving = [one for one in stale if await _is_leaving(work, one)]
        for one in stale:
            if one not in leaving:
                await self._take_back(item, one)
        if leaving:
            # It may stand in its room before we know as which event; or its own delivery finds that it may not.
            raise Trouble("what is to be taken back is just being posted", transient=True)
        return len(stale)

    async def _take_back(self, item: Item, media: Media) -> None:
        """First from the room, then from the homeserver: whoever looks meanwhile sees that it went."""
        async with self._database.begin() as work:
            record = await work.rooms.get(media.case, room_key(media.conversation))
        if record and record.room_id and media.event:
            await self._homeserver.redact(record.room_id, media.event, f"{item.id}-{media.item}")
        await self.files.delete(media.item)


def may_hand(case: Case, hand: Hand, at: datetime) -> Verdict:
    """Whether a version may still be posted in a room: everybody who reads there may download it."""
    document = case.document(hand.document)
    version = document.version(hand.version) if document else None
    if version is None or version.served.sha256 != hand.sha256:
        return Cancel("it is not the document that it was")
    if document and all_may_download(case, document, hand.version, hand.conversation, at):
        return Go()
    return Cancel("somebody reads there who may not download it")


async def _insist(work: Work, case_id: CaseId, hand: Hand, at: datetime) -> None:
    """Locks the case. Raises Trouble if a version may not be posted any more; the next try says so for good."""
    case = await work.cases.load(case_id, lock=True)
    if case is None or not isinstance(may_hand(case, hand, at), Go):
        raise Trouble("it was taken back at this very moment", transient=True)


async def _is_leaving(work: Work, media: Media) -> bool:
    item = await work.outbox.get(media.item) if media.event is None else None
    return item is not None and item.state in {State.READY, State.PARKED}


def _may_stay(case: Case, media: Media, at: datetime) -> bool:
    document = case.document(media.document) if media.document else None
    if document is None or media.version is None:
        return False
    return all_may_download(case, document, media.version, media.conversation, at)
