"""The vault: bytes of documents, encrypted in files, each under a key of its own that stands sealed in the database.

    keep ──▶ a row with the key ──▶ the file, under another name ──▶ the file, under its own ──▶ the caller's unit of
             (begun)                                                                            work: whole

Whoever is killed in between leaves a row that is begun and maybe some ciphertext; `sweep` takes both away. Plaintext is
nowhere but in the caller's own folder (`workroom`).
"""

import asyncio
import hashlib
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, Protocol

from appservice.documents.stream import Damaged, decrypt, encrypt, new_key
from appservice.documents.workroom import Workroom
from policies.case import CaseId
from policies.document import BlobId, Kept
from rooms.vault import Blob
from rooms.vault import Vault as Ledger

__all__ = ["Damaged"]

UNFINISHED_FOR: Final = timedelta(hours=1)
"""So old a beginning is nobody's any more: an item of work is given up long before."""
ORPHAN_FOR: Final = timedelta(days=30)
"""So long ciphertext without a key is left alone: the database may have been restored from the wrong backup."""
_HALF: Final = ".part"
_AT_ONCE: Final = 500


class _Work(Protocol):
    @property
    def vault(self) -> Ledger: ...


class VaultDatabase(Protocol):
    """What is needed of the database."""

    def begin(self) -> AbstractAsyncContextManager[_Work]:
        """A unit of work."""


class Missing(Exception):
    """The vault doesn't have it: it was never whole, the case's key was destroyed, or the folder lacks its file."""


class Vault:
    """Keeps bytes, and gives them back, without ever holding a whole file in memory."""

    def __init__(self, folder: Path, database: VaultDatabase) -> None:
        """`folder` is made when it is first needed."""
        self._blobs, self._database = folder / "blobs", database
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
        old = await asyncio.to_thread(lambda: list(self._old()))
        for start in range(0, len(old), _AT_ONCE):
            some = old[start : start + _AT_ONCE]
            async with self._database.begin() as work:
                known = await work.vault.known([BlobId(path.name) for path in some])
            for path in some:
                if path.name not in known:
                    path.unlink(missing_ok=True)

    async def _blob(self, case: CaseId, blob: BlobId) -> Blob:
        async with self._database.begin() as work:
            found = await work.vault.get(case, blob)
        if found is None:
            raise Missing("the vault does not have it")
        return found

    def _written(self, blob: Blob, plain: Path) -> tuple[str, int]:
        target = self._path(blob.id)
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        unfinished = target.with_suffix(_HALF)
        handle = os.open(unfinished, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        with os.fdopen(handle, "wb") as into, plain.open("rb") as source:
            encrypt(source, blob.key, into)
            into.flush()
            os.fsync(into.fileno())
        unfinished.replace(target)
        # The folders that it lies in may be as new: whoever loses power would lose them with all that is in them.
        for folder in (target.parent, self._blobs, self._blobs.parent):
            _sync(folder)
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
            stream = self._path(blob.id).open("rb")
        except FileNotFoundError:
            raise Missing("the folder of the vault lacks a file: restore it from a backup") from None
        with stream:
            yield from decrypt(stream, blob.key)

    def _path(self, blob: BlobId) -> Path:
        return self._blobs / blob[:2] / blob

    def _old(self) -> Iterator[Path]:
        """What may be an orphan."""
        now = datetime.now(UTC)
        for path in self._blobs.glob("*/*"):
            try:
                status = path.lstat()
            except FileNotFoundError:
                continue  # it has just got its own name, or another process took it away
            before = now - (UNFINISHED_FOR if path.suffix == _HALF else ORPHAN_FOR)
            if stat.S_ISREG(status.st_mode) and status.st_mtime < before.timestamp():
                yield path


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
