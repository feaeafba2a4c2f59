"""The database: where units of work come from."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sqlalchemy.exc import SQLAlchemyError

from appservice.crypto.sealing import Sealer, SealError
from appservice.storage import sqlite
from appservice.storage.connections import Connection, Engine
from appservice.storage.duty import Duty
from appservice.storage.engines import engines, translated_errors
from appservice.storage.errors import DatabaseFull, DatabaseUnavailable, UnusableDatabase
from appservice.storage.migrate import migrate, require_current
from appservice.storage.seals import Seals, lookup_key
from appservice.storage.wakeups import QUEUES, Wakeups
from appservice.storage.work import SqlWork

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine


class SqlDatabase:
    """`rooms.ports.Database` on SQLite or PostgreSQL.

    Units of work raise DatabaseUnavailable when the database fails them: nothing was committed, and the caller tries
    again later. On SQLite they queue up, for it has one writer; a second process (the command line) may use the same
    file beside the one that serves, and hears nothing of what that one stores.
    """

    def __init__(self, url: str, sealer: Sealer) -> None:
        """`url`: `sqlite:///path` or `postgresql://user@host/name`. Connects to nothing yet."""
        self._writer, self._reader = engines(url)
        self._sealer = sealer
        self._seals: Seals | None = None
        self._one_writer = self._writer.dialect.name == "sqlite"
        self._wakeups = Wakeups(self._writer)
        self._decided: list[Callable[[Collection[str]], None]] = []
        self.duty = Duty(self._writer)
        """Begun by a process that serves; the command line leaves it alone."""
        self.full_at: datetime | None = None
        """When it had no room for something; None once something for a queue was stored since."""

    @property
    def is_shared(self) -> bool:
        """Whether several processes may serve it."""
        return not self._one_writer

    def on_work(self, listener: Callable[[], None], *queues: str) -> None:
        """Call it after each commit, here or in another process, that put, woke or revived an item in one of these
        queues ("inbox", "outbox"; none named: in any).

        It must neither raise nor block.
        """
        self._wakeups.add(listener, queues or QUEUES)

    def on_note(self, reader: Callable[[str], None]) -> None:
        """Call it with each note of any process that serves this database, this one's too; on SQLite there are none."""
        self._wakeups.on_note(reader)

    async def write_note(self, note: str) -> None:
        """Write to every process that listens just now."""
        async with _transaction(self._writer) as connection:
            await self._wakeups.write(connection, note)

    def on_decisions(self, listener: Callable[[Collection[str]], None]) -> None:
        """Call it after each commit that stored decisions, with the rules that made them.

        It must neither raise nor block.
        """
        self._decided.append(listener)

    async def open(self) -> None:
        """Connect, and bring the tables up to date.

        Raises DatabaseUnavailable; NewerSchema; UnusableDatabase when it was sealed under another master key.
        """
        if self._one_writer:
            sqlite.make_private_file(self._writer.url)
        async with _transaction(self._writer) as connection:
            await migrate(connection)
            await self._unseal(connection)
            await SqlWork(connection, self._opened()).cases.fill_lines()
        self._wakeups.start()

    async def open_to_look(self) -> None:
        """Connect for questions (`read`), and change nothing; whoever serves it is not disturbed.

        Raises DatabaseUnavailable; UnusableDatabase where it is of another version, or sealed under another key.
        """
        if self._one_writer:
            sqlite.require_file(self._writer.url)
        async with _transaction(self._reader) as connection:
            await require_current(connection)
            await self._unseal(connection)

    async def _unseal(self, connection: Connection) -> None:
        try:
            self._seals = Seals(self._sealer, await lookup_key(connection, self._sealer))
        except SealError as error:
            raise UnusableDatabase("the database was sealed under another master key") from error

    async def close(self) -> None:
        """Let go of all connections."""
        await self.duty.end()
        await self._wakeups.stop()
        await self._writer.dispose()
        await self._reader.dispose()

    def begin(self) -> AbstractAsyncContextManager[SqlWork]:
        """A unit of work: committed when the block ends, rolled back if it raises."""
        return self._begin(is_repeatable=False)

    def begin_repeatable(self) -> AbstractAsyncContextManager[SqlWork]:
        """The same, of something that is simply done again should a power cut undo it.

        SQLite doesn't wait for the disk then; the next commit of a `begin` does, for this one too. On PostgreSQL there
        is no difference.
        """
        return self._begin(is_repeatable=True)

    @asynccontextmanager
    async def _begin(self, *, is_repeatable: bool) -> AsyncIterator[SqlWork]:
        try:
            async with _transaction(self._writer, is_repeatable=is_repeatable) as connection:
                work = SqlWork(connection, self._opened())
                yield work
                await work.settle()
                if work.news:
                    await self._wakeups.tell_others(connection, work.news)
        except DatabaseFull:
            self.full_at = datetime.now(UTC)
            raise
        if work.news:
            self.full_at = None
        self._wakeups.call(work.news)
        if work.record.rules:
            for listener in self._decided:
                listener(work.record.rules)

    @asynccontextmanager
    async def read(self) -> AsyncIterator[SqlWork]:
        """The stores as they are now, for questions only; waits for no writer, and can write nothing."""
        async with _transaction(self._reader) as connection:
            yield SqlWork(connection, self._opened())

    def _opened(self) -> Seals:
        if self._seals is None:
            raise UnusableDatabase("the database was not opened")
        return self._seals


@asynccontextmanager
async def _transaction(engine: Engine, *, is_repeatable: bool = False) -> AsyncIterator[Connection]:
    with translated_errors():
        if isinstance(engine, sqlite.Engine):
            async with engine.begin(is_repeatable=is_repeatable) as connection:
                yield connection
        else:
            async with _on_postgresql(engine) as connection:
                yield connection


@asynccontextmanager
async def _on_postgresql(engine: AsyncEngine) -> AsyncIterator[Connection]:
    connection = await _connect(engine)
    try:
        async with connection.begin():
            yield connection
    finally:
        # A task that is cancelled while it gives its connection back does that first.
        task = asyncio.create_task(connection.close())
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            await asyncio.wait([task])
            raise


async def _connect(engine: AsyncEngine) -> AsyncConnection:
    opening = asyncio.ensure_future(_opened(engine))
    try:
        return await asyncio.shield(opening)
    except asyncio.CancelledError:
        # asyncpg leaves a socket behind when it is cancelled half-way, so it opens, and is closed.
        with suppress(DatabaseUnavailable, SQLAlchemyError):
            await (await opening).close()
        raise


async def _opened(engine: AsyncEngine) -> AsyncConnection:
    try:
        return await engine.connect()
    except OSError as error:
        # asyncpg lets the operating system's own errors through.
        raise DatabaseUnavailable("the database can't be reached") from error
