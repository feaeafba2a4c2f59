"""A mediator who is in the mediators' room by mail: heard there alone, and written to from its own address."""

import pytest

from appservice.mail import courier
from appservice.worker import Finished
from bridges.email.ids import token_hash
from policies.case import Case
from policies.message import Text
from policies.names import MEDIATORS
from policies.people.colleagues import ROOM, new_room
from policies.people.manning import manned
from policies.plan import label
from policies.words.language import Language
from rooms.addresses import ReplyAddress
from rooms.letters import Letter
from rooms.outcome import Sent
from rooms.queue import Item, ItemId, Lane
from tests.appservice.mail.test_courier_and_reader import AT, Desk
from tests.bridges.email.builders import PASSED, TOKEN, mail
from tests.policies.builders import done, named

NORAS = "carl@example.net"


def case_with_nora() -> Case:
    case = manned(new_room(Language.ENGLISH, "UTC"), {"@mia:example.org": "Mia"})
    for command in (f"!colleague add Nora {NORAS}", "yes 4F2A", "!consent Nora: agreed by telephone"):
        case = done(case, command).case
    return case


CASE = case_with_nora()
NORA = named(CASE, "Nora")


@pytest.fixture
async def desk(monkeypatch: pytest.MonkeyPatch) -> Desk:
    desk = Desk()
    monkeypatch.setattr(courier, "send", desk.post_office.send)
    async with desk.database.begin() as work:
        await work.cases.save(CASE)
        address = ReplyAddress(MEDIATORS, NORA.id, NORA.endpoint.id, ROOM, TOKEN.value)
        await work.addresses.save(address, token_hash(TOKEN))
    return desk


async def test_what_she_answers_stands_in_the_room_as_hers(desk: Desk) -> None:
    assert await desk.reader.read(await desk.receive(mail("at nine", PASSED))) == Finished()
    (post,) = desk.posts()
    assert (post.conversation, post.author, post.content) == (ROOM, NORA.id, Text("at nine"))
    assert {item.case for item in desk.database.committed.outbox.items.values()} == {MEDIATORS}


async def test_what_nobody_vouches_for_is_held(desk: Desk) -> None:
    await desk.reader.read(await desk.receive(mail("at ten")))
    assert not desk.posts()
    assert desk.why_held()


async def test_she_is_written_to_from_the_rooms_address(desk: Desk) -> None:
    item = Item(ItemId("i1"), Lane("l"), "people", MEDIATORS, b"x", AT)
    async with desk.database.begin() as work:
        await work.outbox.put(item)
    letter = Letter(CASE, ROOM, label(ROOM, CASE), NORA.id, ("Mia",), "Mia", Text("shall we meet?"), None)
    assert isinstance(await desk.courier.carry(item, letter), Sent)
    (sent,) = desk.post_office.mailbox(NORAS)
    assert sent.subject == "The mediators' room"
    assert "| shall we meet?" in sent.text
