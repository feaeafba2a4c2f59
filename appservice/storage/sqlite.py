"""SQLite: how we open it, and on which thread it works.

What takes microseconds is done where it is asked for: to hand it to a thread costs more. Only what has to wait for
something is: to begin writing while another process holds the lock, and to commit what must not be lost (the disk).
"""

import asyncio
import errno
import os
import sqlite3
from collections.abc import AsyncIterable, AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Final, TypeVar, cast

import sqlalchemy
from sqlalchemy import URL, CursorResult, Executable, NullPool, create_engine
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite

from appservice.storage.errors import DatabaseUnavailable, UnusableDatabase
from appservice.storage.prepared import Found, Statements, Values

_BEGIN_WRITING: Final = "BEGIN IMMEDIATE"
_BEGIN_READING: Final = "BEGIN"
_WAIT: Final = "PRAGMA busy_timeout=10000"
_NO_WAIT: Final = "PRAGMA busy_timeout=0"
_WRITER: Final = ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "secure_delete=ON", "busy_timeout=0")
_LASTING: Final = ("synchronous=FULL", "wal_autocheckpoint=1000")
_REPEATABLE: Final = ("synchronous=NORMAL", "wal_autocheckpoint=0")
"""Without the disk: the log of what was written is not flushed, nor copied into the database. The next commit that
lasts does both, for this one too. https://www.sqlite.org/pragma.html#pragma_synchronous"""
_READER: Final = ("query_only=ON", "busy_timeout=10000", "cache_size=-256")
"""KiB of pages each: whatever is written empties that cache, so the usual 2 MB would be filled again and again for
nothing."""
_DIALECT: Final = "sqlite.mediatrix"

_PATIENCE: Final = 30.0
"""Seconds in line for a connection, as on PostgreSQL: with a disk that hangs, whoever would store something is told so,
and comes again, rather than to wait with it in memory for ever."""
_IN_A_ROW: Final = 500
"""Rows that are read before others have a turn."""

T = TypeVar("T")


def writer(url: URL) -> "Engine":
    """One connection, that writes; each of its transactions has the database to itself."""
    return Engine(url, _BEGIN_WRITING, _WRITER, 1)


def reader(url: URL) -> "Engine":
    """Connections that can't write, and wait for nobody."""
    return Engine(url, _BEGIN_READING, _READER, 4)


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


class Engine:
    """Connections to one file, opened when they are first needed, and kept.

    In place of SQLAlchemy's own, whose connections are given out, begin and end by way of greenlets: each of these
    costs more than all that SQLite has to do for a message.
    """

    def __init__(self, url: URL, begins_with: str, pragmas: Sequence[str], size: int) -> None:
        """`size`: so many transactions at once; whoever wants more waits in line, though not for ever."""
        if not url.database or url.database == ":memory:":
            raise UnusableDatabase("SQLite needs a file")
        self.url = url
        self._begins_with, self._pragmas = begins_with, pragmas
        self._engine = create_engine(
            url.set(drivername=_DIALECT.replace(".", "+")), hide_parameters=True, creator=self._open, poolclass=NullPool
        )
        self._statements = Statements(self.dialect)
        self._room = asyncio.Semaphore(size)
        self._idle: list[Connection] = []
        self._keeps = True
        """Whether a connection that is given back is kept."""

    @property
    def dialect(self) -> sqlalchemy.Dialect:
        """How SQLAlchemy speaks to it."""
        return self._engine.dialect

    @asynccontextmanager
    async def begin(self, *, is_repeatable: bool = False) -> AsyncIterator["Connection"]:
        """A transaction: committed when the block ends, rolled back if it raises. `is_repeatable`: it need not outlast
        a power cut. Raises DatabaseUnavailable where there is no connection for too long."""
        connection = await self._taken()
        try:
            await connection.begin(self._begins_with, is_repeatable=is_repeatable)
            yield connection
            await connection.commit()
        finally:
            self._give_back(connection)

    @asynccontextmanager
    async def connect(self) -> AsyncIterator["Connection"]:
        """A transaction that is rolled back when the block ends: for questions."""
        connection = await self._taken()
        try:
            await connection.begin(self._begins_with, is_repeatable=False)
            yield connection
        finally:
            self._give_back(connection)

    async def dispose(self) -> None:
        """Close what is not in use, and from now on whatever is given back."""
        self._keeps = False
        while self._idle:
            self._idle.pop().close()

    async def _taken(self) -> "Connection":
        """A connection with no transaction open, in turn."""
        try:
            async with asyncio.timeout(_PATIENCE):
                await self._room.acquire()
        except TimeoutError as error:
            raise DatabaseUnavailable("all connections to the database are in use") from error
        try:
            return self._idle.pop() if self._idle else Connection(self._engine, self._statements)
        except BaseException:
            self._room.release()
            raise

    def _give_back(self, connection: "Connection") -> None:
        if connection.rolled_back():
            if self._keeps:
                self._idle.append(connection)
            else:
                connection.close()
        self._room.release()

    def _open(self) -> "_Connection":
        # The driver begins no transactions on its own: we do. SQLite itself is safe to be used by several threads.
        made = sqlite3.connect(
            self.url.database or "",
            timeout=10,
            factory=_Connection,
            isolation_level=None,
            check_same_thread=False,
        )
        for pragma in self._pragmas:
            made.execute(f"PRAGMA {pragma}")
        return made


