"""What is known of the bytes of documents: which the vault keeps, under which key, and what of them lies in Matrix."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import field
from datetime import datetime
from typing import Protocol

from policies.case import CaseId
from policies.documents.document import BlobId, DocumentId
from policies.frozen import frozen
from policies.names import Conversation
from rooms.ids import EventId
from rooms.queue import ItemId


@frozen
class Blob:
    """Some bytes in the vault. `key` is theirs alone, sealed at rest under the case's key."""

    id: BlobId
    case: CaseId
    key: bytes = field(repr=False)
    at: datetime


@frozen
class Media:
    """A file at the homeserver that holds a document, or what was to become one: each is known here before it is there,
    or as soon as we learn of it, until the homeserver has deleted it.

    `uri` is None until the homeserver has taken it. `document` and `version` are set for what we posted; `item` is the
    outbox item that posts it, or the inbox item that brought it.
    """

    item: ItemId
    case: CaseId
    conversation: Conversation
    at: datetime
    uri: str | None = None
    event: EventId | None = None
    document: DocumentId | None = None
    version: int | None = None
    gone: datetime | None = None


class Vault(Protocol):
    """The ledger, within one unit of work."""

    async def begin(self, blob: Blob) -> None:
        """Before its first byte is written: so that nothing is ever there that isn't known of."""

    async def keep(self, blob: BlobId) -> None:
        """It is written, whole."""

    async def get(self, case: CaseId, blob: BlobId) -> Blob | None:
        """What reads it; None if it isn't whole, or isn't that case's, or the case's key was destroyed."""

    async def known(self, blobs: Collection[BlobId]) -> frozenset[BlobId]:
        """Which of these are known, whole or not."""

    async def unfinished(self, before: datetime) -> tuple[BlobId, ...]:
        """What was begun before that time and never finished."""

    async def forget(self, blobs: Collection[BlobId]) -> None:
        """These are gone; without their keys nobody reads them, wherever a copy may be."""

    async def note(self, media: Media) -> None:
        """Store what is known of a file at the homeserver, in place of what was known of that item's."""

    async def media(self, item: ItemId) -> Media | None:
        """The file of that item."""

    async def posted(self, case: CaseId, document: DocumentId) -> tuple[Media, ...]:
        """What of a document lies at the homeserver, oldest first."""
