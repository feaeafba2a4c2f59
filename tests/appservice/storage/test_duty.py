"""One process is on duty; where it dies another takes over; and SQLite serves one process only."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from appservice.crypto.sealing import Sealer
from appservice.storage import duty
from appservice.storage.database import SqlDatabase
from appservice.storage.errors import UnusableDatabase
from tests.appservice.storage.master import MASTER
from tests.appservice.storage.postgresql import Postgresql
from tests.appservice.storage.test_wakeups import eventually


@asynccontextmanager
async def serving(url: str) -> AsyncIterator[SqlDatabase]:
    """As a service has it."""
    database = SqlDatabase(url, Sealer([MASTER]))
    try:
        database.duty.begin()
        await database.open()
        yield database
    finally:
        await database.close()


@pytest.fixture
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(duty, "_LOOK_EVERY", 0.02)


async def one_takes_it(*processes: SqlDatabase) -> SqlDatabase:
    """Which one, once exactly one of them has; from now on it is told apart from whoever takes it next."""

    def on_duty() -> list[SqlDatabase]:
        return [process for process in processes if process.duty.is_ours and process.duty.taken.is_set()]

    await eventually(lambda: len(on_duty()) == 1 and sum(process.duty.is_ours for process in processes) == 1)
    (found,) = on_duty()
    found.duty.taken.clear()
    return found


@pytest.mark.usefixtures("quickly")
async def test_of_several_processes_one_is_on_duty_and_when_it_ends_another(postgresql_url: str) -> None:
    async with serving(postgresql_url) as second, serving(postgresql_url) as first:
        one = await one_takes_it(first, second)
        other = second if one is first else first
        await asyncio.sleep(0.1)
        assert not other.duty.is_ours
        await one.duty.end()
        assert await one_takes_it(first, second) is other


@pytest.mark.usefixtures("quickly")
async def test_whoever_loses_its_connection_loses_the_duty(postgresql: Postgresql, postgresql_url: str) -> None:
    async with serving(postgresql_url) as first, serving(postgresql_url) as second:
        await one_takes_it(first, second)
        postgresql.run(
            "SELECT pg_terminate_backend(pid) FROM pg_locks"
            " WHERE locktype = 'advisory' AND granted AND pid <> pg_backend_pid()"
        )
        await one_takes_it(first, second)


async def test_a_second_service_on_one_sqlite_file_is_refused_in_words_until_the_first_ends(sqlite_url: str) -> None:
    async with serving(sqlite_url) as first:
        assert first.duty.is_ours
        with pytest.raises(UnusableDatabase, match="another mediatrix process serves this SQLite database"):
            async with serving(sqlite_url):
                pass
    async with serving(sqlite_url) as again:
        assert again.duty.is_ours


async def test_the_command_line_may_use_a_sqlite_file_that_is_being_served(sqlite_url: str) -> None:
    async with serving(sqlite_url) as service:
        beside = SqlDatabase(sqlite_url, Sealer([MASTER]))
        await beside.open()
        async with beside.begin() as work:
            number = await work.cases.new_number()
        await beside.close()
        async with service.begin() as work:
            assert await work.cases.new_number() > number
