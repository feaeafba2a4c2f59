"""The one shape of both queues, the inbox and the outbox: an item, where it stands, and what is done to it."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NewType, Protocol

from policies.case import CaseId
from policies.frozen import frozen

ItemId = NewType("ItemId", str)
"""Of a queued item (`item_id`). The same thing offered twice has the same id."""
Lane = NewType("Lane", str)
"""Items of one lane are worked on one after another, in the order they were stored."""


def item_id(identity: str) -> ItemId:
    """The id of the item that brings the thing of that identity."""
    return ItemId(hashlib.sha256(identity.encode()).hexdigest()[:40])


class State(StrEnum):
    """Where a queued item stands."""

    READY = "ready"
    """Waits for its turn. If its due time lies ahead, the items behind it in its lane wait too."""
    PARKED = "parked"
    """Waits for something named by its wait key (or for its due time); does not hold up its lane."""
    DONE = "done"
    UNKNOWN = "unknown"
    """Sent, and never answered: it may have arrived. Only a person repeats it (I5)."""
    DEAD = "dead"
    """Given up; a person sees it, and may retry or discard it."""
    CANCELLED = "cancelled"


@frozen
class Item:
    """One queued thing. `body` is plaintext here and sealed at rest.

    `progress` is what the worker stored on the way (the ciphertext that is about to leave, say); `result` what came
    of it (an event id, an SMTP answer). `sending` tells that a send was begun and its outcome not yet stored;
    `failing_since` when it was first tried in vain, for as long as it is tried again.
    """

    id: ItemId
    lane: Lane
    kind: str
    case: CaseId | None
    body: bytes
    received_at: datetime
    seq: int = 0
    state: State = State.READY
    attempts: int = 0
    due_at: datetime | None = None
    wait_key: str | None = None
    note: str | None = None
    progress: bytes | None = None
    sending: bool = False
    result: str | None = None
    failing_since: datetime | None = None


class Queue(Protocol):
    """A durable, ordered, leased queue: the inbox or the outbox. All methods belong to the open unit of work."""

    async def put(self, item: Item) -> bool:
        """Store a new item at the end of its lane; False, and nothing changed, if its id is known already."""

    async def claim(self, owner: str, at: datetime, lease: timedelta, limit: int = 1) -> tuple[Item, ...]:
        """Lease the lane whose turn it is at `at`; up to `limit` of its READY items, in order (`rooms.turns`).

        A lane leased to someone (whose lease has not run out) is passed over, even if the owner is the same. Empty
        when there is nothing to do. Comes first in its unit of work.
        """

    async def ripen(self, at: datetime) -> int:
        """Make the PARKED items READY whose due time has come; how many there were."""

    async def hasten(self) -> int:
        """What was tried in vain and waits to be tried again is due now: whatever was in its way may be gone. How many
        items there were."""

    async def renew(self, owner: str, lane: Lane, until: datetime) -> bool:
        """Prolong a lease; False if it was lost."""

    async def free(self, owner: str, lane: Lane) -> None:
        """Give the lane back."""

    async def next_due(self, at: datetime) -> datetime | None:
        """The earliest time after `at` at which an item that is waiting for its time may run; None if none waits."""

    async def get(self, item: ItemId, *, lock: bool = False) -> Item | None:
        """The item, whatever its state; with `lock`, no other unit of work can change it until this one ends.

        An item is locked before its case.
        """

    async def ahead_of(self, item: Item, first: Item | None = None) -> tuple[Item, ...]:
        """The READY and PARKED items that were stored in its lane before it, oldest first, at most 500. `first`: of
        those that were claimed together with it, which are left out: what is READY from there on to it is theirs."""

    async def behind(self, item: Item) -> tuple[Item, ...]:
        """The READY and PARKED items that were stored in its lane after it, oldest first, at most 500."""

    async def in_lane(self, lane: Lane) -> tuple[Item, ...]:
        """The READY and PARKED items of a lane, newest first, at most 500."""

    async def waits_ahead(self, item: Item, wait_key: str) -> bool:
        """Whether an item that was stored in its lane before it is parked under that key; or is ready, as one is that
        was parked until a moment ago, when whoever asks had leased the lane already."""

    async def done(self, item: ItemId, result: str | None = None) -> None:
        """Finished."""

    async def retry(self, item: ItemId, due_at: datetime, note: str, failing_since: datetime) -> None:
        """Try again at that time, counting the attempt; the lane waits for it."""

    async def park(
        self, item: ItemId, wait_key: str, due_at: datetime | None, note: str, *, is_attempt: bool = True
    ) -> None:
        """Set aside until woken by that key, or until that time; counted, unless it was not its turn yet."""

    async def wake(self, wait_key: str) -> int:
        """Make the items READY that wait for that key; how many there were."""

    async def stop(self, item: ItemId, state: State, note: str) -> None:
        """End as UNKNOWN, DEAD or CANCELLED, with the reason in words (no content)."""

    async def mark_sending(self, item: ItemId, progress: bytes | None) -> None:
        """Store that a send begins, and what is about to leave, before it leaves."""

    async def forget(self, before: datetime) -> int:
        """Delete what is DONE, was stored before that, and comes with most transactions, such as receipts and key
        counts: nobody will meet its ids again. How many there were."""

    async def forget_messages(self, before: datetime) -> int:
        """Delete the messages to devices of ours that are DONE and were stored before that; how many there were. What
        came is known by its id no longer: only to be called when no homeserver has any as old as that to send again."""

    async def revive(self, item: ItemId) -> bool:
        """A person retries a DEAD or UNKNOWN item: READY, attempts 0. False if it is neither."""

    async def in_state(self, states: Collection[State], case: CaseId | None = None) -> tuple[Item, ...]:
        """Items in those states (of that case), oldest first, at most 500."""

    async def counts(self) -> Mapping[State, int]:
        """How many items are in each state, DONE left out: those are too many to be counted; for metrics."""

    async def oldest(self, state: State) -> datetime | None:
        """When the oldest item was stored that is READY, or PARKED for anything but its own time; for metrics."""

    async def awaiting(self, prefix: str) -> int:
        """How many items are PARKED for something whose wait key begins so; for metrics."""

    async def leased(self, at: datetime) -> int:
        """How many lanes are being worked on at that time; for metrics."""
