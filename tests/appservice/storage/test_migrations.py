"""Migrations make exactly the schema that the stores use, on both databases, once, and never backwards."""

import asyncio
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import text

from appservice.crypto.sealing import Sealer
from appservice.storage import crypto_schema, migrate
from appservice.storage.connections import Connection
from appservice.storage.database import SqlDatabase
from appservice.storage.engines import engines
from appservice.storage.errors import NewerSchema, UnusableDatabase
from appservice.storage.schema import metadata
from rooms.queue import ItemId, State
from tests.appservice.storage.conftest import opened
from tests.appservice.storage.master import MASTER
from tests.appservice.storage.postgresql import Postgresql

_SQLITE = "SELECT type, name, sql FROM sqlite_master WHERE name NOT LIKE '%alembic%' AND name NOT LIKE 'sqlite%'"
_POSTGRESQL = """
    SELECT 'column', table_name || '.' || column_name, data_type || is_nullable || ordinal_position
        FROM information_schema.columns WHERE table_schema = 'public' AND table_name <> 'alembic_version'
    UNION SELECT 'index', indexname, indexdef FROM pg_indexes
        WHERE schemaname = 'public' AND tablename <> 'alembic_version'
    UNION SELECT 'constraint', conrelid::regclass || '.' || conname, pg_get_constraintdef(oid) FROM pg_constraint
        WHERE connamespace = 'public'::regnamespace AND conrelid <> 'alembic_version'::regclass
"""


async def described(connection: Connection) -> set[tuple[str, ...]]:
    """Every table, column, index and constraint."""
    if connection.dialect.name == "postgresql":
        await connection.execute(text("CREATE TABLE IF NOT EXISTS alembic_version (version_num VARCHAR(32))"))
    query = _SQLITE if connection.dialect.name == "sqlite" else _POSTGRESQL
    rows = await connection.execute(text(query))
    return {tuple(_words(value) for value in row) for row in rows}


def _words(sql: str) -> str:
    # SQLite keeps a table as it was written, and appends to that what is added later.
    return re.sub(r" ?([(),]) ?", r"\1", " ".join(sql.split()))


async def schema_of(url: str, *, migrated: bool) -> set[tuple[str, ...]]:
    """What is in an empty database after the migrations, or after the schema was made directly."""
    writer, _ = engines(url)
    async with writer.begin() as connection:
        if migrated:
            await migrate.migrate(connection)
        else:
            _say_conditions_of_postgresql()
            await connection.run_sync(metadata.create_all)
        found = await described(connection)
    await writer.dispose()
    return found


def _say_conditions_of_postgresql() -> None:
    """The schema says of which rows an index is to SQLite alone."""
    for index in (index for table in metadata.tables.values() for index in table.indexes):
        index.dialect_options["postgresql"]["where"] = index.dialect_options["sqlite"]["where"]


async def test_the_migrations_make_the_schema_on_sqlite(tmp_path: Path) -> None:
    migrated = await schema_of(f"sqlite:///{tmp_path}/migrated.db", migrated=True)
    assert migrated == await schema_of(f"sqlite:///{tmp_path}/made.db", migrated=False)
    assert any(name == crypto_schema.SHARES.table.name for _, name, *_ in migrated)


async def test_the_migrations_make_the_schema_on_postgresql(postgresql: Postgresql) -> None:
    migrated = await schema_of(postgresql.new_database(), migrated=True)
    assert migrated == await schema_of(postgresql.new_database(), migrated=False)
    assert any(name == "inbox.seq" for _, name, *_ in migrated)


async def test_what_was_set_aside_for_an_identity_before_that_was_looked_at_again_is_due(url: str) -> None:
    parked = "INSERT INTO inbox (id, lane, kind, state, attempts, received_at, sending, wait_key, due_at) VALUES "
    writer, _ = engines(url)
    async with writer.begin() as connection:
        await migrate.migrate(connection, to="0026")
        for name, key, due in (("a", "identity:@alice:x", "NULL"), ("b", "identity:@alice:x", "9"), ("c", "k", "NULL")):
            row = f"('{name}', 'lane', 'kind', 'parked', 1, 1, false, '{key}', {due})"
            await connection.execute(text(parked + row))
    async with opened(url) as database, database.begin() as work:
        assert await work.inbox.ripen(datetime.fromtimestamp(0, UTC)) == 1
        states = {name: one.state for name in "abc" if (one := await work.inbox.get(ItemId(name)))}
    await writer.dispose()
    assert states == {"a": State.READY, "b": State.PARKED, "c": State.PARKED}


async def test_a_missing_index_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The planted fault: the comparison above can fail."""
    (index,) = (one for one in metadata.tables["inbox"].indexes if one.name == "ix_inbox_ready")
    migrated = await schema_of(f"sqlite:///{tmp_path}/migrated.db", migrated=True)
    monkeypatch.setitem(index.dialect_options["sqlite"], "where", text("state = 'parked'"))
    assert migrated != await schema_of(f"sqlite:///{tmp_path}/made.db", migrated=False)


def test_the_version_is_that_of_the_last_migration() -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(migrate.__file__).parent / "migrations"))
    assert ScriptDirectory.from_config(config).get_heads() == [migrate.VERSION]


async def test_processes_that_start_at_once_all_come_up(postgresql_url: str) -> None:
    databases = [SqlDatabase(postgresql_url, Sealer([MASTER])) for _ in range(4)]
    await asyncio.gather(*(database.open() for database in databases))
    numbers = []
    for database in databases:
        async with database.begin() as work:
            numbers.append(await work.cases.new_number())
        await database.close()
    assert numbers == ["1001", "1002", "1003", "1004"]


async def test_opening_again_changes_nothing_and_finds_everything(url: str) -> None:
    async with opened(url) as database, database.begin() as work:
        await work.cases.new_number()
    async with opened(url) as database, database.begin() as work:
        assert await work.cases.new_number() == "1002"


async def test_a_newer_schema_is_refused(url: str) -> None:
    async with opened(url):
        pass
    await _execute(url, "UPDATE alembic_version SET version_num = '9999'")
    database = SqlDatabase(url, Sealer([MASTER]))
    with pytest.raises(NewerSchema, match="9999"):
        await database.open()
    await database.close()


async def test_a_database_of_somebody_else_is_left_alone(url: str) -> None:
    await _execute(url, "CREATE TABLE cases (id TEXT)")
    database = SqlDatabase(url, Sealer([MASTER]))
    with pytest.raises(UnusableDatabase):
        await database.open()
    await database.close()
    writer, _ = engines(url)
    async with writer.begin() as connection:
        names = {name for kind, name, *_ in await described(connection) if kind in {"table", "column"}}
    await writer.dispose()
    assert names <= {"cases", "cases.id"}


async def _execute(url: str, statement: str) -> None:
    writer, _ = engines(url)
    async with writer.begin() as connection:
        await connection.execute(text(statement))
    await writer.dispose()
