"""A database in memory, with the semantics of the real one: one unit of work at a time, all of it or nothing."""

import asyncio
import hashlib
import secrets
from base64 import b64encode
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import astuple, dataclass, field, fields, replace
from datetime import datetime

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from appservice.crypto.identities import StoredIdentities
from appservice.mail.tally import Tally
from appservice.portal.store import PIN_LOCK, PIN_TRIES, Laid, Link, Tried, Whose
from appservice.storage.errors import Conflict
from appservice.upkeep.epoch import Epoch, Searched, Stage
from appservice.whatsapp.ledger import Thread
from bridges.email.convert_in import Likeness
from bridges.email.reception import Counted
from policies.board import urgency
from policies.case import Case, CaseId, Conversation, ConversationId, EndpointId, Network, PersonId, address_key
from policies.documents.document import BlobId, DocumentId
from policies.message import Edit, Message, MessageId, Reaction, Removal, Unproven
from policies.moderation.hold import HoldEnd
from policies.networks.lines import Ours, lines
from policies.networks.mail import MailState
from policies.networks.whatsapp import WINDOW, Window
from policies.people.joining import Funnel, funnel
from policies.plan import RoomKey
from rooms.addresses import ReplyAddress
from rooms.ids import EventId, RoomId, UserId
from rooms.mails import SentMail
from rooms.messages import SentPart
from rooms.ports import Entry, Held, RoomRecord
from rooms.queue import ItemId, State
from rooms.record import Head, Line, Signature
from rooms.vault import Blob, Media
from tests.appservice.crypto.memory_store import MemoryCryptoStore, Tables
from tests.fakes.memory_queue import MemoryQueue, QueueTable


@dataclass(frozen=True)
class Pin:
    """Somebody's PIN, and the wrong ones that were tried."""

    pin: str
    wrong: int = 0
    locked_until: datetime | None = None


@dataclass(frozen=True)
class SentLink:
    """A link that was sent."""

    whose: Whose
    endpoint: EndpointId
    sent_at: datetime
    until: datetime
    opened: bool = False
    code: tuple[str, datetime] | None = None


@dataclass
class MemoryTables:
    """Everything that is stored; insertion order is the order of first being stored."""

    inbox: QueueTable = field(default_factory=QueueTable)
    outbox: QueueTable = field(default_factory=QueueTable)
    crypto: Tables = field(default_factory=Tables)
    last_case: int = 1000
    cases: dict[CaseId, Case] = field(default_factory=dict)
    lines: dict[tuple[Ours, str], tuple[CaseId, Conversation]] = field(default_factory=dict)
    boards: dict[CaseId, str] = field(default_factory=dict)
    rooms: dict[tuple[CaseId | None, RoomKey], RoomRecord] = field(default_factory=dict)
    room_changes: dict[RoomId, int] = field(default_factory=dict)
    levels: dict[RoomId, frozenset[str]] = field(default_factory=dict)
    ghosts: dict[tuple[CaseId, PersonId], UserId] = field(default_factory=dict)
    addresses: dict[str, ReplyAddress] = field(default_factory=dict)
    revoked: dict[str, None] = field(default_factory=dict)
    journal: dict[tuple[CaseId, MessageId], Entry] = field(default_factory=dict)
    cases_then: dict[tuple[CaseId, MessageId], Case] = field(default_factory=dict)
    """The case as it was when a message was put into the journal; for tests to look at."""
    mails: dict[tuple[CaseId, str], MessageId] = field(default_factory=dict)
    echoes: dict[tuple[CaseId, str, ConversationId], None] = field(default_factory=dict)
    holds: dict[tuple[CaseId, MessageId], Held] = field(default_factory=dict)
    record: dict[tuple[CaseId, ConversationId, int], Line] = field(default_factory=dict)
    epoch: dict[str, Epoch] = field(default_factory=dict)
    unconfirmed: dict[CaseId, None] = field(default_factory=dict)
    searched: dict[RoomId, Searched] = field(default_factory=dict)
    sent: dict[str, EventId] = field(default_factory=dict)
    arrivals: dict[tuple[str, Likeness], None] = field(default_factory=dict)
    counted: dict[bytes, list[int]] = field(default_factory=dict)
    looks: list[datetime] = field(default_factory=list)
    raw_mails: dict[tuple[CaseId, MessageId], bytes] = field(default_factory=dict)
    sent_mails: dict[str, SentMail] = field(default_factory=dict)
    shelf: dict[tuple[CaseId, PersonId, ItemId], Laid] = field(default_factory=dict)
    pins: dict[Whose, Pin] = field(default_factory=dict)
    links: dict[str, SentLink] = field(default_factory=dict)
    sessions: dict[str, tuple[Whose, datetime]] = field(default_factory=dict)
    threads: dict[tuple[CaseId, EndpointId, str], Thread] = field(default_factory=dict)
    sent_parts: dict[tuple[ItemId, int], SentPart] = field(default_factory=dict)
    blobs: dict[BlobId, tuple[Blob, bool]] = field(default_factory=dict)
    media: dict[ItemId, Media] = field(default_factory=dict)
    tallies: dict[str, int] = field(default_factory=dict)

    def copy(self) -> "MemoryTables":
        """A copy that shares only frozen values."""
        fresh = MemoryTables(last_case=self.last_case)
        for table in fields(self):
            if table.name != "last_case":
                setattr(fresh, table.name, getattr(self, table.name).copy())
        return fresh


