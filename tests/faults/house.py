"""The whole service, with its real database and its real encryption, between a homeserver and a mail server in memory.

Everything moves by hand, as in `tests.invariants.world`. There what is played is random and encryption is a table; here
it is one scenario after another, cut at each boundary in turn, and everybody has real devices.
"""

import itertools
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator, Mapping
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path
from typing import Any, TypeVar
from unittest.mock import patch

from appservice import main
from appservice.backups.restore import restore
from appservice.backups.take import take
from appservice.casefile import CaseFile
from appservice.crypto.machine import OlmMachine
from appservice.crypto.sealing import Sealer
from appservice.e2ee import sweeping
from appservice.mail import courier, plain
from appservice.matrix.polls import START
from appservice.matrix.transaction import parse
from appservice.reading import COMMAND
from appservice.service import Service
from appservice.setup.config import Config
from appservice.storage.errors import DatabaseUnavailable
from appservice.storage.mail_inbox import MailInbox
from appservice.upkeep.epoch import Stage
from bridges.email.convert_in import mail_identity
from bridges.email.ids import parse_recipient, token_hash
from bridges.email.proof import Trust
from bridges.email.reception import InboxVerdict, ReceivedMail
from policies.case import DESK, JOINT, CaseId, Conversation, Kind
from policies.people.membership import conversations, readers
from policies.plan import room_key
from rooms.clock import TIME
from rooms.ids import UserId
from rooms.queue import Item, ItemId, Lane, State
from tests.fakes.agreed import everybody_agreed
from tests.fakes.graph import FakeGraph
from tests.fakes.party_by_mail import confirms
from tests.fakes.post_office import Delivered, PostOffice
from tests.fakes.synapse import FakeSynapse, Room
from tests.faults.boundaries import Boundaries, Killed, WatchedDatabase
from tests.faults.clock import Clock, time_of_ours
from tests.faults.databases import Databases, Sqlite
from tests.invariants.devices import Clients, Device
from tests.invariants.world import ALICE, AUTHSERV_ID, BOB, CARL, MIA, REPLY_DOMAIN, configuration

logger = logging.getLogger(__name__)

T = TypeVar("T")

CASE = CaseId("1001")
CONSENT = {"content_by_mail": True, "recorded_by": "Mia", "on": "2026-11-22", "wording": "By telephone"}
FILE = {
    "title": "Smith and Jones",
    "mediators": [MIA],
    "open": True,
    "sides": [
        {"name": "Smith", "people": [{"name": "Alice", "matrix": ALICE}]},
        {
            "name": "Jones",
            "people": [
                {"name": "Carl", "email": CARL, "consent": CONSENT},
                {"name": "Bob", "matrix": BOB, "role": "counsel"},
            ],
        },
    ],
}
PEOPLE = (MIA, ALICE, BOB)
RESPONSE = "m.poll.response"
ROUNDS = 6
"""How often time passes at most before all must have come to rest."""
MOST_STEPS = 400


@dataclass(frozen=True, slots=True)
class Setting:
    """What a house has: its configuration, of where it lives; and what stands around it besides."""

    configured: Callable[[Path], Config] = lambda _: configuration()
    around: Callable[["House"], AbstractContextManager[object]] = lambda _: nullcontext()
    has_agreed: bool = True
    """Whether everybody has agreed to every network, and nobody is asked."""


PLAIN = Setting()


