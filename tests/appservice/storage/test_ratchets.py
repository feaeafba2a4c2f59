"""Several processes on one database write as one identity in one room: no index of a ratchet is used twice, ever."""

import asyncio
import sys
from asyncio.subprocess import PIPE
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from appservice.backups.restore import restore
from appservice.backups.take import take
from appservice.crypto.machine import OlmMachine
from tests.appservice.storage.conftest import opened
from tests.appservice.storage.encrypter import BOT, SEALER, write
from tests.appservice.storage.postgresql import Postgresql

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


@pytest.fixture(params=["sqlite", "postgresql"])
def both(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, str]]:
    """Two empty databases of one kind."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/mediatrix.db", f"sqlite:///{tmp_path}/restored.db"
    else:
        server: Postgresql = request.getfixturevalue("postgresql")
        with server.empty_database() as url, server.empty_database() as other:
            yield url, other


async def test_nor_do_those_that_write_after_a_restore_of_what_was_taken_while_others_wrote(
    both: tuple[str, str], tmp_path: Path
) -> None:
    url, restored = both
    at, taken = datetime.now(UTC), list[tuple[Path, Path]]()
    await make_identity(url)
    async with opened(url) as database:
        used = Counter(await write(database, 10))
    writing = asyncio.create_task(together(url))
    while not writing.done():
        taken.append((tmp_path / f"backup {len(taken)}", tmp_path / f"keys {len(taken)}"))
        await take(url, SEALER, *taken[-1], at)
    await restore(restored, SEALER, *taken[len(taken) * 3 // 4], at)
    used += await writing + await together(restored)
    assert used.total() == 10 + 2 * PROCESSES * TIMES
    assert max(used.values()) == 1
