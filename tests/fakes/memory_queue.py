"""A queue in memory: the `Queue` contract in its plainest words, the model that the real ones are held to."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import islice, takewhile

from appservice.reading import TO_DEVICE
from appservice.storage.receiving import BESIDE, KEY_COUNTS
from policies.case import CaseId
from rooms.queue import Item, ItemId, Lane, State
from rooms.turns import LEASES_AHEAD, TURN_BYTES

_OVER = {"due_at": None, "wait_key": None, "sending": False, "failing_since": None}
WAITING = frozenset({State.READY, State.PARKED})


@dataclass
class QueueTable:
    """The items by id, in the order they were stored; who leases which lane until when, and where it stands in line."""

    items: dict[ItemId, Item] = field(default_factory=dict)
    leases: dict[Lane, tuple[str, datetime]] = field(default_factory=dict)
    served: dict[Lane, int] = field(default_factory=dict)
    last_seq: int = 0

    def copy(self) -> "QueueTable":
        """A copy that shares only frozen values."""
        return QueueTable(dict(self.items), dict(self.leases), dict(self.served), self.last_seq)


class MemoryQueue:
    """`Queue` over one copy of the table."""

    def __init__(self, table: QueueTable) -> None:
        """Work on this table; the caller keeps it or throws it away."""
        self._table = table
        self.news = False
        """Whether an item was put, woken or revived."""

    async def put(self, item: Item) -> bool:
        return await self.put_all((item,)) == 1

    async def put_all(self, items: Iterable[Item]) -> int:
        """Store many, in this order; how many were new."""
        new = 0
        for item in items:
            if item.id not in self._table.items:
                self._table.last_seq += 1
                self._table.items[item.id] = replace(item, seq=self._table.last_seq)
                new += 1
                self.news = self.news or item.wait_key is None
        return new

    async def ripen(self, at: datetime) -> int:
        due = [item for item in self._in(State.PARKED) if item.due_at is not None and item.due_at <= at]
        for item in due:
            self._set(item, state=State.READY, wait_key=None, due_at=None)
        self.news = self.news or bool(due)
        return len(due)

    async def hasten(self) -> int:
        failing = [item for item in self._in(State.READY) if item.failing_since is not None]
        for item in failing:
            self._set(item, due_at=None)
        self.news = self.news or bool(failing)
        return len(failing)

    async def claim(self, owner: str, at: datetime, lease: timedelta, limit: int = 1) -> tuple[Item, ...]:
        heads = self._heads()
        for lane in sorted(heads, key=lambda lane: (self._turn(heads[lane]), -heads[lane].seq)):
            runnable = self._runnable(lane, at, limit)
            if runnable and not self._leased(lane, at, at + LEASES_AHEAD * lease):
                self._table.served[lane] = max(map(self._turn, heads.values())) + 1
                self._table.leases[lane] = (owner, at + lease)
                return runnable
        return ()

    def _heads(self) -> dict[Lane, Item]:
        heads: dict[Lane, Item] = {}
        for item in self._in(State.READY):
            heads.setdefault(item.lane, item)
        return heads

    def _turn(self, head: Item) -> int:
        """The place in line of the lane of which this is the head."""
        return max(head.seq, self._table.served.get(head.lane, 0))

    def _runnable(self, lane: Lane, at: datetime, limit: int) -> tuple[Item, ...]:
        ready = (item for item in self._in(State.READY) if item.lane == lane)
        runnable = islice(takewhile(lambda item: item.due_at is None or item.due_at <= at, ready), limit)
        return tuple(_as_many_as_fit(runnable))

    def _leased(self, lane: Lane, at: datetime, beyond: datetime | None = None) -> bool:
        lease = self._table.leases.get(lane)
        return lease is not None and lease[1] > at and (beyond is None or lease[1] <= beyond)

    async def renew(self, owner: str, lane: Lane, until: datetime) -> bool:
        if self._table.leases.get(lane, ("", until))[0] != owner:
            return False
        self._table.leases[lane] = (owner, until)
        return True

    async def free(self, owner: str, lane: Lane) -> None:
        if self._table.leases.get(lane, ("",))[0] == owner:
            del self._table.leases[lane]

    async def next_due(self, at: datetime) -> datetime | None:
        waiting = (item.due_at for item in self._in(*WAITING) if item.due_at is not None)
        return min((due for due in waiting if due > at), default=None)

    async def get(self, item: ItemId, *, lock: bool = False) -> Item | None:
        return self._table.items.get(item)

    async def ahead_of(self, item: Item, first: Item | None = None) -> tuple[Item, ...]:
        most = {State.PARKED: item.seq, State.READY: (first or item).seq}
        ahead = (one for one in self._in(*WAITING) if one.lane == item.lane and one.seq < most[one.state])
        return tuple(islice(ahead, 500))

    async def behind(self, item: Item) -> tuple[Item, ...]:
        behind = (one for one in self._in(*WAITING) if one.lane == item.lane and one.seq > item.seq)
        return tuple(islice(behind, 500))

    async def in_lane(self, lane: Lane) -> tuple[Item, ...]:
        return tuple(islice(reversed([one for one in self._in(*WAITING) if one.lane == lane]), 500))

    async def waits_ahead(self, item: Item, wait_key: str) -> bool:
        ahead = (one for one in self._in(*WAITING) if one.lane == item.lane and one.seq < item.seq)
        return any(one.state is State.READY or one.wait_key == wait_key for one in ahead)

    async def done(self, item: ItemId, result: str | None = None) -> None:
        self._change(item, state=State.DONE, result=result, body=b"", progress=None)

    async def retry(self, item: ItemId, due_at: datetime, note: str, failing_since: datetime) -> None:
        attempts = self._attempts(item) + 1
        self._change(item, state=State.READY, due_at=due_at, note=note, attempts=attempts, failing_since=failing_since)

    async def park(
        self, item: ItemId, wait_key: str, due_at: datetime | None, note: str, *, is_attempt: bool = True
    ) -> None:
        attempts = self._attempts(item) + is_attempt
        changes = {"wait_key": wait_key, "due_at": due_at, "note": note, "attempts": attempts}
        self._change(item, state=State.PARKED, **changes)

    async def wake(self, wait_key: str) -> int:
        waiting = [item for item in self._in(State.PARKED) if item.wait_key == wait_key]
        for item in waiting:
            self._set(item, state=State.READY, wait_key=None, due_at=None)
        self.news = self.news or bool(waiting)
        return len(waiting)

    async def stop(self, item: ItemId, state: State, note: str) -> None:
        self._change(item, state=state, note=note)

    async def mark_sending(self, item: ItemId, progress: bytes | None) -> None:
        if item in self._table.items:
            self._set(self._table.items[item], sending=True, progress=progress)

    async def revive(self, item: ItemId) -> bool:
        known = self._table.items.get(item)
        if known is None or known.state not in {State.DEAD, State.UNKNOWN}:
            return False
        self._set(known, state=State.READY, attempts=0)
        self.news = True
        return True

    async def in_state(self, states: Collection[State], case: CaseId | None = None) -> tuple[Item, ...]:
        return tuple(islice((item for item in self._in(*states) if case in {None, item.case}), 500))

    async def counts(self) -> Mapping[State, int]:
        return {state: count for state in State if state is not State.DONE and (count := len(self._in(state)))}

    async def forget(self, before: datetime) -> int:
        return self._forget({BESIDE, KEY_COUNTS}, before)

    async def forget_messages(self, before: datetime) -> int:
        return self._forget({TO_DEVICE}, before)

    def _forget(self, kinds: Collection[str], before: datetime) -> int:
        past = [item for item in self._in(State.DONE) if item.kind in kinds and item.received_at < before]
        for item in past:
            del self._table.items[item.id]
        return len(past)

    async def oldest(self, state: State) -> datetime | None:
        waiting = (item for item in self._in(state) if state is State.READY or item.wait_key is not None)
        return next((item.received_at for item in waiting), None)

    async def awaiting(self, prefix: str) -> int:
        return sum((item.wait_key or "").startswith(prefix) for item in self._in(State.PARKED) if item.wait_key)

    async def leased(self, at: datetime) -> int:
        return sum(self._leased(lane, at) for lane in self._table.leases)

    def _attempts(self, item: ItemId) -> int:
        return self._table.items[item].attempts if item in self._table.items else 0

    def _in(self, *states: State) -> list[Item]:
        return [item for item in self._table.items.values() if item.state in states]

    def _change(self, item: ItemId, **changes: object) -> None:
        """Whatever an item waited for or was in the middle of is over, unless the changes say otherwise."""
        if item in self._table.items:
            self._set(self._table.items[item], **{**_OVER, **changes})

    def _set(self, item: Item, **changes: object) -> None:
        self._table.items[item.id] = replace(item, **changes)  # type: ignore[arg-type]


def _as_many_as_fit(items: Iterable[Item]) -> Iterator[Item]:
    size = 0
    for item in items:
        if size >= TURN_BYTES:
            return
        size += len(item.body)
        yield item
