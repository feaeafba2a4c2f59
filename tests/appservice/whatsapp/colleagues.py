"""A mediators' room beside a case with Bea and a triage desk; and Nora, a mediator who is only on WhatsApp."""

import re
from dataclasses import replace
from typing import Any

from appservice.sending import OutboxWork
from appservice.worker import Fate
from appservice.worker import _store as store
from policies.case import DESK, Case, Conversation, Network, Person, PersonId
from policies.effects import Tell
from policies.message import Message, MessageId, SignedDevice, Text
from policies.names import MEDIATORS
from rooms.deliver import Deliverer
from rooms.handle import Handler
from rooms.homeserver import Trouble
from rooms.ids import EventId, UserId
from rooms.manning import man_mediators_room
from rooms.outgoing import Outgoing
from rooms.queue import ItemId, State
from tests.appservice.whatsapp.house import CODEC, HOUSE, NOBODY
from tests.appservice.whatsapp.triage import Triage
from tests.bridges.whatsapp.builders import PRIVATE, Json, contact, message, webhook
from tests.fakes.graph import Phone
from tests.policies.builders import named

NORA, NORA_PHONE = "DE.n0r4", "+491601234567"
THERE = {UserId("@mia:example.org"): "Mia", UserId("@max:example.org"): "Max"}
MIA, MAX = PersonId("p1"), PersonId("p2")
_CODE = re.compile(r"yes ([0-9A-Z]{4})")


class MediatorsHouse(Triage):
    """The same with a mediators' room."""

    def __init__(self, **how: Any) -> None:
        super().__init__(**how)
        self.house = replace(self.house, mediators_room=THERE, reply_domain="reply.example.org")

    async def open_room(self) -> None:
        """As the rounds after a start do."""
        async with self.database.begin() as work:
            await man_mediators_room(work, CODEC, self.house, ItemId(f"mediators/{self.said}"), self.now)

    async def says_among_mediators(
        self, text: str, where: Conversation = DESK, *, by: PersonId = MIA, reply_to: MessageId | None = None
    ) -> str:
        """A mediator in Matrix writes at the desk of the room, or in the room; what the desk is told."""
        self.said += 1
        item = ItemId(f"r{self.said}")
        said = Message(MessageId(item), by, where, Text(text), SignedDevice(), self.now, native=True, reply_to=reply_to)
        async with self.database.begin() as work:
            handler = Handler(work, CODEC, self.house, item, self.now)
            decision = await handler.message(MEDIATORS, said, EventId(f"${item}"), None)
        return "\n".join(e.text for e in decision.effects if isinstance(e, Tell))

    async def says_at_case(self, text: str, where: Conversation = DESK) -> str:
        """Mia says something in Bea's case; what the desk is told."""
        self.said += 1
        item, mia = ItemId(f"c{self.said}"), named(self.case, "Mia").id
        said = Message(MessageId(item), mia, where, Text(text), SignedDevice(), self.now, native=True)
        async with self.database.begin() as work:
            handler = Handler(work, CODEC, self.house, item, self.now)
            decision = await handler.message(self.case.id, said, EventId(f"${item}"), None)
        return "\n".join(e.text for e in decision.effects if isinstance(e, Tell))

    async def invites(self, command: str = f"!colleague add Nora {NORA_PHONE}") -> str:
        """Mia invites somebody; the code that she is shown."""
        answer = await self.says_among_mediators(command)
        found = _CODE.search(answer)
        assert found, answer
        return found[1]

    async def nora_writes(
        self, text: str, number: str = PRIVATE, *, of: tuple[str, str] = (NORA, NORA_PHONE), **fields: Any
    ) -> list[Fate]:
        """She writes from her telephone."""
        return await self.writes(text, number, of=of, **fields)

    async def nora_comes(self) -> None:
        """She is invited, and says the code."""
        await self.nora_writes(f"yes {await self.invites()}")

    def hook(self, whose: tuple[str, str], number: str, wamid: str, **said: Any) -> Json:
        """A webhook of somebody's message."""
        user, phone = whose
        fields: Json = {"from": phone[1:], "from_user_id": user}
        return webhook(message(wamid=wamid, **(fields | said)), contacts=[contact(user, phone)], number=number)

    async def deliver_to_colleagues(self) -> None:
        """What is ready for their telephones goes out, as the outbox's worker has it."""
        deliverer = Deliverer(self.database, NOBODY, NOBODY, {Network.WHATSAPP: self.courier})
        work = OutboxWork(self.database, deliverer, CODEC, HOUSE)
        for item in list(self.database.committed.outbox.items.values()):
            if item.state is State.READY and item.lane.startswith(f"person:{MEDIATORS}:"):
                try:
                    fate = await work.one(item)
                except Trouble:
                    continue
                async with self.database.begin() as unit:
                    await store(unit, unit.outbox, item, fate)

    @property
    def room(self) -> Case:
        return self.database.committed.cases[MEDIATORS]

    @property
    def nora(self) -> Person:
        return named(self.room, "Nora")

    def of_room(self, *, room: bool = True) -> list[Outgoing]:
        """What is to be sent for the mediators' room, or for everything else."""
        items = self.database.committed.outbox.items.values()
        return [CODEC.load(i.body) for i in items if i.body and (i.case == MEDIATORS) is room]

    def noras_telephone(self) -> Phone:
        return self.telephone(NORA_PHONE, NORA)


async def mediators_house(**how: Any) -> MediatorsHouse:
    there = MediatorsHouse(**how)
    await there.begin()
    await there.open_room()
    return there
