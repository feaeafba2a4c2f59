"""Files between the homeserver and the vault: fetched, examined and kept; uploaded for a room; deleted.

    ingest: fetch ─▶ a private folder ─▶ examine ─▶ the vault (begun) ─▶ one unit of work: it stays; the inbox is told
            (from the homeserver, or from the network that it came by; what came with a mail is at hand)
    redact: the vault ─▶ a private folder ─▶ made and looked at ─▶ the same as above
    upload: a URI ─▶ the ledger ─▶ the vault ─▶ encrypted anew ─▶ the homeserver

Whatever is cut off is done again from its beginning, and leaves nothing that the vault's sweep doesn't find.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final, Protocol

from appservice.building import trouble
from appservice.documents.as_it_came import as_it_came, as_recording
from appservice.documents.pipeline.outcome import Clean, Examiner
from appservice.documents.pipeline.redact import Covered, Redactor
from appservice.documents.vault import Damaged, Missing, Vault
from appservice.matrix.attachments import seal
from appservice.matrix.errors import MatrixError, MediaError, MediaTooLargeError
from appservice.matrix.homeserver import Homeserver
from appservice.matrix.ids import MediaUri
from appservice.matrix.media import MAX_SIZE, server_of
from appservice.ports import ServiceDatabase, ServiceWork
from appservice.storage.documents import Document
from policies.case import CaseId, Conversation, PersonId
from policies.documents.carrying import Cover
from policies.documents.document import DocumentId, Kept, Version
from policies.documents.files import Kind
from policies.documents.filing import Filing, Passed, Refused, Waits
from policies.documents.quota import USUAL, Quota, full
from policies.documents.redaction import Redaction
from policies.effects import Ingest, Post
from policies.frozen import frozen
from policies.message import File, FileRef, Message, MessageId
from policies.words.phrase import Phrase, phrase, stored, together
from rooms.homeserver import Trouble
from rooms.ids import UserId
from rooms.lanes import case_lane
from rooms.ports import Entry
from rooms.queue import Item, ItemId, item_id
from rooms.vault import Media

FILED: Final = "document"
"""The kind of the inbox items that tell what became of a file."""
FILING: Final[Document[Filing]] = Document(Filing)
REDACTED: Final = "redaction"
"""The kind of those that tell of a redacted version."""
REDACTION: Final[Document[Redaction]] = Document(Redaction)
_NOT_EXAMINED: Final = phrase(
    "Your file can't be examined right now, so nothing of it was kept. Please try again later."
)
_TAMPERED: Final = phrase("It is not the file that its sender encrypted.")
_GONE: Final = phrase("The server does not have it any more.")
_WITHHELD: Final = phrase("The server does not give it out. Please send it again.")
_ELSEWHERE: Final = phrase(
    "It lies on another homeserver, where nobody here could take it back. Please save it, and send the saved file."
)
_GIVEN_OUT_WITHIN: Final = timedelta(days=1)
"""A file that our homeserver refuses is asked for for so long: it may be a mistake of its configuration."""
_LOCKED: Final = phrase("It lies locked: your mediator was told, and can have it kept as it is.")
_TOO_LARGE: Final = phrase("It is larger than a document can be.")


_GIVEN_UP: Final = phrase("It could not be fetched for a day. Please send it again.")
FETCHED_FOR: Final = timedelta(days=1)
"""So long it is tried to fetch a file from another network; its author's next one waits for it."""


class Abroad(Protocol):
    """Files that lie at another network, as a `FileRef` of its reader's names them."""

    async def fetch(self, ref: Mapping[str, Any], into: Path) -> Refused | None:
        """Write one into a new file; why it will never be had, as a sentence for whoever sent it.

        Raises a transient Trouble where it may be had later, and OSError.
        """


@frozen
class Ends:
    """Where files come from and go to: the homeserver as we, and as its administrator, if we were given a token; and
    WhatsApp, if it is set up. `most_bytes`: of a file that is fetched."""

    bot: UserId
    matrix: Homeserver
    admin: Homeserver | None
    abroad: Abroad | None = None
    most_bytes: int = MAX_SIZE
    """Of a file that is fetched from the homeserver."""