class AlwaysOnDuty:
    """`appservice.storage.duty.Duty` of a process that is the only one."""

    is_ours = True

    def __init__(self) -> None:
        self.taken = asyncio.Event()


class MemoryDatabase:
    """`rooms.ports.Database`, and the wider one that appservice uses, in memory."""

    is_shared = False
    """One process alone uses it."""

    def __init__(self) -> None:
        """Begin empty."""
        self.committed = MemoryTables()
        self.duty = AlwaysOnDuty()
        self._writer = asyncio.Lock()
        self._listeners: list[Callable[[], None]] = []

    def on_work(self, listener: Callable[[], None]) -> None:
        """Call it after each commit that put, woke or revived an item."""
        self._listeners.append(listener)

    def on_note(self, reader: Callable[[str], None]) -> None:
        """There is one process."""

    async def write_note(self, note: str) -> None:
        """Nobody listens."""

    def on_decisions(self, listener: Callable[[Collection[str]], None]) -> None:
        """Nobody counts them here."""

    @asynccontextmanager
    async def begin(self) -> AsyncIterator["MemoryWork"]:
        """One unit of work: committed when the block ends, rolled back if it raises."""
        async with self._writer:
            work = MemoryWork(self.committed.copy())
            yield work
            self.committed = work.tables
        if work.inbox.news or work.outbox.news:
            for listener in self._listeners:
                listener()

    def begin_repeatable(self) -> AbstractAsyncContextManager["MemoryWork"]:
        """The same."""
        return self.begin()

    @asynccontextmanager
    async def read(self) -> AsyncIterator["MemoryWork"]:
        """What is committed now; nothing written here is kept."""
        yield MemoryWork(self.committed.copy())


class MemoryWork:
    """One unit of work over its own copy of the tables."""

    def __init__(self, tables: MemoryTables) -> None:
        """Work on these tables; the database keeps them or throws them away."""
        self.tables = tables
        self.inbox = MemoryQueue(tables.inbox)
        self.outbox = MemoryQueue(tables.outbox)
        self.cases = MemoryCases(tables)
        self.rooms = MemoryRooms(tables)
        self.ghosts = MemoryGhosts(tables)
        self.addresses = MemoryAddresses(tables)
        self.journal = MemoryJournal(tables)
        self.echoes = MemoryEchoes(tables)
        self.holds = MemoryHolds(tables)
        self.record = MemoryRecord(tables)
        self.crypto = MemoryCryptoStore(tables.crypto)
        self.identities = StoredIdentities(self.crypto)
        self.epochs = MemoryEpochs(tables)
        self.mails = MemoryMailLedger(tables)
        self.shelf = MemoryPortalStore(tables)
        self.whatsapp = MemoryWhatsAppLedger(tables)
        self.vault = MemoryVault(tables)
        self.tallies = MemoryTallies(tables)


class MemoryTallies:
    """`Tallies`."""

    def __init__(self, tables: MemoryTables) -> None:
        self._tallies = tables.tallies

    async def add(self, name: str) -> None:
        self._tallies[name] = self._tallies.get(name, 0) + 1

    async def take(self, name: str) -> int:
        return self._tallies.pop(name, 0)


