"""Several processes on one database write as one identity in one room: no index of a ratchet is used twice, ever."""

import asyncio
import sys
from asyncio.subprocess import PIPE
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest

from appservice.backups.restore import restore
from appservice.backups.take import take
from appservice.crypto.machine import OlmMachine
from tests.appservice.storage.conftest import opened
from tests.appservice.storage.encrypter import BOT, SEALER, write

pytestmark = pytest.mark.e2e

PROCESSES, TIMES = 3, 60


async def together(url: str, *faults: str) -> Counter[str]:
    """How often each index was used by processes that wrote at the same time."""
    module = "tests.appservice.storage.encrypter"
    command = (sys.executable, "-m", module, url, str(TIMES), *faults)
    processes = [await asyncio.create_subprocess_exec(*command, stdout=PIPE) for _ in range(PROCESSES)]
    outputs = await asyncio.gather(*(process.communicate() for process in processes))
    return Counter(line for output, _ in outputs for line in output.decode().split())


async def make_identity(url: str) -> None:
    """Of whom the processes write."""
    async with opened(url) as database, database.begin() as work:
        await OlmMachine(BOT, SEALER).create(work.crypto, display_name="Bot", now_ms=1)


async def test_processes_that_write_at_once_use_no_index_twice(url: str) -> None:
    await make_identity(url)
    used = await together(url)
    assert used.total() == PROCESSES * TIMES
    assert max(used.values()) == 1
    assert len({index.split("/")[0] for index in used}) > 1, "no session was replaced"


async def test_one_that_locks_nothing_is_caught(postgresql_url: str) -> None:
    """The planted fault: the test above can fail."""
    await make_identity(postgresql_url)
    assert max((await together(postgresql_url, "careless")).values()) > 1


async def test_nor_do_those_that_write_after_a_restore(sqlite_url: str, tmp_path: Path) -> None:
    file, keys, at = tmp_path / "backup", tmp_path / "keys", datetime.now(UTC)
    await make_identity(sqlite_url)
    async with opened(sqlite_url) as database:
        used = Counter(await write(database, 10))
        await take(sqlite_url, SEALER, file, keys, at)
        used += Counter(await write(database, 10))
    restored = f"sqlite:///{tmp_path}/restored.db"
    await restore(restored, SEALER, file, keys, at)
    used += await together(restored)
    assert used.total() == 20 + PROCESSES * TIMES
    assert max(used.values()) == 1
