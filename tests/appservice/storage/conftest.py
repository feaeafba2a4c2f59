"""What the storage tests share: databases of both kinds, empty."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest

from appservice.crypto.sealing import Sealer
from appservice.crypto.store import CryptoStore
from appservice.storage.database import SqlDatabase
from appservice.storage.schema import metadata
from tests.appservice.storage.master import MASTER
from tests.appservice.storage.postgresql import Postgresql, running
from tests.fakes.memory import MemoryDatabase


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Postgresql]:
    """A PostgreSQL server."""
    with running() as server:
        yield server


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """A file that is not there yet."""
    return f"sqlite:///{tmp_path}/mediatrix.db"


@pytest.fixture
def postgresql_url(postgresql: Postgresql) -> Iterator[str]:
    """An empty database."""
    with postgresql.empty_database() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest) -> str:
    """An empty database of each kind."""
    return str(request.getfixturevalue(f"{request.param}_url"))


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite database with its tables; to be copied."""
    path = tmp_path_factory.mktemp("migrated") / "mediatrix.db"
    asyncio.run(_migrate(f"sqlite:///{path}"))
    return path


@pytest.fixture(scope="session")
def migrated_database(postgresql: Postgresql) -> str:
    """A PostgreSQL database with its tables; to be left empty."""
    url = postgresql.new_database()
    asyncio.run(_migrate(url))
    return url


async def _migrate(url: str) -> None:
    async with opened(url):
        pass


@pytest.fixture
def migrated_sqlite_url(migrated_file: Path, sqlite_url: str) -> str:
    """A SQLite database with empty tables."""
    shutil.copy(migrated_file, sqlite_url.removeprefix("sqlite:///"))
    return sqlite_url


@pytest.fixture
def migrated_postgresql_url(postgresql: Postgresql, migrated_database: str) -> Iterator[str]:
    """A PostgreSQL database with empty tables."""
    yield migrated_database
    tables = ", ".join(metadata.tables)
    name = migrated_database.partition("@/")[2].partition("?")[0]
    postgresql.run(f"\\c {name}\nTRUNCATE {tables} RESTART IDENTITY;")


@pytest.fixture(params=["sqlite", "postgresql"])
def migrated_url(request: pytest.FixtureRequest) -> str:
    """A database of each kind, with empty tables."""
    return str(request.getfixturevalue(f"migrated_{request.param}_url"))


@pytest.fixture
async def sql(migrated_url: str) -> AsyncIterator[SqlDatabase]:
    """An open database of each kind."""
    async with opened(migrated_url) as database:
        yield database


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
def any_url(request: pytest.FixtureRequest) -> str | None:
    """A database of every kind, with empty tables; None for the one in memory."""
    return None if request.param == "memory" else str(request.getfixturevalue(f"migrated_{request.param}_url"))


@pytest.fixture
async def any_database(any_url: str | None) -> AsyncIterator[SqlDatabase | MemoryDatabase]:
    """An open database of every kind."""
    if any_url is None:
        yield MemoryDatabase()
        return
    async with opened(any_url) as database:
        yield database


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[SqlDatabase]:
    """The database, open within the block."""
    database = SqlDatabase(url, Sealer([MASTER]))
    try:
        await database.open()
        yield database
    finally:
        await database.close()


class CryptoOf:
    """A database as the crypto contract wants it: units of work that are only the crypto store."""

    def __init__(self, database: SqlDatabase | MemoryDatabase) -> None:
        self._database = database

    def begin(self) -> AbstractAsyncContextManager[CryptoStore]:
        """One unit of work."""
        return self._begin()

    @asynccontextmanager
    async def _begin(self) -> AsyncIterator[CryptoStore]:
        async with self._database.begin() as work:
            yield work.crypto
