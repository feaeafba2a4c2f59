"""A backup that is killed while it is taken is whole or not there; a killed restore has restored all or nothing.

Killed by a real SIGKILL, at the lines of what takes and restores: each is a boundary, none is listed by hand.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Coroutine
from contextlib import suppress
from datetime import timedelta
from functools import partial
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import pytest

from appservice import newfile
from appservice.backups import file as sealed_file
from appservice.backups import restore as restoring
from appservice.backups.restore import Restored, restore
from appservice.backups.take import take
from appservice.crypto.sealing import Sealer
from appservice.storage import afresh, transfer
from appservice.storage.database import SqlDatabase
from appservice.storage.errors import UnusableDatabase
from appservice.upkeep.epoch import Stage
from tests.appservice.backup.filled import AT, fill
from tests.appservice.storage.master import MASTER

SEALER = Sealer([MASTER])
LATER = AT + timedelta(days=1)
RESTORES = 12
"""So many of the restores' lines are killed at: there are hundreds."""

pytestmark = pytest.mark.e2e

Act = Callable[[], Coroutine[Any, Any, object]]


def killed_at(line: int, act: Act, wanted: Callable[[CodeType], bool]) -> bool:
    """Do it in a process that dies when it comes to so many of the wanted lines; whether it came that far."""
    if worker := os.fork():
        _, status = os.waitpid(worker, 0)
        assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
        return os.WIFSIGNALED(status)
    left = line

    def on_line(_: FrameType, event: str, __: object) -> Any:
        nonlocal left
        left -= event == "line"
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return on_line

    sys.settrace(lambda frame, *_: on_line if wanted(frame.f_code) else None)
    code = 1
    with suppress(BaseException):
        asyncio.run(act())
        code = 0
    os._exit(code)


def _writes(code: CodeType) -> bool:
    """Not of each row."""
    return (code.co_filename == newfile.__file__ and not code.co_name.startswith("is_")) or (
        code.co_filename == sealed_file.__file__ and code.co_name in {"__init__", "_frame", "close"}
    )


def _restores(code: CodeType) -> bool:
    modules = {restoring.__file__, afresh.__file__, transfer.__file__}
    return code.co_filename in modules and code.co_name not in {"_rows", "_kind"}


@pytest.fixture
def url(tmp_path: Path) -> str:
    url = f"sqlite:///{tmp_path}/mediatrix.db"

    async def filled() -> None:
        database = SqlDatabase(url, SEALER)
        await database.open()
        await fill(database, SEALER)
        await database.close()

    asyncio.run(filled())
    return url


def test_a_backup_that_is_killed_is_whole_or_not_there_and_the_one_before_it_stays(url: str, tmp_path: Path) -> None:
    before, keys = tmp_path / "before", tmp_path / "keys"
    asyncio.run(take(url, SEALER, before, keys, AT))
    known = keys.read_bytes()
    outcomes = set()
    line = 0
    while killed_at(line, partial(take, url, SEALER, file := tmp_path / f"backup{line}", keys, LATER), _writes):
        there, replaced = file.exists(), keys.read_bytes() != known
        outcomes.add((there, replaced))
        for one in [before] * replaced + [file] * there:
            assert _restored(one, keys, tmp_path / f"{one.name} at {line}.db").cases == 2
        known = keys.read_bytes()
        line += 1
    assert outcomes == {(False, False), (False, True), (True, True)}


def _restored(file: Path, keys: Path, target: Path) -> Restored:
    return asyncio.run(restore(f"sqlite:///{target}", SEALER, file, keys, LATER))


def test_a_restore_that_is_killed_has_restored_all_or_nothing(url: str, tmp_path: Path) -> None:
    file, keys = tmp_path / "backup", tmp_path / "keys"
    asyncio.run(take(url, SEALER, file, keys, AT))

    def killed(line: int) -> bool:
        target = f"sqlite:///{tmp_path}/{line}.db"
        return killed_at(line, partial(restore, target, SEALER, file, keys, LATER), _restores)

    last = next(high for high in (2**power for power in range(6, 20)) if not killed(high))
    low, high = last // 2, last
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if killed(middle) else (low, middle)
    lines = {*range(0, high, high // RESTORES), *range(high - RESTORES, high)}
    outcomes: set[bool | str] = set()
    for line in sorted(lines):
        target = tmp_path / f"{line}.db"
        assert target.exists() or killed(line)
        try:
            outcomes.add(_restored(file, keys, target).cases == 2)
        except UnusableDatabase:
            outcomes.add("it was whole")
        assert asyncio.run(_epoch_of(target)) == (2, Stage.RESTORED)
    assert outcomes == {True, "it was whole"}


async def _epoch_of(target: Path) -> tuple[int, Stage]:
    database = SqlDatabase(f"sqlite:///{target}", SEALER)
    await database.open()
    async with database.begin() as work:
        epoch = await work.epochs.current()
        assert len(await work.cases.all_ids()) == 2
    await database.close()
    return epoch.number, epoch.stage