class MemoryCases:
    """`Cases`."""

    def __init__(self, tables: MemoryTables) -> None:
        self._tables = tables

    async def new_number(self) -> CaseId:
        self._tables.last_case += 1
        return CaseId(str(self._tables.last_case))

    async def begin(self, case: Case) -> Case:
        return self._tables.cases.setdefault(case.id, case)

    async def funnel(self) -> Funnel:
        found = [astuple(funnel(case)) for case in self._tables.cases.values()]
        return Funnel(*map(sum, zip(*found, strict=True)))

    async def load(self, case: CaseId, *, lock: bool = False) -> Case | None:
        return self._tables.cases.get(case)

    async def save(self, case: Case) -> None:
        known = self._tables.cases.get(case.id)
        before = {name for person in known.people for name in person.endpoint.names} if known else set()
        now = {key: line for key, line in self._tables.lines.items() if line[0] != case.id}
        for line in lines(case):
            there = now.setdefault((line.ours, line.name), (case.id, line.conversation))
            if there != (case.id, line.conversation) and (line.name not in before or there[0] == case.id):
                raise Conflict
        self._tables.lines = now
        self._tables.cases[case.id] = case

    async def all_ids(self) -> tuple[CaseId, ...]:
        return tuple(self._tables.cases)

    async def of_address(self, network: Network, address: str) -> tuple[CaseId, ...]:
        key = address_key(network, address)
        return tuple(
            case.id
            for case in self._tables.cases.values()
            if any(
                key in {address_key(network, name) for name in person.endpoint.names}
                for person in case.people
                if person.endpoint.network is network
            )
        )

    async def of_matrix_user(self, user: UserId) -> tuple[CaseId, ...]:
        return tuple(case.id for case in self._tables.cases.values() if case.at_address(Network.MATRIX, user))

    async def urgent(self, user: UserId, most: int) -> tuple[CaseId, ...]:
        cases = (c for c in self._tables.cases.values() if c.at_address(Network.MATRIX, user))
        urgent = sorted((at, case.id) for case in cases if (at := urgency(case)))
        return tuple(case for _, case in urgent[:most])

    async def board_shows(self, case: CaseId, text: str) -> bool:
        return self._tables.boards.get(case) == text

    async def note_board(self, case: CaseId, text: str) -> None:
        self._tables.boards[case] = text


class MemoryRooms:
    """`Rooms`."""

    def __init__(self, tables: MemoryTables) -> None:
        self._rooms, self._changes, self._levels = tables.rooms, tables.room_changes, tables.levels

    async def get(self, case: CaseId | None, key: RoomKey) -> RoomRecord | None:
        return self._rooms.get((case, key))

    async def by_room_id(self, room: RoomId) -> RoomRecord | None:
        return next((record for record in self._rooms.values() if record.room_id == room), None)

    async def cases_of(self, rooms: Collection[RoomId]) -> Mapping[RoomId, CaseId]:
        """The cases of those of these Matrix rooms that serve one."""
        records = self._rooms.values()
        return {
            r.room_id: r.case for r in records if r.room_id in rooms and r.room_id is not None and r.case is not None
        }

    async def of_case(self, case: CaseId) -> tuple[RoomRecord, ...]:
        return tuple(record for record in self._rooms.values() if record.case == case)

    async def made(self) -> tuple[RoomRecord, ...]:
        return tuple(record for record in self._rooms.values() if record.room_id is not None)

    async def levels(self, room: RoomId) -> frozenset[str]:
        return self._levels.get(room, frozenset())

    async def note_levels(self, room: RoomId, digests: frozenset[str]) -> None:
        self._levels[room] = digests

    async def save(self, record: RoomRecord) -> None:
        other = await self.by_room_id(record.room_id) if record.room_id is not None else None
        if other is not None and (other.case, other.key) != (record.case, record.key):
            raise Conflict
        self._rooms[record.case, record.key] = record

    async def note_change(self, rooms: Collection[RoomId]) -> None:
        for room in set(rooms):
            self._changes[room] = self._changes.get(room, 0) + 1

    async def changes(self, room: RoomId) -> int | None:
        return None if await self.by_room_id(room) is None else self._changes.get(room, 0)


