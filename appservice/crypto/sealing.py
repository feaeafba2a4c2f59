"""Sealing what is stored, under master keys that are not in the database.

A sealed value is `version (1 byte) | key id (4 bytes) | nonce (12 bytes) | AES-256-GCM ciphertext and tag`. Each
purpose has its own subkey, derived from the master by HKDF-SHA-256 (RFC 5869), and the header, the purpose and
the caller's `aad` are authenticated: a value moved to another row or another use does not open.

The master is rotated by putting a new key first: it seals, and all of them open.
"""

import base64
import hashlib
import secrets
from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

MASTER_KEY_BYTES = 32

_VERSION = b"\x01"
_ID_BYTES = 4
_NONCE_BYTES = 12
_HEADER_BYTES = len(_VERSION) + _ID_BYTES
_PICKLES = "olm pickles"

T = TypeVar("T")


class SealError(Exception):
    """A stored value does not open: another master key, another place, or tampered with."""


class UnknownKey(SealError):
    """It was sealed under a master key that is not among ours."""


class Picklable(Protocol):
    """What vodozemac can write down under a 32-byte key."""

    def pickle(self, pickle_key: bytes) -> str:
        """The encrypted pickle."""
        ...


class Sealer:
    """Seals and opens stored values. Immutable; one serves the whole process."""

    def __init__(self, masters: Sequence[bytes]) -> None:
        """`masters`: 32-byte keys; the first seals, all open. Raises ValueError for none or a wrong length."""
        if not masters or any(len(master) != MASTER_KEY_BYTES for master in masters):
            raise ValueError(f"a master key is {MASTER_KEY_BYTES} bytes, and there is at least one")
        self._masters = {_key_id(master): master for master in reversed(masters)}
        self._current = _key_id(masters[0])
        self._subkeys: dict[tuple[bytes, str], bytes] = {}
        self._ciphers: dict[tuple[bytes, str], AESGCM] = {}

    @property
    def key_id(self) -> str:
        """The id of the key that seals now, hexadecimal: what is sealed under another should be sealed anew."""
        return self._current.hex()

    def is_current(self, sealed: bytes) -> bool:
        """Whether that was sealed under the key that seals now."""
        return sealed[:_HEADER_BYTES] == _VERSION + self._current

    def is_current_text(self, sealed: str) -> bool:
        """`is_current` for what `seal_text` wrote."""
        return self.is_current(base64.urlsafe_b64decode(sealed))

    def is_current_pickle(self, text: str) -> bool:
        """`is_current` for what `pickle` wrote."""
        return text.startswith(f"{self.key_id}:")

    def seal(self, purpose: str, aad: str, plaintext: bytes) -> bytes:
        """Seal for one purpose and one place (`aad`: the row it belongs to). About 45 bytes longer."""
        header = _VERSION + self._current
        nonce = secrets.token_bytes(_NONCE_BYTES)
        cipher = self._cipher(self._current, purpose)
        return header + nonce + cipher.encrypt(nonce, plaintext, _authenticated(header, purpose, aad))

    def open(self, purpose: str, aad: str, sealed: bytes) -> bytes:
        """The plaintext; `SealError` when it wasn't sealed by us for this purpose and place."""
        header, nonce = sealed[:_HEADER_BYTES], sealed[_HEADER_BYTES : _HEADER_BYTES + _NONCE_BYTES]
        key_id = header[len(_VERSION) :]
        if len(header) < _HEADER_BYTES or header[: len(_VERSION)] != _VERSION:
            raise SealError(f"a sealed value is damaged ({purpose})")
        if key_id not in self._masters:
            raise UnknownKey("sealed under a master key that is not configured")
        cipher = self._cipher(key_id, purpose)
        try:
            return cipher.decrypt(nonce, sealed[_HEADER_BYTES + _NONCE_BYTES :], _authenticated(header, purpose, aad))
        except (InvalidTag, ValueError) as error:
            raise SealError(f"a sealed value does not open ({purpose})") from error

    def seal_text(self, purpose: str, aad: str, plaintext: str) -> str:
        """`seal` for text columns: text in, URL-safe base64 out."""
        return base64.urlsafe_b64encode(self.seal(purpose, aad, plaintext.encode())).decode()

    def open_text(self, purpose: str, aad: str, sealed: str) -> str:
        """The inverse of `seal_text`."""
        try:
            raw = base64.urlsafe_b64decode(sealed)
        except ValueError as error:
            raise SealError(f"a sealed value is damaged ({purpose})") from error
        return self.open(purpose, aad, raw).decode()

    def pickle(self, thing: Picklable) -> str:
        """Write an Olm or Megolm object down: `key id:pickle`."""
        return f"{self.key_id}:{thing.pickle(self._subkey(self._current, _PICKLES))}"

    def unpickle(self, load: Callable[[str, bytes], T], text: str) -> T:
        """Read back what `pickle` wrote, with the class's `from_pickle` as `load`."""
        key_id, _, pickle = text.partition(":")
        try:
            return load(pickle, self._subkey(bytes.fromhex(key_id), _PICKLES))
        except (KeyError, ValueError) as error:
            raise SealError("a pickle does not open under the configured master keys") from error

    def _cipher(self, key_id: bytes, purpose: str) -> AESGCM:
        cipher = self._ciphers.get((key_id, purpose))
        if cipher is None:
            cipher = self._ciphers[key_id, purpose] = AESGCM(self._subkey(key_id, purpose))
        return cipher

    def _subkey(self, key_id: bytes, purpose: str) -> bytes:
        subkey = self._subkeys.get((key_id, purpose))
        if subkey is None:
            subkey = _derive(self._masters[key_id], f"mediatrix {purpose}", MASTER_KEY_BYTES)
            self._subkeys[key_id, purpose] = subkey
        return subkey


def _authenticated(header: bytes, purpose: str, aad: str) -> bytes:
    return b"\x00".join((header, purpose.encode(), aad.encode()))


def _key_id(master: bytes) -> bytes:
    return hashlib.sha256(_derive(master, "mediatrix key id", 32)).digest()[:_ID_BYTES]


def _derive(master: bytes, info: str, length: int) -> bytes:
    return HKDF(SHA256(), length, None, info.encode()).derive(master)
