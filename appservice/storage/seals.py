"""How the stores of one unit of work seal columns, and find sealed things again."""

import hashlib
import hmac
import secrets
from functools import lru_cache
from typing import Final

from sqlalchemy import bindparam, select

from appservice.crypto.sealing import MASTER_KEY_BYTES, Sealer
from appservice.storage import schema
from appservice.storage.connections import Connection
from appservice.storage.statements import insert_new
from policies.case import CaseId

KEYS_PURPOSE: Final = "storage keys"
LOOKUP: Final = "lookup"
"""The name of the key of lookups."""
_CASE: Final = "case:"
_RECORD: Final = "record"
_SEALED: Final = select(schema.keys.c.sealed).where(schema.keys.c.name == bindparam("name"))


class Seals:
    """Seals under the master key, and keeps the random keys that are themselves stored sealed."""

    def __init__(self, sealer: Sealer, lookup_key: bytes) -> None:
        """`lookup_key` comes from `lookup_key()`."""
        self.sealer = sealer
        # Begun once: of each message there are as many lookups as pieces of words.
        self._lookup = hmac.new(lookup_key, digestmod=hashlib.sha256)

    def lookup(self, what: str, *values: str) -> bytes:
        """A keyed hash (HMAC-SHA-256) by which something is found that isn't stored in clear."""
        keyed = self._lookup.copy()
        keyed.update("\0".join((what, *values)).encode(errors="surrogatepass"))
        return keyed.digest()


async def lookup_key(connection: Connection, sealer: Sealer) -> bytes:
    """The key of lookups, made when it is first asked for. Raises SealError under another master key."""
    return await _key(connection, sealer, LOOKUP) or await _make_key(connection, sealer, LOOKUP)


async def record_key(connection: Connection, sealer: Sealer) -> bytes:
    """The seed of the key that signs the record's heads, made when it is first asked for."""
    return await existing_record_key(connection, sealer) or await _make_key(connection, sealer, _RECORD)


async def existing_record_key(connection: Connection, sealer: Sealer) -> bytes | None:
    """The same, if it was made."""
    return await _key(connection, sealer, _RECORD)


async def case_seal(connection: Connection, sealer: Sealer, case: CaseId) -> Sealer | None:
    """What seals under that case's own key; None if it has none: nothing was sealed yet, or the key was destroyed."""
    sealed = await _sealed_key(connection, _name(case))
    return None if sealed is None else _case_sealer(sealer, _name(case), sealed)


async def make_case_seal(connection: Connection, sealer: Sealer, case: CaseId) -> Sealer:
    """The same, making the key if there is none."""
    return await case_seal(connection, sealer, case) or Sealer([await _make_key(connection, sealer, _name(case))])


@lru_cache(maxsize=256)
def _case_sealer(sealer: Sealer, name: str, sealed: bytes) -> Sealer:
    """Whether the key is still there is asked each time; to open it and to derive keys from it, once."""
    return Sealer([open_key(sealer, name, sealed)])


def seal_text(sealer: Sealer, purpose: str, aad: str, value: str) -> bytes:
    """A sealed text, whatever is in it: one from the network may hold half of a surrogate pair."""
    return sealer.seal(purpose, aad, value.encode(errors="surrogatepass"))


def open_text(sealer: Sealer, purpose: str, aad: str, sealed: bytes) -> str:
    """The inverse of `seal_text`."""
    return sealer.open(purpose, aad, sealed).decode(errors="surrogatepass")


def seal_optional(sealer: Sealer, purpose: str, aad: str, value: str | None) -> bytes | None:
    """A sealed text, or None for None."""
    return None if value is None else seal_text(sealer, purpose, aad, value)


def open_optional(sealer: Sealer, purpose: str, aad: str, sealed: bytes | None) -> str | None:
    """The inverse of `seal_optional`."""
    return None if sealed is None else open_text(sealer, purpose, aad, sealed)


def row(*parts: str) -> str:
    """What names a row, to bind a sealed value to it: no two rows of a table have the same."""
    return "\0".join(parts)


def open_key(sealer: Sealer, name: str, sealed: bytes) -> bytes:
    """A stored key. Raises SealError under another master key."""
    return sealer.open(KEYS_PURPOSE, name, sealed)


def seal_key(sealer: Sealer, name: str, key: bytes) -> bytes:
    """A key as it is stored."""
    return sealer.seal(KEYS_PURPOSE, name, key)


def case_of_key(name: str) -> CaseId | None:
    """The case whose key goes by that name; None for other keys."""
    return CaseId(name.removeprefix(_CASE)) if name.startswith(_CASE) else None


def _name(case: CaseId) -> str:
    return f"{_CASE}{case}"


async def _key(connection: Connection, sealer: Sealer, name: str) -> bytes | None:
    sealed = await _sealed_key(connection, name)
    return None if sealed is None else open_key(sealer, name, sealed)


async def _sealed_key(connection: Connection, name: str) -> bytes | None:
    sealed: bytes | None = (await connection.execute(_SEALED, {"name": name})).scalar_one_or_none()
    return sealed


async def _make_key(connection: Connection, sealer: Sealer, name: str) -> bytes:
    """Another process may make it at the same moment: the first that commits wins, and both use that one."""
    fresh = secrets.token_bytes(MASTER_KEY_BYTES)
    values = {"name": name, "sealed": seal_key(sealer, name, fresh)}
    await connection.execute(insert_new(connection.dialect, schema.keys, "name"), values)
    key = await _key(connection, sealer, name)
    assert key is not None
    return key
