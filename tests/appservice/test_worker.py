"""The worker keeps each lane's order, loses nothing, and lets nobody's bad item hold up somebody else."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appservice import worker as workers
from appservice.documents.pipeline.limits import Allowance
from appservice.documents.pipeline.scanner import Clamd
from appservice.main import wire
from appservice.matrix.accounts import SYNC_TIMEOUT
from appservice.matrix.client import REQUEST_TIMEOUT
from appservice.matrix.media import TRANSFER_TIMEOUT
from appservice.ports import ServiceWork
from appservice.storage.errors import DatabaseUnavailable
from appservice.wakeup import Wakeup
from appservice.worker import BATCH, RETRY_MOST, SURPRISES_MOST, Done, End, Fate, Park, Worker, backoff
from bridges.email.api import BEGIN_SECONDS, MailServer
from bridges.whatsapp import api as whatsapp
from bridges.whatsapp import media
from rooms.homeserver import Trouble
from rooms.queue import Item, ItemId, Lane, State
from tests.fakes.memory import MemoryDatabase, MemoryWork
from tests.invariants.world import configuration

AT = datetime(2026, 1, 5, tzinfo=UTC)
Failure = Exception | None


class Crash(BaseException):
    """The process is killed."""


class Disk(MemoryDatabase):
    """Knows whether a power cut would undo something that was committed."""

    def __init__(self) -> None:
        super().__init__()
        self.has_it_all = True

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[MemoryWork]:
        async with super().begin() as work:
            yield work
        self.has_it_all = True

    @asynccontextmanager
    async def begin_repeatable(self) -> AsyncIterator[MemoryWork]:
        async with super().begin() as work:
            yield work
        self.has_it_all = False


class Bench:
    """A queue, and work that fails as it is told to before it succeeds."""

    def __init__(self, failures: dict[str, list[Failure]] | None = None) -> None:
        """`failures`: by item, what happens each time it is worked on; after that it succeeds."""
        self.database = Disk()
        self.unsure: list[str] = []
        """Items that were worked on while a power cut would still have undone something."""
        self.failures = failures or {}
        self.done: dict[str, list[str]] = defaultdict(list)
        """The items that succeeded, by lane, in the order in which they did."""
        self.tried: list[str] = []
        self.ended: list[str] = []
        self.busy: set[str] = set()
        self.waiting: dict[str, str] = {}
        """Items that wait, and for what."""
        self.quick_fates: dict[str, Fate | Exception] = {}

    async def put(self, *names: str) -> None:
        """Queue items; the lane is the first letter of the name."""
        async with self.database.begin() as work:
            for name in names:
                await work.outbox.put(Item(ItemId(name), Lane(name[0]), "test", None, b"x", AT))

    async def work(self, item: Item) -> Fate:
        """Work on one item."""
        assert item.lane not in self.busy, "a lane was worked on by two at once"
        self.unsure += [] if self.database.has_it_all else [item.id]
        self.busy.add(item.lane)
        self.tried.append(item.id)
        try:
            await asyncio.sleep(0)
            plan = self.failures.get(item.id, [])
            failure = plan.pop(0) if plan else None
            if failure is not None:
                raise failure
            if item.id in self.waiting:
                return Park(self.waiting[item.id], "waits")
            self.done[item.lane].append(item.id)
            return Done()
        finally:
            self.busy.discard(item.lane)

    async def quick(self, work: ServiceWork, items: Sequence[Item]) -> Sequence[Fate]:
        """What can be done at once."""
        fates: list[Fate] = []
        for item in items:
            fate = self.quick_fates.get(item.id)
            if isinstance(fate, Exception):
                raise fate
            if fate is None:
                break
            fates.append(fate)
        return fates

    async def after(self, item: Item, fate: Fate) -> None:
        """What became of an item."""
        if isinstance(fate, End):
            self.ended.append(item.id)

    def worker(self, tasks: int = 3) -> Worker:
        """A worker of this queue."""
        made = Worker("test", self.database, lambda w: w.outbox, self.work, self.after, quick=self.quick, tasks=tasks)
        self.database.on_work(made.wakeup)
        return made

    def state(self, name: str) -> State:
        """Where an item stands."""
        return self.database.committed.outbox.items[ItemId(name)].state

    def idle(self) -> bool:
        """Whether nothing is left to do but what waits."""
        return all(item.state is not State.READY for item in self.database.committed.outbox.items.values())

    async def run(self, *workers_: Worker) -> None:
        """Work until nothing is left to do but what waits."""
        async with asyncio.timeout(120):
            tasks = [asyncio.create_task(worker.run()) for worker in workers_ or (self.worker(),)]
            try:
                while not self.idle():  # noqa: ASYNC110 (what the worker does is what is tested)
                    await asyncio.sleep(0.002)
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)


@pytest.fixture(autouse=True)
def _quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "RETRY_FIRST", timedelta(milliseconds=1))


FAILURES = st.sampled_from([Trouble("busy", transient=True), RuntimeError("surprise")])
NAMES = [f"{lane}{number}" for lane in "abc" for number in range(4)]
PLANS = st.dictionaries(st.sampled_from(NAMES), st.lists(FAILURES, max_size=SURPRISES_MOST - 1), max_size=6)


@settings(max_examples=12)
@given(PLANS)
async def test_each_lane_is_done_in_order_whatever_fails_on_the_way(plan: dict[str, list[Failure]]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(workers, "RETRY_FIRST", timedelta(milliseconds=1))
        bench = Bench(plan)
        await bench.put(*NAMES)
        await bench.run()
        assert bench.done == {lane: [f"{lane}{n}" for n in range(4)] for lane in "abc"}


async def test_many_workers_share_the_lanes_and_do_nothing_twice() -> None:
    bench = Bench()
    names = [f"{lane}{number}" for number in range(5) for lane in "abcdefg"]
    await bench.put(*names)
    await bench.run(bench.worker(), bench.worker(), bench.worker())
    assert sorted(bench.tried) == sorted(names)


async def test_a_newcomer_has_a_turn_while_others_are_flooded() -> None:
    bench = Bench()
    await bench.put(*(f"{lane}{number}" for lane in "abcde" for number in range(4 * BATCH)), "z")
    await bench.run(bench.worker(tasks=1))
    assert bench.tried.index("z") == 5 * BATCH, "each flooded lane had one turn before"
    assert len(bench.tried) == 20 * BATCH + 1


async def test_nothing_leaves_before_the_disk_knows_all_that_led_to_it() -> None:
    bench = Bench({"a1": [Trouble("busy", transient=True)]})
    bench.quick_fates = {"a0": Done(), "b0": Done(), "c0": RuntimeError("surprise")}
    await bench.put(*NAMES)
    bench.database.has_it_all = False
    await bench.run(bench.worker(tasks=1))
    assert bench.tried
    assert bench.unsure == []


async def test_what_never_leaves_does_not_wait_for_the_disk() -> None:
    bench = Bench()
    bench.quick_fates = {"a0": Done()}
    await bench.put("a0")
    worker = Worker(
        "test", bench.database, lambda w: w.outbox, bench.work, bench.after, quick=bench.quick, is_repeatable=True
    )
    await bench.run(worker)
    assert bench.state("a0") is State.DONE
    assert not bench.database.has_it_all


async def test_of_the_two_workers_of_the_service_only_the_inbox_is_repeatable() -> None:
    """A mistake would be seen nowhere else: it takes a power cut."""
    parts = wire(configuration()).parts
    assert parts.inbox._begin == parts.database.begin_repeatable
    assert parts.outbox._begin == parts.database.begin


async def test_what_is_due_ripens_though_the_clock_was_set_back() -> None:
    bench = Bench()
    async with bench.database.begin() as work:
        await work.outbox.put(Item(ItemId("a"), Lane("a"), "test", None, b"x", AT, state=State.PARKED, due_at=AT))
    worker = bench.worker()
    await worker._ripen(AT + timedelta(days=1))
    async with bench.database.begin() as work:
        await work.outbox.park(ItemId("a"), "key", AT, "waits")
    await worker._ripen(AT)
    assert bench.state("a") is State.READY


async def test_an_item_that_always_fails_dies_and_holds_nobody_up() -> None:
    bench = Bench({"a0": [RuntimeError("always")] * SURPRISES_MOST})
    await bench.put("a0", "a1", "b0")
    await bench.run()
    assert bench.state("a0") is State.DEAD
    assert bench.ended == ["a0"]
    assert bench.done == {"a": ["a1"], "b": ["b0"]}
    assert bench.tried.count("a0") == SURPRISES_MOST


async def test_trouble_for_good_ends_an_item_at_once() -> None:
    bench = Bench({"a0": [Trouble("no such room", transient=False)]})
    await bench.put("a0", "a1")
    await bench.run()
    item = bench.database.committed.outbox.items[ItemId("a0")]
    assert (item.state, item.note) == (State.DEAD, "no such room")
    assert bench.tried == ["a0", "a1"]


async def test_a_lane_waits_for_an_item_that_is_tried_again() -> None:
    bench = Bench({"a0": [Trouble("busy", transient=True)] * 3})
    await bench.put("a0", "a1", "b0")
    await bench.run()
    assert bench.done["a"] == ["a0", "a1"]
    assert bench.tried.index("b0") < bench.tried.index("a1")


async def test_what_is_parked_lets_others_pass_and_comes_first_when_woken() -> None:
    bench = Bench()
    bench.waiting = {"a0": "key", "a1": "key"}
    await bench.put("a0", "a1", "a2")
    await bench.run()
    assert bench.done["a"] == ["a2"]
    bench.waiting = {}
    await bench.put("a3")
    async with bench.database.begin() as work:
        assert await work.outbox.wake("key") == 2
    await bench.run()
    assert bench.done["a"] == ["a2", "a0", "a1", "a3"]


async def test_what_dies_with_the_process_is_done_by_the_next() -> None:
    bench = Bench({"a0": [Crash()]})  # type: ignore[list-item]
    await bench.put("a0", "a1")
    with pytest.raises(Crash):
        await bench.worker()._next_lane("dies")
    assert bench.state("a0") is State.READY
    await bench.run()
    assert bench.done["a"] == ["a0", "a1"]


async def test_an_end_is_told_again_rather_than_never() -> None:
    bench = Bench({"a0": [Trouble("never", transient=False)] * 2})
    await bench.put("a0")
    told = bench.after
    deaths = [Crash()]

    async def dying(item: Item, fate: Fate) -> None:
        await told(item, fate)
        if deaths:
            raise deaths.pop()

    bench.after = dying  # type: ignore[method-assign]
    with pytest.raises(Crash):
        await bench.worker()._next_lane("dies")
    assert bench.state("a0") is State.READY
    await bench.run()
    assert bench.state("a0") is State.DEAD
    assert bench.ended == ["a0", "a0"]


async def test_a_failure_to_tell_of_an_end_loses_neither_the_item_nor_the_worker() -> None:
    bench = Bench({"a0": [Trouble("never", transient=False)] * 2})
    await bench.put("a0", "b0")
    told = bench.after
    failures = [RuntimeError("the database was away")]

    async def failing(item: Item, fate: Fate) -> None:
        if isinstance(fate, End) and failures:
            raise failures.pop()
        await told(item, fate)

    bench.after = failing  # type: ignore[method-assign]
    await bench.run()
    assert bench.ended == ["a0"]
    assert bench.done["b"] == ["b0"]


async def test_an_end_that_can_never_be_told_holds_nobody_up() -> None:
    bench = Bench({"a0": [Trouble("never", transient=False)] * SURPRISES_MOST})
    await bench.put("a0", "a1")

    async def failing(item: Item, fate: Fate) -> None:
        if isinstance(fate, End):
            raise RuntimeError("it can't be told")

    bench.after = failing  # type: ignore[method-assign]
    await bench.run()
    assert bench.state("a0") is State.DEAD
    assert bench.done["a"] == ["a1"]


async def test_what_waited_long_for_the_network_survives_a_surprise() -> None:
    plan: list[Failure] = [Trouble("the homeserver is away", transient=True)] * SURPRISES_MOST
    bench = Bench({"a0": [*plan, RuntimeError("surprise")]})
    await bench.put("a0")
    await bench.run()
    assert bench.done == {"a": ["a0"]}


async def test_a_database_that_fails_again_and_again_is_no_fault_of_the_item() -> None:
    bench = Bench({"a0": [DatabaseUnavailable("a deadlock")] * (SURPRISES_MOST + 1)})
    await bench.put("a0", "a1")
    await bench.run()
    assert bench.done == {"a": ["a0", "a1"]}


async def test_what_can_not_be_told_of_what_was_done_at_once_keeps_the_rest_from_nothing() -> None:
    bench = Bench()
    bench.quick_fates = {"a0": Park("key", "waits"), "a1": Done()}
    await bench.put("a0", "a1", "a2")
    told: list[str] = []

    async def failing(item: Item, fate: Fate) -> None:
        told.append(item.id)
        raise Trouble("the homeserver is away", transient=True)

    bench.after = failing  # type: ignore[method-assign]
    assert await bench.worker()._next_lane("test")
    assert told == ["a0", "a1", "a2"]
    assert bench.done["a"] == ["a2"]


async def test_what_can_be_done_at_once_is_and_the_rest_follows_in_order() -> None:
    bench = Bench()
    bench.quick_fates = {"a0": Done("quick"), "a1": End(State.CANCELLED, "not any more"), "a3": Done("quick")}
    await bench.put("a0", "a1", "a2", "a3")
    await bench.run()
    assert bench.tried[0] == "a2"
    assert [bench.state(f"a{n}") for n in range(4)] == [State.DONE, State.CANCELLED, State.DONE, State.DONE]


async def test_a_surprise_on_the_quick_way_sends_everything_the_slow_way() -> None:
    bench = Bench()
    bench.quick_fates = {"a0": Done(), "a1": RuntimeError("surprise")}
    await bench.put("a0", "a1", "a2")
    await bench.run()
    assert bench.done["a"] == ["a0", "a1", "a2"]


SCAN, EXAMINATION = Clamd().seconds, Allowance().wall_seconds


@pytest.mark.parametrize(
    "waits",
    [
        pytest.param((REQUEST_TIMEOUT, TRANSFER_TIMEOUT, SCAN, EXAMINATION), id="a file that is fetched and examined"),
        pytest.param((3 * REQUEST_TIMEOUT, TRANSFER_TIMEOUT), id="one in place of another that is deleted"),
        pytest.param((SYNC_TIMEOUT, TRANSFER_TIMEOUT, 3 * REQUEST_TIMEOUT), id="one that goes with a message"),
        pytest.param((whatsapp.SECONDS, media.SECONDS, SCAN, EXAMINATION), id="one that comes from WhatsApp"),
        pytest.param((EXAMINATION, whatsapp.UPLOAD_SECONDS, whatsapp.SECONDS), id="one that goes there"),
        pytest.param((BEGIN_SECONDS, MailServer("localhost", 25).timeout), id="a mail"),
    ],
)
def test_whoever_does_not_answer_is_given_up_before_the_item_is(waits: Sequence[float]) -> None:
    """Each call at its limit, and two minutes of our own. The item's clock knows no names: that makes dead letters."""
    assert workers.SENDING_MOST.total_seconds() > sum(waits) + 120


