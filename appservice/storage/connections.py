"""What the stores ask of a connection, whichever database it leads to: SQLAlchemy's own to PostgreSQL, ours to SQLite.

SQLAlchemy's asyncio part is only imported where it is used: with it comes the object mapper, 6 MB that SQLite does
without.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, Awaitable, Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypeVar

from sqlalchemy import Dialect, Executable

from appservice.storage import sqlite

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

T = TypeVar("T")


class Several(Protocol):
    """The first value of each row, or each row by the names of its columns."""

    def __iter__(self) -> Iterator[Any]: ...
    def all(self) -> Sequence[Any]: ...
    def one(self) -> Any: ...


class Answer(Protocol):
    """What a statement found, or changed: of `sqlalchemy.CursorResult` what the stores ask for."""

    @property
    def rowcount(self) -> int: ...
    def __iter__(self) -> Iterator[Any]: ...
    def all(self) -> Sequence[Any]: ...
    def first(self) -> Any: ...
    def one(self) -> Any: ...
    def one_or_none(self) -> Any: ...
    def scalar(self) -> Any: ...
    def scalar_one(self) -> Any: ...
    def scalar_one_or_none(self) -> Any: ...
    def scalars(self) -> Several: ...
    def mappings(self) -> Several: ...


class Connection(Protocol):
    """A connection within a transaction, which whoever opened it ends."""

    @property
    def dialect(self) -> Dialect:
        """Which database it is, and how SQLAlchemy speaks to it."""

    async def execute(
        self, statement: Executable, parameters: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None, /
    ) -> Answer:
        """Execute a statement, once for each of several parameters."""

    def stream(self, statement: Executable, /) -> Awaitable[AsyncIterable[Any]]:
        """What it finds, read bit by bit."""

    async def run_sync(self, act: Callable[..., T], /, *arguments: Any) -> T:
        """Call it with a connection of SQLAlchemy that is not asyncio's, and these."""


Engine: TypeAlias = "AsyncEngine | sqlite.Engine"
"""Where connections come from."""
