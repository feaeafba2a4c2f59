"""The real databases: what is on the disk, what happens when they fail, and when we do."""

import asyncio
import contextlib
import logging
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from textwrap import dedent
from typing import Any, Self

import pytest
from sqlalchemy import text

from appservice.crypto.sealing import Sealer, SealError
from appservice.storage import schema, sqlite
from appservice.storage.database import SqlDatabase
from appservice.storage.engines import engines
from appservice.storage.errors import DatabaseUnavailable, UnusableDatabase
from appservice.storage.work import SqlWork
from policies.case import DESK, Case, CaseId, Endpoint, EndpointId, Network, Person, PersonId, SideId, caucus
from policies.message import MessageId, Text
from policies.plan import RoomKey
from policies.record import Part
from rooms.addresses import ReplyAddress
from rooms.ids import UserId
from rooms.ports import Entry, Held, RoomRecord, Standing
from rooms.queue import Item, ItemId, Lane, State
from rooms.record import entry
from tests.appservice.storage.conftest import opened
from tests.appservice.storage.contract import CASE, SMITH, message
from tests.appservice.storage.master import MASTER
from tests.appservice.storage.postgresql import Postgresql
from tests.appservice.storage.queue_contract import LEASE, item

AT = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
SECRETS = ("Smith and Jones", "carl@example.org", "@alice", "s3cret", "tokentoken")


async def write_secrets(database: SqlDatabase) -> None:
    """Something secret in every store that may hold some."""
    address = ReplyAddress(SMITH, PersonId("p2"), EndpointId("e2"), caucus(SideId("a")), "tokentoken")
    async with database.begin() as work:
        await work.cases.save(CASE)
        await work.rooms.save(RoomRecord(SMITH, RoomKey("desk"), Standing.SUSPENDED, "m", None, "s3cret reason"))
        await work.addresses.save(address, "hash")
        await work.journal.append(Entry(SMITH, message(1, Text("s3cret words")), None, "<s3cret@mail>"))
        await work.holds.put(Held(SMITH, MessageId("m1"), "s3cret why", AT))
        await work.record.append(entry(SMITH, Part(DESK, (), ()), None, rule="rule", words="s3cret reason", at=AT))
        for name in "abc":
            await work.outbox.put(item(name, body=b"s3cret body", progress=b"s3cret progress"))
        await work.outbox.retry(ItemId("a"), AT, "550 s3cret: no such user", AT)
        await work.outbox.done(ItemId("b"), "250 s3cret: stored")


async def everything_stored(url: str) -> str:
    """Every value of every table, as text."""
    _, reader = engines(url)
    found = []
    async with reader.connect() as connection:
        for table in schema.metadata.sorted_tables:
            rows = await connection.execute(table.select())
            found += [f"{value!r}" for row in rows for value in row]
    await reader.dispose()
    return "\n".join(found)


async def test_nothing_secret_is_stored_in_clear(url: str) -> None:
    async with opened(url) as database:
        await write_secrets(database)
    kept = await everything_stored(url)
    assert [secret for secret in SECRETS if secret in kept] == []
    assert "rule" in kept


