"""Works off a queue: lane after lane, each lane in its order, several lanes at once, whatever fails.

    claim a lane … `quick`: what asks nobody outside is done at once, many items in the unit of work that claims them
                 … `work`: whatever is left, one item after another, while the lease is prolonged

What becomes of an item is a value (`Fate`). Should anything in a quick unit of work raise, nothing of it is stored, and
the items are taken one by one. There an exception that nobody foresaw makes a dead letter after a few tries and never
stops the worker: one bad item must not delay the next person's. A database that fails is no fault of the item's.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import assert_never

from appservice.ending import asked_to_end
from appservice.ports import ServiceDatabase, ServiceWork
from appservice.storage.errors import DatabaseUnavailable
from appservice.wakeup import Wakeup
from policies.frozen import frozen
from rooms.homeserver import Trouble
from rooms.queue import Item, ItemId, Lane, Queue, State

logger = logging.getLogger(__name__)

LEASE = timedelta(seconds=10)
"""How long a lane of a process that was killed rests; who lives prolongs its lease for as long as the work takes."""
ITEM_MOST = timedelta(seconds=60)
"""How long one item may take before it is tried again, where nobody outside is asked."""
SENDING_MOST = timedelta(minutes=15)
"""The same, where somebody is: longer than all the calls of one item may wait, the transfer of a file among them. So
a homeserver that hangs is a trouble with a name, and not a surprise that makes dead letters."""
RETRY_FIRST = timedelta(seconds=0.5)
RETRY_MOST = timedelta(minutes=5)
SURPRISES_MOST = 5
"""After so many exceptions that nobody foresaw, in this process, an item is dead."""
BATCH = 50
"""How many items of a lane are taken at once."""
GRACE = timedelta(seconds=10)
"""How long a service that is told to end waits for what is under way."""
RIPEN_EVERY = timedelta(seconds=1)
"""How often it is looked for what was set aside until now, while there is other work."""
IDLE = timedelta(seconds=5)
"""How long a worker sleeps at most: nobody wakes it when the lease of a dead process runs out."""


@frozen
class Finished:
    """The work itself has already stored that the item is done."""


@frozen
class Done:
    """Done; the result is still to be stored."""

    result: str | None = None
    also: Callable[[ServiceWork], Awaitable[None]] | None = field(default=None, compare=False)
    """What else is to be stored, in the same unit of work."""


@frozen
class Park:
    """Set aside until woken, or until that much time has gone."""

    key: str
    why: str
    at_most: timedelta | None = None
    is_attempt: bool = True
    """Whether it was tried, in vain; not where it is only not its turn yet."""


@frozen
class End:
    """Ended otherwise, for good unless a person revives it."""

    state: State
    why: str


Fate = Finished | Done | Park | End


@frozen
class _Claimed:
    """A lane's items, and the fates of those first ones that are done with."""

    items: Sequence[Item]
    fates: Sequence[Fate]


@dataclass(slots=True)
class _Lease:
    """Of a lane that is worked on item by item."""

    owner: str
    lane: Lane
    is_over: bool = False


async def nothing_quick(work: ServiceWork, items: Sequence[Item]) -> Sequence[Fate]:
    """For queues whose work always asks somebody outside."""
    return ()


