"""Items are handled: cases opened in the direct chat, strangers declined, arrivals told."""

import pytest

from policies.case import DESK, JOINT, CaseId, Network, Role
from policies.commands.opening import NewCase
from policies.commands.people import AddPerson
from policies.commands.session import OpenJoint
from policies.effects import Reconcile, Tell
from policies.lobby import DESK_ONLY
from policies.message import SignedDevice, Text, Unproven
from rooms.apply import Decline, Enter, Outgoing, Say
from rooms.handle import IN_CLEAR
from rooms.ports import RoomId, State, UserId
from tests.fakes.memory import MemoryDatabase
from tests.policies.builders import both_sides, message, named
from tests.rooms.builders import ALICE, BOT, CODEC, MIA, STRANGER, Site, handler

CHAT = RoomId("!chat")
GHOST = UserId("@_mediatrix_abc:example.org")
SIGNED = SignedDevice()


def outbox(database: MemoryDatabase) -> list[Outgoing]:
    return [CODEC.load(item.body) for item in database.committed.outbox.items.values() if item.state is State.READY]


async def test_a_mediator_opens_a_case_and_is_its_mediator() -> None:
    database = MemoryDatabase()
    async with database.begin() as work:
        await handler(work).lobby(CHAT, MIA, Text("!case new Smith and Jones"), SIGNED)
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
        await handler(work).lobby(CHAT, MIA, Text("!case new X"), Unproven("it is not proven", "Verify it"))
    assert not database.committed.cases
    (say,) = outbox(database)
    assert isinstance(say, Say)
    assert say.to_unsigned_devices


async def test_only_cases_of_which_one_is_mediator_are_listed() -> None:
    site = Site(both_sides())
    await site.change(site.case)
    async with site.database.begin() as work:
        await handler(work, "one").lobby(CHAT, MIA, Text("!case list"), SIGNED)
        await handler(work, "other").lobby(CHAT, ALICE, Text("!case list"), SIGNED)
    texts = {say.to: say.text for say in outbox(site.database) if isinstance(say, Say)}
    assert "Smith and Jones" in texts[MIA]
    assert "Smith" not in texts[ALICE].replace("!case new Smith and Jones", "")


async def test_a_word_in_clear_is_answered_in_clear_with_just_that() -> None:
    database = MemoryDatabase()
    async with database.begin() as work:
        await handler(work).unencrypted_lobby(CHAT, MIA)
    says = [say for say in outbox(database) if isinstance(say, Say)]
    assert [say.text for say in says if say.in_clear] == [IN_CLEAR]


@pytest.mark.parametrize(
    ("ours", "by", "enters"), [(BOT, MIA, True), (BOT, STRANGER, False), (GHOST, MIA, False), (GHOST, STRANGER, False)]
)
async def test_only_a_mediators_invitation_of_the_bot_is_accepted(ours: UserId, by: UserId, enters: bool) -> None:
    database = MemoryDatabase()
    async with database.begin() as work:
        await handler(work).invited(CHAT, ours, by, BOT)
    assert outbox(database) == [Enter(CHAT, ours) if enters else Decline(CHAT, ours)]
    assert bool(database.committed.rooms) is enters


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
        good = await handler(work, "one").command(site.case.id, OpenJoint())
        bad = await handler(work, "two").command(CaseId("9999"), OpenJoint())
        lost = await handler(work, "three").command(None, OpenJoint())
    assert not good.ok
    assert "open already" in good.text
    assert [tell.conversation for tell in outbox(site.database) if isinstance(tell, Tell)] == [DESK]
    assert not bad.ok
    assert (lost.ok, lost.text) == (False, DESK_ONLY)


async def test_a_case_that_is_refused_leaves_nothing_behind() -> None:
    database = MemoryDatabase()
    wrong = NewCase("X", (AddPerson("Mia", Network.MATRIX, "@mia:elsewhere.example", Role.MEDIATOR),))
    async with database.begin() as work:
        answer = await handler(work).command(None, wrong)
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
