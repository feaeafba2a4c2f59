"""The service's numbers, for Prometheus. No names, addresses or ids among the labels (I7)."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import AbstractAsyncContextManager
from dataclasses import asdict
from datetime import UTC, datetime
from math import nan
from typing import Protocol

from prometheus_client import CollectorRegistry, Counter, Gauge

from appservice.e2ee.encryption import SESSIONS
from appservice.ports import ServiceWork
from appservice.upkeep.reach import Reach
from rooms.queue import Queue, State


class Questions(Protocol):
    """A database that can be asked."""

    def read(self) -> AbstractAsyncContextManager[ServiceWork]:
        """The stores, for questions only."""


class ServiceMetrics:
    """`appservice.web.ports.Metrics`. Of the database, the same numbers in each process; of the rest, this one's."""

    def __init__(self, database: Questions, reach: Reach) -> None:
        self._database, self._reach = database, reach
        self.registry = CollectorRegistry()
        self._items = self._gauge("queue_items", "Queued items", "queue", "state")
        self._lanes = self._gauge("queue_lanes_leased", "Lanes that are being worked on", "queue")
        self._oldest = self._gauge("queue_oldest_seconds", "Age of the oldest item that could go", "queue")
        self._parked = self._gauge("queue_oldest_parked_seconds", "Age of the oldest item that waits", "queue")
        self._undecryptable = self._gauge("undecryptable_events", "Events whose keys have not come")
        self._cases = self._gauge("cases", "Stored cases")
        self._people = self._gauge("invited_people", "Invited people of all cases, and how far they came", "step")
        self._reachable = self._gauge("reachable", "Whether that way worked when it was last tried", "way")
        self._decisions = Counter("mediatrix_decisions", "Decisions of this process", ["rule"], registry=self.registry)

    def decided(self, rules: Collection[str]) -> None:
        """Decisions were stored, by these rules."""
        for rule in rules:
            self._decisions.labels(rule).inc()

    async def refresh(self) -> None:
        """Measure."""
        now = datetime.now(UTC)
        async with self._database.read() as work:
            self._cases.set(len(await work.cases.all_ids()))
            for step, count in asdict(await work.cases.funnel()).items():
                self._people.labels(step).set(count)
            self._undecryptable.set(await work.inbox.awaiting(SESSIONS))
            for name, queue in (("inbox", work.inbox), ("outbox", work.outbox)):
                await self._measure(name, queue, now)
        for leg in self._reach.last:
            self._reachable.labels(leg.name).set(nan if leg.works is None else leg.works)

    async def _measure(self, name: str, queue: Queue, now: datetime) -> None:
        counts = await queue.counts()
        for state in set(State) - {State.DONE}:  # those are not counted
            self._items.labels(name, state.value).set(counts.get(state, 0))
        self._lanes.labels(name).set(await queue.leased(now))
        for gauge, state in ((self._oldest, State.READY), (self._parked, State.PARKED)):
            oldest = await queue.oldest(state)
            gauge.labels(name).set((now - oldest).total_seconds() if oldest else 0)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(f"mediatrix_{name}", text, labels, registry=self.registry)
