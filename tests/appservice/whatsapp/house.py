"""A case with Bea on WhatsApp, her telephone, the network between, and the service's own readers and courier."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from appservice.codec import JsonCodec
from appservice.documents.intake import FILED
from appservice.documents.reader import FilingReader
from appservice.sending import OutboxWork
from appservice.whatsapp.courier import Template, WhatsAppCourier
from appservice.whatsapp.door import DroppedReader, StrangersDoor
from appservice.whatsapp.enclosing import WhatsAppEnclosures
from appservice.whatsapp.numbers import Numbers
from appservice.whatsapp.reader import WebhookReader
from appservice.whatsapp.rendering import Voice
from appservice.whatsapp.statuses import StatusReader
from appservice.whatsapp.webhooks import WebhookInbox, WebhookWork
from appservice.worker import End, Fate
from appservice.worker import _store as store
from bridges.whatsapp.api import SendResult
from bridges.whatsapp.pace import Pace
from policies.case import DESK, Case, Conversation, Network, Person
from policies.effects import Inform, Pose, Post, Tell
from policies.message import Content, MessageId
from policies.outcome import Done as Carried
from policies.outcome import Facts
from policies.plan import label
from rooms.clock import TIME, scheduled
from rooms.deliver import Deliverer
from rooms.handle import Handler
from rooms.homeserver import Trouble
from rooms.house import House
from rooms.ids import UserId
from rooms.letters import Letter
from rooms.outcome import Outcome
from rooms.outgoing import Outgoing
from rooms.queue import Item, ItemId, Lane, State
from tests.bridges.whatsapp.builders import (
    BEA,
    BEA_PHONE,
    JOINT_NUMBER,
    PRIVATE,
    Json,
    contact,
    message,
    status,
    webhook,
)
from tests.fakes.graph import FakeCloud, FakeGraph, Phone
from tests.fakes.memory import MemoryDatabase
from tests.policies.builders import ALICE_JOINS, facts, named, new_case, say, unasked

CODEC = JsonCodec()
HOUSE = House(
    "example.org",
    "_mediatrix_",
    None,
    {},
    whatsapp=True,
    organisation="Town Mediation",
    telephone="+1 555 0100",
)
TRIAGE_HOUSE = {UserId("@mia:example.org"): "Mia", UserId("@max:example.org"): "Max"}
INTAKE_NUMBER = "333333333"
CARRIED = CODEC.dump(Tell(DESK, "a letter of the tests"))
Sayable = Content | Pose | Inform | None
TEMPLATE = Template("new_message", "en")
NOBODY: Any = None
"""Letters need no homeserver."""


def known(**more: object) -> Facts:
    """What is known where WhatsApp is set up."""
    return replace(facts(), whatsapp=True, **more)  # type: ignore[arg-type]


def done(case: Case, command: str) -> Case:
    """The case after a command that must be carried out."""
    outcome = say(case, command, known())
    assert isinstance(outcome, Carried), outcome
    return unasked(outcome.case)


def case_with_bea(*more: str) -> Case:
    """Alice in Matrix, Bea on WhatsApp with her consent on record, and a joint room in which all may speak."""
    case = new_case()
    bea = f"!party add Bea {BEA_PHONE} on Jones"
    for command in (ALICE_JOINS, bea, "!consent Bea: agreed by telephone", "!open", "!mode open", *more):
        case = done(case, command)
    return case


class WhatsAppHouse:
    """One case, one database, one network; time goes on when it is told to."""

    def __init__(
        self, *, two_numbers: bool = True, case: Case | None = None, triage: bool = False, documents: bool = False
    ) -> None:
        self.now = datetime(2026, 11, 22, 6, 0, tzinfo=UTC)
        self.database, self.graph = MemoryDatabase(), FakeGraph(lambda: self.now)
        self.phone: Phone = self.graph.phone(BEA_PHONE, BEA)
        self.numbers = Numbers(PRIVATE, JOINT_NUMBER if two_numbers else None, INTAKE_NUMBER)
        self.monotonic = 0.0
        door = StrangersDoor(lambda: self.monotonic)
        self.inbox = WebhookInbox(self.database, _opened, door=door, clock=lambda: self.now)
        self.house = replace(HOUSE, one_number=not two_numbers, documents=documents)
        if triage:
            self.house = replace(self.house, triage=TRIAGE_HOUSE)
        reader = WebhookReader(CODEC, self.house, self.numbers, lambda: self.now)
        self.reader = WebhookWork(reader, StatusReader(CODEC, self.house), DroppedReader(CODEC, self.house))
        self.first = case or case_with_bea()
        self.enclosures: WhatsAppEnclosures | None = None
        self.courier = self.restarted()
        self.sent = 0

    def restarted(self) -> WhatsAppCourier:
        """A courier as a new process has it."""
        self.courier = WhatsAppCourier(
            self.database,
            FakeCloud(self.graph),
            self.numbers,
            CODEC,
            self.house,
            template=TEMPLATE,
            voice=Voice("Town Mediation", "+1 555 0100", one_number=self.numbers.joint is None),
            pace=Pace(lambda: self.monotonic),
            enclosures=self.enclosures,
            clock=lambda: self.now,
        )
        return self.courier

    async def begin(self) -> "WhatsAppHouse":
        """The case is stored."""
        async with self.database.begin() as work:
            await work.cases.save(self.first)
        return self

    # --- in

    async def receive(self, payload: Json) -> list[Fate]:
        """A webhook comes, and all that is in the inbox is read."""
        await self.inbox.accept(json.dumps(payload).encode())
        return await self.read()

    async def read(self) -> list[Fate]:
        """Read what is in the inbox."""
        fates = []
        ready = [i for i in self.database.committed.inbox.items.values() if i.state is State.READY]
        for item in sorted(ready, key=lambda one: one.seq):
            async with self.database.begin() as work:
                reader = FilingReader(CODEC, self.house) if item.kind == FILED else self.reader
                fate = await reader.read(work, item)
                if isinstance(fate, End):
                    await work.inbox.stop(item.id, fate.state, fate.why)
            fates.append(fate)
        return fates

    async def says(self, text: str, number: str = PRIVATE, *, wamid: str | None = None, **fields: Any) -> list[Fate]:
        """Bea writes."""
        self.sent += 1
        wamid = wamid or f"wamid.in{self.sent}"
        self.graph.write(self.phone, number, wamid=wamid)
        contacts = [contact(self.phone.user, self.phone.number, self.phone.key)]
        said = message(inner={"body": text}, wamid=wamid, **(self._from() | fields))
        return await self.receive(webhook(said, contacts=contacts, number=number))

    def _from(self) -> Json:
        return {"from": self.phone.number[1:], "from_user_id": self.phone.user}

    # --- out

    async def carry(
        self,
        content: Sayable,
        where: Conversation,
        item: str = "i1",
        *,
        said: MessageId | None = None,
        answers: MessageId | None = None,
    ) -> Outcome | Trouble:
        """Carry a letter to Bea, as an item of the outbox."""
        async with self.database.begin() as work:
            await work.outbox.put(Item(ItemId(item), Lane("l"), "people", self.case.id, CARRIED, self.now))
        return await self.again(content, where, item, said=said, answers=answers)

    async def again(
        self,
        content: Sayable,
        where: Conversation,
        item: str = "i1",
        *,
        said: MessageId | None = None,
        answers: MessageId | None = None,
    ) -> Outcome | Trouble:
        """The same, another time."""
        stored = self.database.committed.outbox.items[ItemId(item)]
        letter = Letter(
            self.case, where, label(where, self.case), self.bea.id, ("Mia",), "Alice", content, said, answers
        )
        try:
            return await self.courier.carry(stored, letter)
        except Trouble as trouble:
            return trouble

    async def dies_sending(self, content: Sayable, where: Conversation) -> None:
        """The process is killed right after something of a letter has left; another one is there."""
        network = self.courier._network

        class Dying:
            async def send(self, number: str, sent: Json) -> SendResult:
                await network.send(number, sent)
                raise KeyboardInterrupt

        self.courier._network = Dying()
        with pytest.raises(KeyboardInterrupt):
            await self.carry(content, where)
        self.restarted()

    async def deliver(self) -> None:
        """All that is ready for Bea's telephone goes out, as the outbox's worker has it."""
        deliverer = Deliverer(self.database, NOBODY, NOBODY, {Network.WHATSAPP: self.courier})
        work = OutboxWork(self.database, deliverer, CODEC, HOUSE)
        for item in list(self.database.committed.outbox.items.values()):
            if item.state is State.READY and item.lane == f"person:{self.case.id}:{self.bea.id}":
                try:
                    fate = await work.one(item)
                except Trouble:  # Whatever is tried again: what is not has become a fate.
                    continue
                if isinstance(fate, End):
                    await work.after(item, fate)
                async with self.database.begin() as unit:
                    await store(unit, unit.outbox, item, fate)
                if not isinstance(fate, End):
                    await work.after(item, fate)

    async def reports(self, item: str, state: str, *codes: int, number: str = JOINT_NUMBER, part: object = 0) -> None:
        """The network says what became of a message of ours: of its latest attempt."""
        parts = {(sent.item, sent.part): sent.wamid for sent in self.database.committed.sent_parts.values()}
        which = item, str(part).partition(".")[0]
        wamid = next((w for (of, n), w in parts.items() if (of, str(n)) == which and w), f"wamid.of.{item}")
        await self.receive(webhook(statuses=(status(wamid, state, ours=f"{item}/{part}", codes=codes),), number=number))

    def later(self, **time: float) -> None:
        """Time goes on."""
        self.now += timedelta(**time)
        self.monotonic += timedelta(**time).total_seconds()

    async def alarms(self) -> None:
        """What is due by now happens."""
        for item in list(self.database.committed.inbox.items.values()):
            if item.kind == TIME and item.state is State.PARKED and item.due_at and item.due_at <= self.now:
                async with self.database.begin() as work:
                    handler = Handler(work, CODEC, self.house, item.id, self.now)
                    await handler.due(item.case or self.case.id, scheduled(item).key)
                    await work.inbox.done(item.id)

    # --- what is there

    @property
    def case(self) -> Case:
        """The case as it is now."""
        return self.database.committed.cases[self.first.id]

    @property
    def bea(self) -> Person:
        """Bea, as she is known now."""
        return named(self.case, "Bea")

    def effects(self) -> list[Outgoing]:
        """All that was put into the outbox by readers."""
        return [
            CODEC.load(i.body) for i in self.database.committed.outbox.items.values() if i.body not in {b"", CARRIED}
        ]

    def posts(self) -> list[Post]:
        """What was posted as somebody's words."""
        return [effect for effect in self.effects() if isinstance(effect, Post)]

    def told(self) -> list[str]:
        """What rooms were told."""
        return [effect.text for effect in self.effects() if isinstance(effect, Tell)]

    def why_held(self) -> list[str]:
        """Why what is held is."""
        return [held.why for held in self.database.committed.holds.values()]


async def _opened() -> None:
    """The service has started."""
