"""The database in memory keeps the contract, so that what is tested with it holds on the real ones."""

import pytest

from tests.appservice.storage.contract import DatabaseContract
from tests.appservice.storage.queue_contract import QueueContract
from tests.fakes.memory import MemoryDatabase


class TestMemoryDatabase(DatabaseContract, QueueContract):
    """In memory."""

    @pytest.fixture
    def database(self) -> MemoryDatabase:
        """An empty one."""
        return MemoryDatabase()
