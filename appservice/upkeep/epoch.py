"""The epoch: which life of the database this is, and which one counts (I11, O7).

Every restore begins a new epoch. The newest one stands in the bot's account data on the homeserver, too, with a mark
that rises while the service runs; whoever starts compares. A database that is behind what the homeserver has seen was
put back from a copy: its ratchets were turned since, its messages sent, so it must not run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

from policies.frozen import frozen
from rooms.epochs import Epochs
from rooms.ids import EventId, RoomId
from rooms.queue import ItemId

ACCOUNT_DATA = "org.mediatrix.epoch"
MARKER = "org.mediatrix.sent"
"""In what we send, in clear: by which outbox item (`EpochStore.marker`)."""

_WHAT_TO_DO = (
    " Nothing was sent. Running it would reuse encryption keys and repeat messages. Start the database that ran last;"
    " if that one is lost, restore the newest backup into an empty one (mediatrix restore FILE), or, if there is none,"
    " make this one count (mediatrix adopt). docs/runbook.md has the steps."
)


class Stage(StrEnum):
    """How far the life of an epoch is."""

    RESTORED = "restored"
    """Made out of a backup; the homeserver has not heard of it."""
    ANNOUNCED = "announced"
    """It counts; what a restore calls for (old devices deleted, desks told) is not all done."""
    SETTLED = "settled"


@frozen
class Epoch:
    """One life of the database: from its making, or from a restore, to the next restore.

    `name` is random, so that two restores of one backup are told apart. `mark` counts up while the service runs.
    `backup_at` is when the backup was taken that it came from, None for the first. What is still to be sent may have
    been sent since `search_from`: the same moment, or an earlier restore's where something still waits from that. What
    follows from anything received up to `doubt_until` may have been sent by the database that was lost.
    """

    number: int
    name: str
    mark: int
    stage: Stage
    backup_at: datetime | None = None
    search_from: datetime | None = None
    doubt_until: datetime | None = None


@frozen
class Searched:
    """That a room was searched for what of ours it holds since the backup.

    `gaps`: something of ours was redacted there, or can't be read, so that what was not found may have been there.
    """

    gaps: bool


class EpochStore(Epochs, Protocol):
    """The epoch of this database, and what is known of what was sent before it. Of the open unit of work."""

    async def current(self) -> Epoch:
        """This database's epoch, locked until the unit of work ends; the first one is made when first asked for."""

    async def save(self, epoch: Epoch) -> None:
        """Change the current epoch; its name stays."""

    async def begin(self, epoch: Epoch) -> None:
        """A new life: no case is confirmed, no room is searched. What was found in earlier ones stays."""

    async def marker(self, item: ItemId) -> str:
        """What the event that carries an outbox item bears in clear, so that it is found after a restore. A keyed
        hash: it tells others nothing, and is the same in every life of the database."""

    async def searched(self, room: RoomId) -> Searched | None:
        """What came of searching that room; None if nobody did since the restore."""

    async def found(self, room: RoomId, events: Mapping[str, EventId], searched: Searched) -> None:
        """Store what a search found: events by their marker."""

    async def sent(self, marker: str) -> EventId | None:
        """The event that bears it, if a search found one."""


class OlderDatabase(Exception):
    """The homeserver has seen a newer life of this database. The text says what happened and what to do."""


def compare(ours: Epoch, theirs: Mapping[str, Any] | None) -> Epoch:
    """Our epoch as it may go on, given what stands on the homeserver. Raises OlderDatabase.

    A life that was restored just now takes the next number; any other one must be ahead of, or equal to, what the
    homeserver knows.
    """
    if theirs is None:
        return ours
    seen = _read(theirs)
    if seen.name == ours.name:
        if (seen.number, seen.mark) > (ours.number, ours.mark):
            raise OlderDatabase(
                "This database is an older copy of the one that ran last: the homeserver has seen it later than this"
                f" (mark {seen.mark}, here {ours.mark})." + _WHAT_TO_DO
            )
        return ours
    if ours.stage is Stage.RESTORED:
        return replace(ours, number=max(ours.number, seen.number + 1))
    if seen.number >= ours.number:
        raise OlderDatabase(
            f"Another database has served this homeserver since: it is in epoch {seen.number}, this one in"
            f" {ours.number}." + _WHAT_TO_DO
        )
    return ours


def written(epoch: Epoch) -> dict[str, Any]:
    """The epoch as it stands in account data."""
    return {"epoch": epoch.number, "database": epoch.name, "mark": epoch.mark}


def _read(content: Mapping[str, Any]) -> Epoch:
    number, name, mark = content.get("epoch"), content.get("database"), content.get("mark")
    if type(number) is not int or type(mark) is not int or not isinstance(name, str):
        # Nobody but us, and the homeserver's administrator, can write there: fail closed.
        raise OlderDatabase(
            "What the homeserver keeps of the epoch can't be read, so it can't be told whether this database is the"
            " newest." + _WHAT_TO_DO
        )
    return Epoch(number, name, mark, Stage.SETTLED)
