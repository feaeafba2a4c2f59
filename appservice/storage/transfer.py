"""All rows out of a database, as they are at one moment, and into an empty one; the same for SQLite and PostgreSQL.

What is sealed stays sealed: a row's values leave as they are stored. The lanes of the queues don't travel: they say who
is at work just now, and are made anew.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from sqlalchemy import (
    URL,
    BigInteger,
    Boolean,
    ColumnClause,
    Integer,
    LargeBinary,
    Table,
    TableClause,
    Text,
    TypeDecorator,
    column,
    insert,
    inspect,
    select,
    table,
)
from sqlalchemy.types import TypeEngine

from appservice.crypto.sealing import Sealer, SealError
from appservice.storage import schema, sqlite
from appservice.storage.afresh import AfreshWork
from appservice.storage.connections import Connection
from appservice.storage.engines import engines, translated_errors
from appservice.storage.epoch_schema import EPOCHS
from appservice.storage.errors import UnusableDatabase
from appservice.storage.migrate import VERSION, migrate, version
from appservice.storage.record import lines_of, public_key
from appservice.storage.schema import INBOX, OUTBOX, metadata
from appservice.storage.seals import Seals, lookup_key
from policies.frozen import frozen
from rooms.record import Line

Value = str | int | bool | bytes | None

_STAYS: Final = frozenset({schema.keys.name, INBOX.lanes.name, OUTBOX.lanes.name})
_AT_ONCE: Final = 500
_KINDS: Final[Mapping[str, TypeEngine[Any]]] = {
    "text": Text(),
    "int": BigInteger(),
    "bool": Boolean(),
    "bytes": LargeBinary(),
}


@frozen
class Layout:
    """A table's name, and its columns with the kind of each: text, int, bool or bytes."""

    table: str
    columns: Mapping[str, str]

    def clause(self) -> TableClause:
        """The table with these columns, whose values go in and out as they are stored."""
        columns: list[ColumnClause[Any]] = [column(name, _KINDS[kind]) for name, kind in self.columns.items()]
        return table(self.table, *columns)


def layouts() -> tuple[Layout, ...]:
    """Every table that travels, those that others refer to first."""
    return tuple(_layout(one) for one in metadata.sorted_tables if one.name not in _STAYS)


KEYS: Final = Layout(schema.keys.name, {"name": "text", "sealed": "bytes"})
"""The random keys, which travel apart."""


def _layout(of: Table) -> Layout:
    return Layout(of.name, {one.name: _kind(one.type) for one in of.columns})


def _kind(type_: TypeEngine[Any]) -> str:
    plain = type_.impl_instance if isinstance(type_, TypeDecorator) else type_
    match plain:
        case LargeBinary():
            return "bytes"
        case Boolean():
            return "bool"
        case Integer():
            return "int"
        case _:
            assert isinstance(plain, Text)
            return "text"


class Snapshot:
    """A database as it was at one moment, whatever is written to it meanwhile."""

    def __init__(self, connection: Connection) -> None:
        """Of an open transaction that sees one state of all tables."""
        self._connection = connection

    async def lookup_key(self, sealer: Sealer) -> bytes:
        """The key of lookups, which tells one database from another. Raises SealError under another master key."""
        return await lookup_key(self._connection, sealer)

    async def epoch(self) -> int:
        """The number of the epoch; 0 before the first start."""
        return (await self._connection.execute(select(EPOCHS.c.number))).scalar() or 0

    async def cases_of_rooms(self) -> Mapping[str, str]:
        """The case of each room of one."""
        return await self._pairs(schema.rooms.c.room_id, schema.rooms.c.case_id)

    async def cases_of_ghosts(self) -> Mapping[str, str]:
        """The case of each ghost."""
        return await self._pairs(schema.ghosts.c.user_id, schema.ghosts.c.case_id)

    def record(self, sealer: Sealer) -> AsyncIterator[Line]:
        """Every entry of the record, by case, audience and number."""
        return lines_of(self._connection, sealer)

    async def record_key(self, sealer: Sealer) -> str:
        """The public key that signs the record's heads."""
        return await public_key(self._connection, sealer)

    async def rows(self, layout: Layout) -> AsyncIterator[Sequence[Value]]:
        """A table's rows, in the order of its columns."""
        clause = layout.clause()
        stream = await self._connection.stream(select(*clause.c).execution_options(yield_per=_AT_ONCE))
        async for row in stream:
            yield tuple(row)

    async def _pairs(self, one: ColumnClause[Any], other: ColumnClause[Any]) -> Mapping[str, str]:
        found = await self._connection.execute(select(one, other).where(one.is_not(None), other != ""))
        return {row[0]: row[1] for row in found}


