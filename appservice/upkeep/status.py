"""`mediatrix status`: what is wrong, in words, and what to do. No words, names or addresses of anybody.

What the database tells is told also while the service doesn't run; the rest only the running service can try.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from typing import Protocol

from appservice.e2ee.encryption import SESSIONS
from appservice.ports import ServiceWork
from appservice.setup.probe import Finding, Verdict
from appservice.storage.errors import StorageError
from appservice.upkeep.reach import Leg, Reach
from rooms.queue import Item, State
from rooms.undelivered import undelivered

STUCK = timedelta(minutes=1)
"""So long nothing that could go should wait."""
_SHOWN = 10
"""Case numbers in one line."""


class Questions(Protocol):
    """A database that can be asked."""

    def read(self) -> AbstractAsyncContextManager[ServiceWork]:
        """The stores, for questions only."""


class Readiness(Protocol):
    """Whether the service is accepting and storing."""

    async def problems(self) -> tuple[str, ...]:
        """What keeps it from that, in words."""


class Status:
    """Of the running service."""

    def __init__(self, database: Questions, readiness: Readiness, reach: Reach) -> None:
        self._database, self._readiness, self._reach = database, readiness, reach

    async def __call__(self) -> tuple[Finding, ...]:
        """Everything, tried now. Never raises."""
        problems = await self._readiness.problems()
        service = [Finding("service", Verdict.BROKEN, one, "it goes on trying; its log says more") for one in problems]
        legs = [_leg(leg) for leg in await self._reach.look()]
        return (*(service or [_fine("service", "it accepts and stores")]), *legs, *await of_database(self._database))


async def of_database(database: Questions) -> tuple[Finding, ...]:
    """What lies in the database that should not, and why. Never raises."""
    try:
        async with database.read() as work:
            found = (*await _sendings(work), *await _arrivals(work), *await _restored(work))
            return (*found, _fine("who was invited", (await work.cases.funnel()).in_words or "nobody yet"))
    except StorageError as error:
        return (Finding("database", Verdict.BROKEN, str(error), "is it running, and is database.url right?"),)


async def _sendings(work: ServiceWork) -> list[Finding]:
    name = "what is sent"
    failed = await undelivered(work)
    dead = [item for item in failed if item.state is State.DEAD]
    unknown = [item for item in failed if item.state is State.UNKNOWN]
    found = list(_ended(name, dead, "given up", "lists them, retries, discards"))
    found += _ended(name, unknown, "sent and never acknowledged", "lists them; only a mediator repeats them")
    ready = await work.outbox.in_state((State.READY,))
    found += _failing(name, ready)
    return found or list(_waiting(name, ready, "everything was sent, or waits for people"))


async def _arrivals(work: ServiceWork) -> list[Finding]:
    name = "what arrived"
    found: list[Finding] = []
    if dead := await work.inbox.in_state((State.DEAD, State.UNKNOWN)):
        seen = f"{len(dead)} things could not be read{_cases(dead)}"
        found.append(Finding(name, Verdict.ADVICE, seen, "the log says why; the desks of those cases were told"))
    if closed := await work.inbox.awaiting(SESSIONS):
        seen = f"{closed} messages can't be decrypted: their keys have not come"
        found.append(Finding(name, Verdict.ADVICE, seen, "they are looked for; the senders and the desks were told"))
    ready = await work.inbox.in_state((State.READY,))
    found += _failing(name, ready)
    return found or list(_waiting(name, ready, "everything was read"))


async def _restored(work: ServiceWork) -> list[Finding]:
    cases = [case for case in await work.cases.all_ids() if await work.epochs.unconfirmed(case)]
    if not cases:
        return []
    seen = f"{len(cases)} cases came out of a backup, and no mediator has looked at them since{_listed(cases)}"
    return [
        Finding("restore", Verdict.ADVICE, seen, "the mediators say !repair at each desk; until then nobody is let in")
    ]


def _ended(name: str, items: Collection[Item], what: str, dead: str) -> Iterator[Finding]:
    if items:
        yield Finding(name, Verdict.ADVICE, f"{_many(items)} {what}{_cases(items)}", f"!dead at the desk {dead}")


def _failing(name: str, ready: Collection[Item]) -> Iterator[Finding]:
    failing = [item for item in ready if item.failing_since]
    if failing:
        since = min(item.failing_since for item in failing if item.failing_since)
        reasons = "; ".join(sorted({item.note for item in failing if item.note}))
        behind = f", and {len(ready) - len(failing)} more wait behind" if len(ready) > len(failing) else ""
        seen = f"{_many(failing)} tried in vain since {since:%Y-%m-%d %H:%M} UTC{behind}: {reasons}"
        yield Finding(name, Verdict.BROKEN, seen, "they are tried again by themselves; mend what is named")


def _waiting(name: str, ready: Collection[Item], fine: str) -> Iterator[Finding]:
    oldest = min((item.due_at or item.received_at for item in ready), default=None)
    if oldest is None or datetime.now(UTC) - oldest < STUCK:
        yield _fine(name, fine)
    else:
        seen = f"{_many(ready)} waiting, the first since {oldest:%Y-%m-%d %H:%M} UTC"
        yield Finding(
            name, Verdict.BROKEN, seen, "nobody works on it: is the service running? Is the machine too slow?"
        )


def _leg(leg: Leg) -> Finding:
    verdict = {True: Verdict.FINE, False: Verdict.BROKEN, None: Verdict.UNSEEN}[leg.works]
    return Finding(leg.name, verdict, leg.seen, leg.remedy)


def _fine(name: str, seen: str) -> Finding:
    return Finding(name, Verdict.FINE, seen)


def _many(items: Collection[Item]) -> str:
    return f"{len(items)} {'thing is' if len(items) == 1 else 'things are'}"


def _cases(items: Collection[Item]) -> str:
    return _listed(sorted({item.case for item in items if item.case}))


def _listed(cases: Collection[str]) -> str:
    some = ", ".join(list(cases)[:_SHOWN])
    return f", in {some}{' and others' if len(cases) > _SHOWN else ''}" if cases else ""
