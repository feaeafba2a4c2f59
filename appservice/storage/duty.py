"""What only one of several processes need do (sweeps, housekeeping), and that SQLite serves one process alone.

PostgreSQL: an advisory lock of a session of its own. It is free the moment its process dies, and another takes it. Two
may believe for a moment that they hold it, so what is done on duty must bear being done twice.
SQLite: a lock on a file beside the database, held for as long as the process lives; whoever comes second is refused.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import logging
import os
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy.exc import SQLAlchemyError

from appservice.storage import sqlite
from appservice.storage.connections import Engine
from appservice.storage.errors import UnusableDatabase

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

logger = logging.getLogger(__name__)

_KEY: Final = 0x6D656469617479  # "mediaty"; the migrations' is another
_LOOK_EVERY: Final = 2.0
"""Seconds between two tries, and between two looks at whether the lock is still held."""
_LOCK_SUFFIX: Final = ".service"


class Duty:
    """Whether this process is the one on duty. `begin`, then `end`, both once."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._task: asyncio.Task[None] | None = None
        self._file: int | None = None
        self._over = asyncio.Event()
        self.taken = asyncio.Event()
        """Set when the duty becomes ours; whoever acts on that clears it."""
        self.is_ours = False

    def begin(self) -> None:
        """Take the duty, or wait for it. Raises UnusableDatabase where another process serves the same SQLite file."""
        if isinstance(self._engine, sqlite.Engine):
            self._file = _locked(f"{self._engine.url.database}{_LOCK_SUFFIX}")
            self._take()
        else:
            self._task = asyncio.create_task(self._stand_in_line(self._engine))

    async def end(self) -> None:
        """Leave it to another."""
        self.is_ours = False
        self._over.set()
        if self._task is not None:
            # Not cancelled at once: asyncpg takes that badly in the middle of a question.
            await asyncio.wait([self._task], timeout=_LOOK_EVERY)
            self._task.cancel()
            await asyncio.wait([self._task])
            self._task = None
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _take(self) -> None:
        self.is_ours = True
        self.taken.set()

    async def _stand_in_line(self, engine: AsyncEngine) -> None:
        # Here, for SQLite does without.
        from asyncpg import InterfaceError, PostgresError  # type: ignore[import-untyped]

        while not self._over.is_set():
            try:
                async with engine.connect() as connection:
                    try:
                        await self._hold_over((await connection.get_raw_connection()).driver_connection)
                    finally:
                        self.is_ours = False
                        # Not back into the pool: the lock goes with the connection.
                        await connection.invalidate()
            except (SQLAlchemyError, PostgresError, InterfaceError, OSError) as error:
                logger.warning("can't tell for now which process is on duty (%s)", type(error).__name__)
            await self._rest()

    async def _hold_over(self, driver: Any) -> None:
        """Until that connection breaks, or all is over. `driver` is asyncpg's own."""
        while not self._over.is_set():
            if self.is_ours:
                await driver.fetchval("SELECT 1")
            elif await driver.fetchval("SELECT pg_try_advisory_lock($1)", _KEY):
                self._take()
            await self._rest()

    async def _rest(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LOOK_EVERY):
                await self._over.wait()


def _locked(path: str) -> int:
    """The open, locked file; the operating system frees it when the process ends, however it ends."""
    descriptor = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise UnusableDatabase(
            "another mediatrix process serves this SQLite database, and SQLite serves one only. Stop that one first;"
            " for several processes at once, use PostgreSQL (docs/administrator.md, Several processes)"
        ) from None
    return descriptor