class House:
    """The service and those around it. Use `standing`."""

    def __init__(self, folder: Path, setting: Setting = PLAIN, databases: Databases | None = None) -> None:
        """`databases`: SQLite, unless another is given."""
        self.now = 0
        self.databases = databases or Sqlite()
        self.setting, self.config = setting, setting.configured(folder)
        self.boundaries = Boundaries()
        self.synapse = FakeSynapse(Clock.now_ms)
        self.synapse.hazard = self.boundaries.outside
        self.boundaries.on_homeserver = self.synapse.forget
        self.post_office = PostOffice(lambda: self.now)
        self.post_office.hazard = self.boundaries.outside
        self.graph = FakeGraph(lambda: Clock.now(UTC))
        self.synapse.register(*PEOPLE)
        self.clients = Clients(self)
        self.lives_in(folder)
        self.sealer = Sealer(self.config.secrets.masters)
        self._numbers = itertools.count(1)
        self.next_transaction: Callable[[], dict[str, Any]] = self.synapse.transaction
        """Makes what the service is told next."""
        self._processes = 0
        self._settles = False
        """Whether a restore calls for something at the homeserver that is not all done."""
        self._again: list[Any] | None = None
        """The events of the transaction that the service did not answer."""
        self._shown: dict[tuple[str, str], str | None] = {}
        self.opened = CASE
        """The case that was opened last."""
        self.played = 0
        """How often a scenario was."""
        self.refused = 0
        """Of how many messages the desk heard that they had not reached her, or perhaps not."""
        self.asked = 0
        """How often Bea had been asked to write."""
        self.given = 0
        """How many links were given to Alice."""
        self.noticed = 0
        """How many notices of posts the desk was found to have."""
        self.links = 0
        """How many links had been mailed."""
        self.lost = 0
        """How many of lost rooms."""
        self.came_back = 0
        """How many mails to Carl."""
        self.mailed = 0
        """How many mails Carl was found to have."""
        self.read = 0
        """How much stood at the desk before the last backup."""
        self.lost_database = ""
        """Where the one was that was lost last."""

    # --- the process

    def lives_in(self, folder: Path) -> None:
        """The next process finds its database and its vault there."""
        self.folder = folder
        self._url = self.databases.url(folder)
        if self.config.documents:
            documents = self.config.documents.model_copy(update={"folder": folder / "documents"})
            self.config = self.config.model_copy(update={"documents": documents})

    async def start(self) -> None:
        """A process, up to where it works off its queues; killed while it starts, it is started again."""
        while True:
            self._processes += 1
            self.boundaries.restarted()
            self.service = self._process()
            self.database.duty.begin()
            await self.database.open()
            await self.database.duty.taken.wait()
            self.boundaries.watching = True
            try:
                epoch = await self.service._count()
                self._settles = epoch.stage is not Stage.SETTLED
                await self.service.parts.rounds.go()
            except (Killed, DatabaseUnavailable):
                # Whatever starts processes starts another one.
                await self.database.close()
            else:
                return

    def _process(self) -> Service:
        self.database: WatchedDatabase

        def database(url: str, sealer: Sealer) -> WatchedDatabase:
            self.database = WatchedDatabase(self._url, sealer, self.boundaries)
            return self.database

        with patch.multiple(main, SqlDatabase=database, Homeserver=lambda *_: self.synapse):
            return main.wire(self.config)

    async def restart(self) -> None:
        """Killed: nothing is left but the database, the homeserver and the mail server as they are."""
        await self.database.close()
        await self.start()

    async def back_up(self, file: Path) -> None:
        """As `mediatrix backup` does while the service runs; its keys are beside it."""
        await take(self._url, self.sealer, file, _keys_of(file), Clock.now(UTC))

    async def lose_all_but(self, file: Path, name: str) -> None:
        """The process and its database are gone; as `mediatrix restore` does, that backup fills another, in a folder of
        that name. The service is still to `start`."""
        self.boundaries.watching = False
        await self.database.close()
        self.lost_database = self._url
        folder = file.with_name(name)
        self.databases.make(folder)
        self.lives_in(folder)
        await restore(self._url, self.sealer, file, _keys_of(file), Clock.now(UTC))

    async def stop(self) -> None:
        """The end."""
        await self.database.close()

    async def alive(self, act: Awaitable[T]) -> T | None:
        """Have the service do something; None if it failed, or was killed over it and another has taken its place."""
        try:
            return await act
        except Killed:
            await self.restart()
        except AssertionError:
            raise
        except Exception:
            # The service's own loops try again, too.
            logger.debug("the service stumbles", exc_info=True)
            if self.boundaries.is_dead:
                await self.restart()
        return None

    # --- what the service does

    async def drain(self) -> None:
        """All that is to be done is done, time and again, until only what waits for a person is left."""
        for _ in range(ROUNDS):
            await self.rest()
            left = [item for item in await self.unfinished() if str(State.UNKNOWN) not in item]
            if not left and not self._invited():
                return

    async def rest(self) -> None:
        """All that is to be done is done, before and after some time has passed."""
        await self.work_off()
        await self.everyone_joins()
        Clock.ahead += timedelta(minutes=2)
        await self.alive(self.service.parts.housekeeping.round())
        await self.work_off()

    async def work_off(self) -> None:
        """All that can be done at this time."""
        for _ in range(MOST_STEPS):
            if not await self._step():
                return
        raise AssertionError("the service never comes to rest")

    async def hear(self) -> None:
        """What the homeserver has to say is stored, and nothing is done about it."""
        while await self._deliver():
            pass

    async def decide(self) -> None:
        """What was heard is decided, and nothing of it sent."""
        await self.hear()
        self.service.parts.inbox.wakeup()
        while await self.alive(self.service.parts.inbox._next_lane(f"process {self._processes}")):
            self.service.parts.inbox.wakeup()

    async def _step(self) -> bool:
        """Whether there was anything to do."""
        process = self._processes
        if await self._deliver():
            return True
        for each in (self.service.parts.inbox, self.service.parts.outbox):
            each.wakeup()  # or it would wait until there is something
            if await self.alive(each._next_lane(f"process {process}")) or process != self._processes:
                return True
        # A process that was killed does nothing more.
        if await self.alive(self.service.parts.encryption.refresh_devices()) or process != self._processes:
            return True
        if self._settles:
            if not await self.alive(self._settle()):
                Clock.ahead += timedelta(seconds=5)  # as the service waits, before it tries again
            return True
        await self.alive(self.service.parts.encryption.flush_all())
        return process != self._processes

    async def _settle(self) -> bool:
        await self.service.parts.settling.settle()
        self._settles = False
        return True

    async def _deliver(self) -> bool:
        """The homeserver's next transaction; one that was not answered comes again, with nothing but its events."""
        body = {"events": self._again} if self._again else self.next_transaction()
        if not any(body.values()):
            return False
        self._again = body["events"]
        await self.alive(self._accept(body))
        return True

    async def _accept(self, body: dict[str, Any]) -> None:
        await self.service.parts.arrivals.accept(parse("1", body))
        self._again = None

    # --- what people do

    @asynccontextmanager
    async def calm(self) -> AsyncIterator[None]:
        """People act: nothing is cut."""
        before, self.boundaries.watching = self.boundaries.watching, False
        try:
            yield
        finally:
            self.boundaries.watching = before

    async def everyone_joins(self) -> None:
        """All invitations are accepted."""
        async with self.calm():
            for user, room in self._invited():
                await self.synapse.rooms.join(room.id, as_user=user)

    def _invited(self) -> list[tuple[UserId, Room]]:
        rooms = self.synapse.all_rooms.values()
        return [(user, room) for room in rooms for user in PEOPLE if room.membership(user) == "invite"]

    async def begin(self) -> None:
        """The service runs, and everybody has a device."""
        await self.start()
        async with self.calm():
            for user in PEOPLE:
                await self.clients.log_in(user, signed=True)

    async def open_case(self) -> None:
        """Through the API: everybody will be invited."""
        body = {"file": CaseFile.model_validate(FILE).model_dump(mode="json")}
        item = ItemId(f"api{next(self._numbers)}")
        stored = Item(item, Lane("api"), COMMAND, None, json.dumps(body).encode(), datetime.now(UTC))
        async with self.calm(), self.database.begin() as work:
            await work.inbox.put(stored)

    async def enrol(self, address: str, case: CaseId = CASE) -> None:
        """Somebody confirms on the page that a mailbox is theirs, and agrees to words."""
        async with self.calm():
            await confirms(self.database, case, address)

    async def post(self, user: UserId, room: Room, text: str, **more: Any) -> None:
        """Somebody writes in a room; `more` stands in the content besides."""
        async with self.calm():
            client = self.device(user).client
            await client.receive(self.clients.people[user].user_id)
            event = await client.write(self.clients.people[user].user_id, room.id, room.joined, text, **more)
            txn = f"t{next(self._numbers)}"
            await self.synapse.rooms.send(room.id, "m.room.encrypted", event.content, txn, as_user=user)

    async def vote(self, user: UserId, room: Room) -> None:
        """Somebody says yes in the last poll of a room."""
        for event in reversed(room.timeline):
            async with self.calm():
                content = (
                    await self.clients.content(self.device(user), event) if event.type == "m.room.encrypted" else None
                )
            if content and START in content:
                chosen = {"answers": [content[START]["answers"][0]["id"]]}
                relation = {"rel_type": "m.reference", "event_id": event.event_id}
                await self.post(user, room, "", kind=RESPONSE, **{RESPONSE: chosen, "m.relates_to": relation})
                return
        raise AssertionError("there is no poll")

    async def mail(self, letter: Delivered, text: str, **files: bytes) -> None:
        """Somebody answers a letter, with PDFs of these names."""
        await self.hand_in(letter, answer_to(letter, text, files))

    async def hand_in(self, letter: Delivered, raw: bytes) -> None:
        """The mail server has this for where that letter is answered, and tries until it was taken."""
        token = parse_recipient(letter.reply_address, REPLY_DOMAIN)
        assert token is not None
        hashed = token_hash(token)
        identity, same = mail_identity(hashed, raw)
        received = ReceivedMail(token, hashed, letter.to, raw, identity, same, 1)
        trust = Trust(AUTHSERV_ID, REPLY_DOMAIN)
        while await self.alive(MailInbox(self.database, trust).accept(received)) is not InboxVerdict.STORED:
            pass

    async def rotate(self) -> None:
        """Everybody's next words want a new key, which has to be shared first."""
        async with self.calm():
            for device in self.clients.devices:
                async with device.client.database.begin() as tx:
                    for room in self.synapse.all_rooms.values():
                        machine = device.client.machine(self.clients.people[device.user].user_id)
                        await machine.retire_session(tx, room.id, now_ms=1)
            async with self.database.begin() as work:
                for user, _ in await work.crypto.identities():
                    for room in self.synapse.all_rooms.values():
                        await OlmMachine(user, self.sealer).retire_session(work.crypto, room.id, now_ms=1)

    # --- what can be seen

    async def room(self, conversation: Conversation = JOINT, case: CaseId = CASE) -> Room:
        """The room of a conversation."""
        async with self.calm(), self.database.begin() as work:
            record = await work.rooms.get(case, room_key(conversation))
        assert record is not None
        assert record.room_id is not None
        return self.synapse.all_rooms[record.room_id]

    async def caucus_of(self, name: str) -> Conversation:
        """The private room of somebody's side."""
        async with self.calm(), self.database.begin() as work:
            case = await work.cases.load(CASE)
        person = case.named(name) if case else None
        assert case is not None
        assert person is not None
        return next(c for c in conversations(case) if c.kind is Kind.CAUCUS and person.id in readers(case, c))

    def letter(self, address: str, room_label: str) -> Delivered:
        """The last mail that somebody got of a room."""
        return [mail for mail in self.post_office.mailbox(address) if room_label in mail.subject][-1]

    def device(self, user: UserId) -> Device:
        """The first one of somebody."""
        return next(device for device in self.clients.devices if device.user == user)

    async def reads(self, user: UserId, room: Room) -> list[str]:
        """What somebody's device shows of a room, in order; each event that it can't decrypt is a complaint."""
        texts = []
        for event in room.timeline:
            if event.type == "m.room.encrypted" and user in event.seen_by and event.sender != user:
                key = (user, event.event_id)
                if self._shown.get(key) is None:
                    async with self.calm():
                        self._shown[key] = await self.clients.reads(self.device(user), event)
                shown = self._shown[key]
                texts.append(f"UNDECRYPTABLE {event.sender}" if shown is None else shown)
        return texts

    async def items(self, state: State) -> int:
        """How many items of the outbox are in a state."""
        async with self.calm(), self.database.begin() as work:
            return len(await work.outbox.in_state({state}))

    async def discard_unknown(self) -> None:
        """The mediator gives up what may have arrived."""
        async with self.calm(), self.database.begin() as work:
            for item in await work.outbox.in_state({State.UNKNOWN}):
                await work.outbox.stop(item.id, State.CANCELLED, "discarded")

    async def unfinished(self) -> list[str]:
        """Items that ought to be done by now, or ended otherwise than they should."""
        async with self.calm(), self.database.begin() as work:
            states: Collection[State] = set(State) - {State.DONE, State.CANCELLED}
            found = [*await work.inbox.in_state(states), *await work.outbox.in_state(states)]
        return [f"{item.kind} {item.state}: {item.note}" for item in found if item.kind != TIME]


