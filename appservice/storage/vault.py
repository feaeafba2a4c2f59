"""What is known of documents' bytes."""

from collections.abc import Collection
from datetime import datetime
from typing import Final

from sqlalchemy import ColumnElement, delete, select, update

from appservice.storage.connections import Connection
from appservice.storage.seals import Seals, case_seal, make_case_seal, row
from appservice.storage.statements import upsert
from appservice.storage.vault_schema import BLOBS, MEDIA
from policies.case import CaseId, Conversation, Kind
from policies.documents.document import BlobId, DocumentId
from rooms.queue import ItemId
from rooms.vault import Blob, Media

_KEY: Final = "vault_blobs.sealed"


class SqlVault:
    """`rooms.vault.Vault` within one database transaction."""

    def __init__(self, connection: Connection, seals: Seals) -> None:
        self._connection, self._seals = connection, seals

    async def begin(self, blob: Blob) -> None:
        seal = await make_case_seal(self._connection, self._seals.sealer, blob.case)
        values = {
            "blob": blob.id,
            "case_id": blob.case,
            "whole": False,
            "sealed": seal.seal(_KEY, row(blob.case, blob.id), blob.key),
            "at": blob.at,
        }
        await self._connection.execute(BLOBS.insert(), values)

    async def keep(self, blob: BlobId) -> None:
        await self._connection.execute(update(BLOBS).where(BLOBS.c.blob == blob).values(whole=True))

    async def get(self, case: CaseId, blob: BlobId) -> Blob | None:
        same = BLOBS.c.blob == blob, BLOBS.c.case_id == case, BLOBS.c.whole
        found = (await self._connection.execute(select(BLOBS).where(*same))).one_or_none()
        seal = await case_seal(self._connection, self._seals.sealer, case) if found else None
        if found is None or seal is None:
            return None
        return Blob(blob, case, seal.open(_KEY, row(case, blob), found.sealed), found.at)

    async def known(self, blobs: Collection[BlobId]) -> frozenset[BlobId]:
        found = await self._connection.execute(select(BLOBS.c.blob).where(BLOBS.c.blob.in_(list(blobs))))
        return frozenset(found.scalars())

    async def unfinished(self, before: datetime) -> tuple[BlobId, ...]:
        statement = select(BLOBS.c.blob).where(~BLOBS.c.whole, BLOBS.c.at < before).order_by(BLOBS.c.at, BLOBS.c.blob)
        return tuple((await self._connection.execute(statement)).scalars())

    async def forget(self, blobs: Collection[BlobId]) -> None:
        await self._connection.execute(delete(BLOBS).where(BLOBS.c.blob.in_(list(blobs))))

    async def note(self, media: Media) -> None:
        values = {
            "item": media.item,
            "case_id": media.case,
            "kind": media.conversation.kind,
            "side": media.conversation.side,
            "at": media.at,
            "uri": media.uri,
            "event": media.event,
            "document": media.document,
            "version": media.version,
            "gone": media.gone,
        }
        await self._connection.execute(upsert(self._connection.dialect, MEDIA, "item"), values)

    async def media(self, item: ItemId) -> Media | None:
        return next(iter(await self._media(MEDIA.c.item == item)), None)

    async def posted(self, case: CaseId, document: DocumentId) -> tuple[Media, ...]:
        return await self._media(MEDIA.c.case_id == case, MEDIA.c.document == document)

    async def _media(self, *conditions: ColumnElement[bool]) -> tuple[Media, ...]:
        return tuple(
            Media(
                item=found.item,
                case=found.case_id,
                conversation=Conversation(Kind(found.kind), found.side),
                at=found.at,
                uri=found.uri,
                event=found.event,
                document=found.document,
                version=found.version,
                gone=found.gone,
            )
            for found in await self._connection.execute(select(MEDIA).where(*conditions).order_by(MEDIA.c.ordinal))
        )
