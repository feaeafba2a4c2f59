"""A file encrypted for a room, piece by piece (client-server API, "Sending encrypted attachments"; AES-256 in counter
mode, by cryptography): so much memory as a piece takes, however large the file is.
"""

import base64
import hashlib
import secrets
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, Final

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from appservice.matrix.errors import MediaTamperedError
from appservice.matrix.ids import JsonObject

PIECE: Final = 256 * 1024
"""Bytes."""
_COUNTER: Final = bytes(8)
"""The second half of the first block, which counts: so it overflows in no file."""


def seal(plain: Path, into: Path) -> JsonObject:
    """Encrypt a file into a new one, under a fresh key; all that a reader needs besides, which is an `EncryptedFile` of
    the spec without its `url`. Raises OSError."""
    with plain.open("rb") as source, into.open("xb") as target:
        return seal_pieces(pieces(source), target)


def seal_pieces(plain: Iterable[bytes], into: BinaryIO) -> JsonObject:
    """The same of pieces, into what is open."""
    key, start, digest = secrets.token_bytes(32), secrets.token_bytes(8) + _COUNTER, hashlib.sha256()
    sealing = Cipher(algorithms.AES(key), modes.CTR(start)).encryptor()
    for piece in plain:
        closed = sealing.update(piece)
        digest.update(closed)
        into.write(closed)
    text = base64.urlsafe_b64encode(key).decode().rstrip("=")
    jwk = {"kty": "oct", "alg": "A256CTR", "ext": True, "k": text, "key_ops": ["encrypt", "decrypt"]}
    return {"v": "v2", "key": jwk, "iv": _text(start), "hashes": {"sha256": _text(digest.digest())}}


def unseal(source: Path, into: Path, file: Mapping[str, Any]) -> None:
    """Decrypt what an `EncryptedFile` object describes: only when all of it was read once, and has that SHA-256.

    Raises MediaTamperedError, and then there is nothing in `into`; OSError.
    """
    key, start, digest = _described(file)
    with source.open("rb") as closed:
        if hashlib.file_digest(closed, "sha256").digest() != digest:
            raise MediaTamperedError("the file is not the one its sender encrypted")
        closed.seek(0)
        opening = Cipher(algorithms.AES(key), modes.CTR(start)).decryptor()
        with into.open("xb") as target:
            for piece in pieces(closed):
                target.write(opening.update(piece))


def pieces(source: BinaryIO) -> Iterator[bytes]:
    """All of a file."""
    while piece := source.read(PIECE):
        yield piece


def _described(file: Mapping[str, Any]) -> tuple[bytes, bytes, bytes]:
    """The key, the first counter block and the SHA-256 of the ciphertext."""
    match file:
        case {"key": {"k": str(key), "alg": "A256CTR"}, "iv": str(iv), "hashes": {"sha256": str(digest)}}:
            found = _bytes(key), _bytes(iv), _bytes(digest)
            if (len(found[0]), len(found[1])) == (32, 16):
                return found
        case _:
            pass
    raise MediaTamperedError("the file's key description is malformed")


def _text(data: bytes) -> str:
    """Base64 without padding."""
    return base64.b64encode(data).decode().rstrip("=")


def _bytes(text: str) -> bytes:
    """Base64 of either alphabet, with or without padding."""
    plain = text.rstrip("=").translate(str.maketrans("-_", "+/"))
    try:
        return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except ValueError:
        raise MediaTamperedError("the file's key description is malformed") from None
