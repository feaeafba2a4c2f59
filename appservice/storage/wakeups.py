"""Telling workers that there is something to do: those of this process, and on PostgreSQL those of the others too.

Processes also write notes to each other, of which none may matter: whoever does not listen just then misses them.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from appservice.storage import sqlite
from appservice.storage.connections import Connection, Engine

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

logger = logging.getLogger(__name__)

QUEUES: Final = frozenset({"inbox", "outbox"})
_CHANNEL: Final = "mediatrix_work"
_NOTES: Final = "mediatrix_notes"
_TELL: Final = text("SELECT pg_notify(:channel, :news)")
_AGAIN: Final = 2.0
"""Seconds until a broken connection is made anew. What is missed meanwhile, a worker finds when it looks by itself."""


class Wakeups:
    """Calls listeners. A lost call is harmless: workers look by themselves now and then."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._listeners: list[tuple[frozenset[str], Callable[[], None]]] = []
        self._readers: list[Callable[[str], None]] = []
        self._me = secrets.token_hex(8)
        self._task: asyncio.Task[None] | None = None

    def add(self, listener: Callable[[], None], queues: Collection[str]) -> None:
        """From now on, call this about these queues."""
        self._listeners.append((frozenset(queues), listener))

    def on_note(self, reader: Callable[[str], None]) -> None:
        """From now on, call this with what any process writes."""
        self._readers.append(reader)

    async def write(self, connection: Connection, note: str) -> None:
        """Write to the processes that listen, should this transaction be committed."""
        if self._is_shared:
            await connection.execute(_TELL, {"channel": _NOTES, "news": note})

    def call(self, queues: Collection[str]) -> None:
        """Call those listeners of this process whom news of these queues concern."""
        for concerned, listener in self._listeners:
            if not concerned.isdisjoint(queues):
                listener()

    async def tell_others(self, connection: Connection, queues: Collection[str]) -> None:
        """Tell the other processes, should this transaction be committed."""
        if self._is_shared:
            values = {"channel": _CHANNEL, "news": " ".join((self._me, *sorted(queues)))}
            await connection.execute(_TELL, values)

    def start(self) -> None:
        """Begin to hear what other processes tell."""
        if not isinstance(self._engine, sqlite.Engine):
            self._task = asyncio.create_task(self._hear(self._engine))

    async def stop(self) -> None:
        """Hear no more."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None

    @property
    def _is_shared(self) -> bool:
        return self._engine.dialect.name == "postgresql"

    async def _hear(self, engine: AsyncEngine) -> None:
        # Here, for SQLite does without.
        from asyncpg import InterfaceError, PostgresError  # type: ignore[import-untyped]

        while True:
            try:
                async with engine.connect() as connection:
                    try:
                        await self._hear_over((await connection.get_raw_connection()).driver_connection)
                    finally:
                        # Not back into the pool, broken or not.
                        await connection.invalidate()
            except (SQLAlchemyError, PostgresError, InterfaceError, OSError) as error:
                logger.warning("can't hear of other processes' work for now (%s)", type(error).__name__)
            await asyncio.sleep(_AGAIN)

    async def _hear_over(self, driver: Any) -> None:
        """Until that connection breaks. `driver` is asyncpg's own."""
        broken = asyncio.Event()

        def told(_connection: object, _pid: int, _channel: str, news: str) -> None:
            sender, *queues = news.split()
            if sender != self._me:
                self.call(queues)

        def written(_connection: object, _pid: int, _channel: str, note: str) -> None:
            for reader in self._readers:
                reader(note)

        driver.add_termination_listener(lambda _connection: broken.set())
        await driver.add_listener(_CHANNEL, told)
        await driver.add_listener(_NOTES, written)
        # Something may have been told before.
        self.call(QUEUES)
        await broken.wait()
