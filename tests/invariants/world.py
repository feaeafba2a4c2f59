"""The whole service, wired by `appservice.main` over fakes, and the people around it. Everything moves by hand.

Each step of the service is one item of one queue, chosen by whoever plays; between any two boundaries (a unit of work,
a call of the homeserver or the mail server) the process can be made to die, or the call to fail.
"""

import itertools
import json
import logging
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, tzinfo
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

import yaml

from appservice import logs, main
from appservice.codec import JsonCodec
from appservice.e2ee.encryption import Encryption
from appservice.mail import courier
from appservice.matrix.errors import MatrixError
from appservice.matrix.transaction import parse
from appservice.portal.page import ServicePortal
from appservice.portal.store import Whose
from appservice.provisioning import InboxProvisioning
from appservice.reading import COMMAND
from appservice.service import BOT_NAME, Service
from appservice.setup import config
from appservice.setup.config import Config
from appservice.setup.init import InitOptions, create
from appservice.storage.mail_inbox import MailInbox
from appservice.worker import Worker
from bridges.email.convert_in import mail_identity
from bridges.email.ids import parse_recipient, token_hash
from bridges.email.proof import Trust
from bridges.email.reception import InboxVerdict, ReceivedMail
from bridges.portal.views import View
from policies.case import DESK, CaseId, Conversation, Network
from policies.people.membership import conversations
from policies.plan import room_key
from rooms import deliver
from rooms.held import mine_id
from rooms.homeserver import Trouble
from rooms.ids import EventId, RoomId, UserId
from rooms.ports import Entry
from rooms.queue import Item, ItemId, Lane, State
from tests.fakes.memory import MemoryDatabase, MemoryWork
from tests.fakes.party_by_mail import confirms
from tests.fakes.post_office import PostOffice
from tests.fakes.sealed import Envelope, Envelopes, SealedEncryption
from tests.fakes.synapse import FakeSynapse, Room
from tests.invariants.canaries import (
    Chronicle,
    Fate,
    Said,
    judge,
    mail_readers,
    own_room,
    waits_for_its_owner,
    words_of,
)

BOT = UserId("@_mediatrix_bot:example.org")
MIA, INES = UserId("@mia:example.org"), UserId("@ines:example.org")
ALICE, BOB, DAN = UserId("@alice:example.org"), UserId("@bob:example.org"), UserId("@dan:example.org")
MALLORY = UserId("@mallory:example.org")
CARL, BEA, EVE = "carl@example.net", "bea@example.com", "eve@example.net"
MATRIX_PEOPLE = (MIA, INES, ALICE, BOB, DAN, MALLORY)
MAIL_PEOPLE = (CARL, BEA, EVE)
REPLY_DOMAIN, AUTHSERV_ID = "reply.example.org", "mx.example.org"
MOST_STEPS = 3000


class Crash(BaseException):
    """The process is killed."""


class WatchedDatabase(MemoryDatabase):
    """Tells of each boundary and each commit."""

    def __init__(self, hazard: Callable[[str], Awaitable[None]], on_commit: Callable[[], None]) -> None:
        super().__init__()
        self._hazard, self._on_commit = hazard, on_commit

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[MemoryWork]:
        await self._hazard("begin")
        async with super().begin() as work:
            yield work
        self._on_commit()
        await self._hazard("commit")


