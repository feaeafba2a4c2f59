"""The use cases over a database in memory, a homeserver in memory, and recorders in place of encryption and mail."""

from dataclasses import dataclass, field
from datetime import UTC, datetime

from appservice.building import Builder, Namespace
from appservice.codec import JsonCodec
from appservice.crypto.outbound import Rotation
from policies.case import Case, CaseId, Conversation, Network
from policies.plan import room_key
from rooms.apply import Applier
from rooms.carriers import Courier, Poster, Posting
from rooms.deliver import Deliverer
from rooms.handle import Handler
from rooms.homeserver import Trouble
from rooms.house import House
from rooms.ids import EventId, RoomId, UserId
from rooms.letters import Letter
from rooms.lobby import Lobby
from rooms.outcome import Outcome, Sent
from rooms.outgoing import MATRIX, Outgoing
from rooms.ports import Work
from rooms.provision import Report, reconcile
from rooms.queue import Item, ItemId, Lane, State
from rooms.reports import Reports
from tests.fakes.memory import MemoryDatabase, MemoryWork
from tests.fakes.synapse import FakeSynapse, Room
from tests.policies.builders import both_sides

AT = datetime(2026, 1, 5, 10, 0, tzinfo=UTC)
BOT = UserId("@_mediatrix_bot:example.org")
MIA, ALICE = UserId("@mia:example.org"), UserId("@alice:example.org")
STRANGER = UserId("@mallory:example.org")
PREFIX = "_mediatrix_"
CODEC = JsonCodec()
HOUSE = House("example.org", PREFIX, "reply.example.org", {MIA: "Mia"})


@dataclass
class RecordingPoster(Poster):
    """Posts nothing, and remembers what it was to post."""

    posted: list[Posting] = field(default_factory=list)
    trouble: Trouble | None = None

    async def post(self, item: Item, posting: Posting) -> EventId:
        if self.trouble:
            raise self.trouble
        self.posted.append(posting)
        return EventId(f"${len(self.posted)}")


@dataclass
class RecordingCourier(Courier):
    """Carries nothing, and remembers what it was to carry."""

    carried: list[Letter] = field(default_factory=list)

    async def carry(self, item: Item, letter: Letter) -> Outcome:
        self.carried.append(letter)
        return Sent("queued")


@dataclass
class Repair:
    """What was done to rooms, and what was told of it."""

    done: tuple[str, ...] = ()
    tell: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()
    remade: tuple[Conversation, ...] = ()

    async def hear(self, work: Work, report: Report, once: str) -> None:
        """Remember it."""
        self.tell += report.tell
        self.failed += report.failed
        self.remade += report.remade


class Site:
    """One case, and everything around it."""

    def __init__(self, case: Case | None = None) -> None:
        """`case` is stored by `begin`; no room of it stands yet."""
        self.case = case or both_sides()
        self.database = MemoryDatabase()
        self.synapse = FakeSynapse()
        self.synapse.register(BOT, MIA, ALICE, STRANGER)
        ours = Namespace(PREFIX, "example.org")
        self.builder = Builder(
            self.database,
            self.synapse,  # type: ignore[arg-type]
            BOT,
            ours,
            rotation=Rotation(),
            make_ghost=self._make_ghost,
        )
        self.poster, self.courier = RecordingPoster(), RecordingCourier()
        couriers: dict[Network, Courier] = dict.fromkeys(Network, self.courier)
        self.deliverer = Deliverer(self.database, self.builder, self.poster, couriers, reports=Reports(CODEC, HOUSE))

    async def _make_ghost(self, ghost: UserId, name: str) -> None:
        self.synapse.register(ghost)
        await self.synapse.accounts.set_display_name(ghost, name)

    async def change(self, case: Case) -> None:
        """The case is another from now on."""
        self.case = case
        async with self.database.begin() as work:
            await work.cases.save(case)

    async def begin(self, *, joined: bool = True) -> "Site":
        """Store the case, make its rooms, and let everybody in."""
        await self.change(self.case)
        await self.reconcile()
        if joined:
            await self.everyone_joins()
        return self

    async def reconcile(self, *, again: bool = False) -> "Repair":
        """Bring the rooms in order, as they are seen now."""
        await self.changed(*self.synapse.all_rooms)
        repair = Repair()
        repair.done = await reconcile(self.database, self.builder, self.case.id, repair.hear, again=again)
        return repair

    async def everyone_joins(self) -> None:
        """All invitations are accepted."""
        for room in self.synapse.all_rooms.values():
            for kind, user in list(room.state):
                if kind == "m.room.member" and room.membership(UserId(user)) == "invite":
                    await self.synapse.rooms.join(room.id, as_user=UserId(user))
            await self.changed(room.id)

    async def changed(self, *rooms: RoomId) -> None:
        """The homeserver told of a change of these rooms."""
        async with self.database.begin() as work:
            await work.rooms.note_change(rooms)

    def room(self, conversation: Conversation | str) -> Room:
        """The Matrix room of a conversation, or of a Space."""
        key = conversation if isinstance(conversation, str) else room_key(conversation)
        record = self.database.committed.rooms[self.case.id, key]  # type: ignore[index]
        assert record.room_id
        return self.synapse.all_rooms[record.room_id]

    def ghost(self, name: str) -> UserId:
        """Who stands for somebody on mail."""
        person = self.case.named(name)
        assert person
        assert person.endpoint.network is Network.EMAIL
        return self.database.committed.ghosts[self.case.id, person.id]

    async def deliver(self, outgoing: Outgoing) -> tuple[Outcome, Report]:
        """Send something, as it would come from the outbox."""
        return await self.deliverer.deliver(item_of(outgoing, self.case.id), outgoing)

    def outbox(self) -> list[Outgoing]:
        """Everything that was ever put into the outbox, but for what is done."""
        items = self.database.committed.outbox.items.values()
        return [CODEC.load(item.body) for item in items if item.state is not State.DONE]


def item_of(outgoing: Outgoing, case: CaseId | None, identity: str = "i1", kind: str = MATRIX) -> Item:
    """An outbox item."""
    return Item(ItemId(identity), Lane("lane"), kind, case, CODEC.dump(outgoing), AT)


def applier(work: MemoryWork, item: str = "item") -> Applier:
    """Applies decisions about an inbox item."""
    return Applier(work, CODEC, ItemId(item), AT)


def handler(work: MemoryWork, item: str = "item", at: datetime = AT) -> Handler:
    """Handles an inbox item."""
    return Handler(work, CODEC, HOUSE, ItemId(item), at)


def chat(work: MemoryWork, item: str = "item", at: datetime = AT) -> Lobby:
    """Handles an inbox item of a direct chat."""
    return Lobby(work, CODEC, HOUSE, ItemId(item), at)