class Intake:
    """`rooms.files.Files`."""

    def __init__(
        self,
        database: ServiceDatabase,
        ends: Ends,
        vault: Vault,
        examiner: Examiner,
        redactor: Redactor,
        *,
        quota: Quota = USUAL,
    ) -> None:
        self._database, self._ends, self._vault = database, ends, vault
        self._examiner, self._redactor, self._quota = examiner, redactor, quota

    async def ingest(self, item: Item, case: CaseId, effect: Ingest) -> str | None:
        """See `rooms.files.Files`."""
        done = _named(item, "filed")
        async with self._database.begin() as work:
            entry = await work.journal.get(case, effect.message)
            if entry is None or await work.inbox.get(done):
                return None
            message, file = entry.message, _file(entry, effect)
            if effect.attached is None:
                await self._note(work, case, message, file)
        otherwise, voice = effect.attached, None
        try:
            async with self._vault.workroom.room() as room:
                source = room / "source"
                refused = await self._brought(item, effect, file, source)
                is_here = refused is None
                refused = refused or await self._too_much(case, message.author, effect.home, source.stat().st_size)
                result = refused or await self._examined(case, source)
                if isinstance(result, Refused) and effect.attached:
                    seen = is_here and not result.limit  # nobody gets what nobody looked into
                    otherwise = await asyncio.to_thread(as_it_came, effect.attached, source) if seen else None
                elif isinstance(result, Refused) and is_here and not result.limit and not result.harmful:
                    voice = await asyncio.to_thread(as_recording, message, file, source)
        except OSError as error:
            raise _unusable(error) from None
        return await self._filed(item, case, replace(_filing(message, effect, file, result, otherwise), voice=voice))

    async def _brought(self, item: Item, effect: Ingest, file: File, into: Path) -> Refused | None:
        """Its bytes, wherever they are, in a new file; or why they will never be had. Raises Trouble, OSError.

        Only what our own readers wrote about a file that came by a bridge is believed to be anywhere but at the
        homeserver: what stands in an event is its sender's.
        """
        ref = _mapping(json.loads(file.ref))
        if effect.attached and "abroad" in ref:
            return await self._from_abroad(item, ref, into)
        if not effect.attached:
            return await self._fetched(item, ref, into)
        await asyncio.to_thread(into.write_bytes, base64.b64decode(ref["data"]))
        return None

    async def _from_abroad(self, item: Item, ref: Mapping[str, Any], into: Path) -> Refused | None:
        if self._ends.abroad is None:
            return Refused(_GIVEN_UP)
        try:
            return await self._ends.abroad.fetch(ref, into)
        except Trouble as trouble:
            since = item.failing_since
            if trouble.transient and since and datetime.now(UTC) - since >= FETCHED_FOR:
                return Refused(_GIVEN_UP)
            raise

    async def _fetched(self, item: Item, ref: Mapping[str, Any], into: Path) -> Refused | None:
        """What the homeserver has of it, opened. Raises a transient Trouble for whatever is not the file's own fault.

        Another homeserver is not asked: it would see who asks when, and could keep us waiting for ever.
        """
        try:
            if server_of(ref.get("url")) != self._ends.bot.partition(":")[2]:
                return Refused(_ELSEWHERE)
            media, most = self._ends.matrix.media, self._ends.most_bytes
            await media.open_encrypted(ref, into, as_user=self._ends.bot, most=most)
        except MediaTooLargeError:
            return Refused(_TOO_LARGE)
        except MediaError:
            return Refused(_TAMPERED)
        except MatrixError as error:
            if (error.status, error.errcode) == (HTTPStatus.NOT_FOUND, "M_NOT_FOUND"):
                return Refused(_GONE)
            since = item.failing_since
            if not error.transient and since and datetime.now(UTC) - since >= _GIVEN_OUT_WITHIN:
                return Refused(_WITHHELD)
            # A proxy that knows no such path answers 404, too.
            raise Trouble(f"the homeserver said {error.errcode}", transient=True) from error
        return None

    async def hand_in(
        self,
        case: CaseId,
        author: PersonId,
        home: Conversation,
        source: Path,
        name: str,
        *,
        once: str,
        version_of: DocumentId | None = None,
    ) -> Phrase | None:
        """Take a file that somebody handed in on the page, from a folder of the caller's; why not, in words for them.

        The same file that comes again under the same `once` of theirs is one; another one is another. What could not be
        examined is not kept, and nobody but them is told. `version_of`: what it is a new version of. Raises OSError.
        """
        size = (await asyncio.to_thread(source.stat)).st_size
        result = await self._too_much(case, author, home, size) or await self._examined(case, source)
        if isinstance(result, Waits):
            return _NOT_EXAMINED
        if isinstance(result, Refused) and not (result.kept or result.limit):
            return stored(result.why)
        filing = Filing(None, author, home, home, name, result, version_of=version_of)
        async with self._database.begin() as work:
            body, at = FILING.dump(filing), datetime.now(UTC)
            what = "/".join(kept.sha256 for kept in _kept(result)[-1:])
            identity = item_id(f"handed/{case}/{author}/{home.id}/{once}/{what}/{version_of}/{name}")
            new = await work.inbox.put(Item(identity, case_lane(case), FILED, case, body, at))
            for kept in _kept(result) if new else ():
                await work.vault.keep(kept.blob)
        if not isinstance(result, Refused):
            return None
        return together([stored(result.why), _LOCKED if result.kept else ""])

    async def redact(self, item: Item, case: CaseId, wish: Cover) -> str | None:
        """See `rooms.files.Files`."""
        async with self._database.begin() as work:
            found = await work.cases.load(case)
            document = found.document(wish.document) if found else None
            version = document.version(wish.version) if document else None
            if await work.inbox.get(_named(item, "filed")):
                return None
        if document is None or version is None or version.served.sha256 != wish.sha256:
            gone = Redaction(wish, Refused(phrase("It is not the document that it was.")))
            return await self._file_away(item, case, REDACTED, REDACTION.dump(gone), gone.result)
        try:
            async with self._vault.workroom.room() as room:
                await self._vault.copy_out(case, version.served, room / "plain")
                covered = await self._redactor.redact(room / "plain", version.kind, wish.areas, wish.words)
                made = await self._redaction(case, wish, covered, document.owner, document.home)
        except (Damaged, Missing) as error:
            raise Trouble(str(error), transient=False) from None
        except OSError as error:
            raise _unusable(error) from None
        return await self._file_away(item, case, REDACTED, REDACTION.dump(made), made.result)

    async def _redaction(
        self, case: CaseId, wish: Cover, covered: Covered | Refused | Waits, owner: PersonId, home: Conversation
    ) -> Redaction:
        """It counts as its owner's, whoever wished for it, as every version does."""
        if not isinstance(covered, Covered):
            return Redaction(wish, covered)
        if over := await self._too_much(case, owner, home, covered.path.stat().st_size):
            return Redaction(wish, over)
        kept = await self._vault.keep(case, covered.path)
        passed = Passed(Kind.PDF, Kind.PDF.mimetype, kept, kept, covered.pages, ())
        return Redaction(wish, passed, covered.places, covered.on)

    async def delete(self, item: ItemId) -> bool:
        """See `rooms.files.Files`."""
        async with self._database.begin() as work:
            media = await work.vault.media(item)
            sender = await self._uploader(work, media) if media else None
        if self._ends.admin is None or media is None or media.uri is None or sender is None:
            return False
        try:
            await self._ends.admin.media.delete(MediaUri(media.uri), of=sender)
        except MediaError:
            return False
        except MatrixError as error:
            raise trouble(error) from error
        async with self._database.begin() as work:
            await work.vault.note(replace(media, gone=datetime.now(UTC)))
        return True

    async def upload(self, item: Item, case: CaseId, version: Version, name: str) -> File:
        """See `rooms.files.Files`."""
        await self.delete(item.id)
        media, bot = self._ends.matrix.media, self._ends.bot
        try:
            async with self._vault.workroom.room() as room:
                await self._vault.copy_out(case, version.served, room / "plain")
                sealed = await asyncio.to_thread(seal, room / "plain", room / "sealed")
                (room / "plain").unlink()
                uri = await media.reserve(as_user=bot)
                async with self._database.begin() as work:
                    known = await work.vault.media(item.id)
                    if known:
                        await work.vault.note(replace(known, uri=uri, gone=None))
                await media.fill(uri, room / "sealed", as_user=bot)
        except MatrixError as error:
            raise trouble(error) from error
        except (MediaError, Damaged, Missing) as error:
            raise Trouble(str(error), transient=False) from None
        except OSError as error:
            raise _unusable(error) from None
        info = {**sealed, "url": uri}
        return File(name, version.mimetype, version.served.size, FileRef(json.dumps(info)))

    async def _too_much(self, case_id: CaseId, author: PersonId, home: Conversation, size: int) -> Refused | None:
        """Whether it would exceed a limit, before anybody looks into it."""
        async with self._database.begin() as work:
            case = await work.cases.load(case_id)
        over = full(case, author, home, size, datetime.now(UTC), quota=self._quota) if case else None
        return Refused(over.why, limit=over.limit) if over else None

    async def _examined(self, case: CaseId, source: Path) -> Passed | Refused | Waits:
        examined = await self._examiner.examine(source)
        if isinstance(examined, Refused) and examined.keepable:
            return replace(examined, kept=await self._vault.keep(case, source))
        if not isinstance(examined, Clean):
            return examined
        original = await self._vault.keep(case, source)
        served, kind = await self._vault.keep(case, examined.path), examined.kind
        return Passed(kind, kind.mimetype, served, original, examined.pages, examined.changes)

    async def _filed(self, item: Item, case: CaseId, filing: Filing) -> str | None:
        return await self._file_away(item, case, FILED, FILING.dump(filing), filing.result)

    async def _file_away(
        self, item: Item, case: CaseId, kind: str, body: bytes, result: Passed | Refused | Waits
    ) -> str | None:
        """Put it into the inbox, and the vault's part of it stays, in one unit of work; that it waits, once."""
        name = _named(item, "waits" if isinstance(result, Waits) else "filed")
        async with self._database.begin() as work:
            new = await work.inbox.put(Item(name, case_lane(case), kind, case, body, datetime.now(UTC)))
            for kept in _kept(result) if new else ():
                await work.vault.keep(kept.blob)
        return result.why if isinstance(result, Waits) else None

    async def _note(self, work: ServiceWork, case: CaseId, message: Message, file: File) -> None:
        """The ledger knows of the file from now on."""
        uri = _mapping(json.loads(file.ref)).get("url")
        known = await work.vault.media(ItemId(message.id))
        if known is None:
            at, where = datetime.now(UTC), message.conversation
            uri = uri if isinstance(uri, str) else None
            await work.vault.note(Media(ItemId(message.id), case, where, at, uri))

    async def _uploader(self, work: ServiceWork, media: Media) -> UserId | None:
        """Who must have uploaded it: we, or the author of the message that brought it."""
        if media.document is not None:
            return self._ends.bot
        entry = await work.journal.get(media.case, MessageId(media.item))
        case = await work.cases.load(media.case)
        author = case.person(entry.message.author) if case and entry else None
        return UserId(author.endpoint.address) if author else None


def _named(item: Item, what: str) -> ItemId:
    return item_id(f"{what}/{item.id}")


def _file(entry: Entry, effect: Ingest) -> File:
    content = effect.attached.content if effect.attached else entry.message.content
    if not isinstance(content, File):
        raise Trouble("a message without a file was to be kept", transient=False)
    return content


def _filing(
    message: Message, effect: Ingest, file: File, result: Passed | Refused | Waits, otherwise: Post | None
) -> Filing:
    if effect.attached:
        after = otherwise if isinstance(result, Refused) else None
        home = effect.home
        return Filing(None, message.author, home, home, file.name, result, words=file.words, otherwise=after)
    return Filing(
        message.id, message.author, message.conversation, effect.home, file.name, result, effect.exposed, file.words
    )


def _unusable(error: OSError) -> Trouble:
    """A disk that is full, or a folder or bucket that is away: nobody's document is to blame."""
    return Trouble(f"the vault of documents can't be read or written ({type(error).__name__})", transient=True)


def _kept(result: Passed | Refused | Waits) -> tuple[Kept, ...]:
    match result:
        case Passed():
            return tuple(dict.fromkeys((result.served, result.original)))
        case Refused(kept=Kept() as kept):
            return (kept,)
        case _:
            return ()


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
