"""What the API and the CLI are answered: what the desk is shown, and never anybody's words."""

from datetime import UTC, datetime

from appservice.codec import JsonCodec
from policies.case import CaseId
from policies.commands.hold import ShowHeld
from policies.commands.waiting import ShowDead
from rooms.handle import Handler
from rooms.house import House
from rooms.ids import UserId
from rooms.queue import Item, ItemId, Lane, State
from tests.fakes.memory import MemoryDatabase
from tests.policies.builders import both_sides

NOW = datetime(2026, 11, 22, tzinfo=UTC)
HOUSE = House("example.org", "_mediatrix_", "reply.example.org", {UserId("@mia:example.org"): "Mia"})


async def test_what_could_not_be_delivered_is_listed_and_held_words_are_not() -> None:
    database, case = MemoryDatabase(), both_sides()
    lost = ItemId("lost")
    async with database.begin() as work:
        await work.cases.save(case)
        await work.outbox.put(Item(lost, Lane("person:1:p3"), "people", CaseId(case.id), b"body", NOW))
        await work.outbox.stop(lost, State.DEAD, "a mail to Carl: no such mailbox")
        handler = Handler(work, JsonCodec(), HOUSE, ItemId("a"), NOW)
        listed = await handler.command(case.id, ShowDead(), NOW)
        again = await Handler(work, JsonCodec(), HOUSE, ItemId("b"), NOW).command(case.id, ShowDead("retry", "1"), NOW)
        held = await Handler(work, JsonCodec(), HOUSE, ItemId("c"), NOW).command(case.id, ShowHeld("1"), NOW)
        revived = await work.outbox.get(lost)
    assert "1. a mail to Carl: no such mailbox" in listed.text
    assert "Trying number 1 again" in again.text
    assert revived is not None
    assert revived.state is State.READY
    assert held.text == "The desk shows it."