class Worker:
    """Works off one queue with a number of tasks."""

    def __init__(
        self,
        name: str,
        database: ServiceDatabase,
        queue: Callable[[ServiceWork], Queue],
        work: Callable[[Item], Awaitable[Fate]],
        after: Callable[[Item, Fate], Awaitable[None]],
        *,
        named: Callable[[Item], Awaitable[str]] | None = None,
        quick: Callable[[ServiceWork, Sequence[Item]], Awaitable[Sequence[Fate]]] = nothing_quick,
        tasks: int = 4,
        at_most: timedelta = ITEM_MOST,
        is_repeatable: bool = False,
    ) -> None:
        """`queue` picks the queue of a unit of work; `quick` tells the fates of the first so many of a lane's items;
        `named`: what an item is, for whoever has to decide about it.

        `after` is told what became of each item, once that is stored; of an end, before. `at_most`: for one item.
        `is_repeatable`: no item leaves this process, so that a claim, and what it did at once, need not outlast a power
        cut: it is done again.
        """
        self._name, self._database, self._queue = name, database, queue
        self._quick, self._work, self._after, self._named = quick, work, after, named
        self._tasks, self._at_most = tasks, at_most
        self._begin = database.begin_repeatable if is_repeatable else database.begin
        self._surprises: Counter[ItemId] = Counter()
        """How often each item failed as nobody foresaw: attempts count also what failed for good reasons."""
        self._looking = asyncio.Lock()
        self._ripe_at = datetime.min.replace(tzinfo=UTC)
        self._is_new = True
        """Nothing was tried yet by this one: whoever starts the service may have mended what failed before."""
        self.wakeup = Wakeup()

    async def run(self) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as group:
            for number in range(self._tasks):
                group.create_task(self._loop(f"{self._name}-{number}-{random.getrandbits(64):x}"))

    async def _loop(self, owner: str) -> None:
        while not asked_to_end():
            try:
                await self._next_lane(owner)
            except Exception:
                logger.exception("the %s worker stumbled; it goes on", self._name)
                await asyncio.sleep(1)

    async def _next_lane(self, owner: str) -> bool:
        """Take the lane whose turn it is and work on as many items of it as fit into one; False if there was none.

        One task at a time looks, and waits until there is something: news would only bring all of them to one lane.
        """
        async with self._looking:
            claimed = await self._look(owner)
            if isinstance(claimed, timedelta):
                await self.wakeup.wait(claimed)
                return False
        for item, fate in zip(claimed.items, claimed.fates, strict=False):
            await self._follow(item, fate)
        if left := claimed.items[len(claimed.fates) :]:
            await self._one_by_one(owner, left, just_leased=not claimed.fates)
        return True

    async def _look(self, owner: str) -> _Claimed | timedelta:
        await self._ripen(datetime.now(UTC))
        try:
            return await self._claim(owner, self._quick)
        except DatabaseUnavailable:
            raise
        except Exception:
            logger.warning("the %s worker takes a lane's items one by one", self._name, exc_info=True)
            return await self._claim(owner, nothing_quick)

    async def _ripen(self, now: datetime) -> None:
        """In a unit of work of its own: it touches lanes that what follows may touch in another order."""
        is_too_soon = timedelta(0) < self._ripe_at - now <= RIPEN_EVERY  # later than that, the clock was set back
        if not is_too_soon:
            async with self._begin() as work:
                if self._is_new:
                    await self._queue(work).hasten()
                await self._queue(work).ripen(now)
            self._is_new = False
            self._ripe_at = now + RIPEN_EVERY

    async def _claim(
        self, owner: str, quick: Callable[[ServiceWork, Sequence[Item]], Awaitable[Sequence[Fate]]]
    ) -> _Claimed | timedelta:
        """Lease a lane, and do at once what can be. A lane of which nothing is left is free again.

        If there is nothing to do: how long that is so.
        """
        now = datetime.now(UTC)
        async with self._begin() as work:
            queue = self._queue(work)
            items = await queue.claim(owner, now, LEASE, limit=BATCH)
            if not items:
                due = await queue.next_due(now)
                self._ripe_at = min(self._ripe_at, due or self._ripe_at)
                return min(due - now, IDLE) if due else IDLE
            fates = await quick(work, items)
            for item, fate in zip(items, fates, strict=False):
                await _store(work, queue, item, fate)
            if len(fates) == len(items):
                await queue.free(owner, items[0].lane)
        return _Claimed(items, fates)

    async def _one_by_one(self, owner: str, items: Sequence[Item], *, just_leased: bool) -> None:
        """`just_leased`: nothing was done since, so that the first item needs no look at the lease."""
        lease = _Lease(owner, items[0].lane)
        try:
            for number, item in enumerate(items, 1):
                sure = just_leased and number == 1
                if asked_to_end() or not (sure or await self._keep(lease)):
                    break
                async with self._keeping(lease):
                    goes_on = await self._one(item, lease if number == len(items) else None)
                if not goes_on:
                    break
        finally:
            if not lease.is_over:
                async with self._database.begin() as work:
                    await self._queue(work).free(owner, lease.lane)
            self.wakeup()

    async def _keep(self, lease: _Lease) -> bool:
        async with self._database.begin() as work:
            return await self._queue(work).renew(lease.owner, lease.lane, datetime.now(UTC) + LEASE)

    @asynccontextmanager
    async def _keeping(self, lease: _Lease) -> AsyncIterator[None]:
        """Prolong the lease while the work inside lasts."""

        async def beat() -> None:
            while True:
                await asyncio.sleep(LEASE.total_seconds() / 3)
                try:
                    await self._keep(lease)
                except Exception:
                    logger.exception("the %s worker could not prolong a lease; it tries again", self._name)

        beating = asyncio.create_task(beat())
        try:
            yield
        finally:
            beating.cancel()

    async def _one(self, item: Item, last: _Lease | None = None) -> bool:
        """Work on one item and store what became of it; False if the lane has to wait. `last`: the lease that is over
        with it."""
        try:
            fate = await self._to_its_end(item)
        except Trouble as trouble:
            if trouble.transient:
                await self._again(item, trouble.why)
                return False
            fate = End(State.DEAD, trouble.why)
        except Exception as surprise:
            logger.exception("an item of kind %s failed unexpectedly", item.kind)
            end = await self._surprised(item, surprise)
            if end is None:
                return False
            fate = end
        if isinstance(fate, End):
            # Before it is stored: whoever dies in between tells it again, which is harmless, rather than never (I5).
            await self._announce(item, fate)
        if not isinstance(fate, Finished):
            await self._became(item, fate, last)
        if not isinstance(fate, End):
            await self._follow(item, fate)
        self._surprises.pop(item.id, None)
        return True

    async def _to_its_end(self, item: Item) -> Fate:
        """Work on it. Told to end meanwhile, we wait for it, though not for long: of a mail that is cut off, nobody
        knows whether it left."""
        working = asyncio.create_task(self._in_time(item))
        try:
            return await asyncio.shield(working)
        except asyncio.CancelledError:
            await asyncio.wait([working], timeout=GRACE.total_seconds())
            if not working.done():
                working.cancel()
                await asyncio.wait([working])
            if working.cancelled():
                raise
            return working.result()
        finally:
            working.cancel()

    async def _in_time(self, item: Item) -> Fate:
        async with asyncio.timeout(self._at_most.total_seconds()):
            return await self._work(item)

    async def _surprised(self, item: Item, surprise: Exception) -> End | None:
        """What something that nobody foresaw makes of an item; None: it is tried again."""
        away = isinstance(surprise, DatabaseUnavailable)
        why = "the database could not be reached" if away else f"an unexpected {type(surprise).__name__}"
        if await self._may_have_left(item):
            return End(State.UNKNOWN, f"{await self._name_of(item)}{why} while it was being sent")
        if away or not self._is_hopeless(item):
            await self._again(item, why)
            return None
        return End(State.DEAD, f"{await self._name_of(item)}{why}; the log has it")

    async def _name_of(self, item: Item) -> str:
        """What it is, before why it ended; nothing where that can't be read, which may be why."""
        try:
            return f"{await self._named(item)}: " if self._named else ""
        except DatabaseUnavailable:
            raise
        except Exception:
            logger.exception("an item of kind %s can't be named", item.kind)
            return ""

    def _is_hopeless(self, item: Item) -> bool:
        """Whether this surprise was the last one that is borne with."""
        self._surprises[item.id] += 1
        return self._surprises[item.id] >= SURPRISES_MOST

    async def _announce(self, item: Item, end: End) -> None:
        """Tell of an end that is about to be stored; until that was tried often enough, it is not stored."""
        try:
            await self._after(item, end)
        except DatabaseUnavailable:
            raise
        except Exception:
            if not self._is_hopeless(item):
                raise
            logger.exception("nobody could be told of an item of kind %s that ended as %s", item.kind, end.state)

    async def _follow(self, item: Item, fate: Fate) -> None:
        """Do what follows from what is stored already: whatever fails there, the next one has its turn."""
        try:
            await self._after(item, fate)
        except Exception:
            logger.warning("what follows from an item of kind %s failed", item.kind, exc_info=True)

    async def _became(self, item: Item, fate: Fate, last: _Lease | None) -> None:
        """Store it. A process that stood still for longer than its lease may find that another has taken the item over:
        what that one ended stays ended, unless it is known here that it was done."""
        async with self._database.begin() as work:
            queue = self._queue(work)
            now = None if isinstance(fate, Done) else await queue.get(item.id)
            if now is None or now.state is State.READY:
                await _store(work, queue, item, fate)
            if last:
                await queue.free(last.owner, last.lane)
        if last:
            last.is_over = True

    async def _again(self, item: Item, why: str) -> None:
        at = datetime.now(UTC)
        due = at + backoff(at - item.failing_since if item.failing_since else timedelta())
        async with self._database.begin() as work:
            now = await self._queue(work).get(item.id)
            if now is not None and now.state is State.READY:
                await self._queue(work).retry(item.id, due, why, item.failing_since or at)

    async def _may_have_left(self, item: Item) -> bool:
        """Whether a send was begun that can't be repeated: what can has stored the very bytes that it repeats (I5)."""
        async with self._database.begin() as work:
            now = await self._queue(work).get(item.id)
        return now is not None and now.sending and now.progress is None


