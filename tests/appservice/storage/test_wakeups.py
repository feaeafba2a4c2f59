"""Workers hear of new work, whichever process stored it."""

import asyncio
import logging
from collections.abc import Callable

import pytest

from appservice.storage import wakeups
from appservice.storage.database import SqlDatabase
from rooms.queue import ItemId
from tests.appservice.storage.conftest import opened
from tests.appservice.storage.postgresql import Postgresql
from tests.appservice.storage.queue_contract import item


async def eventually(condition: Callable[[], bool]) -> None:
    """Wait until it holds."""
    for _ in range(3000):
        if condition():
            return
        await asyncio.sleep(0.02)
    raise TimeoutError


async def both_listen(here: SqlDatabase, there: SqlDatabase) -> None:
    """Wait until both hear, and have told their own listeners what was perhaps missed before."""
    heard: set[str] = set()
    here.on_note(lambda _: heard.add("here"))
    there.on_note(lambda _: heard.add("there"))
    for _ in range(3000):
        await here.write_note("does anybody hear?")
        await asyncio.sleep(0.02)
        if heard == {"here", "there"}:
            break
    else:
        raise TimeoutError
    await asyncio.sleep(0)


async def test_work_of_one_process_wakes_the_other_once_and_after_the_commit(postgresql_url: str) -> None:
    async with opened(postgresql_url) as here, opened(postgresql_url) as there:
        heard_here: list[str] = []
        heard_there: list[str] = []
        await both_listen(here, there)
        here.on_work(lambda: heard_here.append("work"))
        there.on_work(lambda: heard_there.append("work"))
        async with here.begin() as work:
            await work.inbox.put(item("a"))
            await asyncio.sleep(0.1)
            assert heard_here == heard_there == []
        await eventually(lambda: heard_there == ["work"])
        await asyncio.sleep(0.1)
        assert heard_here == heard_there == ["work"]
        async with there.begin() as work:
            await work.inbox.done(ItemId("a"))
        await asyncio.sleep(0.1)
        assert heard_here == heard_there == ["work"]


async def test_a_broken_connection_is_made_anew(
    postgresql: Postgresql, postgresql_url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL)
    monkeypatch.setattr(wakeups, "_AGAIN", 0.05)
    async with opened(postgresql_url) as here, opened(postgresql_url) as there:
        heard: list[str] = []
        await both_listen(here, there)
        postgresql.run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'")
        await asyncio.sleep(0.2)
        await both_listen(here, there)
        there.on_work(lambda: heard.append("work"))
        async with here.begin() as work:
            await work.inbox.put(item("a"))
        await eventually(lambda: "work" in heard)


async def test_who_listens_for_one_queue_hears_nothing_of_the_other(postgresql_url: str) -> None:
    async with opened(postgresql_url) as here, opened(postgresql_url) as there:
        heard: list[str] = []
        await both_listen(here, there)
        for database, where in ((here, "here"), (there, "there")):
            for queue in ("inbox", "outbox"):
                database.on_work(lambda said=f"{queue} {where}": heard.append(said), queue)  # type: ignore[misc]
        async with here.begin() as work:
            await work.outbox.put(item("a"))
        await eventually(lambda: len(heard) > 1)
        await asyncio.sleep(0.1)
        assert sorted(heard) == ["outbox here", "outbox there"]


async def test_notes_reach_every_process_that_listens_and_wake_nobody(postgresql_url: str) -> None:
    async with opened(postgresql_url) as here, opened(postgresql_url) as there:
        read: list[str] = []
        woken: list[str] = []
        await both_listen(here, there)
        there.on_note(read.append)
        there.on_work(lambda: woken.append("work"))
        await here.write_note("hello")
        await eventually(lambda: "hello" in read)
        assert woken == []


async def test_on_sqlite_there_is_nobody_to_write_to(sqlite_url: str) -> None:
    async with opened(sqlite_url) as database:
        await database.write_note("hello")