class LogBook(logging.Handler):
    """Every log line, as the service would print it."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.setFormatter(logs._TextFormatter())
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


@cache
def configuration() -> Config:
    """What `mediatrix init` writes, with mail."""
    options = InitOptions(
        server_name="example.org",
        homeserver_url="http://127.0.0.1:8008",
        mediators=(MIA,),
        public_base_url="https://mediation.example.org",
        organisation="Town Mediation",
        contact="Mia Moss",
        telephone="+1 555 0100",
    )
    with TemporaryDirectory() as name:
        folder = Path(name)
        create(folder, options)
        file = folder / "config.yaml"
        content = yaml.safe_load(file.read_text())
        content["email"] = {"reply_domain": REPLY_DOMAIN, "authserv_id": AUTHSERV_ID, "joint_delay_seconds": 0}
        content["agreement"]["enabled"] = False
        # Time stands still here: what waits for a moment would wait for ever.
        content.setdefault("rooms", {})["undo_seconds"] = 0
        file.write_text(yaml.safe_dump(content))
        return config.load(file, {})


@dataclass(frozen=True)
class Page:
    """What the page behind the links showed somebody."""

    case: CaseId
    address: str
    at: int
    view: View | None


class World:
    """The service and everything around it."""

    def __init__(self, *, sealed: bool = True) -> None:
        """Nothing runs yet: use `opened`. `sealed`: with encryption as a table of who holds which key."""
        self.sealed = sealed
        self.now = 0
        self.database = WatchedDatabase(self.boundary, self._committed)
        self.synapse = FakeSynapse(self._time)
        self.synapse.hazard = self.boundary
        self.envelopes = Envelopes(self._time)
        self.post_office = PostOffice(self._time)
        self.post_office.hazard = self.boundary
        self.chronicle = Chronicle()
        self.said: dict[str, Said] = {}
        self.log = LogBook()
        self.lobby: RoomId | None = None
        self.told: list[dict[str, Any]] = []
        """Events that the service was told of, for replays."""
        self.quiet_since: list[int] = [0]
        """When nothing was left to do."""
        self.intruders: set[tuple[UserId, RoomId]] = set()
        """Who was forced into which room by the homeserver's administrator."""
        self.pages: list[Page] = []
        """What people who get links were shown."""
        self.answers: list[str] = []
        """What the API said."""
        self.later = timedelta()
        """So much later than it is deliveries take it to be."""
        self.repeated = False
        """Whether a mediator had something sent again, out of its turn."""
        self.refusals = False
        """Whether a mail server said no."""
        self.fault: tuple[str, int] | None = None
        """What goes wrong, and after how many more boundaries."""
        self._numbers = itertools.count(1)
        self._journal = 0
        self._people_act = False
        self.synapse.register(*MATRIX_PEOPLE)
        self.service = self._process()

    def _time(self) -> int:
        return self.now

    def _process(self) -> Service:
        def encryption(*wired: Any) -> SealedEncryption | Encryption:
            return SealedEncryption(self.envelopes, self.database, self.synapse) if self.sealed else Encryption(*wired)

        with patch.multiple(
            main,
            SqlDatabase=lambda *_: self.database,
            Homeserver=lambda *_: self.synapse,
            Encryption=encryption,
        ):
            return main.wire(configuration())

    # --- faults

    async def boundary(self, name: str) -> None:
        """Between two things that happen."""
        self.now += 1
        if self.fault is None or self._people_act:
            return
        kind, left = self.fault
        if kind == "arrival":
            await self._arrival(name, left)
            return
        ours = name in {"begin", "commit"}
        if left > 0 or (ours and kind != "crash") or (kind == "silence" and name == "smtp"):
            self.fault = (kind, max(left - 1, 0))
            return
        self.fault = None
        if kind == "crash":
            raise Crash
        if kind == "surprise":
            raise RuntimeError(f"unforeseen, with the words {self.canary_text()}")
        raise MatrixError("fake", "M_UNKNOWN", 0 if kind == "silence" else 502, transient=True)

    async def _arrival(self, name: str, left: int) -> None:
        """Everybody comes in just before or after something of ours appears in a room."""
        if name == "send":
            self.fault = ("arrival", left - 1) if left else None
            if self.fault is None:
                await self.everyone_joins()

    def canary_text(self) -> str:
        """Some canary that was said before."""
        return next(reversed(self.said), "")

    async def guarded(self, act: Awaitable[object]) -> bool:
        """Do something that the process may die of; if it does, another process takes over. False if it died."""
        try:
            await act
        except Crash:
            await self.restart()
            return False
        return True

    async def restart(self) -> None:
        """Nothing is left but the database, and what the world has seen."""
        self.service = self._process()
        await self.start()

    async def start(self) -> None:
        """What a process does before it works off its queues."""
        try:
            await self.service.parts.encryption.ensure_identity(BOT, BOT_NAME)
            await self.service.parts.rounds.go()
        except Crash:
            await self.restart()
        except (MatrixError, RuntimeError, Trouble):
            await self.start()

    # --- what the service does

    def runnable(self) -> list[tuple[Worker, Item]]:
        """The item at the head of each lane of both queues."""
        found: list[tuple[Worker, Item]] = []
        tables = self.database.committed
        for worker, table in ((self.service.parts.inbox, tables.inbox), (self.service.parts.outbox, tables.outbox)):
            heads: dict[Lane, Item] = {}
            for item in table.items.values():
                if item.state is State.READY:
                    heads.setdefault(item.lane, item)
            found += [(worker, item) for item in heads.values()]
        return found

    async def work(self, choice: int) -> bool:
        """Work on one item, or, every other time, on all that stand in its lane; False if there is none."""
        ready = self.runnable()
        if not ready:
            return False
        worker, item = ready[choice % len(ready)]
        await self.guarded(worker._one(item) if choice % 2 else self._lane(worker, item.lane))
        return True

    async def _lane(self, worker: Worker, lane: Lane) -> None:
        """The time of a lane has come, and somebody else is busy with every other."""
        table = self.database.committed.inbox if worker is self.service.parts.inbox else self.database.committed.outbox
        for item in table.items.values():
            if item.lane == lane:
                table.items[item.id] = replace(item, due_at=None) if item.state is State.READY else item
            else:
                table.leases[item.lane] = ("somebody", datetime.max.replace(tzinfo=UTC))
        try:
            assert await worker._next_lane("world")
        finally:
            self.database.committed.inbox.leases.clear()
            self.database.committed.outbox.leases.clear()

    async def deliver(self, number: int = 100) -> None:
        """The homeserver tells the service of the next events, until it takes them."""
        events = [event.raw for event in self.synapse.stream[:number]]
        if events and await self.guarded(self._accept(events)):
            self.told += events
            del self.synapse.stream[: len(events)]

    async def deliver_again(self, start: int, number: int) -> None:
        """The homeserver repeats itself, under another transaction id."""
        start = start % len(self.told) if self.told else 0
        await self.guarded(self._accept(self.told[start : start + number]))

    async def garbage(self, number: int, kind: str, sender: UserId) -> None:
        """An event that no homeserver should have let pass."""
        rooms = list(self.synapse.all_rooms)
        room = rooms[number % len(rooms)] if rooms else RoomId("!nowhere")
        state = {"state_key": str(sender)} if kind == "m.room.member" else {}
        content = {"membership": ["join"], "body": 7, "algorithm": None, "redacts": {}, "envelope": "7"}
        event = {"event_id": self.synapse.new_id("$"), "room_id": room, "sender": sender, "type": kind, **state}
        await self.guarded(self._accept([{**event, "content": content}, {"event_id": 7}, {}]))

    def intrude(self, user: UserId, number: int) -> None:
        """The homeserver's administrator forces somebody into a room; every other time the levels are broken, too."""
        rooms = [room for room in self.synapse.all_rooms.values() if room.creator == BOT]
        if not rooms:
            return
        room = rooms[number % len(rooms)]
        self.intruders.add((user, room.id))
        self.synapse.member(room, user, user, "join")
        if number % 2:
            levels = {**room.content("m.room.power_levels"), "users": {user: 100}}
            self.synapse.append(room, user, "m.room.power_levels", levels, "")

    async def keys_arrive(self) -> None:
        """All keys that were late."""
        late = [envelope.id for envelope in self.envelopes.made.values() if not envelope.readable]
        for number in late:
            self.envelopes.arrive(number)
        async with self.calm(), self.database.begin() as work:
            for item in self.database.committed.inbox.items.values():
                if item.wait_key and item.wait_key.startswith("session:"):
                    await work.inbox.wake(item.wait_key)

    async def api(self, case: CaseId, text: str) -> None:
        """A command through the API: stored as `InboxProvisioning` stores it."""
        body = json.dumps({"case": case, "text": text}).encode()
        item = Item(ItemId(f"api{next(self._numbers)}"), Lane(f"case:{case}"), COMMAND, case, body, datetime.now(UTC))
        async with self.calm(), self.database.begin() as work:
            await work.inbox.put(item)

    async def enrol(self, address: str) -> None:
        """Somebody confirms a mailbox, with the link that went there and the PIN, in every case."""
        for case in list(self.database.committed.cases):
            async with self.calm():
                await confirms(self.database, case, address, f"enrol{next(self._numbers)}")

    async def vouch(self, address: str) -> None:
        """In every case a mailbox is as an earlier version left it: believed on a mediator's word alone."""
        async with self.calm(), self.database.begin() as work:
            for case in list(self.database.committed.cases.values()):
                person = case.at_address(Network.EMAIL, address)
                if person:
                    vouched = replace(person, endpoint=replace(person.endpoint, enrolled=None))
                    await work.cases.save(case.with_person(vouched))

    async def ask_the_api(self) -> None:
        """Everything that the API can be asked."""
        self.answers += [status.model_dump_json() for status in await InboxProvisioning(self.database).cases()]

    async def look(self) -> None:
        """Everybody who takes part by mail opens the page."""
        portal = ServicePortal(self.database, JsonCodec())
        for case in list(self.database.committed.cases.values()):
            for person in case.people:
                if person.endpoint.network is Network.EMAIL:
                    session = f"session-{next(self._numbers)}"
                    until = datetime.now(UTC) + timedelta(minutes=5)
                    async with self.calm(), self.database.begin() as work:
                        await work.shelf.begin_session(session, Whose(case.id, person.id), until)
                    view = await portal.view(session)
                    self.pages.append(Page(case.id, person.endpoint.address, self.now, view))

    async def _accept(self, events: list[dict[str, Any]]) -> None:
        await self.service.parts.arrivals.accept(parse(f"{next(self._numbers)}", {"events": events}))

    async def settle(self) -> None:
        """Until nothing is left to do but what waits."""
        for step in range(MOST_STEPS):
            if self.synapse.stream:
                await self.deliver()
            elif not await self.work(step):
                self.quiet_since.append(self.now)
                return
        raise AssertionError("the service never comes to rest")

    async def time_passes(self) -> None:
        """A day, and what waits for its time is due."""
        self.later += timedelta(days=1)
        for queue in ("inbox", "outbox"):
            async with self.calm(), self.database.begin() as work:
                items = getattr(self.database.committed, queue).items.values()
                for key in {item.wait_key for item in items if item.state is State.PARKED and item.due_at}:
                    await getattr(work, queue).wake(key)

    async def finish(self) -> None:
        """No more faults; everyone comes in; whatever can still happen, does."""
        self.fault = None
        for _ in range(8):
            await self.settle()
            await self.everyone_joins()
            await self.settle()
            await self.time_passes()
        await self.settle()

    # --- what people do

    @asynccontextmanager
    async def calm(self) -> AsyncIterator[None]:
        """People act: nothing that breaks is the service's."""
        before, self._people_act = self._people_act, True
        try:
            yield
        finally:
            self._people_act = before

    def rooms_of(self, user: UserId, *memberships: str) -> list[Room]:
        """The rooms to which a user stands so, oldest first."""
        return [room for room in self.synapse.all_rooms.values() if room.membership(user) in memberships]

    async def join(self, user: UserId, room: Room) -> None:
        """Somebody accepts an invitation."""
        async with self.calm():
            await self.synapse.rooms.join(room.id, as_user=user)

    async def everyone_joins(self) -> None:
        """All invitations are accepted."""
        for user in MATRIX_PEOPLE:
            for room in self.rooms_of(user, "invite"):
                await self.join(user, room)

    async def leave(self, user: UserId, room: Room) -> None:
        """Somebody leaves."""
        async with self.calm():
            await self.synapse.rooms.leave(room.id, as_user=user)

    async def send(self, user: UserId, room: Room, kind: str, content: dict[str, Any]) -> EventId | None:
        """An event as it is; None if the homeserver refuses it."""
        async with self.calm():
            try:
                return await self.synapse.rooms.send(room.id, kind, content, f"t{next(self._numbers)}", as_user=user)
            except MatrixError:
                return None

    async def seal(
        self, user: UserId, room: Room, content: dict[str, Any], *, signed: bool = True, readable: bool = True
    ) -> EventId | None:
        """An encrypted message of a person's client, for everybody in the room."""
        envelope = self.envelopes.seal(user, "m.room.message", content, room.joined, signed=signed, readable=readable)
        relation = {"m.relates_to": content["m.relates_to"]} if "m.relates_to" in content else {}
        sent = await self.send(user, room, "m.room.encrypted", {"envelope": envelope.id, **relation})
        if sent is None:
            del self.envelopes.made[envelope.id]
        return sent

    async def mail(self, raw: bytes, *recipients: str) -> bool:
        """A mail comes, as our mail server hands it on; False if all of its recipients are unknown by now."""
        verdicts = []
        for recipient in recipients:
            token = parse_recipient(recipient, REPLY_DOMAIN)
            assert token is not None, recipient
            hashed = token_hash(token)
            identity, same = mail_identity(hashed, raw)
            received = ReceivedMail(token, hashed, "somebody@example.net", raw, identity, same, len(recipients))
            async with self.calm():
                verdicts.append(await MailInbox(self.database, Trust(AUTHSERV_ID, REPLY_DOMAIN)).accept(received))
        return InboxVerdict.STORED in verdicts

    def canary(self, case: CaseId, conversation: Conversation | None, **how: Any) -> Said:
        """A new one, with what the world knows of the words that it stands in."""
        word = f"zq{next(self._numbers):04d}qz"
        self.said[word] = said = Said(word, case, conversation, **how)
        return said

    # --- what can be seen

    def place(self, room: RoomId) -> tuple[CaseId, Conversation] | None:
        """The conversation that a room serves, also where the service has not stored that yet."""
        marker = self.synapse.all_rooms[room].content("m.room.create").get("org.mediatrix.marker")
        for record in self.database.committed.rooms.values():
            if record.case is not None and record.marker == marker and marker:
                case = self.database.committed.cases[record.case]
                return next(((case.id, c) for c in conversations(case) if room_key(c) == record.key), None)
        return None

    def desk(self, case: CaseId) -> Room | None:
        """The desk of a case, if it was made."""
        record = self.database.committed.rooms.get((case, room_key(DESK)))
        return self.synapse.all_rooms[record.room_id] if record and record.room_id else None

    def shown(self, room: Room, user: UserId) -> Iterator[tuple[str, Envelope | None]]:
        """What a user reads in a room: bodies, with their envelopes."""
        for event in room.timeline:
            envelope = self.envelopes.of(event.content)
            if user in event.seen_by and envelope and user in envelope.holders:
                yield str(envelope.content.get("body", "")), envelope

    def question(self, case: CaseId) -> str | None:
        """The answer to the last question that the desk was asked."""
        desk = self.desk(case)
        texts = (text for text, _ in self.shown(desk, MIA)) if desk else ()
        codes = [code for text in texts for code in re.findall(r"“(yes \w+)”", text)]
        return codes[-1] if codes else None

    def reply_addresses(self, address: str) -> list[str]:
        """Where somebody can write to, oldest first."""
        return list(dict.fromkeys(mail.reply_address for mail in self.post_office.mailbox(address)))

    def conversation_of(self, reply_address: str) -> tuple[CaseId, Conversation]:
        """The room of a reply address."""
        token = parse_recipient(reply_address, REPLY_DOMAIN)
        assert token is not None
        address = self.database.committed.addresses[token_hash(token)]
        return address.case, address.conversation

    # --- what is kept of it

    def _committed(self) -> None:
        tables = self.database.committed
        for case in tables.cases.values():
            self.chronicle.note(self.now, case)
        entries = list(tables.journal.values())
        for place, entry in enumerate(entries[self._journal :], self._journal):
            for said in self._said_in(entry):
                message = entry.message
                case = tables.cases_then[entry.case, message.id]
                said.counts_late(message.conversation)
                said.waits = said.waits or (mine_id(message.id) if waits_for_its_owner(said, message, case) else None)
                said.handled_at, said.place, said.author = self.now, place, case.person(message.author)
                said.fate = judge(said, message, case)
                aside = said.fate is Fate.ASIDE
                said.stands = own_room(case, message.author) if aside else message.conversation
                said.readers = mail_readers(case, said.stands or message.conversation, message.author)
        self._journal = len(entries)

    def _said_in(self, entry: Entry) -> Iterator[Said]:
        """The words that an entry is about; not those which it only quotes."""
        for said in self.said.values():
            same = said.event == entry.event if said.native else said.canary in words_of(entry.message.content)
            is_new = said.handled_at is None or said.waits == entry.message.id
            if same and is_new and said.conversation in {None, entry.message.conversation}:
                yield said


@contextmanager
def opened(*, sealed: bool = True) -> Iterator[World]:
    """A world whose mail server and log are its own."""
    world = World(sealed=sealed)
    root = logging.getLogger()
    level = root.level

    class Later(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> "Later":
            return datetime.now(tz) + world.later  # type: ignore[return-value]

    root.addHandler(world.log)
    root.setLevel(logging.DEBUG)
    try:
        with patch.object(courier, "send", world.post_office.send), patch.object(deliver, "datetime", Later):
            yield world
    finally:
        root.setLevel(level)
        root.removeHandler(world.log)