@given(st.timedeltas(timedelta(-1), timedelta(days=2)))
def test_who_fails_waits_as_long_again_within_limits_and_never_in_step(failing: timedelta) -> None:
    most = min(max(failing, workers.RETRY_FIRST), RETRY_MOST)
    waits = {backoff(failing) for _ in range(20)}
    assert all(most / 2 <= wait <= most for wait in waits)
    assert len(waits) > 1


async def test_whoever_starts_anew_tries_at_once_what_failed_before() -> None:
    bench = Bench()
    await bench.put("a0", "b0")
    later = datetime.now(UTC) + timedelta(minutes=4)
    async with bench.database.begin() as work:
        await work.outbox.retry(ItemId("a0"), later, "the homeserver is away", AT)
    async with asyncio.timeout(10):
        await bench.run()
    assert bench.done == {"a": ["a0"], "b": ["b0"]}


async def test_what_was_woken_many_times_has_not_failed_so_often(monkeypatch: pytest.MonkeyPatch) -> None:
    waited = list[timedelta]()

    def noted(failing: timedelta) -> timedelta:
        waited.append(failing)
        return timedelta()

    monkeypatch.setattr(workers, "backoff", noted)
    bench = Bench({"a0": [Trouble("busy", transient=True)] * 2})
    async with bench.database.begin() as work:
        await work.outbox.put(Item(ItemId("a0"), Lane("a"), "test", None, b"x", AT, attempts=12))
    await bench.run()
    assert waited[0] == timedelta() < waited[1]