async def _store(work: ServiceWork, queue: Queue, item: Item, fate: Fate) -> None:
    match fate:
        case Finished():
            return
        case Done(result, also):
            await queue.done(item.id, result)
            if also:
                await also(work)
        case Park(key, why, at_most, is_attempt):
            due = datetime.now(UTC) + at_most if at_most else None
            await queue.park(item.id, key, due, why, is_attempt=is_attempt)
        case End(state, why):
            await queue.stop(item.id, state, why)
        case _:
            assert_never(fate)


async def is_still_due(queue: Queue, item: Item) -> bool:
    """Whether an item that was claimed before is still to be done; nobody else ends it before this unit of work does.

    It is not where another process has taken it over, because this one stood still for longer than its lease, or
    because their clocks differ. What came behind it may be done by now, too, so that to do it again is no repetition.
    """
    now = await queue.get(item.id, lock=True)
    return now is not None and now.state is State.READY


def backoff(failing: timedelta) -> timedelta:
    """How long to wait after trying in vain for so long: as long again, with jitter so that lanes don't march in step.
    What was waited for before, and woken for, is no failure: attempts count that, too."""
    wait: timedelta = min(max(failing, RETRY_FIRST), RETRY_MOST)
    return wait * random.uniform(0.5, 1.0)  # noqa: S311 (jitter)
