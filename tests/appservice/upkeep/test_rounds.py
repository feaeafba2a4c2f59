"""After a start every case that goes on is looked at, whatever fails, and the homeserver is not overrun."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from appservice.storage.errors import DatabaseUnavailable
from appservice.upkeep.rounds import AT_ONCE, LOOKED_AT_ONCE, REST, REST_FROM_READING, Rounds
from policies.case import CaseId, Phase
from policies.effects import Tell
from policies.moderation.closing import Terms, begun
from policies.names import MEDIATORS
from policies.people.colleagues import STEPS
from policies.people.stranger import TRIAGE
from rooms.clock import TIME, scheduled
from rooms.house import House
from rooms.ids import UserId
from tests.fakes.memory import MemoryDatabase, MemoryWork
from tests.policies.builders import AT, both_sides
from tests.rooms.builders import CODEC, HOUSE


class Flaky(MemoryDatabase):
    """A database that sometimes is not there."""

    def __init__(self) -> None:
        super().__init__()
        self.failures = 0

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[MemoryWork]:
        async with super().begin() as work:
            yield work
            if self.failures:
                self.failures -= 1
                raise DatabaseUnavailable("gone")


@pytest.fixture
def rests(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long it rested, each time."""
    taken: list[float] = []

    async def sleep(seconds: float) -> None:
        taken.append(seconds)

    monkeypatch.setattr("appservice.upkeep.rounds.asyncio.sleep", sleep)
    return taken


@pytest.fixture
def database() -> Flaky:
    """Empty."""
    return Flaky()


async def open_cases(database: MemoryDatabase, count: int, phase: Phase = Phase.INTAKE) -> list[CaseId]:
    """Store cases."""
    numbers = []
    async with database.begin() as work:
        for _ in range(count):
            numbers.append(await work.cases.new_number())
            await work.cases.save(replace(both_sides(), id=numbers[-1], phase=phase))
    return numbers


def looked_at(database: MemoryDatabase) -> list[CaseId | None]:
    """The cases whose rooms are to be compared with the plan."""
    return [item.case for item in database.committed.outbox.items.values() if item.kind == "rooms"]


async def test_each_case_is_looked_at_once_with_rests_between(database: Flaky, rests: list[float]) -> None:
    cases = await open_cases(database, LOOKED_AT_ONCE + 1)
    await Rounds(database, CODEC, HOUSE).go()
    assert looked_at(database) == cases
    assert rests == [LOOKED_AT_ONCE * REST, 0]


async def test_a_case_that_was_closed_before_there_were_times_for_that_is_looked_at_once(
    database: Flaky, rests: list[float]
) -> None:
    [old] = await open_cases(database, 1, Phase.CLOSED)
    [known] = await open_cases(database, 1)
    async with database.begin() as work:
        case = replace(both_sides(), id=known, phase=Phase.CLOSED, closing=begun(Terms(), AT))
        await work.cases.save(case)
    await Rounds(database, CODEC, HOUSE).go()
    waiting = [item for item in database.committed.inbox.items.values() if item.kind == TIME]
    assert [(item.case, scheduled(item).key) for item in waiting] == [(old, "closing:")]


async def test_cases_that_are_over_are_passed_over_with_one_rest_for_many(database: Flaky, rests: list[float]) -> None:
    await open_cases(database, 2 * AT_ONCE, Phase.CLOSED)
    live = await open_cases(database, 1)
    await Rounds(database, CODEC, HOUSE).go()
    assert looked_at(database) == live
    assert rests == [REST_FROM_READING, REST_FROM_READING, 0]


async def test_those_that_are_over_are_no_rest_for_those_that_go_on(database: Flaky, rests: list[float]) -> None:
    over, live = [], []
    for _ in range(LOOKED_AT_ONCE):
        over += await open_cases(database, 1, Phase.CLOSED)
        live += await open_cases(database, 1)
    live += await open_cases(database, 1)
    await Rounds(database, CODEC, HOUSE).go()
    assert looked_at(database) == live
    assert rests == [LOOKED_AT_ONCE * REST, 0]


async def test_a_database_that_fails_holds_them_up_and_does_not_end_them(database: Flaky, rests: list[float]) -> None:
    cases = await open_cases(database, 2)
    database.failures = 2
    await Rounds(database, CODEC, HOUSE).go()
    assert looked_at(database) == cases


async def test_at_a_start_what_is_configured_beside_the_cases_is_made_once(database: Flaky, rests: list[float]) -> None:
    mia = {UserId("@mia:example.org"): "Mia"}
    house = replace(HOUSE, triage=mia, mediators_room=mia)
    for _ in range(2):
        await Rounds(database, CODEC, house).go()
    assert set(database.committed.cases) == {TRIAGE, MEDIATORS}
    await Rounds(database, CODEC, replace(HOUSE, triage={}, mediators_room={})).go()
    assert database.committed.cases[MEDIATORS].people, "who turns it off keeps the room as it is"
    told = [CODEC.load(i.body) for i in database.committed.outbox.items.values() if i.case == MEDIATORS]
    assert sum(isinstance(effect, Tell) and effect.text == STEPS for effect in told) == 1


async def test_at_a_start_each_desk_learns_once_of_another_successor_and_of_none(
    database: Flaky, rests: list[float]
) -> None:
    cases = await open_cases(database, 2)
    await open_cases(database, 1, Phase.CLOSED)

    async def told(house: House) -> list[CaseId | None]:
        database.committed.outbox.items.clear()
        await Rounds(database, CODEC, house).go()
        items = database.committed.outbox.items.values()
        said = [(item.case, CODEC.load(item.body)) for item in items]
        return [case for case, effect in said if isinstance(effect, Tell) and "when no mediator is left" in effect.text]

    eve = replace(HOUSE, successor=("Eve", UserId("@eve:example.org")))
    assert await told(HOUSE) == []
    assert await told(eve) == cases
    assert await told(eve) == []
    assert await told(HOUSE) == cases
