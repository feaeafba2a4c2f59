"""Private folders for plaintext that is being worked on; none outlives its work, whoever is killed.

A folder is locked (flock) for as long as its process lives: whoever gets the lock of one that is there knows that
nobody works in it any more, and deletes it. Whoever is just about to lock theirs may
lose it, and is told by an OSError.
"""

import fcntl
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Final

_LOCK: Final = "lock"


class Workroom:
    """Makes the folders, and clears away what was left."""

    def __init__(self, folder: Path) -> None:
        """Touches nothing yet."""
        self._folder = folder

    @asynccontextmanager
    async def room(self) -> AsyncIterator[Path]:
        """A folder that only its owner can read, gone at the end with all that is in it. Raises OSError."""
        with self._locked() as path:
            yield path

    @contextmanager
    def _locked(self) -> Iterator[Path]:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = Path(tempfile.mkdtemp(dir=self._folder))
        handle = os.open(path / _LOCK, os.O_CREAT | os.O_RDWR, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            inside = path / "files"
            inside.mkdir(mode=0o700)
            yield inside
        finally:
            shutil.rmtree(path, ignore_errors=True)
            os.close(handle)

    def sweep(self) -> None:
        """Delete the folders in which nobody works."""
        for path in sorted(self._folder.iterdir()) if self._folder.exists() else ():
            _delete(path)


def _delete(path: Path) -> None:
    """Unless somebody works in it."""
    try:
        handle = os.open(path / _LOCK, os.O_CREAT | os.O_RDWR, 0o600)
    except OSError:
        return
    try:
        with suppress(BlockingIOError):
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(path, ignore_errors=True)
    finally:
        os.close(handle)
