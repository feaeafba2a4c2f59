"""What is executed again is executed without SQLAlchemy, and finds and changes the same."""

import gc
import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import pytest
from sqlalchemy import Executable, bindparam, func, insert, select, text, update
from sqlalchemy.dialects import sqlite as dialect

from appservice.crypto.ids import MegolmSessionId, RoomId, UserId
from appservice.storage import prepared, sqlite
from appservice.storage.schema import INBOX, counters
from rooms.queue import State
from tests.appservice.storage.conftest import opened
from tests.appservice.storage.queue_contract import item

AT: Final = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
_items = INBOX.items
_ALL: Final = select(_items).order_by(_items.c.seq)
_OF_IDS: Final = _ALL.where(_items.c.id.in_(bindparam("ids", expanding=True)))
_OF_STATES: Final = _ALL.where(_items.c.state.in_((State.PARKED, State.DEAD)), _items.c.id != bindparam("other"))
_SINCE: Final = select(_items.c.id, _items.c.due_at, _items.c.sending).where(_items.c.due_at <= bindparam("at"))
_HOW_MANY: Final = select(func.count(), func.max(_items.c.received_at)).select_from(_items)
_TEXT: Final = text("SELECT id FROM inbox WHERE lane = :lane ORDER BY seq")

QUESTIONS: Final[Sequence[tuple[Executable, Mapping[str, Any]]]] = (
    (_ALL, {}),
    *((_OF_IDS, {"ids": [str(number) for number in range(count)]}) for count in (0, 1, 2, 3, 5, 9)),
    (_OF_STATES, {"other": "3"}),
    (_SINCE, {"at": AT}),
    (_HOW_MANY, {}),
    (_TEXT, {"lane": "lane"}),
)


async def differences(url: str) -> list[str]:
    """The questions to which SQLAlchemy gives another answer."""
    async with opened(url) as database:
        async with database.begin() as work:
            await work.inbox.put_all([item(str(number), due_at=AT if number % 2 else None) for number in range(9)])
            await work.inbox.park(item("1").id, "key", AT, "why")
        async with database.read() as work:
            connection = work.inbox._connection
            assert isinstance(connection, sqlite.Connection)
            found = []
            for statement, values in QUESTIONS:
                ours = [(await connection.execute(statement, values)).all() for _ in range(3)][-1]
                theirs = connection._connection.execute(statement, values).all()
                assert isinstance(await connection.execute(statement, values), prepared.Found)
                found += [str(statement)] if list(map(tuple, ours)) != list(map(tuple, theirs)) else []
            return found


async def test_it_finds_what_sqlalchemy_finds(sqlite_url: str) -> None:
    assert await differences(sqlite_url) == []


async def test_a_type_that_is_forgotten_is_noticed(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The planted fault: the comparison above can fail."""
    monkeypatch.setattr(prepared, "_reading", lambda _column, _dialect: None)
    assert len(await differences(sqlite_url)) >= 3


async def test_it_changes_what_sqlalchemy_changes(sqlite_url: str) -> None:
    shared = dialect.insert(counters).on_conflict_do_nothing(index_elements=["name"])
    add = update(counters).where(counters.c.name == bindparam("wanted")).values(value=counters.c.value + 1)
    async with opened(sqlite_url) as database, database.begin() as work:
        connection = work.inbox._connection
        # SQLAlchemy remembers of what was executed that it returns nothing, also in what is made out of it.
        for _ in range(3):
            await connection.execute(shared, {"name": "plain", "value": 0})
        put = shared.returning(counters.c.name)
        answers = []
        for number in range(3):
            new = [{"name": f"{number}.{each}", "value": each} for each in range(3)]
            answers.append(sorted((await connection.execute(put, new)).scalars()))
            assert list((await connection.execute(put, new[:2])).scalars()) == []
            assert (await connection.execute(add, {"wanted": f"{number}.0"})).rowcount == 1
            assert (await connection.execute(add, [{"wanted": f"{number}.{each}"} for each in (1, 2)])).rowcount == 2
        assert answers == [[f"{number}.{each}" for each in range(3)] for number in range(3)]
        mine = select(counters.c.value).where(counters.c.name.like("%.%"))
        assert sorted((await connection.execute(mine)).scalars()) == [1, 1, 1, 2, 2, 2, 3, 3, 3]


async def test_the_same_statement_takes_other_columns_each_time(sqlite_url: str) -> None:
    change = update(_items).where(_items.c.id == bindparam("wanted"))
    async with opened(sqlite_url) as database, database.begin() as work:
        await work.inbox.put(item("a"))
        connection = work.inbox._connection
        for values in ({"attempts": 1}, {"attempts": 2, "due_at": AT}, {"due_at": None}, {"attempts": 3}):
            await connection.execute(change, {"wanted": "a", **values})
        changed = await work.inbox.get(item("a").id)
        assert changed is not None
        assert (changed.attempts, changed.due_at) == (3, None)


async def test_what_is_built_for_the_moment_is_not_kept(sqlite_url: str) -> None:
    async with opened(sqlite_url) as database, database.begin() as work:
        connection = work.inbox._connection
        assert isinstance(connection, sqlite.Connection)
        before = len(connection._statements._known)
        for number in range(20):
            of_the_moment = select(counters.c.value).where(counters.c.name == str(number))
            await connection.execute(of_the_moment)
            await connection.execute(of_the_moment)
        del of_the_moment
        gc.collect()
        # SQLAlchemy keeps one of them, for all that look alike.
        assert len(connection._statements._known) <= before + 1


async def test_a_list_that_is_too_long_for_any_room_is_taken_as_it_is(sqlite_url: str) -> None:
    """With room for twice as many, an SQLite of another make would refuse the statement."""
    async with opened(sqlite_url) as database, database.begin() as work:
        await work.inbox.put_all([item(str(number)) for number in range(3)])
        connection = work.inbox._connection
        ways = []
        for count in (3, 3, 20_000, prepared.LONGEST, prepared.LONGEST + 1):
            found = await connection.execute(_OF_IDS, {"ids": [str(number) for number in range(count)]})
            assert len(found.all()) == 3
            ways.append(isinstance(found, prepared.Found))
        assert ways == [False, True, False, True, False]


async def test_a_default_that_the_database_does_not_know_is_refused(sqlite_url: str) -> None:
    """It would be left out: only SQLAlchemy fills those in."""
    from sqlalchemy import Column, Integer, MetaData, Table, Text

    table = Table("counters", MetaData(), Column("name", Text), Column("value", Integer, default=0))
    put = insert(table)
    async with opened(sqlite_url) as database, database.begin() as work:
        await work.inbox._connection.execute(put, {"name": "a"})
        with pytest.raises(AssertionError, match="default"):
            await work.inbox._connection.execute(put, {"name": "b"})


async def test_a_store_is_as_good_the_third_time(sqlite_url: str) -> None:
    """Lists of any length, and none: what the stores ask with."""
    async with opened(sqlite_url) as database:
        for _ in range(3):
            async with database.begin() as work:
                for count in (0, 1, 3):
                    users = [UserId(f"@{number}:x") for number in range(count)]
                    await work.crypto.track(users)
                    assert [row.user_id for row in await work.crypto.device_lists(users)] == users
                    assert await work.crypto.inbound(RoomId("!r"), [MegolmSessionId(user) for user in users]) == []


def test_on_sqlite_the_object_mapper_is_not_imported() -> None:
    program = "import sys, appservice.main; sys.exit('sqlalchemy.orm' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
