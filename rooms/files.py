"""What the use cases need of files: fetched, examined, kept, posted, and deleted where they lie."""

from __future__ import annotations

from typing import Protocol

from policies.case import CaseId
from policies.documents.carrying import Cover
from policies.documents.document import Version
from policies.effects import Ingest
from policies.message import File
from rooms.queue import Item, ItemId


class Files(Protocol):
    """Between the homeserver and the vault. Each may be repeated, and raise Trouble; none runs in a unit of work."""

    async def ingest(self, item: Item, case: CaseId, effect: Ingest) -> str | None:
        """Fetch a file, have it examined and kept, and put what became of it into the inbox, as `filing.Filing`.

        None when that is done; else why it must be tried again, of which the inbox was told once.
        """

    async def redact(self, item: Item, case: CaseId, wish: Cover) -> str | None:
        """The same for a redacted version of what the vault has, as `redaction.Redaction`."""

    async def upload(self, item: Item, case: CaseId, version: Version, name: str) -> File:
        """Encrypt a version anew and take it to the homeserver, known to the ledger before it is there."""

    async def delete(self, item: ItemId) -> bool:
        """Delete what that item posted, or brought, from the homeserver, and note it; False where we may not."""