@pytest.mark.parametrize("fate", [Park("key", "waits"), End(State.DEAD, "it failed")])
async def test_what_another_process_has_done_meanwhile_stays_done(fate: Fate) -> None:
    bench = Bench()

    async def work(item: Item) -> Fate:
        """This process stood still for longer than its lease."""
        async with bench.database.begin() as other:
            await other.outbox.done(item.id, "by another")
        return fate

    worker = Worker("test", bench.database, lambda work: work.outbox, work, bench.after)
    await bench.put("a1")
    await worker._one(bench.database.committed.outbox.items[ItemId("a1")])
    assert bench.database.committed.outbox.items[ItemId("a1")].state is State.DONE


async def test_what_is_known_to_be_done_is_no_longer_unknown() -> None:
    bench = Bench()

    async def work(item: Item) -> Fate:
        async with bench.database.begin() as other:
            await other.outbox.stop(item.id, State.UNKNOWN, "its process was silent")
        return Done("sent")

    worker = Worker("test", bench.database, lambda work: work.outbox, work, bench.after)
    await bench.put("a1")
    await worker._one(bench.database.committed.outbox.items[ItemId("a1")])
    assert bench.database.committed.outbox.items[ItemId("a1")].result == "sent"


async def test_what_follows_from_an_item_that_is_done_is_stored_with_it_or_it_is_done_again() -> None:
    bench = Bench()
    failures: list[Exception] = [DatabaseUnavailable("gone"), LookupError("surprise")]

    async def also(work: ServiceWork) -> None:
        if failures:
            raise failures.pop(0)
        await work.inbox.put(Item(ItemId("follows"), Lane("z"), "test", None, b"x", AT))

    async def work(item: Item) -> Fate:
        assert ItemId("follows") not in bench.database.committed.inbox.items
        return Done("sent", also)

    await bench.put("a1")
    worker = Worker("test", bench.database, lambda work: work.outbox, work, bench.after)
    with pytest.raises(DatabaseUnavailable):
        await worker._next_lane("me")
    with pytest.raises(LookupError):
        await worker._next_lane("me")
    assert bench.state("a1") is State.READY
    await worker._next_lane("me")
    assert bench.state("a1") is State.DONE
    assert ItemId("follows") in bench.database.committed.inbox.items


