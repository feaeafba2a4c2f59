"""The bot in its direct chats: who gets one, and what is answered there."""

import pytest

from policies.effects import Reconcile, Tell
from policies.message import SignedDevice, Text, Unproven
from rooms.ids import RoomId, UserId
from rooms.lobby import IN_CLEAR
from rooms.outgoing import Decline, Enter, Outgoing, Say
from rooms.queue import State
from tests.fakes.memory import MemoryDatabase
from tests.policies.builders import both_sides, named
from tests.rooms.builders import ALICE, AT, BOT, CODEC, MIA, STRANGER, Site, chat

CHAT = RoomId("!chat")
GHOST = UserId("@_mediatrix_abc:example.org")
SIGNED = SignedDevice()


def outbox(database: MemoryDatabase) -> list[Outgoing]:
    return [CODEC.load(item.body) for item in database.committed.outbox.items.values() if item.state is State.READY]


async def test_a_mediator_opens_a_case_and_is_its_mediator() -> None:
    database = MemoryDatabase()
    async with database.begin() as work:
        await chat(work).message(CHAT, MIA, Text("!case new Smith and Jones"), SIGNED, AT)
    (case,) = database.committed.cases.values()
    assert (case.id, case.title) == ("1001", "Smith and Jones")
    assert case.is_staff(named(case, "Mia").id)
    said = outbox(database)
    assert [type(outgoing) for outgoing in said] == [Reconcile, Tell, Say]
    assert isinstance(said[2], Say)
    assert "Desk · 1001" in said[2].text


async def test_an_unproven_word_opens_nothing() -> None:
    database = MemoryDatabase()
    async with database.begin() as work:
        await chat(work).message(CHAT, MIA, Text("!case new X"), Unproven("it is not proven", "Verify it"), AT)
    assert not database.committed.cases
    (say,) = outbox(database)
    assert isinstance(say, Say)
    assert say.to_unsigned_devices


async def test_only_cases_of_which_one_is_mediator_are_listed() -> None:
    site = Site(both_sides())
    await site.change(site.case)
    async with site.database.begin() as work:
        await chat(work, "one").message(CHAT, MIA, Text("!case list"), SIGNED, AT)
        await chat(work, "other").message(CHAT, ALICE, Text("!case list"), SIGNED, AT)
    texts = {say.to: say.text for say in outbox(site.database) if isinstance(say, Say)}
    assert "Smith and Jones" in texts[MIA]
    assert "Smith" not in texts[ALICE].replace("!case new Smith and Jones", "")


async def test_a_word_in_clear_is_answered_in_clear_with_just_that() -> None:
    database = MemoryDatabase()
    async with database.begin() as work:
        await chat(work).in_clear(CHAT, MIA)
    says = [say for say in outbox(database) if isinstance(say, Say)]
    assert [say.text for say in says if say.in_clear] == [IN_CLEAR]


@pytest.mark.parametrize(
    ("ours", "by", "enters"), [(BOT, MIA, True), (BOT, STRANGER, False), (GHOST, MIA, False), (GHOST, STRANGER, False)]
)
async def test_only_a_mediators_invitation_of_the_bot_is_accepted(ours: UserId, by: UserId, enters: bool) -> None:
    database = MemoryDatabase()
    async with database.begin() as work:
        await chat(work).invited(CHAT, ours, by, BOT)
    assert outbox(database) == [Enter(CHAT, ours) if enters else Decline(CHAT, ours)]
    assert bool(database.committed.rooms) is enters
