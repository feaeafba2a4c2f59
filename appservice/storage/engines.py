"""Connections: what we ask of each database, and what its errors mean."""

import errno
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

from sqlalchemy import URL, event, exc, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from appservice.storage.errors import Conflict, DatabaseUnavailable, StorageError, UnusableDatabase

_WRITER: Final = ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=10000", "secure_delete=ON")
_READER: Final = ("query_only=ON", "busy_timeout=10000")
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


class _Connection(sqlite3.Connection):
    """Ends its transaction when it is closed.

    SQLite keeps a closed connection, and the lock of its transaction, for as long as some cursor of it is unfinished;
    that of a task that was cancelled is, until the garbage collector comes.
    """

    def close(self) -> None:
        """Roll back and close."""
        with suppress(sqlite3.ProgrammingError):
            self.rollback()
        super().close()


def engines(address: str) -> tuple[AsyncEngine, AsyncEngine]:
    """The engine to write with and the one to read with, of a URL `sqlite:///path` or `postgresql://…`."""
    try:
        url = make_url(address)
    except exc.ArgumentError:
        raise UnusableDatabase("the database's address is not a URL") from None
    match url.get_backend_name():
        case "sqlite":
            return _sqlite(url, "BEGIN IMMEDIATE", _WRITER, 1), _sqlite(url, "BEGIN", _READER, 4)
        case "postgresql":
            engine = _postgresql(url)
            return engine, engine.execution_options(postgresql_readonly=True)
        case _:
            raise UnusableDatabase("the database is neither SQLite nor PostgreSQL")


def make_private_file(engine: AsyncEngine) -> None:
    """On SQLite: make the file before SQLite does, which would make it readable for everybody."""
    if engine.dialect.name == "sqlite" and engine.url.database is not None:
        try:
            os.close(os.open(engine.url.database, os.O_CREAT | os.O_RDWR, 0o600))
        except OSError as error:
            reason = errno.errorcode.get(error.errno or 0, "an unknown error")
            raise DatabaseUnavailable(f"the database's file can't be opened ({reason})") from error


def _sqlite(url: URL, begin: str, pragmas: tuple[str, ...], size: int) -> AsyncEngine:
    if not url.database or url.database == ":memory:":
        raise UnusableDatabase("SQLite needs a file")
    engine = create_async_engine(
        url.set(drivername="sqlite+aiosqlite"),
        hide_parameters=True,
        pool_size=size,
        max_overflow=0,
        connect_args={"factory": _Connection},
    )

    @event.listens_for(engine.sync_engine, "connect")
    def _on_connect(connection: DBAPIConnection, _: object) -> None:
        connection.isolation_level = None  # the driver begins nothing on its own: we do
        cursor = connection.cursor()
        for pragma in pragmas:
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def _on_begin(connection: Any) -> None:
        connection.exec_driver_sql(begin)

    return engine


def _postgresql(url: URL) -> AsyncEngine:
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
        pool_size=8,
        max_overflow=0,
        pool_timeout=30,
        connect_args={"timeout": 10, "server_settings": settings},
    )


@contextmanager
def translated_errors() -> Iterator[None]:
    """Turn the drivers' errors into this package's."""
    try:
        yield
    except (exc.DBAPIError, exc.TimeoutError) as error:
        raise _meaning(error) from error


def _meaning(error: exc.DBAPIError | exc.TimeoutError) -> StorageError:
    if isinstance(error, exc.IntegrityError):
        return Conflict()
    if isinstance(error, exc.TimeoutError) or error.connection_invalidated:
        return DatabaseUnavailable("the database does not answer")
    state = getattr(error.orig, "sqlstate", None)
    if isinstance(state, str):
        transient = state.startswith(_TRANSIENT_POSTGRESQL)
    else:
        code = getattr(error.orig, "sqlite_errorcode", None)
        state = getattr(error.orig, "sqlite_errorname", type(error).__name__)
        # The low byte is the primary code. https://www.sqlite.org/rescode.html
        transient = isinstance(error, exc.InterfaceError) if code is None else code & 0xFF in _TRANSIENT_SQLITE
    if transient:
        return DatabaseUnavailable(f"the database can't serve us now ({state})")
    return UnusableDatabase(f"the database refuses what we ask ({state})")
