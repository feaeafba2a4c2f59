"""Which life of a database may run, and what every store keeps of it."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appservice.crypto.sealing import Sealer
from appservice.storage.database import SqlDatabase
from appservice.upkeep.epoch import Epoch, OlderDatabase, Searched, Stage, compare, written
from policies.case import Case, CaseId
from rooms.ids import EventId, RoomId
from rooms.queue import ItemId
from tests.appservice.storage.master import MASTER
from tests.fakes.memory import MemoryDatabase

AT = datetime(2026, 11, 22, 3, tzinfo=UTC)
LIVED = Epoch(2, "a", 7, Stage.SETTLED, AT)
RESTORED = Epoch(2, "b", 0, Stage.RESTORED, AT, AT - timedelta(days=1))
CASE, OTHER = CaseId("1001"), CaseId("1002")
ROOM = RoomId("!room")

Database = SqlDatabase | MemoryDatabase


def test_the_first_start_and_every_start_after_it_may_run() -> None:
    assert compare(LIVED, None) == LIVED
    assert compare(LIVED, written(LIVED)) == LIVED
    assert compare(LIVED, written(replace(LIVED, mark=3))) == LIVED


def test_a_copy_that_was_put_back_may_not_run_and_is_told_what_to_do() -> None:
    with pytest.raises(OlderDatabase, match="older copy") as caught:
        compare(LIVED, written(replace(LIVED, mark=8)))
    assert "mediatrix restore" in str(caught.value)


def test_a_database_of_before_the_restore_may_not_run() -> None:
    with pytest.raises(OlderDatabase, match="epoch 3, this one in 2"):
        compare(LIVED, written(Epoch(3, "b", 1, Stage.SETTLED)))


def test_a_new_empty_database_may_not_take_the_place_of_one_that_ran() -> None:
    with pytest.raises(OlderDatabase):
        compare(Epoch(1, "new", 0, Stage.SETTLED), written(Epoch(1, "old", 9, Stage.SETTLED)))


def test_a_restored_one_takes_the_next_number_whatever_became_of_other_restores() -> None:
    assert compare(RESTORED, written(Epoch(1, "a", 9, Stage.SETTLED))) == RESTORED
    assert compare(RESTORED, written(Epoch(5, "c", 9, Stage.SETTLED))).number == 6
    assert compare(RESTORED, written(replace(RESTORED, mark=0))) == RESTORED


def test_a_copy_of_a_restored_one_that_has_run_may_not_run() -> None:
    with pytest.raises(OlderDatabase):
        compare(RESTORED, written(replace(RESTORED, mark=1)))


def test_a_homeserver_that_was_put_back_does_not_stop_us() -> None:
    assert compare(LIVED, written(Epoch(1, "before", 99, Stage.SETTLED))) == LIVED


@pytest.mark.parametrize("content", [{}, {"epoch": "2", "database": "a", "mark": 1}, {"epoch": 2, "mark": 1}])
def test_what_cannot_be_read_stops_us(content: dict[str, object]) -> None:
    with pytest.raises(OlderDatabase, match="can't be read"):
        compare(LIVED, content)


_STARTS = st.lists(st.tuples(st.integers(0, 3), st.sampled_from(["start", "copy", "restore"])), max_size=30)


@given(_STARTS)
def test_of_all_copies_and_restores_only_one_line_ever_runs(history: list[tuple[int, str]]) -> None:
    """Whatever is copied, restored and started: a database runs only if it is the one that ran last, or was restored
    and never ran."""
    shelf = [Epoch(1, "first", 0, Stage.SETTLED)]
    homeserver: dict[str, object] | None = None
    last: Epoch | None = None
    for number, (which, act) in enumerate(history):
        epoch = shelf[which % len(shelf)]
        if act == "copy":
            shelf.append(epoch)
        elif act == "restore":
            shelf.append(Epoch(epoch.number + 1, f"restore {number}", 0, Stage.RESTORED, AT))
        else:
            try:
                allowed = compare(epoch, homeserver)
            except OlderDatabase:
                assert last is not None
                assert epoch != last, "the one that ran last was refused"
                assert epoch.stage is not Stage.RESTORED or epoch.name == last.name
                continue
            assert last is None or epoch == last or epoch.stage is Stage.RESTORED
            assert last is None or allowed == last or allowed.number > last.number
            last = replace(allowed, mark=allowed.mark + 1, stage=Stage.SETTLED)
            shelf[which % len(shelf)] = last
            homeserver = written(last)


async def test_the_first_epoch_is_made_once_and_changes_are_kept(any_database: Database) -> None:
    async with any_database.begin() as work:
        first = await work.epochs.current()
        assert (first.number, first.mark, first.stage, first.backup_at) == (1, 0, Stage.SETTLED, None)
        await work.epochs.save(replace(first, number=4, mark=2))
    async with any_database.begin() as work:
        assert await work.epochs.current() == replace(first, number=4, mark=2)


async def test_processes_that_start_at_once_share_the_first_epoch(postgresql_url: str) -> None:
    databases = [SqlDatabase(postgresql_url, Sealer([MASTER])) for _ in range(3)]
    await asyncio.gather(*(database.open() for database in databases))

    async def first(database: SqlDatabase) -> str:
        async with database.begin() as work:
            return (await work.epochs.current()).name

    assert len(set(await asyncio.gather(*map(first, databases)))) == 1
    for database in databases:
        await database.close()


async def test_after_a_restore_every_case_waits_for_a_mediator(any_database: Database) -> None:
    async with any_database.begin() as work:
        await work.cases.save(Case(CASE, "Smith"))
        await work.cases.save(Case(OTHER, "Jones"))
        await work.epochs.current()
        assert not await work.epochs.unconfirmed(CASE)
        await work.epochs.found(ROOM, {"m": EventId("$e")}, Searched(gaps=False))
        await work.epochs.begin(RESTORED)
    async with any_database.begin() as work:
        assert await work.epochs.current() == RESTORED
        assert await work.epochs.unconfirmed(CASE)
        assert await work.epochs.searched(ROOM) is None
        assert await work.epochs.sent("m") == "$e"
        await work.epochs.confirm(CASE)
        await work.cases.save(Case(CaseId("1003"), "New"))
    async with any_database.begin() as work:
        waiting = [await work.epochs.unconfirmed(CaseId(str(number))) for number in (1001, 1002, 1003)]
        assert waiting == [False, True, False]


async def test_what_a_search_found_is_found_by_its_marker(any_database: Database) -> None:
    async with any_database.begin() as work:
        marker = await work.epochs.marker(ItemId("one"))
        assert len(marker) == 32
        assert marker != await work.epochs.marker(ItemId("two"))
        await work.epochs.found(ROOM, {marker: EventId("$e")}, Searched(gaps=True))
        await work.epochs.found(ROOM, {marker: EventId("$other")}, Searched(gaps=False))
    async with any_database.begin() as work:
        assert await work.epochs.marker(ItemId("one")) == marker
        assert await work.epochs.sent(marker) == "$e"
        assert await work.epochs.sent("other") is None
        assert await work.epochs.searched(ROOM) == Searched(gaps=True)
        assert await work.epochs.searched(RoomId("!other")) is None
