"""The store in memory keeps the contract of every crypto store."""

import pytest

from tests.appservice.crypto.memory_store import MemoryCryptoDatabase
from tests.appservice.crypto.store_contract import CryptoStoreContract


class TestMemoryCryptoStore(CryptoStoreContract):
    """The contract, in memory."""

    @pytest.fixture
    def database(self) -> MemoryCryptoDatabase:
        """An empty one."""
        return MemoryCryptoDatabase()
