"""Nobody is starved: whoever waits has a turn before anybody has two, whatever arrives meanwhile."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from appservice.crypto.sealing import Sealer
from appservice.storage.database import SqlDatabase
from appservice.storage.schema import INBOX
from rooms.queue import Item, ItemId, Lane
from tests.appservice.storage.master import MASTER
from tests.fakes.memory import MemoryDatabase
from tests.fakes.memory_queue import MemoryQueue

AT = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
LEASE = timedelta(seconds=10)
LANES = [Lane(name) for name in ("a flood", "another", "a third", "a fourth", "somebody", "somebody else")]

Arrivals = dict[Lane, int]
"""How many items arrive in which lanes."""
Day = list[tuple[Arrivals, int]]
"""What arrives, and how many turns there are before the next arrives; in the end, as many as it takes."""
DAYS: st.SearchStrategy[Day] = st.lists(
    st.tuples(st.dictionaries(st.sampled_from(LANES), st.integers(1, 8)), st.integers(0, 6))
)
Play = Callable[[Day], list[str]]


class _Line:
    """Who waits, and who had a turn since they began to."""

    def __init__(self) -> None:
        self._waiting: Counter[Lane] = Counter()
        self._since: dict[Lane, set[Lane]] = {}
        self.unfair: list[str] = []
        """Each time that somebody had a second turn while somebody else waited for one."""

    def came(self, lane: Lane, count: int) -> None:
        if not self._waiting[lane]:
            self._since[lane] = set()
        self._waiting[lane] += count

    def went(self, lane: Lane) -> None:
        self._waiting[lane] -= 1
        self._since[lane] = set()
        for other in (+self._waiting).keys() - {lane}:
            if lane in self._since[other]:
                self.unfair.append(f"{lane} had two turns while {other} waited")
            self._since[other].add(lane)

    @property
    def is_empty(self) -> bool:
        return not +self._waiting


async def _played(database: SqlDatabase | MemoryDatabase, day: Day) -> list[str]:
    """What was unfair."""
    line, number = _Line(), 0
    for arrivals, turns in [*day, ({}, 10_000)]:
        async with database.begin() as work:
            for lane, count in arrivals.items():
                for _ in range(count):
                    number += 1
                    await work.inbox.put(Item(ItemId(str(number)), lane, "kind", None, b"", AT))
                line.came(lane, count)
        for _ in range(turns):
            if line.is_empty:
                break
            async with database.begin() as work:
                (one,) = await work.inbox.claim("me", AT, LEASE)
                await work.inbox.done(one.id)
                await work.inbox.free("me", one.lane)
            line.went(one.lane)
    return line.unfair


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
def play(request: pytest.FixtureRequest) -> Iterator[Play]:
    """Plays a day on an empty queue."""
    if request.param == "memory":
        yield lambda day: asyncio.run(_played(MemoryDatabase(), day))
        return
    database = SqlDatabase(request.getfixturevalue(f"migrated_{request.param}_url"), Sealer([MASTER]))

    async def afresh(day: Day) -> list[str]:
        async with database._writer.begin() as connection:
            for table in (INBOX.items, INBOX.lanes):
                await connection.execute(table.delete())
        return await _played(database, day)

    with asyncio.Runner() as runner:
        runner.run(database.open())
        yield lambda day: runner.run(afresh(day))
        runner.run(database.close())


@given(day=DAYS)
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_nobody_has_two_turns_while_somebody_waits_for_one(play: Play, day: Day) -> None:
    assert play(day) == []


def _as_it_came(self: MemoryQueue, head: Item) -> int:
    """A planted fault: a flood that came first is served first."""
    return head.seq


@pytest.mark.parametrize("play", ["memory"], indirect=True)
def test_a_planted_fault_is_seen(monkeypatch: pytest.MonkeyPatch, play: Play) -> None:
    monkeypatch.setattr(MemoryQueue, "_turn", _as_it_came)

    @settings(max_examples=300, deadline=None, database=None, derandomize=True, phases=[Phase.generate])
    @given(DAYS)
    def fair(day: Day) -> None:
        assert play(day) == []

    with pytest.raises(AssertionError):
        fair()
