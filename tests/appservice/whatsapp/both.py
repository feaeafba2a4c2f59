"""Bea, who is moved from WhatsApp to mail and back: one case, her telephone and her mailbox, and what sends to them."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from unittest.mock import patch

from appservice.mail.courier import MailCourier, Sender
from appservice.portal.page import ServicePortal
from appservice.sending import OutboxWork
from appservice.worker import End
from appservice.worker import _store as store
from bridges.email.api import MailServer, Security
from policies.case import DESK, JOINT, Network, PersonId
from policies.effects import Post
from policies.message import Message, MessageId, SignedDevice, Text
from rooms.carriers import Courier
from rooms.deliver import Deliverer
from rooms.handle import Handler
from rooms.homeserver import Trouble
from rooms.lanes import person_lane
from rooms.queue import Item, ItemId, State
from tests.appservice.whatsapp.house import CODEC, HOUSE, NOBODY, WhatsAppHouse
from tests.bridges.whatsapp.builders import BEA_PHONE
from tests.fakes.post_office import PostOffice
from tests.faults.dying import handled
from tests.policies.builders import named

MAILBOX = "bea@example.net"
TO_MAIL, TO_TELEPHONE = f"!channel Bea {MAILBOX}", f"!channel Bea {BEA_PHONE}"
CONSENT = "!consent Bea: agreed by telephone"
_DOMAIN = "reply.example.org"


class Both(WhatsAppHouse):
    """The same house, where mail is set up as well."""

    def __init__(self) -> None:
        super().__init__(two_numbers=False)
        self.house = replace(self.house, reply_domain=_DOMAIN)
        self.post, self.written = PostOffice(), 0
        sender = Sender("Town Mediation", "+1 555 0100", _DOMAIN, "https://mediation.example.org")
        self.mailer = MailCourier(self.database, MailServer("127.0.0.1", 25, Security.NONE), sender)
        self.portal = ServicePortal(self.database, CODEC, lambda: self.now)

    @contextmanager
    def open(self) -> Iterator[None]:
        """Mail goes to the post office of the tests."""
        with patch("appservice.mail.courier.send", self.post.send):
            yield

    async def writes(self, words: str, author: str = "Alice", *, name: str | None = None) -> None:
        """Somebody in Matrix writes: in the joint room, or, a mediator's command, at the desk."""
        self.written += 1
        where = DESK if author == "Mia" else JOINT
        by = named(self.case, author).id
        said = Message(
            MessageId(name or f"m{self.written}"), by, where, Text(words), SignedDevice(), self.now, native=True
        )
        await handled(self.database, self.house, self.case.id, said)

    async def moves(self, command: str, *, name: str | None = None) -> None:
        """A mediator says so, and says yes."""
        await self.writes(command, "Mia", name=name and f"{name}/asked")
        asked = [ask.code for ask in self.case.asks if ask.where == DESK]
        if asked:
            await self.writes(f"yes {asked[-1]}", "Mia", name=name and f"{name}/yes")

    async def agrees(self, *, name: str | None = None) -> None:
        """To words over the channel that she has; and, of a mailbox, she shows that it is hers."""
        await self.writes(CONSENT, "Mia", name=name)
        if self.bea.endpoint.network is Network.EMAIL:
            async with self.database.begin() as work:
                handler = Handler(work, CODEC, self.house, ItemId(f"confirmed/{self.written}"), self.now)
                await handler.enrolled(self.case, self.bea, words=True)

    async def goes_out(self) -> None:
        """All that is ready for Bea, wherever she is, as the outbox's worker has it."""
        couriers: dict[Network, Courier] = {Network.WHATSAPP: self.courier, Network.EMAIL: self.mailer}
        deliverer = Deliverer(self.database, NOBODY, NOBODY, couriers, codec=CODEC, clock=lambda: self.now)
        work = OutboxWork(self.database, deliverer, CODEC, HOUSE)
        for item in self.for_bea():
            if item.state is State.READY:
                try:
                    fate = await work.one(item)
                except Trouble:
                    continue
                if isinstance(fate, End):
                    await work.after(item, fate)
                async with self.database.begin() as unit:
                    await store(unit, unit.outbox, item, fate)

    def for_bea(self) -> list[Item]:
        """What was put into the outbox for her."""
        lane = person_lane(self.case.id, self.bea.id)
        return [item for item in self.database.committed.outbox.items.values() if item.lane == lane]

    def arrived(self, words: str) -> Counter[str]:
        """How often words arrived, by where: on her telephone, or in her mailbox."""
        mails = sum(words in mail.text for mail in self.post.delivered)
        return Counter(telephone=sum(words in text for text in self.phone.texts), mailbox=mails)

    def lies_ready(self, words: str) -> bool:
        """Whether words lie on her page, to which a link went."""
        return any(words.encode() in laid.body for laid in self.database.committed.shelf.values())

    def as_hers(self) -> list[Post]:
        """What was posted as her words."""
        hers: PersonId = self.bea.id
        return [post for post in self.posts() if post.author == hers]