def _keys_of(file: Path) -> Path:
    return file.with_suffix(".keys")


def answer_to(letter: Delivered, text: str, files: Mapping[str, bytes]) -> bytes:
    """As the mail server that is trusted hands it on."""
    message = EmailMessage(policy=SMTP)
    message["From"], message["To"], message["Subject"] = letter.to, letter.reply_address, f"Re: {letter.subject}"
    message["Message-ID"] = f"<{text.replace(' ', '')}@example.net>"
    message.set_content(text, cte="quoted-printable")
    for name, data in files.items():
        message.add_attachment(data, maintype="application", subtype="pdf", filename=f"{name}.pdf")
    domain = letter.to.partition("@")[2]
    vouched = f"Authentication-Results: {AUTHSERV_ID}; dkim=pass header.d={domain}; dmarc=pass header.from={domain}\r\n"
    return vouched.encode() + message.as_bytes()


@asynccontextmanager
async def standing(folder: Path, setting: Setting = PLAIN) -> AsyncIterator[House]:
    """A house with a case in session, whose joint room is open."""
    async with empty(folder, setting) as house:
        await in_session(house)
        yield house


async def in_session(house: House) -> None:
    """A case is opened, and its joint room; Carl confirms that his mailbox is his."""
    await house.open_case()
    await house.drain()
    await house.enrol(CARL)
    await house.drain()
    await house.post(MIA, await house.room(DESK), "!mode open")
    await house.drain()


@asynccontextmanager
async def empty(folder: Path, setting: Setting = PLAIN) -> AsyncIterator[House]:
    """A house without a case."""
    house = House(folder, setting)
    with surroundings(house):
        await house.begin()
        try:
            yield house
        finally:
            await house.stop()


@contextmanager
def surroundings(house: House) -> Iterator[None]:
    """What it sends is taken by its mail server, and it lives by a clock that can be moved; and what is its own."""
    post = house.post_office
    sent, plainly = patch.object(courier, "send", post.send), patch.object(plain, "send", post.send)
    agreed = everybody_agreed() if house.setting.has_agreed else nullcontext()
    with sent, plainly, patch.object(sweeping, "REST", 0), agreed, time_of_ours(), house.setting.around(house):
        yield
