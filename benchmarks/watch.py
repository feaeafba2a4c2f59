"""Looking on from outside: at what the service has committed, and at what the processes use."""

from __future__ import annotations

import asyncio
import hashlib
import os
import sqlite3
import time
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

_TICK: Final = 1 / os.sysconf("SC_CLK_TCK")
_LOOK: Final = 0.001
"""Seconds between two looks: the accuracy of a latency."""
_WHILE: Final = 3.0
"""Seconds without work after which more is not expected."""
_NEXT_TO_NOTHING: Final = 0.05
"""Of a processor."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What a process has used: seconds of processor so far, and MB of memory at this moment."""

    seconds: float
    megabytes: float

    @classmethod
    def of(cls, pid: int) -> Self:
        """Of a process that runs (Linux: proc(5))."""
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return cls(
            (int(fields[11]) + int(fields[12])) * _TICK, int(fields[21]) * os.sysconf("SC_PAGE_SIZE") / 1_000_000
        )


async def at_rest(*pids: int) -> None:
    """Wait until these processes together use next to nothing of a processor, for a while."""
    used = _used(pids)
    while True:
        await asyncio.sleep(_WHILE)
        before, used = used, _used(pids)
        if used - before < _NEXT_TO_NOTHING * _WHILE:
            return


def _used(pids: Collection[int]) -> float:
    return sum(Usage.of(pid).seconds for pid in pids)


class Peaks:
    """The most memory that a process, and that any of those below it ever had, in MB. Run `watch` meanwhile."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self.own = 0.0
        self.of_child = 0.0
        """Of the one that had most."""

    async def watch(self) -> None:
        """Look until cancelled. What a process had at most doesn't shrink: only its very last moments may be missed."""
        while True:
            self.own = max(self.own, most_of(self._pid))
            below = [most_of(pid) for pid in _below(self._pid) if _is_another_program(pid, self._pid)]
            self.of_child = max(self.of_child, *below, 0.0)
            await asyncio.sleep(_LOOK)


def most_of(pid: int) -> float:
    """MB, of a process that may have ended just now (proc(5), VmHWM)."""
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024 / 1_000_000
    return 0.0


def _below(pid: int) -> list[int]:
    """The children of a process, and theirs."""
    found = list[int]()
    with suppress(OSError):
        for thread in Path(f"/proc/{pid}/task").iterdir():
            found += [int(child) for child in (thread / "children").read_text().split()]
    return [each for child in found for each in (child, *_below(child))]


def _is_another_program(pid: int, than: int) -> bool:
    """A process that was made just now is still the one that made it, memory and all."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes() != Path(f"/proc/{than}/cmdline").read_bytes()
    return False


class Ledger:
    """The service's own database, read by another process: what is seen here is committed."""

    def __init__(self, file: Path) -> None:
        self._database = sqlite3.connect(f"file:{file}?mode=ro", uri=True)

    def close(self) -> None:
        """Let go of the file."""
        self._database.close()

    def relays(self) -> int:
        """How many outbox rows there are that carry somebody's words."""
        return self._number("SELECT count(*) FROM outbox WHERE kind = 'people'")

    def unread(self) -> int:
        """How many inbox items wait or are being worked on."""
        waiting = "state = 'ready' OR state = 'parked' AND wait_key IS NOT NULL"
        return self._number(f"SELECT count(*) FROM inbox WHERE {waiting}")

    def building(self) -> int:
        """How many works on rooms are not finished."""
        return self._number("SELECT count(*) FROM outbox WHERE kind = 'rooms' AND state <> 'done'")

    def relayed(self, events: Collection[str]) -> set[str]:
        """Those of these events that were decided about: their outbox rows were committed in the same moment."""
        ids = {hashlib.sha256(f"matrix.event\0{event}".encode()).hexdigest()[:40]: event for event in events}
        marks = ",".join("?" * len(ids))
        statement = f"SELECT id FROM inbox WHERE state = 'done' AND id IN ({marks})"
        return {ids[found] for (found,) in self._database.execute(statement, list(ids))}

    def version(self) -> int:
        """Another number after each commit of the service."""
        return self._number("PRAGMA data_version")

    async def until(self, relays: int, patience: float = 120) -> float:
        """Wait until there are so many relays and nothing is unread; the time (monotonic) of that."""
        async with asyncio.timeout(patience):
            while self.relays() < relays or self.unread():
                await asyncio.sleep(0.01)
        return time.monotonic()

    def _number(self, statement: str) -> int:
        number: int = self._database.execute(statement).fetchone()[0]
        return number


class Stopwatch:
    """Times how long after its acceptance each event's outbox rows were committed. Run `watch` beside the senders."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._accepted: dict[str, float] = {}
        self.delays: list[float] = []
        """Seconds, in the order in which they were seen."""

    def accepted(self, event: str) -> None:
        """The homeserver has just said yes to this event."""
        self._accepted[event] = time.monotonic()

    @property
    def waiting(self) -> int:
        """How many events were accepted and not yet seen in the ledger."""
        return len(self._accepted)

    async def watch(self) -> None:
        """Look until cancelled."""
        seen = -1
        while True:
            await asyncio.sleep(_LOOK)
            version = self._ledger.version()
            if version != seen or self._accepted:
                seen = version
                for event in self._ledger.relayed(self._accepted):
                    self.delays.append(time.monotonic() - self._accepted.pop(event))
