"""New files that outlast a power loss: complete under their name, or not there at all."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


@contextmanager
def new_file(path: Path) -> Iterator[BinaryIO]:
    """A file that only its owner can read, and that appears under its name, complete and on the disk, or not at all.

    Whoever is killed meanwhile leaves it under another name: see `is_unfinished`.
    """
    unfinished = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    handle = os.open(unfinished, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    try:
        with os.fdopen(handle, "wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        unfinished.replace(path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise
    sync_folder(path.absolute().parent)


def is_unfinished(path: Path) -> bool:
    """Whether that is what `new_file` writes before a file has its own name."""
    return path.name.startswith(".")


def sync_folder(folder: Path) -> None:
    """What stands in it now stands there after a power loss. Raises OSError."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
