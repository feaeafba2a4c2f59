"""What the use cases need of the database: the stores of one unit of work.

A unit of work is one database transaction. Nothing here may touch the network; the homeserver
(`rooms.homeserver.Homeserver`) is never called while a unit of work is open.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from policies.case import Case, CaseId, Network, PersonId
from policies.frozen import frozen
from policies.message import Message, MessageId
from policies.moderation.hold import HoldEnd
from policies.people.identity import Identity
from policies.plan import RoomKey
from rooms.addresses import ReplyAddresses
from rooms.echoes import Echoes
from rooms.epochs import Epochs
from rooms.ids import EventId, RoomId, UserId
from rooms.mails import Mails
from rooms.messages import SentMessages
from rooms.queue import Queue
from rooms.record import Record
from rooms.shelf import Shelf
from rooms.vault import Vault


class Cases(Protocol):
    """The cases."""

    async def new_number(self) -> CaseId:
        """The next case number; never given twice. The first is 1001."""

    async def begin(self, case: Case) -> Case:
        """The case of that id, locked; stored as it is given where there is none yet, whoever else begins it."""

    async def load(self, case: CaseId, *, lock: bool = False) -> Case | None:
        """The case; with `lock`, no other unit of work can change it until this one ends."""

    async def save(self, case: Case) -> None:
        """Store a new or changed case, and index its people's addresses."""

    async def all_ids(self) -> tuple[CaseId, ...]:
        """Every case, oldest first."""

    async def of_address(self, network: Network, address: str) -> tuple[CaseId, ...]:
        """The cases in which whoever is reached there takes part, by any name of that channel, oldest first."""

    async def of_matrix_user(self, user: UserId) -> tuple[CaseId, ...]:
        """The cases in which that Matrix user takes part, oldest first."""

    async def urgent(self, user: UserId, most: int) -> tuple[CaseId, ...]:
        """Those of them that wait for somebody (`policies.board.urgency`), the most urgent first."""

    async def board_shows(self, case: CaseId, text: str) -> bool:
        """Whether the case's board is known to show just that."""

    async def note_board(self, case: CaseId, text: str) -> None:
        """The case's board shows that now."""


class Standing(StrEnum):
    """How far a room is."""

    CREATING = "creating"
    """Asked for; whether the homeserver made it isn't known until `marker` was looked for."""
    MADE = "made"
    SUSPENDED = "suspended"
    """Nothing is sent there until a mediator has seen to it; `reason` tells why (I9)."""


@frozen
class RoomRecord:
    """A room that we made (or, with no case, the direct chat of a mediator with the bot)."""

    case: CaseId | None
    key: RoomKey
    standing: Standing
    marker: str
    """Opaque; stands in the room's create event, so that a room whose creation was interrupted is found again."""
    room_id: RoomId | None = None
    reason: str | None = None


class Rooms(Protocol):
    """Which Matrix room serves which conversation."""

    async def get(self, case: CaseId, key: RoomKey) -> RoomRecord | None:
        """The room of a conversation or Space."""

    async def by_room_id(self, room: RoomId) -> RoomRecord | None:
        """The record of a Matrix room; None for rooms that are not ours (R10)."""

    async def of_case(self, case: CaseId) -> tuple[RoomRecord, ...]:
        """All rooms of a case."""

    async def made(self) -> tuple[RoomRecord, ...]:
        """Every room that has a room id, of every case and of none."""

    async def levels(self, room: RoomId) -> frozenset[str]:
        """Digests of the power levels that we wrote there last, or were about to write; empty if we don't know."""

    async def note_levels(self, room: RoomId, digests: frozenset[str]) -> None:
        """Store these in place of the former."""

    async def save(self, record: RoomRecord) -> None:
        """Store; unique by (case, key) and by room id. Records without a case are unique by key."""

    async def note_change(self, rooms: Collection[RoomId]) -> None:
        """Something of these rooms' state changed: what any process remembers of them is out of date."""

    async def changes(self, room: RoomId) -> int | None:
        """How often that was noted; None for rooms that are not ours."""


class Ghosts(Protocol):
    """Our Matrix users: who they stand for."""

    async def of_person(self, case: CaseId, person: PersonId) -> UserId | None:
        """The ghost of a bridged person."""

    async def who(self, ghost: UserId) -> tuple[CaseId, PersonId] | None:
        """Whom a ghost stands for."""

    async def save(self, case: CaseId, person: PersonId, ghost: UserId) -> None:
        """Store; one ghost a (case, person), for ever."""


