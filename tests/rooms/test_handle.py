"""Items are handled: commands from outside, arrivals, what nobody may change, what came before a restore."""

from dataclasses import replace
from datetime import timedelta

import pytest

from appservice.upkeep.epoch import Epoch, Stage
from policies.case import DESK, JOINT, CaseId, Network, Role
from policies.commands.opening import NewCase
from policies.commands.people import AddPerson
from policies.commands.session import OpenJoint
from policies.effects import Decision, Tell
from policies.message import Edit, Message, MessageId, SignedDevice, Text, Unproven
from policies.people.lobby import DESK_ONLY
from rooms.ids import EventId, RoomId
from rooms.outgoing import Outgoing, Say
from rooms.queue import State
from tests.fakes.memory import MemoryDatabase
from tests.policies.builders import caucus_of, message, named
from tests.rooms.builders import AT, CODEC, MIA, Site, chat, handler

CHAT = RoomId("!chat")
SIGNED = SignedDevice()


def outbox(database: MemoryDatabase) -> list[Outgoing]:
    return [CODEC.load(item.body) for item in database.committed.outbox.items.values() if item.state is State.READY]


async def test_an_arrival_wakes_what_waited_for_somebody_to_read_it() -> None:
    site = await Site().begin(joined=False)
    outcome, _ = await site.deliver(Tell(JOINT, "hello"))
    alice = named(site.case, "Alice")
    async with site.database.begin() as work:
        await handler(work, "earlier").tell_desk(site.case.id, "x")
        (waiting,) = await work.outbox.in_state((State.READY,))
        await work.outbox.park(waiting.id, "room:1042:joint", None, "nobody is there")
    async with site.database.begin() as work:
        await handler(work).arrived(site.case, alice, JOINT)
    assert all(item.state is State.READY for item in site.database.committed.outbox.items.values())
    assert outcome


async def test_a_command_of_the_api_is_answered_and_told_at_the_desk() -> None:
    site = Site()
    await site.change(site.case)
    async with site.database.begin() as work:
        good = await handler(work, "one").command(site.case.id, OpenJoint(), AT)
        bad = await handler(work, "two").command(CaseId("9999"), OpenJoint(), AT)
        lost = await handler(work, "three").command(None, OpenJoint(), AT)
    assert not good.ok
    assert "open already" in good.text
    assert [tell.conversation for tell in outbox(site.database) if isinstance(tell, Tell)] == [DESK]
    assert not bad.ok
    assert (lost.ok, lost.text) == (False, DESK_ONLY)


async def test_a_case_that_is_refused_leaves_nothing_behind() -> None:
    database = MemoryDatabase()
    wrong = NewCase("X", (AddPerson("Mia", Network.MATRIX, "@mia:elsewhere.example", Role.MEDIATOR),))
    async with database.begin() as work:
        answer = await handler(work).command(None, wrong, AT)
    assert not answer.ok
    assert not database.committed.cases
    assert not outbox(database)


async def test_the_code_of_a_question_is_four_letters_that_nobody_confuses() -> None:
    site = Site()
    await site.change(site.case)
    codes: set[str] = set()
    for number in range(20):
        async with site.database.begin() as work:
            made = handler(work, f"{number:02d}10abcdef")
            await made.message(site.case.id, message(site.case, "Mia", DESK, Text("!repair")), None, None)
            case = await work.cases.load(site.case.id)
        assert case
        codes.add(case.asks[-1].code)
    assert all(len(code) == 4 and not set(code) & set("01OI") for code in codes)
    assert len(codes) > 1


async def test_an_item_of_a_case_that_is_not_there_is_not_swallowed() -> None:
    database = MemoryDatabase()
    with pytest.raises(LookupError):
        async with database.begin() as work:
            await handler(work).drift(CaseId("9999"))


async def test_what_was_said_before_a_restore_opens_no_second_case_and_changes_none() -> None:
    site = Site()
    await site.change(site.case)
    async with site.database.begin() as work:
        await work.epochs.begin(Epoch(2, "x", 0, Stage.ANNOUNCED, AT, AT, doubt_until=AT))
        opening = NewCase("X", (AddPerson("Mia", Network.MATRIX, MIA, Role.MEDIATOR),))
        await chat(work, "one").message(CHAT, MIA, Text("!case new X"), SIGNED, AT)
        opened = await handler(work, "two").command(None, opening, AT)
        told = await handler(work, "three").command(site.case.id, OpenJoint(), AT)
        later = await handler(work, "four").command(None, opening, AT + timedelta(seconds=1))
    assert (opened.ok, told.ok, later.ok) == (False, False, True)
    assert "before I was restored" in opened.text
    assert "Say it again" in told.text
    assert len(site.database.committed.cases) == 2
    told_there, desk, *_ = outbox(site.database)
    assert isinstance(told_there, Say)
    assert "before I was restored" in told_there.text
    assert isinstance(desk, Tell)
    assert "before I was restored" in desk.text


async def hears(site: Site, said: Message) -> Decision:
    async with site.database.begin() as work:
        return await handler(work, said.id).message(site.case.id, said, EventId(f"${said.id}"), None)


@pytest.mark.parametrize("edited", [False, True])
async def test_a_release_shows_nothing_that_somebody_else_may_have_written(edited: bool) -> None:
    """A homeserver can put words, or new words for a message, into somebody's mouth; but proves nothing."""
    site = await Site().begin()
    where, forged = caucus_of(site.case, "Smith"), Unproven("not encrypted", "")
    hers = message(site.case, "Alice", where, Text("never"), None if edited else forged)
    hers = replace(hers, id=MessageId("hers"))
    await hears(site, hers)
    if edited:
        change = message(site.case, "Alice", where, Edit(hers.id, "I accept four million"), forged)
        await hears(site, replace(change, id=MessageId("change")))
    command = replace(message(site.case, "Mia", where, Text("!release")), id=MessageId("c"), reply_to=hers.id)
    (told,) = [e for e in (await hears(site, command)).effects if isinstance(e, Tell)]
    assert "million" not in told.text
    assert ("> never" in told.text) is edited


async def test_a_release_shows_nothing_of_another_room_whatever_it_claims_to_answer() -> None:
    site = await Site().begin()
    hers = replace(message(site.case, "Alice", JOINT, Text("said to all")), id=MessageId("hers"))
    await hears(site, hers)
    where = caucus_of(site.case, "Smith")
    command = replace(message(site.case, "Mia", where, Text("!release")), id=MessageId("c"), reply_to=hers.id)
    decision = await hears(site, command)
    assert decision.refused
    assert not decision.case.releases
