"""What the storage tests share: databases of both kinds, empty."""

from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest

from appservice.crypto.sealing import Sealer
from appservice.crypto.store import CryptoStore
from appservice.storage.database import SqlDatabase
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
def postgresql_url(postgresql: Postgresql) -> str:
    """An empty database."""
    return postgresql.new_database()


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest) -> str:
    """An empty database of each kind."""
    return str(request.getfixturevalue(f"{request.param}_url"))


@pytest.fixture
async def sql(url: str) -> AsyncIterator[SqlDatabase]:
    """An open database of each kind."""
    async with opened(url) as database:
        yield database


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
async def any_database(request: pytest.FixtureRequest) -> AsyncIterator[SqlDatabase | MemoryDatabase]:
    """An open database of every kind."""
    if request.param == "memory":
        yield MemoryDatabase()
        return
    async with opened(str(request.getfixturevalue(f"{request.param}_url"))) as database:
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
