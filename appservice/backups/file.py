"""A sealed file: lines of JSON in frames, each sealed under the master key and bound to its place.

    magic ‖ id (16 random bytes) ‖ frame … frame ‖ last frame
    frame = kind (1 byte: "+" or "." for the last) ‖ length (4 bytes) ‖ sealed zlib of lines

A frame that was changed, left out, moved, or taken from another file does not open, and a file that was cut off has no
last frame. (The construction is STREAM: Hoang, Reyhanitabar, Rogaway, Vizár, "Online Authenticated Encryption", 2015.)
"""

import json
import secrets
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, Final

from appservice.crypto.sealing import Sealer, SealError, UnknownKey

_MAGIC: Final = b"mediatrix sealed file 1\n"
_PURPOSE: Final = "backup file"
_ID_BYTES: Final = 16
_LENGTH_BYTES: Final = 4
_FRAME: Final = 256 * 1024
"""Bytes of text in a frame, at least."""
_MORE, _LAST = b"+", b"."


class BackupError(Exception):
    """A backup that can't be taken or restored; the text says what is wrong and what would work."""


class SealedWriter:
    """Writes lines. `close` writes what makes the file complete."""

    def __init__(self, stream: BinaryIO, sealer: Sealer) -> None:
        """Begins the file."""
        self._stream, self._sealer = stream, sealer
        self._id = secrets.token_bytes(_ID_BYTES)
        self._lines = bytearray()
        self._frames = 0
        stream.write(_MAGIC + self._id)

    def write(self, line: Any) -> None:
        """One line: any JSON value."""
        self._lines += json.dumps(line, separators=(",", ":")).encode() + b"\n"
        if len(self._lines) >= _FRAME:
            self._frame(_MORE)

    def close(self) -> None:
        """Write the last frame."""
        self._frame(_LAST)

    def _frame(self, kind: bytes) -> None:
        place = _place(self._id, self._frames, kind)
        sealed = self._sealer.seal(_PURPOSE, place, zlib.compress(bytes(self._lines)))
        self._stream.write(kind + len(sealed).to_bytes(_LENGTH_BYTES, "big") + sealed)
        self._lines.clear()
        self._frames += 1


def read_sealed(file: Path, sealer: Sealer) -> Iterator[Any]:
    """The lines of a sealed file; ends only if it is complete and as it was written. Raises BackupError, OSError."""
    try:
        with file.open("rb") as stream:
            yield from _lines(stream, sealer)
    except BackupError as error:
        raise BackupError(f"{file}: {error}") from None


def _lines(stream: BinaryIO, sealer: Sealer) -> Iterator[Any]:
    if stream.read(len(_MAGIC)) != _MAGIC:
        raise BackupError("not a backup of Mediatrix, or one of a newer version")
    file_id = stream.read(_ID_BYTES)
    number, kind = 0, _MORE
    while kind == _MORE:
        kind = stream.read(1)
        length = int.from_bytes(stream.read(_LENGTH_BYTES), "big")
        for line in _opened(stream.read(length), sealer, _place(file_id, number, kind)).splitlines():
            yield json.loads(line)
        number += 1
    if stream.read(1):
        raise BackupError("it was changed: something follows its end")


def _opened(sealed: bytes, sealer: Sealer, place: str) -> bytes:
    try:
        return zlib.decompress(sealer.open(_PURPOSE, place, sealed))
    except UnknownKey:
        raise BackupError(
            "it was sealed under another master key: name that one in config.yaml (secrets.master_key, or one of"
            " secrets.old_master_keys)"
        ) from None
    except SealError:
        raise BackupError("it was changed, or is cut off: take another copy of it, or an older backup") from None


def _place(file_id: bytes, number: int, kind: bytes) -> str:
    return f"{file_id.hex()}/{number}/{kind.hex()}"