class MemoryGhosts:
    """`Ghosts`."""

    def __init__(self, tables: MemoryTables) -> None:
        self._ghosts = tables.ghosts

    async def of_person(self, case: CaseId, person: PersonId) -> UserId | None:
        return self._ghosts.get((case, person))

    async def who(self, ghost: UserId) -> tuple[CaseId, PersonId] | None:
        return next((whom for whom, user in self._ghosts.items() if user == ghost), None)

    async def save(self, case: CaseId, person: PersonId, ghost: UserId) -> None:
        if self._ghosts.get((case, person), ghost) != ghost or await self.who(ghost) not in {None, (case, person)}:
            raise Conflict
        self._ghosts[case, person] = ghost


class MemoryAddresses:
    """`ReplyAddresses`."""

    def __init__(self, tables: MemoryTables) -> None:
        self._tables = tables

    async def get(self, case: CaseId, endpoint: EndpointId, conversation: Conversation) -> ReplyAddress | None:
        return next(
            (
                address
                for token_hash, address in self._tables.addresses.items()
                if token_hash not in self._tables.revoked
                and (address.case, address.endpoint, address.conversation) == (case, endpoint, conversation)
            ),
            None,
        )

    async def by_hash(self, token_hash: str) -> ReplyAddress | None:
        return None if token_hash in self._tables.revoked else self._tables.addresses.get(token_hash)

    async def save(self, address: ReplyAddress, token_hash: str) -> None:
        known = self._tables.addresses.get(token_hash)
        if known == address and token_hash not in self._tables.revoked:
            return
        if known or await self.get(address.case, address.endpoint, address.conversation):
            raise Conflict
        self._tables.addresses[token_hash] = address

    async def revoke(self, case: CaseId, endpoint: EndpointId) -> None:
        for token_hash, address in self._tables.addresses.items():
            if (address.case, address.endpoint) == (case, endpoint):
                self._tables.revoked[token_hash] = None


class MemoryJournal:
    """`Journal`."""

    def __init__(self, tables: MemoryTables) -> None:
        self._entries = tables.journal
        self._mails = tables.mails
        self._cases, self._cases_then = tables.cases, tables.cases_then

    async def append(self, entry: Entry) -> None:
        key = entry.case, entry.message.id
        if key not in self._entries:
            self._entries[key] = Entry(entry.case, entry.message, entry.event)
            if entry.case in self._cases:
                self._cases_then[key] = self._cases[entry.case]
            if entry.mail_id is not None:
                await self.link_mail(entry.case, entry.message.id, entry.mail_id)

    async def get(self, case: CaseId, message: MessageId) -> Entry | None:
        entry = self._entries.get((case, message))
        if entry is None:
            return None
        mails = (mail for (of, mail), carried in self._mails.items() if (of, carried) == (case, message))
        return Entry(entry.case, entry.message, entry.event, next(mails, None))

    async def newest(self, case: CaseId, message: MessageId) -> Entry | None:
        edits = await self.changes(case, message)
        return await self.get(case, edits[-1] if edits else message)

    async def changes(self, case: CaseId, message: MessageId) -> tuple[MessageId, ...]:
        of_case = (entry.message for (of, _), entry in self._entries.items() if of == case)
        of_case = (message for message in of_case if not isinstance(message.proof, Unproven))
        return tuple(m.id for m in of_case if isinstance(m.content, Edit) and m.content.target == message)

    async def reactions(self, case: CaseId, message: MessageId) -> tuple[Message, ...]:
        said = [entry.message for (of, _), entry in self._entries.items() if of == case]
        about = {m.content.target for m in said if isinstance(m.content, Reaction | Removal)}
        there = (m for m in said if isinstance(m.content, Reaction) and m.content.target == message)
        return tuple(m for m in there if m.id not in about)

    async def by_event(self, case: CaseId, event: EventId) -> Entry | None:
        found = (message for (of, message), entry in self._entries.items() if (of, entry.event) == (case, event))
        message = next(found, None)
        return None if message is None else await self.get(case, message)

    async def by_mail_id(self, case: CaseId, mail_id: str) -> Entry | None:
        message = self._mails.get((case, mail_id))
        return None if message is None else await self.get(case, message)

    async def link_event(self, case: CaseId, message: MessageId, event: EventId) -> None:
        entry = self._entries.get((case, message))
        if entry is not None:
            self._entries[case, message] = Entry(case, entry.message, event)

    async def link_mail(self, case: CaseId, message: MessageId, mail_id: str) -> None:
        self._mails.setdefault((case, mail_id), message)


