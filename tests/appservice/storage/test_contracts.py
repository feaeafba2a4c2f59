"""Every database keeps the contracts: what is tested with the one in memory holds on the real ones."""

import pytest

from appservice.storage.database import SqlDatabase
from tests.appservice.crypto.store_contract import CryptoStoreContract
from tests.appservice.storage.conftest import CryptoOf
from tests.appservice.storage.contract import DatabaseContract
from tests.appservice.storage.queue_contract import QueueContract
from tests.fakes.memory import MemoryDatabase


class TestMemory(DatabaseContract, QueueContract):
    """In memory."""

    @pytest.fixture
    def database(self) -> MemoryDatabase:
        """An empty one."""
        return MemoryDatabase()


class TestSql(DatabaseContract, QueueContract):
    """On SQLite and PostgreSQL."""

    @pytest.fixture
    def database(self, sql: SqlDatabase) -> SqlDatabase:
        """An empty one."""
        return sql


class TestSqlCrypto(CryptoStoreContract):
    """The crypto store, on both."""

    @pytest.fixture
    def database(self, sql: SqlDatabase) -> CryptoOf:
        """An empty one."""
        return CryptoOf(sql)


class TestMemoryCrypto(CryptoStoreContract):
    """The crypto store as part of the database in memory."""

    @pytest.fixture
    def database(self) -> CryptoOf:
        """An empty one."""
        return CryptoOf(MemoryDatabase())
