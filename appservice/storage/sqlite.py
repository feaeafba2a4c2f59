"""SQLite: how we open it, and on which thread it works.

aiosqlite hands every step of a statement to a thread and waits for it: three or four times a statement, and each time
costs more than the statement itself. Here only what may have to wait for something is done there: to open the file,
to begin writing (another process may hold the lock for a moment), and to commit (the disk). The rest takes
microseconds, and is done where it is asked for.
"""

import asyncio
import errno
import os
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final, TypeVar

import aiosqlite
from sqlalchemy import URL, event
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from appservice.storage.errors import DatabaseUnavailable, UnusableDatabase

_BEGIN_WRITING: Final = "BEGIN IMMEDIATE"
_BEGIN_READING: Final = "BEGIN"
_WRITER: Final = ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=10000", "secure_delete=ON")
_READER: Final = ("query_only=ON", "busy_timeout=10000")
_ROWS_AT_ONCE: Final = 64

T = TypeVar("T")


def writer(url: URL) -> AsyncEngine:
    """One connection, that writes; each of its transactions has the database to itself."""
    return _engine(url, _BEGIN_WRITING, _WRITER, 1)


def reader(url: URL) -> AsyncEngine:
    """Connections that can't write, and wait for nobody."""
    return _engine(url, _BEGIN_READING, _READER, 4)


def make_private_file(url: URL) -> None:
    """Make the file before SQLite does, which would make it readable for everybody."""
    try:
        os.close(os.open(url.database or "", os.O_CREAT | os.O_RDWR, 0o600))
    except OSError as error:
        reason = errno.errorcode.get(error.errno or 0, "an unknown error")
        raise DatabaseUnavailable(f"the database's file can't be opened ({reason})") from error


def _engine(url: URL, begin: str, pragmas: tuple[str, ...], size: int) -> AsyncEngine:
    path = url.database
    if not path or path == ":memory:":
        raise UnusableDatabase("SQLite needs a file")

    def connect() -> sqlite3.Connection:
        # The driver begins no transactions on its own: we do. SQLite itself is safe to be used by several threads.
        made = sqlite3.connect(path, factory=_Connection, isolation_level=None, check_same_thread=False)
        for pragma in pragmas:
            made.execute(f"PRAGMA {pragma}")
        return made

    engine = create_async_engine(
        url.set(drivername="sqlite+aiosqlite"),
        hide_parameters=True,
        pool_size=size,
        max_overflow=0,
        async_creator=lambda: _AsyncConnection(connect, _ROWS_AT_ONCE),
    )

    @event.listens_for(engine.sync_engine, "begin")
    def _on_begin(connection: Any) -> None:
        connection.exec_driver_sql(begin)

    return engine


class _Connection(sqlite3.Connection):
    """Ends its transaction when it is closed.

    SQLite keeps a closed connection, and the lock of its transaction, for as long as some cursor of it is unfinished;
    that of a task that was cancelled is, until the garbage collector comes.
    """

    def close(self) -> None:
        """Roll back and close."""
        with suppress(sqlite3.Error):
            self.rollback()
        super().close()


class _AsyncConnection(aiosqlite.Connection):
    """Does on its thread only what may wait."""

    def __init__(self, connector: Callable[[], sqlite3.Connection], rows_at_once: int) -> None:
        super().__init__(connector, rows_at_once)
        self._thread.daemon = True

    async def _execute(self, fn: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        if fn != self._conn.commit and args[:1] != (_BEGIN_WRITING,):
            return fn(*args, **kwargs)
        waiting: asyncio.Future[T] = asyncio.ensure_future(super()._execute(fn, *args, **kwargs))  # type: ignore[no-untyped-call]
        try:
            return await asyncio.shield(waiting)
        except asyncio.CancelledError:
            # Whoever is cancelled closes the connection next: not while the other thread is using it.
            while not waiting.done():
                with suppress(asyncio.CancelledError):
                    await asyncio.wait([waiting])
            raise