class MemoryEchoes:
    """`Echoes`."""

    def __init__(self, tables: MemoryTables) -> None:
        self._echoes = tables.echoes

    async def note(self, case: CaseId, conversation: ConversationId, grams: Collection[str]) -> None:
        self._echoes.update({(case, gram, conversation): None for gram in grams})

    async def where(self, case: CaseId, grams: Collection[str]) -> Mapping[str, frozenset[ConversationId]]:
        found: dict[str, frozenset[ConversationId]] = {}
        for of, gram, conversation in self._echoes:
            if of == case and gram in grams:
                found[gram] = found.get(gram, frozenset()) | {conversation}
        return found


class MemoryHolds:
    """`Holds`."""

    def __init__(self, tables: MemoryTables) -> None:
        self._holds = tables.holds

    async def put(self, held: Held) -> None:
        self._holds.setdefault((held.case, held.message), held)

    async def counts(self) -> Mapping[CaseId, tuple[int, datetime]]:
        waiting = [held for held in self._holds.values() if held.end is None]
        cases = {held.case for held in waiting}
        times = {case: [held.at for held in waiting if held.case == case] for case in cases}
        return {case: (len(at), min(at)) for case, at in times.items()}

    async def of_case(self, case: CaseId) -> tuple[Held, ...]:
        return tuple(held for held in self._holds.values() if held.case == case)

    async def end(self, case: CaseId, message: MessageId, end: HoldEnd, at: datetime) -> bool:
        return self._change(case, message, None, end, at)

    async def resume(self, case: CaseId, message: MessageId) -> bool:
        return self._change(case, message, HoldEnd.DISCARDED, None, None)

    def _change(
        self, case: CaseId, message: MessageId, before: HoldEnd | None, end: HoldEnd | None, at: datetime | None
    ) -> bool:
        held = self._holds.get((case, message))
        if held is None or held.end is not before:
            return False
        self._holds[case, message] = replace(held, end=end, ended_at=at)
        return True


class MemoryRecord:
    """`Record`."""

    def __init__(self, tables: MemoryTables) -> None:
        self._lines = tables.record

    async def head(self, case: CaseId, audience: ConversationId) -> Head | None:
        last = (n for n in reversed(self._lines.values()) if (n.case, n.audience) == (case, audience))
        return next((Head(n.case, n.audience, n.seq, n.at, n.hash) for n in last), None)

    async def heads(self, case: CaseId) -> tuple[Head, ...]:
        last = {line.audience: line for line in self._lines.values() if line.case == case}
        return tuple(Head(n.case, n.audience, n.seq, n.at, n.hash) for _, n in sorted(last.items()))

    async def append(self, *lines: Line) -> None:
        for line in lines:
            if (line.case, line.audience, line.seq) in self._lines:
                raise Conflict
            self._lines[line.case, line.audience, line.seq] = line

    async def last(self, case: CaseId, most: int) -> tuple[Line, ...]:
        return tuple(line for line in self._lines.values() if line.case == case)[-most:]

    async def sign(self, text: str) -> Signature:
        key = Ed25519PrivateKey.from_private_bytes(bytes(32))
        public, signed = key.public_key().public_bytes_raw(), key.sign(text.encode())
        return Signature(b64encode(public).decode().rstrip("="), b64encode(signed).decode().rstrip("="))