class Connection:
    """One connection, in a transaction, and a thread for when it waits: `appservice.storage.connections.Connection`."""

    def __init__(self, engine: sqlalchemy.Engine, statements: Statements) -> None:
        self._connection = engine.connect()
        driver = self._connection.connection.driver_connection
        assert isinstance(driver, _Connection)
        self.driver, self._statements, self._thread = driver, statements, ThreadPoolExecutor(1, "sqlite")
        self._streamed: list[CursorResult[Any]] = []
        self.dialect = engine.dialect

    async def execute(self, statement: Executable, parameters: Values | Sequence[Values] | None = None) -> Found:
        """Execute a statement, once for each of several parameters."""
        many = parameters if isinstance(parameters, list | tuple) else ()
        one: Any = many[0] if many else parameters or {}
        prepared = self._statements.find(statement, one)
        if prepared is None:
            return cast("Found", self._connection.execute(statement, parameters))
        return prepared.run_each(self.driver, many) if many else prepared.run(self.driver, one)

    async def stream(self, statement: Executable) -> AsyncIterable[Any]:
        """What it finds, read bit by bit."""
        # Nothing of ours waits for anything: others would have no turn before the last row of the last table.
        await asyncio.sleep(0)
        self._streamed.append(self._connection.execute(statement))
        return _one_by_one(self._streamed[-1])

    async def run_sync(self, act: Callable[..., T], *arguments: Any) -> T:
        """Call it with SQLAlchemy's own connection, and these."""
        return act(self._connection, *arguments)

    async def begin(self, begins_with: str, *, is_repeatable: bool) -> None:
        """At once, unless it has to wait for another process."""
        driver = self.driver
        driver.wait_for_the_disk(wait=not is_repeatable)
        try:
            driver.execute(begins_with)
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                raise
            await self._on_its_thread(driver.begin_patiently)
        driver.changes_before = driver.total_changes

    async def commit(self) -> None:
        """Wait for the disk elsewhere, if there is something to wait for."""
        driver = self.driver
        if driver.total_changes == driver.changes_before or not driver.waits_for_the_disk:
            driver.commit()
        else:
            await self._on_its_thread(driver.commit)

    def rolled_back(self) -> bool:
        """Undo what was not committed; False if it can't be done, and then it is closed."""
        try:
            # Of what was left unread SQLite would keep the lock.
            while self._streamed:
                self._streamed.pop().close()
            if self.driver.in_transaction:
                self.driver.rollback()
        except sqlite3.Error:
            self.close()
            return False
        return True

    def close(self) -> None:
        """Close it, let go of the file, and end its thread, which has nothing more to do."""
        self._connection.close()
        self._thread.shutdown(wait=False)

    async def _on_its_thread(self, act: Callable[[], object]) -> None:
        await _to_the_end(asyncio.get_running_loop().run_in_executor(self._thread, act))


class Dialect(SQLiteDialect_pysqlite):
    """SQLAlchemy's, but that it leaves transactions to us."""

    supports_statement_cache = True

    def do_begin(self, dbapi_connection: object) -> None:
        """`Connection.begin` does."""

    def do_commit(self, dbapi_connection: object) -> None:
        """`Connection.commit` does."""

    def do_rollback(self, dbapi_connection: object) -> None:
        """`Connection.rolled_back` does."""


registry.register(_DIALECT, __name__, Dialect.__name__)


async def _one_by_one(found: CursorResult[Any]) -> AsyncIterator[Any]:
    for number, row in enumerate(found, 1):
        yield row
        if number % _IN_A_ROW == 0:
            await asyncio.sleep(0)


async def _to_the_end(waiting: asyncio.Future[object]) -> None:
    """Whoever is cancelled closes the connection next: not while the thread is using it."""
    try:
        await asyncio.shield(waiting)
    except asyncio.CancelledError:
        while not waiting.done():
            with suppress(asyncio.CancelledError):
                await asyncio.wait([waiting])
        raise


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
