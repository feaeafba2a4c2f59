"""The vault: bytes of documents, encrypted, each file under a key of its own that stands sealed in the database.

    keep ──▶ a row with the key (begun) ──▶ the ciphertext on its shelf ──▶ the caller's unit of work: whole

Whoever is killed in between leaves a row that is begun and maybe some ciphertext; `sweep` takes both away. Plaintext is
nowhere but in the caller's own folder (`workroom`).
"""

import asyncio
import hashlib
import os
import secrets
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, Protocol

from appservice.documents.shelf import UNFINISHED_FOR, Shelf
from appservice.documents.stream import Damaged, decrypt, encrypt, new_key
from appservice.documents.workroom import Workroom
from policies.case import CaseId
from policies.documents.document import BlobId, Kept
from rooms.vault import Blob
from rooms.vault import Vault as Ledger

__all__ = ["Damaged"]

ORPHAN_FOR: Final = timedelta(days=30)
"""So long ciphertext without a key is left alone: the database may have been restored from the wrong backup."""
_AT_ONCE: Final = 500


class _Work(Protocol):
    @property
    def vault(self) -> Ledger: ...


class VaultDatabase(Protocol):
    """What is needed of the database."""

    def begin(self) -> AbstractAsyncContextManager[_Work]:
        """A unit of work."""


class Missing(Exception):
    """The vault doesn't have it: it was never whole, the case's key was destroyed, or the shelf lacks its file."""


class Vault:
    """Keeps bytes, and gives them back, without ever holding a whole file in memory."""

    def __init__(self, folder: Path, database: VaultDatabase, shelf: Shelf) -> None:
        """`folder`: ours alone, for plaintext that is being worked on; made when it is first needed."""
        self._shelf, self._database = shelf, database
        self.workroom = Workroom(folder / "work")

    async def keep(self, case: CaseId, plain: Path) -> Kept:
        """Encrypt a file. Not kept for good before the caller has `work.vault.keep` it committed. Raises OSError."""
        blob = Blob(BlobId(secrets.token_hex(16)), case, new_key(), datetime.now(UTC))
        async with self._database.begin() as work:
            await work.vault.begin(blob)
        sha256, size = await asyncio.to_thread(self._written, blob, plain)
        return Kept(blob.id, sha256, size)

    async def copy_out(self, case: CaseId, kept: Kept, into: Path) -> None:
        """Write the plaintext to a new file of the caller's, which is only there if all of it is authentic.

        Raises Missing, Damaged, OSError.
        """
        blob = await self._blob(case, kept.blob)
        await asyncio.to_thread(self._copied, blob, kept, into)

    async def sweep(self) -> None:
        """Take away what was begun and never finished, ciphertext that no row knows, and plaintext of the killed.

        Raises OSError.
        """
        await asyncio.to_thread(self.workroom.sweep)
        before = datetime.now(UTC) - UNFINISHED_FOR
        async with self._database.begin() as work:
            await work.vault.forget(await work.vault.unfinished(before))
        await asyncio.to_thread(self._shelf.tidy)
        old = await asyncio.to_thread(lambda: list(self._shelf.older(datetime.now(UTC) - ORPHAN_FOR)))
        for start in range(0, len(old), _AT_ONCE):
            some = old[start : start + _AT_ONCE]
            async with self._database.begin() as work:
                known = await work.vault.known(some)
            for blob in some:
                if blob not in known:
                    await asyncio.to_thread(self._shelf.remove, blob)

    async def _blob(self, case: CaseId, blob: BlobId) -> Blob:
        async with self._database.begin() as work:
            found = await work.vault.get(case, blob)
        if found is None:
            raise Missing("the vault does not have it")
        return found

    def _written(self, blob: Blob, plain: Path) -> tuple[str, int]:
        with plain.open("rb") as source:
            self._shelf.put(blob.id, encrypt(source, blob.key))
        with plain.open("rb") as source:
            return hashlib.file_digest(source, "sha256").hexdigest(), plain.stat().st_size

    def _copied(self, blob: Blob, kept: Kept, into: Path) -> None:
        digest = hashlib.sha256()
        handle = os.open(into, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        try:
            with os.fdopen(handle, "wb") as stream:
                for chunk in self._chunks(blob):
                    digest.update(chunk)
                    stream.write(chunk)
            if digest.hexdigest() != kept.sha256:
                raise Damaged("bytes of the vault are another document's")
        except BaseException:
            into.unlink()
            raise

    def _chunks(self, blob: Blob) -> Iterator[bytes]:
        try:
            opened = self._shelf.open(blob.id)
        except FileNotFoundError:
            raise Missing("the vault lacks a file: restore it from a backup") from None
        with opened as stream:
            yield from decrypt(stream, blob.key)