class MemoryEpochs:
    """`EpochStore`."""

    def __init__(self, tables: MemoryTables) -> None:
        self._tables = tables

    async def current(self) -> Epoch:
        if not self._tables.epoch:
            self._tables.epoch["first"] = Epoch(1, "first", 0, Stage.SETTLED)
        (epoch,) = self._tables.epoch.values()
        return epoch

    async def save(self, epoch: Epoch) -> None:
        if epoch.name in self._tables.epoch:
            self._tables.epoch[epoch.name] = epoch

    async def begin(self, epoch: Epoch) -> None:
        self._tables.epoch = {epoch.name: epoch}
        self._tables.unconfirmed = dict.fromkeys(self._tables.cases)
        self._tables.searched = {}

    async def unconfirmed(self, case: CaseId) -> bool:
        return case in self._tables.unconfirmed

    async def confirm(self, case: CaseId) -> None:
        self._tables.unconfirmed.pop(case, None)

    async def doubtful(self, received_at: datetime) -> bool:
        until = (await self.current()).doubt_until
        return until is not None and received_at <= until

    async def marker(self, item: ItemId) -> str:
        return hashlib.sha256(f"marker of {item}".encode()).hexdigest()[:32]

    async def searched(self, room: RoomId) -> Searched | None:
        return self._tables.searched.get(room)

    async def found(self, room: RoomId, events: Mapping[str, EventId], searched: Searched) -> None:
        self._tables.searched.setdefault(room, searched)
        for marker, event in events.items():
            self._tables.sent.setdefault(marker, event)

    async def sent(self, marker: str) -> EventId | None:
        return self._tables.sent.get(marker)


class MemoryMailLedger:
    """`MailLedger`."""

    def __init__(self, tables: MemoryTables) -> None:
        self._tables = tables

    async def arrived(self, mails: Collection[tuple[str, Likeness]]) -> None:
        self._tables.arrivals.update(dict.fromkeys(mails))

    async def counted(self, mails: Sequence[Sequence[Counted]], at: datetime) -> list[bool]:
        tally = Tally(self._tables.counted, round(at.timestamp() * 1000))
        verdicts = [tally.take([(one.key.encode(), one.limit) for one in keys]) for keys in mails]
        self._tables.counted |= {key: list(times) for key, times in tally.changed()}
        return verdicts

    async def forget_counts(self, before: datetime) -> None:
        since, known = before.timestamp() * 1000, self._tables.counted
        self._tables.counted = {key: times for key, times in known.items() if max(times) > since}

    async def came_elsewhere(self, token_hash: str, likeness: Likeness) -> bool:
        return any(
            other != token_hash and (known.name == likeness.name or known.sheet == likeness.sheet)
            for other, known in self._tables.arrivals
        )

    async def note_look(self, at: datetime) -> None:
        self._tables.looks.append(at)

    async def looked(self) -> datetime | None:
        return max(self._tables.looks, default=None)

    async def keep(self, case: CaseId, message: MessageId, raw: bytes) -> None:
        self._tables.raw_mails.setdefault((case, message), raw)

    async def destroy(self, case: CaseId) -> None:
        for key in [key for key in self._tables.raw_mails if key[0] == case]:
            del self._tables.raw_mails[key]
        items = self._tables.inbox.items
        for item in [one for one in items.values() if one.case == case and one.kind in {"mail", "mail.report"}]:
            if item.state is State.DEAD:
                items[item.id] = replace(item, state=State.DONE, body=b"")

    async def raw(self, case: CaseId, message: MessageId) -> bytes | None:
        return self._tables.raw_mails.get((case, message))

    async def leaves(self, mail: SentMail) -> None:
        self._tables.sent_mails[mail.bounce_hash] = mail

    async def has_begun(self, case: CaseId, person: PersonId, item: ItemId) -> bool:
        return any((m.case, m.person, m.item) == (case, person, item) for m in self._tables.sent_mails.values())

    async def by_bounce(self, bounce_hash: str) -> SentMail | None:
        return self._tables.sent_mails.get(bounce_hash)

    async def mark(self, bounce_hash: str, state: MailState, detail: str, at: datetime) -> None:
        known = self._tables.sent_mails.get(bounce_hash)
        if known is not None:
            self._tables.sent_mails[bounce_hash] = replace(known, state=state, detail=detail, at=at)

    async def to_person(self, case: CaseId, person: PersonId, most: int) -> tuple[SentMail, ...]:
        found = [mail for mail in self._tables.sent_mails.values() if (mail.case, mail.person) == (case, person)]
        return tuple(reversed(found))[:most]


