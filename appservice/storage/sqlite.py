"""SQLite: how we open it, and on which thread it works.

aiosqlite hands every step of a statement to a thread and waits for it, and each time costs more than the statement
itself. Here only what has to wait for something is done on a thread: to begin writing while another process holds the
lock, and to commit what must not be lost (the disk). The rest takes microseconds, and is done where it is asked for.
"""

import asyncio
import errno
import os
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from sqlalchemy import URL, AsyncAdaptedQueuePool, CursorResult, Executable, create_engine
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncResult
from sqlalchemy.util import await_

from appservice.storage.errors import DatabaseUnavailable, UnusableDatabase

_BEGIN_WRITING: Final = "BEGIN IMMEDIATE"
_BEGIN_READING: Final = "BEGIN"
_WAIT: Final = "PRAGMA busy_timeout=10000"
_NO_WAIT: Final = "PRAGMA busy_timeout=0"
_WRITER: Final = ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "secure_delete=ON", "busy_timeout=0")
_LASTING: Final = ("synchronous=FULL", "wal_autocheckpoint=1000")
_REPEATABLE: Final = ("synchronous=NORMAL", "wal_autocheckpoint=0")
"""Without the disk: the log of what was written is not flushed, nor copied into the database. The next commit that
lasts does both, for this one too. https://www.sqlite.org/pragma.html#pragma_synchronous"""
_READER: Final = ("query_only=ON", "busy_timeout=10000")
_DIALECT: Final = "sqlite.mediatrix"


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


def require_file(url: URL) -> None:
    """Raises DatabaseUnavailable where there is no database yet: SQLite would make one by looking for it."""
    if not Path(url.database or "").is_file():
        raise DatabaseUnavailable("there is no database yet; the first start of the service makes it")


def wait_for_the_disk(connection: AsyncConnection, *, wait: bool) -> None:
    """Whether what that connection commits from now on outlasts a power cut. No transaction is open yet."""
    driver = connection.sync_connection.connection.driver_connection if connection.sync_connection else None
    assert isinstance(driver, _Connection)
    driver.wait_for_the_disk(wait=wait)


def _engine(url: URL, begin: str, pragmas: tuple[str, ...], size: int) -> AsyncEngine:
    path = url.database
    if not path or path == ":memory:":
        raise UnusableDatabase("SQLite needs a file")

    def connect() -> sqlite3.Connection:
        # The driver begins no transactions on its own: we do. SQLite itself is safe to be used by several threads.
        made = sqlite3.connect(path, timeout=10, factory=_Connection, isolation_level=None, check_same_thread=False)
        for pragma in pragmas:
            made.execute(f"PRAGMA {pragma}")
        return made

    engine = create_engine(
        url.set(drivername=_DIALECT.replace(".", "+")),
        hide_parameters=True,
        pool_size=size,
        max_overflow=0,
        creator=connect,
    )
    assert isinstance(engine.dialect, Dialect)
    engine.dialect.begins_with = begin
    return _Engine(engine)


class Dialect(SQLiteDialect_pysqlite):
    """Python's own sqlite3, within SQLAlchemy's asyncio engine."""

    is_async = True
    supports_statement_cache = True
    begins_with = _BEGIN_READING
    """How transactions begin. The driver begins none, and an event for it would cost something with each statement."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self._thread = ThreadPoolExecutor(1, "sqlite")

    @classmethod
    def get_pool_class(cls, url: URL) -> type[AsyncAdaptedQueuePool]:
        """Tasks wait for a connection, not the thread."""
        return AsyncAdaptedQueuePool

    def do_begin(self, dbapi_connection: Any) -> None:
        """At once, unless it has to wait for another process. The pool's proxy of a `_Connection`."""
        connection: _Connection = dbapi_connection.dbapi_connection
        try:
            connection.execute(self.begins_with)
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                raise
            self._on_its_thread(connection.begin_patiently)
        connection.changes_before = connection.total_changes

    def do_commit(self, dbapi_connection: Any) -> None:
        """Wait for the disk elsewhere, if there is something to wait for. The pool's proxy of a `_Connection`."""
        if dbapi_connection.total_changes == dbapi_connection.changes_before or not dbapi_connection.waits_for_the_disk:
            dbapi_connection.commit()
        else:
            self._on_its_thread(dbapi_connection.commit)

    def _on_its_thread(self, act: Callable[..., object], *arguments: object) -> None:
        await_(_to_the_end(asyncio.get_running_loop().run_in_executor(self._thread, act, *arguments)))


registry.register(_DIALECT, __name__, Dialect.__name__)


async def _to_the_end(waiting: asyncio.Future[object]) -> None:
    """Whoever is cancelled closes the connection next: not while the thread is using it."""
    try:
        await asyncio.shield(waiting)
    except asyncio.CancelledError:
        while not waiting.done():
            with suppress(asyncio.CancelledError):
                await asyncio.wait([waiting])
        raise


class _AsyncConnection(AsyncConnection):
    """Executes statements where it is asked to; SQLAlchemy's own refuses a driver that never awaits anything."""

    async def execute(self, statement: Executable, parameters: Any = None, **options: Any) -> CursorResult[Any]:
        if not self.in_transaction():
            await self.begin()
        return self._proxied.execute(statement, parameters, **options)

    async def stream(  # type: ignore[override]  # whoever leaves one unread closes the connection next
        self, statement: Executable, parameters: Any = None, **options: Any
    ) -> AsyncResult[Any]:
        return AsyncResult(await self.execute(statement, parameters, **options))


class _Engine(AsyncEngine):
    _connection_cls = _AsyncConnection


class _Connection(sqlite3.Connection):
    """Ends its transaction when it is closed.

    SQLite keeps a closed connection, and the lock of its transaction, for as long as some cursor of it is unfinished;
    that of a task that was cancelled is, until the garbage collector comes.
    """

    changes_before = 0
    """The number of changes when its transaction began."""
    waits_for_the_disk = True

    def wait_for_the_disk(self, *, wait: bool) -> None:
        """Whether commits last from now on."""
        if wait != self.waits_for_the_disk:
            for pragma in _LASTING if wait else _REPEATABLE:
                self.execute(f"PRAGMA {pragma}")
            self.waits_for_the_disk = wait

    def begin_patiently(self) -> None:
        """Begin writing, when another process lets us; not for ever."""
        self.execute(_WAIT)
        try:
            self.execute(_BEGIN_WRITING)
        finally:
            self.execute(_NO_WAIT)

    def close(self) -> None:
        """Roll back and close."""
        with suppress(sqlite3.Error):
            self.rollback()
        super().close()
