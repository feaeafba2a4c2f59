"""Cuts in processes of their own, forked where everything stands ready; and a kill is a real SIGKILL.

    server      has imported everything, and has a house that stands, whose database is closed; forks a worker for a cut
    worker      plays the scenario with a copy of the database; if it is to die, it forks a survivor, and kills itself
    survivor    the homeserver, the mail server and people, as they were at that moment, and what they were about to do.
                Waits until the worker is dead, takes the files as they lie (of SQLite; PostgreSQL goes on, without
                its client), and starts the next process of the service on them

Linux: the server adopts what its workers leave behind, so that each is waited for.
"""

import asyncio
import ctypes
import gc
import json
import os
import select
import selectors
import signal
import time
import traceback
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, NoReturn

from tests.faults.boundaries import Cut, Passed
from tests.faults.databases import OnServer, Sqlite
from tests.faults.house import House, surroundings
from tests.faults.scenarios import FAR, Broken, Scenario, cut_at

Json = dict[str, Any]

LONGEST = 300.0
"""Seconds after which one that was cut is given up: it will never come to rest."""
_PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h
_CHUNK = 1 << 16


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a cut: where it fell (None: it was over before), and which promise was broken (none: empty)."""

    fell: str | None
    broken: str
    was_killed: bool
    """By a real SIGKILL."""


class Prepared:
    """A house in which a scenario can be played again and again, each time as if for the first time."""

    def __init__(self, house: House, scenario: Scenario, folder: Path) -> None:
        """Use `prepared`."""
        self._house, self._scenario, self._folder = house, scenario, folder

    def boundaries(self) -> list[Passed]:
        """Those that are passed when nothing is cut."""
        answer, _ = self._forked(Cut.KILL, FAR)
        if answer["broken"]:
            raise Broken(answer["broken"])
        return [
            Passed(name, tuple(map(Cut, possible)), (number, timedelta(seconds=ahead)), wrote)
            for name, possible, number, ahead, wrote in answer["passed"]
        ]

    def cut(self, cut: Cut, place: int) -> Outcome:
        """Cut once, in a process of its own."""
        answer, status = self._forked(cut, place)
        was_killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
        return Outcome(answer["fell"], answer["broken"], was_killed)

    def _forked(self, cut: Cut, place: int) -> tuple[Json, int]:
        """What the process says in which it is played, or the survivor of that; and how that process ended."""
        folder = self._folder / f"{cut.name.lower()}{place}"
        self._house.databases.copy(self._house.folder, folder)
        reading, writing = os.pipe()
        worker = os.fork()
        if not worker:
            os.setpgid(0, 0)
            os.close(reading)
            # Not epoll, which worker and survivor would share.
            with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(selectors.PollSelector())) as runner:
                runner.run(self._live(folder, cut, place, writing))
        os.close(writing)
        said = _all_of(reading, LONGEST)
        if said is None:
            with suppress(ProcessLookupError):
                os.killpg(worker, signal.SIGKILL)
        status = os.waitpid(worker, 0)[1]
        with suppress(ChildProcessError):
            while True:  # the survivors, which have become ours
                os.waitpid(-worker, 0)
        self._house.databases.remove(folder)
        if said:
            answer: Json = json.loads(said)
            return answer, status
        return {"fell": None, "broken": "it never came to rest" if said is None else "it broke off"}, status

    async def _live(self, folder: Path, cut: Cut, place: int, writing: int) -> NoReturn:
        """Say what came of it, and be gone, with nothing of what a process does at its end: what it was cut off in the
        middle of never ends."""
        house, fell, broken = self._house, None, ""
        try:
            house.lives_in(folder)
            house.boundaries.on_kill = self._die
            await house.start()
            fell = await cut_at(house, self._scenario, cut, place)
        except BaseException as error:  # noqa: BLE001 (whatever it is, it is what there is to be said)
            # Outside of pytest a bare `assert` says nothing, which is not that nothing is broken.
            broken = (isinstance(error, Broken) and str(error)) or "".join(traceback.format_exception(error))
        passed = house.boundaries.passed if place == FAR else ()
        said = json.dumps(
            {
                "fell": fell or house.boundaries.fell,
                "broken": broken,
                "passed": [(p.name, p.possible, p.lasting[0], p.lasting[1].total_seconds(), p.wrote) for p in passed],
            }
        ).encode()
        while said:
            said = said[os.write(writing, said) :]
        os._exit(0)

    def _die(self) -> None:
        """The process that runs this is killed; the one that returns from it is the world without it."""
        loop = asyncio.get_running_loop()
        reading, writing = os.pipe()
        if os.fork():
            os.kill(os.getpid(), signal.SIGKILL)
        asyncio._set_running_loop(loop)  # which knows itself by the id of its process
        loop.set_default_executor(ThreadPoolExecutor())  # the threads of the former stayed in the process that died
        os.close(writing)
        os.read(reading, 1)  # ends when nobody has the other end any more
        os.close(reading)
        self._house.lives_in(self._house.databases.left_in(self._house.folder))


def _all_of(reading: int, within: float) -> bytes | None:
    """What is said until nobody can say more; None if that takes too long."""
    said, until = b"", time.monotonic() + within
    try:
        while True:
            if not select.select([reading], [], [], max(0.0, until - time.monotonic()))[0]:
                return None
            chunk = os.read(reading, _CHUNK)
            if not chunk:
                return said
            said += chunk
    finally:
        os.close(reading)


@contextmanager
def prepared(scenario: Scenario, folder: Path, server: OnServer | None = None) -> Iterator[Prepared]:
    """Everything ready for a scenario, on SQLite or that server; outside of any event loop."""
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    stands = folder / "stands"
    databases = server or Sqlite()
    databases.make(stands)
    house = House(stands, scenario.setting, databases)

    async def stand() -> None:
        await house.begin()
        await scenario.begins(house)
        await house.stop()

    with surroundings(house):
        asyncio.run(stand())
        gc.collect()
        gc.freeze()  # or each process would look through all of it
        yield Prepared(house, scenario, folder)
