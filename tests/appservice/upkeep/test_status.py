"""What is wrong is said in words, with what to do; what is not is not said to be; and nobody's words are in it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from math import isnan
from typing import cast

import pytest

from appservice.e2ee.encryption import session_key
from appservice.metrics import ServiceMetrics
from appservice.setup.probe import Finding, Verdict
from appservice.storage.errors import DatabaseUnavailable
from appservice.upkeep.epoch import Epoch, Stage
from appservice.upkeep.reach import Leg, Reach
from appservice.upkeep.status import Status, of_database
from policies.case import CaseId, Joining
from rooms.queue import Item, ItemId, Lane, Queue, State
from tests.fakes.memory import MemoryDatabase, MemoryWork
from tests.policies.builders import both_sides

CASE = both_sides()
SECRET = b"secret words"


@dataclass
class Ready:
    found: tuple[str, ...] = ()

    async def problems(self) -> tuple[str, ...]:
        return self.found


@dataclass
class Legs:
    last: tuple[Leg, ...] = field(default=(Leg("homeserver", True, "the homeserver answers"),))

    async def look(self) -> tuple[Leg, ...]:
        return self.last


class Broken(MemoryDatabase):
    """A database that is away."""

    away = True

    @asynccontextmanager
    async def read(self) -> AsyncIterator[MemoryWork]:
        async with super().read() as work:
            if self.away:
                raise DatabaseUnavailable("the database can't be reached")
            yield work


@pytest.fixture
async def database() -> MemoryDatabase:
    database = MemoryDatabase()
    async with database.begin() as work:
        await work.cases.save(CASE)
    return database


def item(name: str, **changes: object) -> Item:
    plain = Item(ItemId(name), Lane(name), "kind", CASE.id, SECRET, datetime.now(UTC))
    return replace(plain, **changes)  # type: ignore[arg-type]


async def put(queue: Queue, *items: Item) -> None:
    for one in items:
        await queue.put(one)


async def wrong(database: MemoryDatabase) -> list[Finding]:
    """What is not fine."""
    found = await of_database(database)
    assert not any(SECRET.decode() in str(one) for one in found)
    return [one for one in found if one.verdict is not Verdict.FINE]


async def test_where_nothing_is_wrong_nothing_is_said_to_be(database: MemoryDatabase) -> None:
    async with database.begin() as work:
        await put(work.outbox, item("a"))
        await put(work.inbox, item("b"))
    found = await Status(database, Ready(), cast(Reach, Legs()))()
    assert {one.verdict for one in found} == {Verdict.FINE}


async def test_what_was_given_up_or_is_uncertain_is_named_with_its_cases(database: MemoryDatabase) -> None:
    async with database.begin() as work:
        await put(work.outbox, item("a"), item("b"), item("c"))
        await work.outbox.stop(ItemId("a"), State.DEAD, "a mail to Carl: 550")
        await work.outbox.stop(ItemId("b"), State.UNKNOWN, "a mail to Carl: no answer")
    dead, unknown = await wrong(database)
    assert dead.seen == "1 thing is given up, in 1042"
    assert "acknowledged, in 1042" in unknown.seen
    assert "!dead" in dead.remedy


async def test_what_is_tried_in_vain_is_broken_and_says_why(database: MemoryDatabase) -> None:
    async with database.begin() as work:
        await put(work.outbox, item("a"), item("b"))
        long_ago = datetime.now(UTC) - timedelta(minutes=9)
        await work.outbox.retry(ItemId("a"), datetime.now(UTC), "no connection to the mail server", long_ago)
    (failing,) = await wrong(database)
    assert failing.verdict is Verdict.BROKEN
    assert "no connection to the mail server" in failing.seen
    assert "1 more wait behind" in failing.seen


async def test_what_nobody_works_on_is_broken(database: MemoryDatabase) -> None:
    async with database.begin() as work:
        await put(work.inbox, item("a", received_at=datetime.now(UTC) - timedelta(minutes=9)))
    (stuck,) = await wrong(database)
    assert stuck.verdict is Verdict.BROKEN
    assert "is the service running" in stuck.remedy


async def test_messages_without_their_keys_are_counted(database: MemoryDatabase) -> None:
    async with database.begin() as work:
        await put(work.inbox, item("a"), item("b"))
        await work.inbox.park(ItemId("a"), session_key("!room", "x"), None, "no key")
        await work.inbox.park(ItemId("b"), "something else", None, "")
    (closed,) = await wrong(database)
    assert closed.seen.startswith("1 messages can't be decrypted")


async def test_cases_that_nobody_looked_at_since_a_restore_are_named(database: MemoryDatabase) -> None:
    async with database.begin() as work:
        await work.epochs.begin(Epoch(2, "x", 0, Stage.ANNOUNCED))
    (restored,) = await wrong(database)
    assert "1 cases came out of a backup" in restored.seen
    assert "!repair" in restored.remedy


async def test_how_many_were_invited_and_came_is_counted_over_all_cases(database: MemoryDatabase) -> None:
    at = datetime(2026, 1, 5, tzinfo=UTC)
    steps = (Joining(at), Joining(at, reminded=at), Joining(at, at, telephone=at), Joining(at, at, at, came=at))
    people = tuple(replace(person, joining=step) for person, step in zip(CASE.people * 2, steps, strict=False))
    async with database.begin() as work:
        for number in ("1", "2"):
            await work.cases.save(replace(CASE, id=CaseId(number), people=people))
    [counted] = [found for found in await of_database(database) if found.setting == "who was invited"]
    assert (counted.verdict, counted.seen) == (
        Verdict.FINE,
        "10 invited, 6 reminded, 2 to be telephoned, 2 in",
    )


async def test_what_does_not_work_is_never_called_fine(database: MemoryDatabase) -> None:
    dead = Leg("mail out", False, "no connection to the mail server", "is it running?")
    found = await Status(database, Ready(("starting",)), cast(Reach, Legs((dead,))))()
    assert Finding("mail out", Verdict.BROKEN, dead.seen, dead.remedy) in found
    assert any(one.setting == "service" and one.verdict is Verdict.BROKEN for one in found)


async def test_what_can_not_be_told_is_neither_broken_nor_fine_nor_an_alarm(database: MemoryDatabase) -> None:
    hidden = Leg("whatsapp", None, "WhatsApp does not show us our number", "may we look?")
    legs = cast(Reach, Legs((hidden,)))
    assert Finding("whatsapp", Verdict.UNSEEN, hidden.seen, hidden.remedy) in await Status(database, Ready(), legs)()
    metrics = ServiceMetrics(database, legs)
    await metrics.refresh()
    value = metrics.registry.get_sample_value("mediatrix_reachable", {"way": "whatsapp"})
    assert value is not None
    assert isnan(value)


async def test_a_database_that_is_away_is_what_is_wrong() -> None:
    (found,) = await of_database(Broken())
    assert (found.setting, found.verdict) == ("database", Verdict.BROKEN)


async def test_the_numbers_tell_the_same(database: MemoryDatabase) -> None:
    dead = Leg("mail out", False, "no connection to the mail server", "is it running?")
    metrics = ServiceMetrics(database, cast(Reach, Legs((dead,))))
    async with database.begin() as work:
        await put(work.inbox, item("a", received_at=datetime.now(UTC) - timedelta(seconds=60)), item("b"))
        await work.inbox.park(ItemId("b"), session_key("!room", "x"), None, "no key")
        await put(work.outbox, item("c", received_at=datetime.now(UTC) - timedelta(days=9)), item("d"))
        await work.outbox.park(ItemId("c"), "consent", None, "")
        await work.outbox.claim("me", datetime.now(UTC), timedelta(seconds=10))
    metrics.decided(["said", "said", "unproven"])
    await metrics.refresh()

    def value(name: str, **labels: str) -> float:
        found = metrics.registry.get_sample_value(f"mediatrix_{name}", labels)
        assert found is not None, name
        return found

    assert value("queue_items", queue="inbox", state="ready") == 1
    assert value("queue_items", queue="outbox", state="parked") == 1
    assert 60 <= value("queue_oldest_seconds", queue="inbox") < 70
    assert value("queue_oldest_seconds", queue="outbox") < 60
    assert value("queue_oldest_parked_seconds", queue="outbox") > 8 * 86400
    assert value("queue_lanes_leased", queue="outbox") == 1
    assert value("undecryptable_events") == 1
    assert value("reachable", way="mail out") == 0
    assert value("decisions_total", rule="said") == 2
    assert value("cases") == 1
    invited = sum(1 for person in CASE.people if person.joining)
    assert (value("invited_people", step="invited"), value("invited_people", step="came")) == (invited, 0)