@asynccontextmanager
async def snapshot(url: str) -> AsyncIterator[Snapshot]:
    """The database as it is now; others go on reading and writing. Nothing is changed, nor migrated.

    Raises UnusableDatabase where there is none, or one of another version of the program.
    """
    writer, reader = engines(url)
    try:
        require_file(writer.url)
        if not isinstance(reader, sqlite.Engine):
            reader = reader.execution_options(isolation_level="REPEATABLE READ")
        with translated_errors():
            async with reader.connect() as connection:
                await require_schema(connection)
                yield Snapshot(connection)
    finally:
        await writer.dispose()
        await reader.dispose()


def require_file(url: URL) -> None:
    """On SQLite, to connect would make an empty one."""
    if url.get_backend_name() == "sqlite" and not Path(url.database or "").exists():
        raise UnusableDatabase("there is no database at the configured place")


async def require_schema(connection: Connection) -> None:
    """Whoever doesn't migrate a database works on one of this very program."""
    found = await connection.run_sync(version)
    if found != VERSION:
        raise UnusableDatabase(
            f"the database has schema {found or 'none'}, this program {VERSION}: use the program that runs on it"
        )


class Filling:
    """An empty database being filled, in one transaction: all of it or nothing."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def insert(self, layout: Layout, rows: Sequence[Sequence[Value]]) -> None:
        """Put rows in, in the order of the columns."""
        values = [dict(zip(layout.columns, row, strict=True)) for row in rows]
        if values:
            await self._connection.execute(insert(layout.clause()), values)

    async def migrated(self, sealer: Sealer) -> AfreshWork:
        """Bring what was put in to this program's schema; the stores over it."""
        await migrate(self._connection)
        try:
            seals = Seals(sealer, await lookup_key(self._connection, sealer))
        except SealError as error:
            raise UnusableDatabase("the database was sealed under another master key") from error
        work = AfreshWork(self._connection, seals)
        await work.advance_sequences()
        return work


@asynccontextmanager
async def filling(url: str, revision: str) -> AsyncIterator[Filling]:
    """Fill an empty database with rows of that schema revision; committed when the block ends.

    Raises UnusableDatabase if it isn't empty; NewerSchema for a revision that this program doesn't know.
    """
    writer, reader = engines(url)
    try:
        if writer.dialect.name == "sqlite":
            sqlite.make_private_file(writer.url)
        with translated_errors():
            async with writer.begin() as connection:
                if await connection.run_sync(lambda sync: inspect(sync).get_table_names()):
                    raise UnusableDatabase("the database is not empty: name an empty one in config.yaml (database.url)")
                await migrate(connection, revision)
                yield Filling(connection)
    finally:
        await writer.dispose()
        await reader.dispose()


@asynccontextmanager
async def in_place(url: str, sealer: Sealer) -> AsyncIterator[AfreshWork]:
    """The stores of a database as it is, brought to this program's schema; committed when the block ends."""
    writer, reader = engines(url)
    try:
        if writer.dialect.name == "sqlite":
            sqlite.make_private_file(writer.url)
        with translated_errors():
            async with writer.begin() as connection:
                yield await Filling(connection).migrated(sealer)
    finally:
        await writer.dispose()
        await reader.dispose()