@frozen
class Entry:
    """One message as it was said, with its ids on the networks that carry it. Its content is sealed at rest."""

    case: CaseId
    message: Message
    event: EventId | None = None
    mail_id: str | None = None


class Journal(Protocol):
    """Every message of every conversation."""

    async def append(self, entry: Entry) -> None:
        """Store; the same message id again changes nothing."""

    async def get(self, case: CaseId, message: MessageId) -> Entry | None:
        """A message of that case."""

    async def by_event(self, case: CaseId, event: EventId) -> Entry | None:
        """The message that a Matrix event carries."""

    async def by_mail_id(self, case: CaseId, mail_id: str) -> Entry | None:
        """The message that a mail brought or carried."""

    async def newest(self, case: CaseId, message: MessageId) -> Entry | None:
        """The message, or its author's last edit of it; an edit without proof changes nothing."""

    async def changes(self, case: CaseId, message: MessageId) -> tuple[MessageId, ...]:
        """Its author's edits of a message, oldest first; an edit without proof is none."""

    async def reactions(self, case: CaseId, message: MessageId) -> tuple[Message, ...]:
        """The reactions to a message that were not taken back, oldest first."""

    async def link_event(self, case: CaseId, message: MessageId, event: EventId) -> None:
        """The message now stands in Matrix as that event."""

    async def link_mail(self, case: CaseId, message: MessageId, mail_id: str) -> None:
        """That mail of ours carries the message; a message may have many."""


@frozen
class Held:
    """A message that waits for a mediator, and why; or what became of it.

    `audience`: for whom it was surely meant; empty where that is doubtful.
    """

    case: CaseId
    message: MessageId
    why: str
    at: datetime
    audience: frozenset[PersonId] = frozenset()
    end: HoldEnd | None = None
    ended_at: datetime | None = None


class Holds(Protocol):
    """What is held."""

    async def put(self, held: Held) -> None:
        """Store; the same message again changes nothing."""

    async def of_case(self, case: CaseId) -> tuple[Held, ...]:
        """What was ever held in a case, oldest first: the place of one is its number, for ever."""

    async def end(self, case: CaseId, message: MessageId, end: HoldEnd, at: datetime) -> bool:
        """It waits no longer; False, and nothing changed, if it did not wait."""

    async def resume(self, case: CaseId, message: MessageId) -> bool:
        """It was discarded, and waits again; False, and nothing changed, if it was not."""

    async def counts(self) -> Mapping[CaseId, tuple[int, datetime]]:
        """How much waits in each case in which something does, and since when the oldest."""


class Identities(Protocol):
    """People's encryption identities in Matrix. They are people's, not a case's: confirmed in one, in all."""

    async def known(self, users: Collection[UserId]) -> Mapping[UserId, Identity]:
        """What is known of those of whom anything is; none of it changes before the unit of work ends."""

    async def expect(self, users: Collection[UserId]) -> None:
        """These people matter from now on: what there is to know of them is asked for soon."""

    async def confirm(self, user: UserId, key: str) -> bool:
        """Believe in this key from now on; False, and nothing changed, when it is no longer the one there is."""


class Work(Protocol):
    """The stores of one unit of work."""

    @property
    def inbox(self) -> Queue: ...
    @property
    def outbox(self) -> Queue: ...
    @property
    def cases(self) -> Cases: ...
    @property
    def rooms(self) -> Rooms: ...
    @property
    def ghosts(self) -> Ghosts: ...
    @property
    def addresses(self) -> ReplyAddresses: ...
    @property
    def journal(self) -> Journal: ...
    @property
    def echoes(self) -> Echoes: ...
    @property
    def holds(self) -> Holds: ...
    @property
    def identities(self) -> Identities: ...
    @property
    def record(self) -> Record: ...
    @property
    def epochs(self) -> Epochs: ...
    @property
    def mails(self) -> Mails: ...
    @property
    def shelf(self) -> Shelf: ...
    @property
    def whatsapp(self) -> SentMessages: ...
    @property
    def vault(self) -> Vault: ...


class Database(Protocol):
    """Where units of work come from."""

    def begin(self) -> AbstractAsyncContextManager[Work]:
        """A unit of work: committed when the block ends, rolled back if it raises."""

    def read(self) -> AbstractAsyncContextManager[Work]:
        """The stores as they are now, for questions only; waits for no unit of work, and can write nothing."""
