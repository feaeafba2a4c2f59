"""Whatever is done to a queue, in whatever order, it does as the plain model does."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from appservice.crypto.sealing import Sealer
from appservice.storage.database import SqlDatabase
from appservice.storage.queue import SqlQueue
from appservice.storage.schema import INBOX
from rooms.queue import Item, ItemId, Lane, Queue, State
from tests.appservice.storage.master import MASTER
from tests.fakes.memory import MemoryDatabase

AT = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
NAMES = [ItemId(name) for name in "abcdef"]
LANES = [Lane("red"), Lane("blue"), Lane("green")]
OWNERS = ["me", "you"]
SECOND = timedelta(seconds=1)

Act = Callable[[Queue], Awaitable[object]]
"""One call of a queue, and what it answered."""


def _moments() -> st.SearchStrategy[datetime]:
    return st.integers(0, 6).map(lambda seconds: AT + seconds * SECOND)


def _put(name: ItemId, lane: Lane, due: datetime | None) -> Act:
    return lambda queue: queue.put(Item(name, lane, "kind", None, name.encode(), AT, due_at=due))


def _claim(owner: str, at: datetime, limit: int, ripen_first: bool) -> Act:
    async def claim(queue: Queue) -> object:
        if ripen_first:
            await queue.ripen(at)
        return await queue.claim(owner, at, 2 * SECOND, limit)

    return claim


ACTS: st.SearchStrategy[Act] = st.one_of(
    st.builds(_put, st.sampled_from(NAMES), st.sampled_from(LANES), st.none() | _moments()),
    st.builds(_put, st.sampled_from(NAMES), st.sampled_from(LANES), st.none()),
    st.builds(_claim, st.sampled_from(OWNERS), _moments(), st.integers(1, 3), st.booleans()),
    st.builds(
        lambda who, lane, t: lambda q: q.renew(who, lane, t),
        st.sampled_from(OWNERS),
        st.sampled_from(LANES),
        _moments(),
    ),
    st.builds(lambda who, lane: lambda q: q.free(who, lane), st.sampled_from(OWNERS), st.sampled_from(LANES)),
    st.builds(lambda t: lambda q: q.ripen(t), _moments()),
    st.builds(lambda t: lambda q: q.next_due(t), _moments()),
    st.builds(lambda n: lambda q: q.done(n, "result"), st.sampled_from(NAMES)),
    st.builds(lambda n, t: lambda q: q.retry(n, t, "note", t), st.sampled_from(NAMES), _moments()),
    st.builds(
        lambda n, k, t: lambda q: q.park(n, k, t, "note", is_attempt=k == "key"),
        st.sampled_from(NAMES),
        st.sampled_from(["key", "lock"]),
        st.none() | _moments(),
    ),
    st.builds(lambda k: lambda q: q.wake(k), st.sampled_from(["key", "lock"])),
    st.builds(
        lambda n, s: lambda q: q.stop(n, s, "note"),
        st.sampled_from(NAMES),
        st.sampled_from([State.UNKNOWN, State.DEAD, State.CANCELLED]),
    ),
    st.builds(lambda n, p: lambda q: q.mark_sending(n, p), st.sampled_from(NAMES), st.sampled_from([None, b"x"])),
    st.builds(lambda n: lambda q: q.revive(n), st.sampled_from(NAMES)),
    st.just(lambda q: q.oldest(State.READY)),
    st.just(lambda q: q.oldest(State.PARKED)),
    st.builds(lambda p: lambda q: q.awaiting(p), st.sampled_from(["", "k", "key", "lo", "x"])),
    st.builds(lambda t: lambda q: q.leased(t), _moments()),
)
UNITS = st.lists(st.tuples(st.lists(ACTS, min_size=1, max_size=4), st.booleans()), max_size=14)
"""Units of work: what each does, and whether it is committed."""


class _Undone(Exception):
    """Raised to roll a unit of work back."""


async def _run(database: SqlDatabase | MemoryDatabase, units: list[tuple[list[Act], bool]]) -> list[object]:
    """What every act answered, and what was left in the end."""
    answers: list[object] = []
    for acts, committed in units:
        try:
            async with database.begin() as work:
                answers += [_plain(await act(work.inbox)) for act in acts]
                if not committed:
                    raise _Undone
        except _Undone:
            answers.append("undone")
    async with database.begin() as work:
        answers.append(_plain(await work.inbox.in_state(tuple(State))))
    return answers


def _plain(answer: object) -> object:
    """Rolled-back units of work may leave gaps in the numbers: only their order counts."""
    return tuple(replace(item, seq=0) for item in answer) if isinstance(answer, tuple) else answer


Comparison = Callable[[list[tuple[list[Act], bool]]], None]


@pytest.fixture
def compare(url: str) -> Iterator[Comparison]:
    """Runs units of work on an empty queue of each kind, and on the model; they must not differ."""
    database = SqlDatabase(url, Sealer([MASTER]))

    async def run(units: list[tuple[list[Act], bool]]) -> None:
        async with database._writer.begin() as connection:
            for table in (INBOX.items, INBOX.lanes):
                await connection.execute(table.delete())
        assert await _run(database, units) == await _run(MemoryDatabase(), units)

    with asyncio.Runner() as runner:
        runner.run(database.open())
        yield lambda units: runner.run(run(units))
        runner.run(database.close())


@given(units=UNITS)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_real_queue_does_as_the_model(compare: Comparison, units: list[tuple[list[Act], bool]]) -> None:
    compare(units)


async def _forget_due(self: SqlQueue, at: datetime) -> int:
    """A planted fault: parked items are never looked at again."""
    return 0


async def _forget_to_settle(self: SqlQueue) -> None:
    """A planted fault: the heads of lanes are not kept."""


@pytest.mark.parametrize(("method", "fault"), [("ripen", _forget_due), ("settle", _forget_to_settle)])
@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_the_comparison_sees_a_planted_fault(
    monkeypatch: pytest.MonkeyPatch, compare: Comparison, method: str, fault: Callable[..., Any]
) -> None:
    monkeypatch.setattr(SqlQueue, method, fault)
    many = settings(max_examples=500, deadline=None, database=None, derandomize=True, phases=[Phase.generate])
    with pytest.raises(AssertionError):
        many(given(UNITS)(compare))()
