"""Work on files: into the vault, off the homeserver, and out of rooms where somebody may not have them any more."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import assert_never

from policies.case import Case, CaseId
from policies.delivery import Cancel, Go, Verdict
from policies.document import DocumentId
from policies.documents import all_may_download
from policies.effects import Erase, Hand, Ingest, Recall
from policies.message import File, FileRef
from policies.plan import room_key
from rooms.files import Files
from rooms.homeserver import Homeserver, Trouble
from rooms.outcome import Cancelled, Outcome, Parked, Sent
from rooms.ports import Database, EventId, Item
from rooms.vault import Media

EXAMINER = "documents:examiner"
"""What files wait for that could not be examined yet."""


class DocumentWork:
    """Carries out what is decided about files."""

    def __init__(self, database: Database, homeserver: Homeserver, files: Files) -> None:
        self._database, self._homeserver, self.files = database, homeserver, files

    async def carry_out(self, item: Item, case_id: CaseId, effect: Ingest | Erase | Recall, at: datetime) -> Outcome:
        """Do it; `at` is now. Raises Trouble."""
        match effect:
            case Ingest():
                why = await self.files.ingest(item, case_id, effect)
                return Sent("examined") if why is None else Parked(EXAMINER, why)
            case Erase(message):
                gone = await self.files.erase(message)
                return Sent("deleted") if gone else Cancelled("we may not delete files from the homeserver")
            case Recall(document):
                return Sent(f"{await self._recall(item, case_id, document, at)} taken back")
            case _:
                assert_never(effect)

    async def file_of(self, item: Item, case: Case, hand: Hand) -> File:
        """A document's bytes at the homeserver, encrypted for this once; the ledger knows of them before."""
        document = case.document(hand.document)
        version = document.version(hand.version) if document else None
        if document is None or version is None:
            raise Trouble("there is no such document", transient=False)
        if item.progress:
            # What was about to leave is repeated as it was stored.
            return File(document.name, version.mimetype, version.served.size, FileRef("{}"))
        async with self._database.begin() as work:
            if await work.vault.media(item.id) is None:
                at = datetime.now(UTC)
                media = Media(item.id, case.id, hand.conversation, at, document=hand.document, version=hand.version)
                await work.vault.note(media)
        return await self.files.upload(item, case.id, version, document.name)

    async def handed(self, item: Item, event: EventId) -> None:
        """A document now stands in a room as that event."""
        async with self._database.begin() as work:
            known = await work.vault.media(item.id)
            if known:
                await work.vault.note(replace(known, event=event))

    async def _recall(self, item: Item, case_id: CaseId, document: DocumentId, at: datetime) -> int:
        async with self._database.begin() as work:
            case = await work.cases.load(case_id)
            posted = await work.vault.posted(case_id, document)
        if case is None:
            raise Trouble(f"there is no case {case_id}", transient=False)
        stale = [one for one in posted if one.gone is None and not _may_stay(case, one, at)]
        for one in stale:
            await self._take_back(item, one)
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


def _may_stay(case: Case, media: Media, at: datetime) -> bool:
    document = case.document(media.document) if media.document else None
    if document is None or media.version is None:
        return False
    return all_may_download(case, document, media.version, media.conversation, at)