class MemoryPortalStore:
    """`PortalStore`. PINs are counted up, so that tests know them."""

    def __init__(self, tables: MemoryTables) -> None:
        self._tables = tables

    async def put(self, case: CaseId, person: PersonId, item: ItemId, body: bytes, at: datetime) -> None:
        self._tables.shelf.setdefault((case, person, item), Laid(item, body, at))

    async def laid_for(self, case: CaseId, person: PersonId, most: int, before: ItemId | None = None) -> Sequence[Laid]:
        theirs = [laid for (c, p, _), laid in self._tables.shelf.items() if (c, p) == (case, person)]
        names = [laid.item for laid in theirs]
        if before is not None:
            theirs = theirs[: names.index(before)] if before in names else []
        return tuple(theirs[-most:])

    async def new_pin(self, case: CaseId, person: PersonId) -> str:
        before = self._tables.pins.get(Whose(case, person))
        number = int(before.pin) + 1 if before and before.pin.isdecimal() else 100_000
        self._tables.pins[Whose(case, person)] = Pin(f"{number:06d}")
        await self.end_sessions(case, person)
        return self._tables.pins[Whose(case, person)].pin

    async def new_link(
        self, case: CaseId, person: PersonId, endpoint: EndpointId, at: datetime, until: datetime
    ) -> str:
        token = secrets.token_urlsafe(24)
        await self.add_link(token, Whose(case, person), endpoint, at, until)
        return token

    async def add_link(self, token: str, whose: Whose, endpoint: EndpointId, at: datetime, until: datetime) -> None:
        self._tables.links[token] = SentLink(whose, endpoint, at, until)

    async def drop_link(self, token: str) -> None:
        self._tables.links.pop(token, None)

    async def link(self, token: str) -> Link | None:
        found = self._tables.links.get(token)
        return Link(found.whose, found.endpoint, found.until) if found else None

    async def new_code(self, link: str, until: datetime) -> str:
        code = f"{20_000_000 + len([one for one in self._tables.links.values() if one.code]):08d}"
        self._tables.links[link] = replace(self._tables.links[link], code=(code, until))
        return code

    async def forget_links(self, before: datetime) -> None:
        for token in [token for token, link in self._tables.links.items() if link.until < before]:
            del self._tables.links[token]

    async def use_link(self, token: str, at: datetime) -> bool:
        found = self._tables.links.get(token)
        if found is None or found.until <= at:
            return False
        self._tables.links[token] = replace(found, until=at, code=None)
        return True

    async def waiting_link(self, whose: Whose, endpoint: EndpointId, since: datetime) -> bool:
        return any(
            (link.whose, link.endpoint, link.opened) == (whose, endpoint, False) and link.sent_at > since
            for link in self._tables.links.values()
        )

    async def lose_links(self, whose: Whose, endpoint: EndpointId) -> None:
        for token, link in self._tables.links.items():
            if (link.whose, link.endpoint) == (whose, endpoint):
                self._tables.links[token] = replace(link, opened=True)

    async def try_key(self, token: str, whose: Whose, key: str, at: datetime) -> Tried:
        known = self._tables.pins.setdefault(whose, Pin("none"))
        link = self._tables.links.get(token)
        is_code = link is not None and link.until > at and link.code is not None and at < link.code[1]
        if known.locked_until is not None and known.locked_until > at:
            return Tried.LOCKED
        if known.pin == key or (is_code and link and link.code and link.code[0] == key):
            self._tables.pins[whose] = Pin(known.pin)
            return Tried.RIGHT
        locks = known.wrong + 1 >= PIN_TRIES
        self._tables.pins[whose] = Pin(known.pin, 0, at + PIN_LOCK) if locks else Pin(known.pin, known.wrong + 1)
        return Tried.LOCKED_NOW if locks else Tried.WRONG

    async def begin_session(self, token: str, whose: Whose, until: datetime) -> None:
        for name, link in self._tables.links.items():
            if link.whose == whose:
                self._tables.links[name] = replace(link, opened=True)
        self._tables.sessions[token] = (whose, until)

    async def session(self, token: str, at: datetime) -> Whose | None:
        whose, until = self._tables.sessions.get(token, (None, at))
        return whose if until > at else None

    async def end_sessions(self, case: CaseId, person: PersonId) -> None:
        theirs = Whose(case, person)
        for token in [token for token, (of, _) in self._tables.sessions.items() if of == theirs]:
            del self._tables.sessions[token]