async def test_a_lane_is_free_with_the_unit_of_work_that_ends_its_last_item() -> None:
    bench = Bench()
    await bench.put("a1", "a2")
    worker = bench.worker()
    ended: list[int] = []

    async def after(item: Item, fate: Fate) -> None:
        async with bench.database.begin() as work:
            ended.append(await work.outbox.leased(datetime.now(UTC)))

    worker._after = after
    await worker._next_lane("me")
    assert ended == [1, 0]


class Slow:
    """Work that begins, and goes on until it is let go."""

    def __init__(self) -> None:
        self.begun, self.let_go = asyncio.Event(), asyncio.Event()
        self.swallows = False
        """Whether it keeps a cancellation to itself."""

    async def work(self, item: Item) -> Fate:
        """Work on one item."""
        self.begun.set()
        try:
            await self.let_go.wait()
        except asyncio.CancelledError:
            if not self.swallows:
                raise
        return Done()


async def _begun(bench: Bench, slow: Slow) -> asyncio.Task[None]:
    """A worker on the first of two items."""
    await bench.put("a1", "a2")
    task = asyncio.create_task(Worker("test", bench.database, lambda work: work.outbox, slow.work, bench.after).run())
    await slow.begun.wait()
    return task


async def test_what_is_under_way_when_it_is_told_to_end_comes_to_its_end_and_nothing_else_begins() -> None:
    bench, slow = Bench(), Slow()
    task = await _begun(bench, slow)
    task.cancel()
    await asyncio.sleep(0)
    slow.let_go.set()
    await asyncio.wait_for(asyncio.wait([task]), 60)
    assert [bench.state(name) for name in ("a1", "a2")] == [State.DONE, State.READY]


