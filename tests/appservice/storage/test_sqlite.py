"""SQLite keeps the contract."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from appservice.crypto.sealing import Sealer
from appservice.storage.database import SqlDatabase
from tests.appservice.storage.contract import DatabaseContract
from tests.appservice.storage.queue_contract import QueueContract


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[SqlDatabase]:
    """An empty one."""
    made = SqlDatabase(f"sqlite:///{tmp_path}/mediatrix.db", Sealer([bytes(32)]))
    await made.open()
    yield made
    await made.close()


class TestSqlite(DatabaseContract, QueueContract):
    """On a file."""
