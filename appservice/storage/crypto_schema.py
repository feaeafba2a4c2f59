"""The tables of encryption: one for each of `appservice.crypto.rows`, whose fields are the columns."""

from collections.abc import Sequence
from dataclasses import fields
from enum import StrEnum
from functools import lru_cache
from types import NoneType, UnionType
from typing import Any, Final, Generic, TypeVar, Union, get_args, get_origin, get_type_hints

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Dialect,
    Index,
    Row,
    Select,
    Table,
    Text,
    TypeDecorator,
    select,
    text,
)
from sqlalchemy.types import TypeEngine

from appservice.crypto import rows
from appservice.storage.documents import Document
from appservice.storage.schema import metadata, ordinal
from policies.frozen import frozen

R = TypeVar("R")


class _Name(TypeDecorator[StrEnum]):
    """A member of an enumeration, by its value."""

    impl = Text
    cache_ok = True

    def __init__(self, of: type[StrEnum]) -> None:
        super().__init__()
        self.of = of

    def process_bind_param(self, value: StrEnum | None, dialect: Dialect) -> str | None:
        return None if value is None else str(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> StrEnum | None:
        return None if value is None else self.of(value)


class _Devices(TypeDecorator[tuple[rows.StoredDevice, ...]]):
    """A person's devices as a document."""

    impl = Text
    cache_ok = True
    document: Document[tuple[rows.StoredDevice, ...]] = Document(tuple[rows.StoredDevice, ...])

    def process_bind_param(self, value: tuple[rows.StoredDevice, ...] | None, dialect: Dialect) -> str | None:
        return None if value is None else self.document.dump(value).decode()

    def process_result_value(self, value: str | None, dialect: Dialect) -> tuple[rows.StoredDevice, ...] | None:
        return None if value is None else _devices(value)


@lru_cache(maxsize=128)
def _devices(document: str) -> tuple[rows.StoredDevice, ...]:
    """Of somebody who writes much they are looked up twice a message, and rarely change."""
    return _Devices.document.load(document.encode())


@frozen
class Kept(Generic[R]):
    """A table that holds rows of one class."""

    row: type[R]
    table: Table
    key: tuple[str, ...]
    columns: tuple[str, ...]
    """The fields of the row."""

    def select(self) -> Select[*tuple[Any, ...]]:
        """The columns of the row."""
        return select(*(self.table.c[name] for name in self.columns))

    def read(self, found: Sequence[Row[*tuple[Any, ...]]]) -> list[R]:
        """What `select` found."""
        return [self.row(*one) for one in found]

    def written(self, row: R) -> dict[str, Any]:
        """The row as values of its columns."""
        return {name: getattr(row, name) for name in self.columns}


def _keep(name: str, row: type[R], *key: str, in_order: bool = False) -> Kept[R]:
    """A table of these rows with that key; `in_order` remembers the order in which they were first put."""
    columns: list[Column[Any]] = [ordinal()] if in_order else []
    hints = get_type_hints(row)
    for field in fields(row):  # type: ignore[arg-type]
        kind, nullable = _column_type(hints[field.name])
        columns.append(Column(field.name, kind, nullable=nullable, primary_key=field.name in key and not in_order))
    table = Table(f"crypto_{name}", metadata, *columns, sqlite_autoincrement=in_order)
    if in_order:
        Index(f"uq_crypto_{name}", *(table.c[column] for column in key), unique=True)
    return Kept(row, table, key, tuple(field.name for field in fields(row)))  # type: ignore[arg-type]


def _column_type(hint: Any) -> tuple[TypeEngine[Any], bool]:
    if get_origin(hint) in {Union, UnionType}:
        (inner,) = (one for one in get_args(hint) if one is not NoneType)
        return _column_type(inner)[0], True
    if get_origin(hint) is tuple:
        return _Devices(), False
    plain = getattr(hint, "__supertype__", hint)
    if issubclass(plain, StrEnum):
        return _Name(plain), False
    plain_types: dict[Any, TypeEngine[Any]] = {str: Text(), int: BigInteger(), bool: Boolean()}
    return plain_types[plain], False


def _index(name: str, kept: Kept[Any], *columns: str, where: str | None = None) -> None:
    condition = None if where is None else text(where)
    indexed = (kept.table.c[column] for column in columns)
    Index(f"ix_crypto_{name}", *indexed, sqlite_where=condition)  # as in `schema._partial`


IDENTITIES: Final = _keep("identities", rows.StoredIdentity, "user_id")
_index("identities_unfinished", IDENTITIES, "created_at_ms", where="NOT ready")

OLM_SESSIONS: Final = _keep("olm_sessions", rows.StoredOlmSession, "user_id", "session_id")
_index("olm_sessions_peer_key", OLM_SESSIONS, "user_id", "peer_key")

OLM_MESSAGES: Final = _keep("olm_messages", rows.StoredOlmMessage, "user_id", "digest")
_index("olm_messages_at_ms", OLM_MESSAGES, "at_ms")

UNWEDGINGS: Final = _keep("unwedgings", rows.StoredUnwedging, "user_id", "peer_user", "peer_device")

INBOUND: Final = _keep("inbound", rows.StoredInbound, "user_id", "room_id", "session_id", "sender_key")
_index("inbound_session_id", INBOUND, "room_id", "session_id")

WITHHELD: Final = _keep("withheld", rows.StoredWithheld, "user_id", "room_id", "session_id", "sender")
_index("withheld_session_id", WITHHELD, "room_id", "session_id")

INDEXES: Final = _keep("indexes", rows.StoredIndex, "session_id", "sender", "message_index")

KEY_REQUESTS: Final = _keep("key_requests", rows.StoredKeyRequest, "user_id", "room_id", "session_id")

OUTBOUND: Final = _keep("outbound", rows.StoredOutbound, "user_id", "room_id")
_index("outbound_session_id", OUTBOUND, "session_id")

SHARES: Final = _keep("shares", rows.StoredShare, "user_id", "session_id", "peer_user", "peer_device")
_index("shares_pending", SHARES, "request_id", where="state = 'pending'")
_index("shares_at_ms", SHARES, "at_ms")

REQUESTS: Final = _keep("requests", rows.StoredRequest, "request_id", in_order=True)
_index("requests_user_id", REQUESTS, "user_id")
_index("requests_leased_until_ms", REQUESTS, "leased_until_ms")

DEVICE_LISTS: Final = _keep("device_lists", rows.StoredDeviceList, "user_id")
_index("device_lists_stale", DEVICE_LISTS, "user_id", where="changed <> fetched")
_index("device_lists_fetched_at_ms", DEVICE_LISTS, "fetched_at_ms")

VERIFICATIONS: Final = _keep("verifications", rows.StoredVerification, "peer_user")

MASTER_KEYS: Final = _keep("master_keys", rows.StoredMasterKey, "user_id", "key")