@pytest.mark.parametrize(("swallows", "state"), [(False, State.READY), (True, State.DONE)])
async def test_what_takes_too_long_then_is_cut_off_and_whatever_it_does_about_that_all_ends(
    monkeypatch: pytest.MonkeyPatch, swallows: bool, state: State
) -> None:
    monkeypatch.setattr(workers, "GRACE", timedelta())
    bench, slow = Bench(), Slow()
    slow.swallows = swallows
    task = await _begun(bench, slow)
    task.cancel()
    await asyncio.wait_for(asyncio.wait([task]), 60)
    assert [bench.state(name) for name in ("a1", "a2")] == [state, State.READY]


async def test_a_wakeup_is_not_missed_and_does_not_last() -> None:
    wakeup = Wakeup()
    wakeup()
    async with asyncio.timeout(60):
        await wakeup.wait(timedelta(hours=1))
    started = asyncio.get_running_loop().time()
    await wakeup.wait(timedelta(milliseconds=20))
    assert asyncio.get_running_loop().time() - started >= 0.015


@pytest.mark.parametrize(
    ("names", "why"),
    [
        ("a mail to Carl", "a mail to Carl: an unexpected LookupError; the log has it"),
        (LookupError("what failed"), "an unexpected LookupError; the log has it"),
    ],
)
async def test_whoever_decides_about_a_surprise_is_told_what_it_happened_to(names: str | Exception, why: str) -> None:
    bench = Bench()

    async def work(_: Item) -> Fate:
        raise LookupError("surprise")

    async def named(item: Item) -> str:
        assert item.id == "a1"
        if isinstance(names, Exception):
            raise names
        return names

    await bench.put("a1")
    made = Worker("test", bench.database, lambda work: work.outbox, work, bench.after, named=named)
    made._surprises[ItemId("a1")] = SURPRISES_MOST
    await made._next_lane("me")
    assert bench.database.committed.outbox.items[ItemId("a1")].note == why
