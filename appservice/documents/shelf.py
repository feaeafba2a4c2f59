"""Where the vault's ciphertext lies: named bytes that are there whole, or not at all."""

import os
import stat
from collections.abc import Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import BinaryIO, Final, Protocol

from appservice.newfile import is_unfinished, new_file, sync_folder
from policies.documents.document import BlobId

UNFINISHED_FOR: Final = timedelta(hours=1)
"""So old a beginning is nobody's any more: an item of work is given up long before."""


class Shelf(Protocol):
    """A place for ciphertext. Calls block, so each runs in a thread; each raises OSError where the place fails."""

    def put(self, blob: BlobId, chunks: Iterator[bytes]) -> None:
        """Keep them under that name. When it returns they outlast a power loss; if it raises, nothing is there."""

    def open(self, blob: BlobId) -> AbstractContextManager[BinaryIO]:
        """To be read once, from the start. Raises FileNotFoundError, too."""

    def older(self, than: datetime) -> Iterator[BlobId]:
        """What has lain there since before that moment."""

    def remove(self, blob: BlobId) -> None:
        """Take it away; nothing happens if it is gone."""

    def tidy(self) -> None:
        """Take away what the killed left unfinished, if anything of it shows."""

    def check(self) -> None:
        """Raises OSError where nothing could be kept or read."""


class Folder:
    """A folder of ours, on a file system that all our processes share."""

    def __init__(self, folder: Path) -> None:
        """It is made when it is first needed."""
        self._folder = folder

    def put(self, blob: BlobId, chunks: Iterator[bytes]) -> None:
        """As a new file."""
        target = self._path(blob)
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with new_file(target) as into:
            for chunk in chunks:
                into.write(chunk)
        # The folders that it lies in may be as new: whoever loses power would lose them with all that is in them.
        for folder in (self._folder, self._folder.parent):
            sync_folder(folder)

    def open(self, blob: BlobId) -> AbstractContextManager[BinaryIO]:
        """The file itself."""
        return self._path(blob).open("rb")

    def older(self, than: datetime) -> Iterator[BlobId]:
        """By the times of the files."""
        return (BlobId(path.name) for path in self._since(than) if not is_unfinished(path))

    def remove(self, blob: BlobId) -> None:
        """The file, and not its folder."""
        self._path(blob).unlink(missing_ok=True)

    def tidy(self) -> None:
        """What never got its own name."""
        for path in self._since(datetime.now(UTC) - UNFINISHED_FOR):
            if is_unfinished(path):
                path.unlink(missing_ok=True)

    def check(self) -> None:
        """Whether we may write there; that it does not exist yet is no fault."""
        there = next(folder for folder in (self._folder, *self._folder.parents) if folder.exists())
        if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
            raise PermissionError("the folder of documents can't be written")

    def _path(self, blob: BlobId) -> Path:
        return self._folder / blob[:2] / blob

    def _since(self, before: datetime) -> Iterator[Path]:
        for path in self._folder.glob("*/*"):
            try:
                status = path.lstat()
            except FileNotFoundError:
                continue  # it has just got its own name, or another process took it away
            if stat.S_ISREG(status.st_mode) and status.st_mtime < before.timestamp():
                yield path