class MemoryWhatsAppLedger:
    """`WhatsAppLedger`."""

    def __init__(self, tables: MemoryTables) -> None:
        self._tables = tables

    async def thread(self, case: CaseId, endpoint: EndpointId, number: str) -> Thread:
        return self._tables.threads.get((case, endpoint, number), Thread())

    async def heard(self, case: CaseId, endpoint: EndpointId, number: str, at: datetime) -> None:
        known = await self.thread(case, endpoint, number)
        later = at if known.heard_at is None else max(at, known.heard_at)
        self._tables.threads[case, endpoint, number] = replace(known, heard_at=later)

    async def nudged(self, case: CaseId, endpoint: EndpointId, number: str, at: datetime) -> None:
        known = await self.thread(case, endpoint, number)
        self._tables.threads[case, endpoint, number] = replace(known, nudged_at=at)

    async def shut(self, case: CaseId, endpoint: EndpointId, number: str, sent_at: datetime) -> None:
        known = await self.thread(case, endpoint, number)
        if known.heard_at is None or known.heard_at <= sent_at:
            asked = known.nudged_at if known.nudged_at and known.nudged_at > sent_at else None
            self._tables.threads[case, endpoint, number] = Thread(None, asked)

    async def keep(self, part: SentPart) -> None:
        self._tables.sent_parts[part.item, part.part] = part

    async def of_item(self, item: ItemId) -> tuple[SentPart, ...]:
        return tuple(part for (of, _), part in sorted(self._tables.sent_parts.items()) if of == item)

    async def begin_anew(self, item: ItemId, channels: Collection[EndpointId]) -> None:
        parts = self._tables.sent_parts
        for key in [key for key, part in parts.items() if part.item == item and part.endpoint not in channels]:
            del parts[key]

    async def carrying(self, case: CaseId, person: PersonId, message: MessageId) -> frozenset[ItemId]:
        wanted = (case, person, message)
        parts = self._tables.sent_parts.values()
        return frozenset(part.item for part in parts if (part.case, part.person, part.message) == wanted)

    async def shown_as(self, case: CaseId, endpoint: EndpointId, message: MessageId) -> str | None:
        wanted = (case, endpoint, message)
        parts = self._tables.sent_parts.values()
        found = [part.wamid for part in parts if (part.case, part.endpoint, part.message) == wanted and part.wamid]
        return found[0] if found else None

    async def to_person(self, case: CaseId, person: PersonId, most: int) -> tuple[SentPart, ...]:
        found = [part for part in self._tables.sent_parts.values() if (part.case, part.person) == (case, person)]
        return tuple(reversed(found))[:most]

    async def windows(self, case: CaseId) -> tuple[Window, ...]:
        return tuple(
            Window(endpoint, number, thread.heard_at + WINDOW)
            for (of, endpoint, number), thread in sorted(self._tables.threads.items())
            if of == case and thread.heard_at
        )


class MemoryVault:
    """`Vault`."""

    def __init__(self, tables: MemoryTables) -> None:
        self._tables = tables

    async def begin(self, blob: Blob) -> None:
        assert blob.id not in self._tables.blobs
        self._tables.blobs[blob.id] = (blob, False)

    async def keep(self, blob: BlobId) -> None:
        self._tables.blobs[blob] = (self._tables.blobs[blob][0], True)

    async def get(self, case: CaseId, blob: BlobId) -> Blob | None:
        found, whole = self._tables.blobs.get(blob, (None, False))
        return found if found and whole and found.case == case else None

    async def known(self, blobs: Collection[BlobId]) -> frozenset[BlobId]:
        return frozenset(blobs) & self._tables.blobs.keys()

    async def unfinished(self, before: datetime) -> tuple[BlobId, ...]:
        begun = sorted((b.at, b.id) for b, whole in self._tables.blobs.values() if not whole and b.at < before)
        return tuple(blob for _, blob in begun)

    async def forget(self, blobs: Collection[BlobId]) -> None:
        for blob in blobs:
            self._tables.blobs.pop(blob, None)

    async def note(self, media: Media) -> None:
        self._tables.media[media.item] = media

    async def media(self, item: ItemId) -> Media | None:
        return self._tables.media.get(item)

    async def posted(self, case: CaseId, document: DocumentId) -> tuple[Media, ...]:
        return tuple(m for m in self._tables.media.values() if (m.case, m.document) == (case, document))
