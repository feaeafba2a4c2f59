"""Where a process can be cut off: before and after every unit of work and every call outside, counted as they come.

Nobody lists the boundaries: a scenario is played, each is passed and named, and the one whose turn it is cuts. Whoever
plays it again and again, each time with the next, has cut at all of them when one time nothing was cut.
"""

import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from pathlib import Path

from sqlalchemy import text

from appservice.crypto.sealing import Sealer
from appservice.matrix.errors import NO_ANSWER, MatrixError
from appservice.storage import sqlite
from appservice.storage.database import SqlDatabase
from appservice.storage.errors import DatabaseUnavailable
from appservice.storage.work import SqlWork
from tests.faults.clock import Clock

OTHERS = frozenset({"smtp", "whatsapp"})
"""Calls that are none of the homeserver's."""
CALLS_LOST = 3
"""So many calls of a homeserver that is away are not answered."""
BEGINS = "begin in "
"""A boundary before a unit of work is named by this and by who wants it."""


class Cut(StrEnum):
    """What happens at a boundary."""

    KILL = "the process is killed"
    HOMESERVER = "the homeserver dies, and comes back"
    DATABASE = "the database fails instead of committing"


class Killed(BaseException):
    """The process is killed: nothing that it still does has any effect."""


@dataclass(frozen=True, slots=True)
class Passed:
    """A boundary that was passed: its name, what can happen there, and what would outlast a kill there.

    `lasting` is the same at two boundaries between which nothing was written, sent or asked, nor did time pass: whoever
    is killed at either leaves the same behind. `wrote`: at the end of a unit of work, whether it wrote.
    """

    name: str
    possible: tuple[Cut, ...]
    lasting: tuple[int, timedelta]
    wrote: bool = False

    @property
    def begun(self) -> str | None:
        """Where the unit of work is wanted that begins here, if one does."""
        return self.name.removeprefix(BEGINS) if self.name.startswith(BEGINS) else None


@dataclass
class Boundaries:
    """Counts the boundaries, and cuts at one."""

    on_homeserver: Callable[[], None] = lambda: None
    """Called when the homeserver dies."""
    on_kill: Callable[[], None] = lambda: None
    """Called when the process is killed."""
    watching: bool = False
    """Whether it is the service that acts, not people."""
    passed: list[Passed] = field(default_factory=list)
    """The boundaries since the last one was armed, up to when nothing was cut any more."""
    fell: str | None = None
    """The name of the boundary at which it was cut."""
    _cut: Cut | None = None
    _left: int = 0
    _only: str | None = None
    _dead: bool = False
    _away: int = 0
    _lasting: int = 0
    _counts: bool = True

    def cut(self, cut: Cut, left: int, only: str | None = None) -> None:
        """Cut when so many of the boundaries at which that can happen, or of those of one name, have been passed."""
        self.passed, self.fell = [], None
        self._cut, self._left, self._only, self._counts = cut, left, only, True

    def uncut(self) -> str | None:
        """Cut no more; the name of where it was cut."""
        self._cut, self._counts = None, False
        return self.fell

    def places(self, cut: Cut) -> list[int]:
        """Of the boundaries that were passed, one of each name, as `cut` counts them: now the first, now the last."""
        names = [one.name for one in self.passed if cut in one.possible]
        last = {name: place for place, name in enumerate(names)}
        return sorted(place if number % 2 else names.index(name) for number, (name, place) in enumerate(last.items()))

    @property
    def is_dead(self) -> bool:
        """The process was killed, and none has taken its place."""
        return self._dead

    def restarted(self) -> None:
        """Another process lives."""
        self._dead = False

    async def outside(self, call: str) -> None:
        """Before and after a call of the homeserver, the mail server or WhatsApp."""
        name = call.removeprefix("/_matrix/client/v3").split("/m.")[0]
        self._lasting += 1
        self._reach(name, Cut.KILL, *(() if name in OTHERS else (Cut.HOMESERVER,)))

    def begin(self, where: str) -> None:
        """Before a unit of work."""
        self._reach(f"{BEGINS}{where}", Cut.KILL)

    def end(self, where: str, *, wrote: bool) -> None:
        """All is done within a unit of work but the commit."""
        self._reach(f"end in {where}", Cut.KILL, Cut.DATABASE, wrote=wrote)

    def committed(self, where: str, *, wrote: bool) -> None:
        """After a commit."""
        self._lasting += wrote
        self._reach(f"commit in {where}", Cut.KILL)

    def _reach(self, name: str, *possible: Cut, wrote: bool = False) -> None:
        if not self.watching:
            return
        if self._dead:
            raise Killed
        if self._away and Cut.HOMESERVER in possible:
            self._away -= 1
            raise _no_answer()
        if self._counts:
            self.passed.append(Passed(name, possible, (self._lasting, Clock.ahead), wrote))
        if self._cut not in possible or self._only not in {None, name}:
            return
        if self._left:
            self._left -= 1
            return
        cut, self._cut, self.fell = self._cut, None, name
        self._fall(cut)

    def _fall(self, cut: Cut) -> None:
        match cut:
            case Cut.KILL:
                self.on_kill()
                self._dead = True
                raise Killed
            case Cut.HOMESERVER:
                self._away = CALLS_LOST
                self.on_homeserver()
                raise _no_answer()
            case Cut.DATABASE:
                raise DatabaseUnavailable("the disk is full")


def _no_answer() -> MatrixError:
    return MatrixError("fake", "M_UNKNOWN", NO_ANSWER, transient=True)


class WatchedDatabase(SqlDatabase):
    """Tells of each boundary."""

    def __init__(self, url: str, sealer: Sealer, boundaries: Boundaries) -> None:
        super().__init__(url, sealer)
        self._boundaries = boundaries

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[SqlWork]:
        where = _caller()
        self._boundaries.begin(where)
        async with super().begin() as work:
            before = await _written(work)
            yield work
            wrote = await _written(work) != before
            self._boundaries.end(where, wrote=wrote)
        self._boundaries.committed(where, wrote=wrote)

    def begin_repeatable(self) -> AbstractAsyncContextManager[SqlWork]:
        return self.begin()


async def _written(work: SqlWork) -> object:
    """What is another once a unit of work has written something."""
    connection = work.inbox._connection
    if isinstance(connection, sqlite.Connection):
        return connection.driver.total_changes
    (xid,) = (await connection.execute(text("SELECT pg_current_xact_id_if_assigned()::text"))).one()
    return xid


def _caller() -> str:
    """The function of the product that wants a unit of work."""
    frame = sys._getframe(2)
    while frame.f_back and not any(package in frame.f_code.co_filename for package in ("/appservice/", "/rooms/")):
        frame = frame.f_back
    return f"{Path(frame.f_code.co_filename).stem}.{frame.f_code.co_name}"
