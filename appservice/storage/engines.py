"""Connections: what we ask of each database, and what its errors mean."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from sqlalchemy import URL, exc, make_url

from appservice.storage import sqlite
from appservice.storage.connections import Engine
from appservice.storage.errors import Conflict, DatabaseFull, DatabaseUnavailable, StorageError, UnusableDatabase

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

_TRANSIENT_SQLITE: Final = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_CANTOPEN,
    }
)
_TRANSIENT_POSTGRESQL: Final = ("08", "40", "53", "55P03", "57", "58", "25006", "25P03")
"""SQLSTATE beginnings: connection, rollback (deadlock, serialization), resources (disk full), lock timeout, operator
(shutdown, timeout), system, read-only (a standby), idle transaction. PostgreSQL documentation, appendix A."""

_FULL: Final = frozenset({"53100", "SQLITE_FULL"})


def engines(address: str) -> tuple[Engine, Engine]:
    """The engine to write with and the one to read with, of a URL `sqlite:///path` or `postgresql://…`."""
    try:
        url = make_url(address)
    except exc.ArgumentError:
        raise UnusableDatabase("the database's address is not a URL") from None
    match url.get_backend_name():
        case "sqlite":
            return sqlite.writer(url), sqlite.reader(url)
        case "postgresql":
            engine = _postgresql(url)
            return engine, engine.execution_options(postgresql_readonly=True)
        case _:
            raise UnusableDatabase("the database is neither SQLite nor PostgreSQL")


def _postgresql(url: URL) -> AsyncEngine:
    # Here, for SQLite does without: it brings the object mapper along.
    from sqlalchemy.ext.asyncio import create_async_engine

    settings = {
        "application_name": "mediatrix",
        "jit": "off",
        # Nothing of ours takes long. A process that hangs must not hold up the others for ever.
        "lock_timeout": "30s",
        "idle_in_transaction_session_timeout": "60s",
    }
    return create_async_engine(
        url.set(drivername="postgresql+asyncpg"),
        hide_parameters=True,
        pool_size=10,
        max_overflow=0,
        pool_timeout=30,
        connect_args={"timeout": 10, "server_settings": settings},
    )


@contextmanager
def translated_errors() -> Iterator[None]:
    """Turn the drivers' errors into this package's."""
    try:
        yield
    except (exc.DBAPIError, exc.TimeoutError, sqlite3.Error) as error:
        raise _meaning(error) from error


def _meaning(error: exc.DBAPIError | exc.TimeoutError | sqlite3.Error) -> StorageError:
    """SQLite's driver speaks for itself, or through SQLAlchemy."""
    if isinstance(error, exc.IntegrityError | sqlite3.IntegrityError):
        return Conflict()
    if isinstance(error, exc.TimeoutError) or (isinstance(error, exc.DBAPIError) and error.connection_invalidated):
        return DatabaseUnavailable("the database does not answer")
    cause = error.orig if isinstance(error, exc.DBAPIError) else error
    state = getattr(cause, "sqlstate", None)
    if isinstance(state, str):
        transient = state.startswith(_TRANSIENT_POSTGRESQL)
    else:
        code = getattr(cause, "sqlite_errorcode", None)
        state = getattr(cause, "sqlite_errorname", type(error).__name__)
        # The low byte is the primary code. https://www.sqlite.org/rescode.html
        transient = isinstance(error, exc.InterfaceError) if code is None else code & 0xFF in _TRANSIENT_SQLITE
    if state in _FULL:
        return DatabaseFull(f"the database has no room left ({state})")
    if transient:
        return DatabaseUnavailable(f"the database can't serve us now ({state})")
    return UnusableDatabase(f"the database refuses what we ask ({state})")
