"""Bytes encrypted in a stream, so that none of them is believed before it is known to be whole and in its place.

    file = magic ‖ chunk … chunk ‖ last chunk
    chunk = AES-256-GCM of 64 KiB (the last: of what is left, maybe nothing) under the file's own key
    nonce = number of the chunk (11 bytes, big-endian) ‖ 1 for the last, else 0

A chunk that was changed, left out, moved, or taken from another file does not open, nor does a file that was cut off.
(The construction is STREAM: Hoang, Reyhanitabar, Rogaway, Vizár, "Online Authenticated Encryption", 2015; this nonce is
that of age, age-encryption.org/v1. A key serves one file, so no nonce comes twice under it.)
"""

import secrets
from collections.abc import Iterator
from typing import BinaryIO, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_MAGIC: Final = b"mediatrix vault 1\n"
_CHUNK: Final = 64 * 1024
_TAG: Final = 16
_COUNTER_BYTES: Final = 11


class Damaged(Exception):
    """Some bytes are not the ones that were stored."""


def new_key() -> bytes:
    """A key for one file."""
    return secrets.token_bytes(32)


def encrypt(plain: BinaryIO, key: bytes) -> Iterator[bytes]:
    """All of it, encrypted, chunk by chunk. The key must never have been used before."""
    cipher, number = AESGCM(key), 0
    yield _MAGIC
    chunk, following = plain.read(_CHUNK), plain.read(_CHUNK)
    while following:
        yield cipher.encrypt(_nonce(number, last=False), chunk, _MAGIC)
        number, chunk, following = number + 1, following, plain.read(_CHUNK)
    yield cipher.encrypt(_nonce(number, last=True), chunk, _MAGIC)


def decrypt(sealed: BinaryIO, key: bytes) -> Iterator[bytes]:
    """The plaintext, chunk by chunk, each authentic. Raises Damaged: then what came before was a beginning only."""
    cipher, number = AESGCM(key), 0
    if sealed.read(len(_MAGIC)) != _MAGIC:
        raise Damaged("not bytes of the vault")
    chunk, following = sealed.read(_CHUNK + _TAG), sealed.read(_CHUNK + _TAG)
    while following:
        yield _opened(cipher, number, chunk, last=False)
        number, chunk, following = number + 1, following, sealed.read(_CHUNK + _TAG)
    yield _opened(cipher, number, chunk, last=True)


def _opened(cipher: AESGCM, number: int, chunk: bytes, *, last: bool) -> bytes:
    try:
        return cipher.decrypt(_nonce(number, last=last), chunk, _MAGIC)
    except (InvalidTag, ValueError):
        raise Damaged("bytes of the vault were changed, or cut off") from None


def _nonce(number: int, *, last: bool) -> bytes:
    return number.to_bytes(_COUNTER_BYTES, "big") + bytes([last])
