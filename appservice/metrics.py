"""The service's numbers, for Prometheus. No names, addresses or ids among the labels (I7)."""

from __future__ import annotations

from datetime import UTC, datetime

from prometheus_client import CollectorRegistry, Gauge

from rooms.ports import Database, State


class ServiceMetrics:
    """`appservice.web.ports.Metrics`: what is measured when somebody looks."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.registry = CollectorRegistry()
        self._items = Gauge("mediatrix_queue_items", "Queued items", ["queue", "state"], registry=self.registry)
        self._age = Gauge(
            "mediatrix_queue_oldest_seconds", "Age of the oldest waiting item", ["queue"], registry=self.registry
        )
        self._cases = Gauge("mediatrix_cases", "Stored cases", registry=self.registry)

    async def refresh(self) -> None:
        """Measure."""
        now = datetime.now(UTC)
        async with self._database.begin() as work:
            self._cases.set(len(await work.cases.all_ids()))
            for name, queue in (("inbox", work.inbox), ("outbox", work.outbox)):
                counts = await queue.counts()
                for state in State:
                    self._items.labels(name, state.value).set(counts.get(state, 0))
                oldest = await queue.oldest()
                self._age.labels(name).set((now - oldest).total_seconds() if oldest else 0)
