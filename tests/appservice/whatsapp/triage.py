"""A triage desk beside a case with Bea, strangers with telephones, and mediators who answer them."""

from typing import Any

from appservice.sending import OutboxWork
from appservice.whatsapp.single import SingleMessages
from appservice.whatsapp.strangers import StrangersWhatsApp
from appservice.worker import Fate
from appservice.worker import _store as store
from bridges.whatsapp.pace import Pace
from policies.case import DESK, Case, Network, PersonId
from policies.effects import Tell, WriteToStranger
from policies.message import Message, MessageId, SignedDevice, Text
from policies.people.stranger import TRIAGE, Stranger
from rooms.deliver import Deliverer
from rooms.handle import Handler
from rooms.homeserver import Trouble
from rooms.ids import EventId
from rooms.queue import ItemId, State
from rooms.triage import StrangerWork
from tests.appservice.whatsapp.house import CODEC, NOBODY, WhatsAppHouse
from tests.bridges.whatsapp.builders import PRIVATE, contact, message, webhook
from tests.fakes.graph import FakeCloud, Phone

STRANGER, USER = "+4915112345678", "DE.9z9"
MIA = PersonId("p1")


class Triage(WhatsAppHouse):
    """The same with a triage desk, and strangers."""

    def __init__(self, **how: Any) -> None:
        super().__init__(triage=True, **how)
        self.said = 0
        self.strangers = self.new_process()

    def new_process(self) -> StrangersWhatsApp:
        """Who writes to strangers, as a new process has it."""
        pace = Pace(lambda: self.monotonic)
        self.strangers = StrangersWhatsApp(SingleMessages(self.database, FakeCloud(self.graph), pace), lambda: self.now)
        return self.strangers

    async def writes(
        self, text: str, number: str = PRIVATE, *, of: tuple[str, str] = (USER, STRANGER), **fields: Any
    ) -> list[Fate]:
        """Somebody writes who takes part in no case."""
        self.said += 1
        user, phone = of
        self.graph.write(self.telephone(phone, user), number)
        wamid = fields.pop("wamid", f"wamid.s{self.said}")
        said = message(inner={"body": text}, wamid=wamid, **{"from": phone[1:], "from_user_id": user} | fields)
        return await self.receive(webhook(said, contacts=[contact(user, phone)], number=number))

    async def says_at_triage(self, text: str, *, reply_to: MessageId | None = None, by: PersonId = MIA) -> None:
        """A mediator writes at the triage desk."""
        self.said += 1
        item = ItemId(f"m{self.said}")
        said = Message(MessageId(item), by, DESK, Text(text), SignedDevice(), self.now, native=True, reply_to=reply_to)
        async with self.database.begin() as work:
            handler = Handler(work, CODEC, self.house, item, self.now)
            await handler.message(TRIAGE, said, EventId(f"${item}"), None)

    async def deliver_to_strangers(self) -> None:
        """What is ready for them goes out, as the outbox's worker has it."""
        strangers = StrangerWork(self.database, {Network.WHATSAPP: self.strangers})
        deliverer = Deliverer(self.database, NOBODY, NOBODY, {}, strangers=strangers)
        work = OutboxWork(self.database, deliverer, CODEC, self.house)
        for item in list(self.database.committed.outbox.items.values()):
            if item.state is State.READY and item.lane.startswith("stranger:"):
                try:
                    fate = await work.one(item)
                except Trouble as trouble:
                    async with self.database.begin() as unit:
                        await unit.outbox.retry(item.id, self.now, trouble.why, self.now)
                    continue
                await work.after(item, fate)
                async with self.database.begin() as unit:
                    await store(unit, unit.outbox, item, fate)

    @property
    def desk(self) -> Case:
        return self.database.committed.cases[TRIAGE]

    def stranger(self, number: str = "S1") -> Stranger:
        found = self.desk.triage.get(number) if self.desk.triage else None
        assert found is not None
        return found

    def shown(self) -> list[str]:
        """What the triage desk was told, but for its first words."""
        items = [i for i in self.database.committed.outbox.items.values() if i.case == TRIAGE]
        told = [e.text for i in items if i.body and isinstance(e := CODEC.load(i.body), Tell)]
        return [text for text in told if not text.startswith("This is the triage desk")]

    def answers(self) -> list[tuple[str, str]]:
        """What was decided to be written to strangers."""
        return [(e.to, e.text) for e in self.effects() if isinstance(e, WriteToStranger)]

    def telephone(self, phone: str = STRANGER, user: str = USER) -> Phone:
        """Somebody's, the same each time."""
        return self.graph.phones.get(user) or self.graph.phone(phone, user)

    def received(self, phone: str = STRANGER, user: str = USER) -> list[str]:
        """What is on a stranger's telephone."""
        return self.telephone(phone, user).texts


async def house(**how: Any) -> Triage:
    there = Triage(**how)
    await there.begin()
    return there