async def test_a_seal_that_does_nothing_is_caught(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The planted fault: the search above can fail."""
    monkeypatch.setattr(Sealer, "seal", lambda _self, _purpose, _aad, plaintext: plaintext)
    monkeypatch.setattr(Sealer, "open", lambda _self, _purpose, _aad, sealed: sealed)
    async with opened(url) as database:
        await write_secrets(database)
    kept = await everything_stored(url)
    assert [secret for secret in SECRETS if secret in kept] == list(SECRETS)


async def test_nothing_secret_is_in_the_files_of_sqlite_either(tmp_path: Path, sqlite_url: str) -> None:
    async with opened(sqlite_url) as database:
        await write_secrets(database)
        on_disk, modes = _on_disk(tmp_path)
    assert [secret for secret in SECRETS if secret.encode() in on_disk] == []
    assert b"suspended" in on_disk
    assert modes == {0o600}


def _on_disk(directory: Path) -> tuple[bytes, set[int]]:
    files = list(directory.iterdir())
    return b"".join(file.read_bytes() for file in files), {stat.S_IMODE(file.stat().st_mode) for file in files}


async def test_a_done_item_leaves_no_body_even_for_the_master_key(url: str) -> None:
    async with opened(url) as database:
        await write_secrets(database)
    writer, _ = engines(url)
    async with writer.begin() as connection:
        rows = await connection.execute(text("SELECT body, progress FROM outbox WHERE id = 'b'"))
        assert rows.all() == [(None, None)]
    await writer.dispose()


async def test_destroying_a_cases_key_erases_its_journal(url: str) -> None:
    async with opened(url) as database:
        await write_secrets(database)
    writer, _ = engines(url)
    async with writer.begin() as connection:
        await connection.execute(text("DELETE FROM keys WHERE name = 'case:1001'"))
    await writer.dispose()
    async with opened(url) as database:
        async with database.begin() as work:
            assert await work.journal.get(SMITH, MessageId("m1")) is None
            await work.journal.append(Entry(SMITH, message(2)))
        async with database.begin() as work:
            assert await work.journal.get(SMITH, MessageId("m2")) == Entry(SMITH, message(2))
            with pytest.raises(SealError):
                await work.journal.get(SMITH, MessageId("m1"))


@pytest.mark.parametrize(
    ("written", "others"),
    [("they wrote STOP", None), ("a mediator paused it, and they wrote STOP", "a mediator paused it")],
)
async def test_a_stop_that_was_stored_among_the_reasons_is_still_one(
    url: str, written: str, others: str | None
) -> None:
    case = CASE
    bea = Person(PersonId("p9"), "Bea", Endpoint(EndpointId("e9"), Network.WHATSAPP, "+34600123456", stopped=written))
    async with opened(url) as database:
        async with database.begin() as work:
            await work.cases.save(replace(case, people=(*case.people, bea)))
        async with database.begin() as work:
            found = await work.cases.load(case.id)
    assert found
    kept = found.people[-1].endpoint
    assert (kept.stopped, kept.declined) == (others, True)


async def test_a_sealed_value_moved_to_another_row_does_not_open(url: str) -> None:
    async with opened(url) as database:
        async with database.begin() as work:
            await work.inbox.put(item("a", body=b"of a"))
            await work.inbox.put(item("b", body=b"of b"))
        writer, _ = engines(url)
        async with writer.begin() as connection:
            theirs = "(SELECT body FROM inbox WHERE id = 'b')"
            await connection.execute(text(f"UPDATE inbox SET body = {theirs} WHERE id = 'a'"))
        await writer.dispose()
        async with database.begin() as work:
            with pytest.raises(SealError):
                await work.inbox.get(ItemId("a"))


async def test_another_master_key_is_refused_at_the_door(url: str) -> None:
    async with opened(url):
        pass
    database = SqlDatabase(url, Sealer([b"x" * 32]))
    with pytest.raises(UnusableDatabase, match="another master key"):
        await database.open()
    await database.close()


async def test_a_rotated_master_key_opens_what_the_old_one_sealed(url: str) -> None:
    async with opened(url) as database:
        await write_secrets(database)
    rotated = SqlDatabase(url, Sealer([b"x" * 32, MASTER]))
    await rotated.open()
    async with rotated.begin() as work:
        assert await work.cases.load(SMITH) == CASE
        assert await work.cases.of_matrix_user(UserId("@alice:example.org")) == (SMITH,)
    await rotated.close()


# --- when the database fails


async def test_a_database_that_is_down_is_reported_as_such_and_serves_again(
    postgresql: Postgresql, postgresql_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL, "sqlalchemy.pool")
    async with opened(postgresql_url) as database:
        await _put(database, item("before"))
        with pytest.raises(DatabaseUnavailable):
            await _put_while_it_goes_down(postgresql, database, item("during"))
        async with database.begin() as work:
            assert await work.inbox.get(ItemId("before")) is not None
            assert await work.inbox.get(ItemId("during")) is None


async def _put_while_it_goes_down(postgresql: Postgresql, database: SqlDatabase, one: Item) -> None:
    async with database.begin() as work:
        await work.inbox.put(one)
        postgresql.run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'mediatrix'")
        await work.cases.all_ids()


@pytest.mark.parametrize("address", ["postgresql://nobody@/none?host=/nonexistent", "sqlite:////nonexistent/x.db"])
async def test_a_database_that_is_not_there_is_unavailable(address: str) -> None:
    database = SqlDatabase(address, Sealer([MASTER]))
    with pytest.raises(DatabaseUnavailable):
        await database.open()
    await database.close()


@pytest.mark.parametrize("address", ["mysql://x/y", "sqlite://", "sqlite:///:memory:", "what"])
def test_an_address_that_can_not_be_used_is_refused(address: str) -> None:
    with pytest.raises(UnusableDatabase):
        SqlDatabase(address, Sealer([MASTER]))


async def test_a_full_disk_is_unavailability_and_loses_nothing(sqlite_url: str) -> None:
    async with opened(sqlite_url) as database:
        async with database.begin() as work:
            await work.inbox.put(item("a"))
        await _limit(database, pages=1)
        with pytest.raises(DatabaseUnavailable, match="SQLITE_FULL"):
            await _put(database, item("b", body=bytes(1_000_000)))
        assert found_full(database)
        await _limit(database, pages=1_000_000)
        await _put(database, item("c"))
        assert not found_full(database)
        async with database.begin() as work:
            assert [await work.inbox.get(ItemId(name)) is not None for name in "abc"] == [True, False, True]


def found_full(database: SqlDatabase) -> bool:
    return database.full_at is not None


async def _limit(database: SqlDatabase, pages: int) -> None:
    async with database._writer.connect() as connection:
        await connection.execute(text(f"PRAGMA max_page_count = {pages}"))


async def _put(database: SqlDatabase, one: Item) -> None:
    async with database.begin() as work:
        await work.inbox.put(one)


async def test_errors_do_not_quote_what_was_stored(sqlite_url: str) -> None:
    async with opened(sqlite_url) as database:
        await _limit(database, pages=1)
        with pytest.raises(DatabaseUnavailable) as caught:
            await _put(database, item("a", wait_key="s3cret", body=bytes(1_000_000)))
    error: BaseException | None = caught.value
    while error is not None:
        assert "s3cret" not in str(error)
        error = error.__cause__ or error.__context__


async def test_two_that_wait_for_each_other_end_in_one_unavailability(postgresql_url: str) -> None:
    first, second = SMITH, CaseId("1002")
    async with opened(postgresql_url) as database:
        async with database.begin() as work:
            for case in (first, second):
                await work.cases.save(Case(case, "t"))
        both = asyncio.Barrier(2)
        outcomes = await asyncio.gather(
            _lock_both(database, first, second, both),
            _lock_both(database, second, first, both),
            return_exceptions=True,
        )
    assert [type(outcome) for outcome in outcomes].count(DatabaseUnavailable) == 1
    assert outcomes.count(None) == 1


async def _lock_both(database: SqlDatabase, first: CaseId, second: CaseId, both: asyncio.Barrier) -> None:
    async with database.begin() as work:
        await work.cases.load(first, lock=True)
        await both.wait()
        await work.cases.load(second, lock=True)


async def test_reading_waits_for_no_writer_and_sees_only_what_was_committed(sql: SqlDatabase) -> None:
    async with asyncio.timeout(60), sql.begin() as writing:
        await writing.inbox.put(item("a"))
        async with sql.read() as reading:
            assert await reading.inbox.get(ItemId("a")) is None
    async with sql.read() as reading:
        assert await reading.inbox.get(ItemId("a")) is not None


async def test_reading_can_write_nothing(sql: SqlDatabase) -> None:
    with pytest.raises(DatabaseUnavailable):
        await _write_while_reading(sql)
    async with sql.read() as reading:
        assert await reading.inbox.get(ItemId("a")) is None


async def _write_while_reading(database: SqlDatabase) -> None:
    async with database.read() as reading:
        await reading.inbox.put(item("a"))


async def test_whoever_reads_waits_for_a_connection_but_not_for_ever(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(sqlite_url) as database, contextlib.AsyncExitStack() as readers:
        for _ in range(4):
            await readers.enter_async_context(database.read())
        await _put(database, item("a"))  # whoever writes has a connection of its own
        monkeypatch.setattr(sqlite, "_PATIENCE", 0.01)
        with pytest.raises(DatabaseUnavailable, match="in use"):
            await readers.enter_async_context(database.read())
        await readers.aclose()
        async with database.read() as reading:
            assert await reading.inbox.get(ItemId("a")) is not None


async def test_whoever_writes_waits_for_the_others_but_not_for_ever(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a disk that hangs in one commit, each transaction of the homeserver would stay in memory, and come again."""
    async with opened(sqlite_url) as database:
        async with database.begin() as hangs:
            await hangs.inbox.put(item("a"))
            monkeypatch.setattr(sqlite, "_PATIENCE", 0.01)
            with pytest.raises(DatabaseUnavailable, match="in use"):
                await _put(database, item("b"))
        await _put(database, item("b"))
        async with database.read() as reading:
            assert await reading.inbox.get(ItemId("a")) is not None


async def test_what_is_in_use_when_the_database_closes_is_stored_and_closed_as_well(sqlite_url: str) -> None:
    others = threading.enumerate()
    async with opened(sqlite_url) as database:
        async with database.begin() as work, database.read() as reading:
            drivers = [_driver(each) for each in (work, reading)]
            threads = [one for one in threading.enumerate() if one.name.startswith("sqlite") and one not in others]
            await work.inbox.put(item("a"))
            await database.close()
        for driver in drivers:
            with pytest.raises(sqlite3.ProgrammingError, match="closed"):
                driver.execute("SELECT 1")
        for thread in threads:
            await asyncio.to_thread(thread.join, 60)
        assert threads
        assert not any(thread.is_alive() for thread in threads)
    async with opened(sqlite_url) as database, database.read() as reading:
        assert await reading.inbox.get(ItemId("a")) is not None


def _driver(work: SqlWork) -> sqlite3.Connection:
    connection = work.inbox._connection
    assert isinstance(connection, sqlite.Connection)
    return connection.driver


# --- when we fail


async def test_a_cancelled_unit_of_work_leaves_nothing_and_holds_up_nobody(sql: SqlDatabase) -> None:
    begun = asyncio.Event()

    async def hang() -> None:
        async with sql.begin() as work:
            await work.inbox.put(item("a"))
            begun.set()
            await asyncio.sleep(60)

    tasks = [asyncio.create_task(hang()) for _ in range(10)]
    await begun.wait()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    async with asyncio.timeout(60), sql.begin() as work:
        assert await work.inbox.counts() == {}
        assert await work.inbox.put(item("a"))


async def test_units_of_work_cancelled_at_any_moment_leave_all_or_nothing(sql: SqlDatabase) -> None:
    async def two(number: int) -> None:
        async with sql.begin() as work:
            await work.inbox.put(item(f"{number}"))
            await work.outbox.put(item(f"{number}"))

    for number in range(40):
        task = asyncio.create_task(two(number))
        await asyncio.sleep(number * 0.0002)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    async with asyncio.timeout(60), sql.begin() as work:
        inbox, outbox = [await queue.in_state({State.READY}) for queue in (work.inbox, work.outbox)]
        assert [one.id for one in inbox] == [one.id for one in outbox]
        assert await work.inbox.claim("me", AT, LEASE, 50) == inbox


async def test_what_was_committed_survives_a_kill_at_any_moment(sqlite_url: str) -> None:
    """A process writes pairs and says so after each commit, until it is killed: all it said, and no half, is there."""
    said = await asyncio.to_thread(_run_and_kill, _writer_of_pairs(sqlite_url))
    async with opened(sqlite_url) as database, database.begin() as work:
        kept_in = [await work.inbox.get(ItemId(f"in{number}")) is not None for number in range(said + 3)]
        kept_out = [await work.outbox.get(ItemId(f"out{number}")) is not None for number in range(said + 3)]
        assert kept_in == kept_out
        assert all(kept_in[: said + 1])
        assert [one.id for one in await work.inbox.claim("me", AT, LEASE, 3)] == ["in0", "in3", "in6"]


async def test_a_process_that_speaks_too_early_is_caught(sqlite_url: str) -> None:
    """The planted fault: the test above can fail."""
    said = await asyncio.to_thread(_run_and_kill, _writer_of_pairs(sqlite_url, say_first=True))
    async with opened(sqlite_url) as database, database.begin() as work:
        assert await work.inbox.get(ItemId(f"in{said}")) is None


def _writer_of_pairs(url: str, *, say_first: bool = False) -> str:
    say, pause = "print(number, flush=True)", "await asyncio.sleep(60 if number >= 30 else 0)"
    return dedent(
        f"""
        import asyncio
        from appservice.crypto.sealing import Sealer
        from appservice.storage.database import SqlDatabase
        from tests.appservice.storage.master import MASTER
        from tests.appservice.storage.queue_contract import item

        async def main():
            database = SqlDatabase({url!r}, Sealer([MASTER]))
            await database.open()
            for number in range(1_000_000):
                {f"{say}; {pause}" if say_first else "pass"}
                async with database.begin() as work:
                    await work.inbox.put(item(f"in{{number}}", f"lane{{number % 3}}"))
                    await work.outbox.put(item(f"out{{number}}"))
                {"pass" if say_first else say}

        asyncio.run(main())
        """
    )


def _run_and_kill(program: str) -> int:
    """The last number that was said before the kill."""
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if int(line) >= 30:
                process.kill()
        process.stdout.close()
    return int(line)


# --- cost


async def test_only_what_is_done_again_by_itself_does_not_wait_for_the_disk(sqlite_url: str) -> None:
    normal, full = 1, 2
    async with opened(sqlite_url) as database:
        for begin, wanted in [(database.begin_repeatable, normal), (database.begin, full)] * 2:
            async with begin() as work:
                await work.inbox.put(item(str(wanted)))
                assert (await work.inbox._connection.execute(text("PRAGMA synchronous"))).scalar() == wanted


async def test_no_question_of_a_worker_scans_the_items(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Looks at how the database means to find things, not at the clock: with any number of done items it is as fast."""
    asked: list[tuple[str, Sequence[object]]] = []

    class Listening(sqlite3.Cursor):
        def execute(self, statement: str, parameters: Any = (), /) -> Self:
            asked.append((statement, parameters))
            return super().execute(statement, parameters)

    async with opened(sqlite_url) as database:
        monkeypatch.setattr(sqlite._Connection, "cursor", lambda self: sqlite3.Connection.cursor(self, Listening))
        async with database.begin() as work:
            await work.inbox.put_all([item(str(number), wait_key="key", due_at=AT) for number in range(3)])
            await work.inbox.park(ItemId("0"), "key", None, "")
            (*_, last) = await work.inbox.claim("me", AT, LEASE, 10)
            await work.inbox.ripen(AT)
            await work.inbox.ahead_of(last)
            await work.inbox.renew("me", Lane("lane"), AT)
            await work.inbox.free("me", Lane("lane"))
            await work.inbox.next_due(AT)
            await work.inbox.wake("key")
            await work.inbox.oldest(State.READY)
            await work.inbox.oldest(State.PARKED)
            await work.inbox.awaiting("session:")
            await work.inbox.in_state({State.DEAD})
            await work.inbox.counts()
            await work.inbox.done(ItemId("1"))
    plans = _plans(sqlite_url, asked)
    assert [step for step in plans if step.startswith("SCAN inbox") and "INDEX" not in step] == []
    assert {
        name
        for name in ("ready", "parked", "due_at", "wait_key", "unfinished", "lanes_turn")
        if any(f"ix_inbox_{name}" in step for step in plans)
    } == {"ready", "parked", "due_at", "wait_key", "unfinished", "lanes_turn"}


def _plans(url: str, asked: list[tuple[str, Sequence[object]]]) -> list[str]:
    """The steps of the plans of those statements that look for something."""
    with contextlib.closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection:
        return [
            f"{row[3]} {statement}"
            for statement, parameters in asked
            if statement.startswith(("SELECT", "UPDATE", "DELETE"))
            for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}", tuple(parameters))
        ]
