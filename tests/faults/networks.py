"""What goes on over WhatsApp and on the page behind a link, both ways, while something is cut off."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from unittest.mock import patch

from pydantic import SecretStr

from appservice.portal.page import ServicePortal
from appservice.portal.store import Whose
from appservice.setup.channels import WhatsApp, WhatsAppTemplate
from appservice.setup.config import Config
from appservice.whatsapp import house as whatsapp_house
from appservice.whatsapp.webhooks import WebhookInbox
from bridges.portal.ids import new_token
from bridges.portal.views import Closed
from bridges.whatsapp.api import SendResult
from policies.case import DESK, JOINT
from rooms.queue import State
from tests.bridges.whatsapp.builders import BEA, BEA_PHONE, JOINT_NUMBER, PRIVATE, Json, contact, message, webhook
from tests.fakes.graph import FakeCloud, FakeGraph, Phone
from tests.faults.boundaries import Boundaries
from tests.faults.clock import Clock
from tests.faults.house import CASE, PEOPLE, House, Setting, in_session
from tests.faults.scenarios import Broken, Scenario, everyone_reads
from tests.faults.test_documents import VAULT
from tests.invariants.world import ALICE, CARL, MIA, configuration

_numbers = count()


class Cloud(FakeCloud):
    """The process may be killed before and after each message."""

    def __init__(self, graph: FakeGraph, boundaries: Boundaries) -> None:
        super().__init__(graph)
        self._boundaries = boundaries

    async def send(self, number: str, message: Json) -> SendResult:
        await self._boundaries.outside("whatsapp")
        result = await super().send(number, message)
        await self._boundaries.outside("whatsapp")
        return result


def with_numbers(_: Path) -> Config:
    """With two numbers of ours."""
    secret = SecretStr("a secret of the tests")
    section = WhatsApp.model_construct(
        private_number=PRIVATE,
        joint_number=JOINT_NUMBER,
        template=WhatsAppTemplate(name="new_message"),
        app_secret=secret,
        verify_token=secret,
        access_token=secret,
    )
    return configuration().model_copy(update={"whatsapp": section})


@contextmanager
def beside_whatsapp(house: House) -> Iterator[None]:
    """Meta's side is the sandbox's."""
    with patch.object(whatsapp_house, "_cloud", lambda _: Cloud(house.graph, house.boundaries)):
        yield


ON_WHATSAPP = Setting(with_numbers, beside_whatsapp)


async def bea_takes_part(house: House) -> None:
    """And has written once, so that she can be written to."""
    house.graph.phone(BEA_PHONE, BEA)
    await in_session(house)
    for command in (f"!party add Bea {BEA_PHONE} on Jones", "!consent Bea: agreed by telephone"):
        await house.post(MIA, await house.room(DESK), command)
        await house.drain()
    await bea_writes(house, "hello", PRIVATE)
    await house.drain()


def telephone(house: House) -> Phone:
    """Bea's."""
    return house.graph.phones[BEA]


async def bea_writes(house: House, text: str, number: str) -> None:
    """Meta calls until it is answered that her message is stored."""

    async def opened() -> None:
        """This database counts."""

    house.graph.write(telephone(house), number)
    said = message(inner={"body": text}, wamid=f"wamid.{next(_numbers)}")
    body = json.dumps(webhook(said, contacts=[contact(key=telephone(house).key)], number=number)).encode()

    async def accept() -> bool:
        await WebhookInbox(house.database, opened).accept(body)
        return True

    while not await house.alive(accept()):
        pass


async def bea_and_alice_write(house: House, word: str) -> None:
    for text in (f"{word} first", f"{word} second"):
        await bea_writes(house, text, JOINT_NUMBER)
    await house.work_off()
    for text in (f"{word} third", f"{word} fourth"):
        await house.post(ALICE, await house.room(), text)
    await house.work_off()


async def each_reads_the_other_once(house: House, word: str) -> None:
    """Each in order; what was under way when the process died, a mediator sees."""
    hers, alices = (
        [f"{word} {number}" for number in numbers] for numbers in (("first", "second"), ("third", "fourth"))
    )
    for user in PEOPLE:
        shown = [text for text in await house.reads(user, await house.room()) if text.startswith(f"{word} ")]
        # Alice may have written before what Bea said could be posted.
        found = [[text for text in shown if text in words] for words in (hers, alices)]
        if found != [hers, [] if user == ALICE else alices]:
            raise Broken(f"{user} reads {shown}")
    arrived = "\n".join(telephone(house).texts)
    mailed = "\n".join(mail.text for mail in house.post_office.mailbox(CARL))
    left = [in_order(arrived, alices), in_order(mailed, alices), in_order(mailed, hers)]
    unknown = await house.items(State.UNKNOWN)
    if sum(map(len, left)) + unknown < len([*alices, *alices, *hers]) or unknown > 1:
        raise Broken(f"lost, or unknown without need: {left}, {unknown} unknown")


def in_order(text: str, words: list[str]) -> list[str]:
    """Which of these stand in a text; they must be in their order, and each once."""
    found = re.findall("|".join(words), text)
    if found != [word for word in words if word in found]:
        raise Broken(f"left as {found}")
    return found


# --- the page


async def carl_writes_on_the_page(house: House, word: str) -> None:
    """He presses again until it is said that it was taken."""
    token, at = new_token(), Clock.now(UTC) + timedelta(days=9)
    async with house.calm(), house.database.begin() as work:
        case = await work.cases.load(CASE)
        carl = case.named("Carl") if case else None
        assert carl
        await work.shelf.begin_session(token, Whose(CASE, carl.id), datetime.fromtimestamp(at.timestamp(), UTC))
    for text in (f"{word} first", f"{word} second"):
        said = {"room": JOINT.id, "text": text}
        while not await house.alive(_page(house).act(token, text.replace(" ", ""), "say", said)):
            pass
    await house.work_off()


def _page(house: House) -> ServicePortal:
    return ServicePortal(house.database, house.service.parts.codec)


# --- a link to the page


async def alice_asks_for_a_link(house: House, _: str) -> None:
    await house.post(ALICE, await house.room(await house.caucus_of("Alice")), "!page")
    await house.work_off()


async def she_has_one_that_opens(house: House, _: str) -> None:
    asked = await _links(house)
    house.given, before = len(asked), house.given
    if len(asked) != before + 1:
        raise Broken(f"{len(asked) - before} links were given")
    async with house.calm(), house.database.begin() as work:
        case = await work.cases.load(CASE)
        alice = case.named("Alice") if case else None
        assert alice
        pin = await work.shelf.new_pin(CASE, alice.id)
    async with house.calm():
        opened = await _page(house).open(asked[-1], pin)
    if isinstance(opened, Closed):
        raise Broken(f"it does not open: {opened}")


async def _links(house: House) -> list[str]:
    room = await house.room(await house.caucus_of("Alice"))
    return [found for text in await house.reads(ALICE, room) for found in re.findall(r"/p/(\S+)", text)]


WHATSAPP = Scenario(
    "WhatsApp, both ways",
    bea_and_alice_write,
    each_reads_the_other_once,
    ON_WHATSAPP,
    bea_takes_part,
)
PAGE = Scenario("words on the page become a post", carl_writes_on_the_page, everyone_reads)
LINK = Scenario("somebody asks for a link to the page", alice_asks_for_a_link, she_has_one_that_opens, VAULT)
