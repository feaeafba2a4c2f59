"""A case out of a backup only narrows, until a mediator has looked at it and said so."""

from dataclasses import replace
from datetime import timedelta

from appservice.upkeep.epoch import Epoch, Stage
from policies.case import DESK, JOINT
from policies.effects import Relay
from policies.message import MessageId, Text
from rooms.ids import UserId
from rooms.lanes import confirm_wait_key
from rooms.outcome import Parked
from tests.policies.builders import CARL_JOINS, case_with, message, named
from tests.rooms.builders import ALICE, AT, MIA, STRANGER, Site, handler

EPOCH = Epoch(2, "restored", 1, Stage.SETTLED, AT, AT, AT)


async def restored(site: Site) -> Site:
    """The case comes out of a backup, while its rooms are as they are."""
    async with site.database.begin() as work:
        await work.epochs.begin(EPOCH)
    return site


async def test_nobody_who_was_removed_since_the_backup_is_invited_again_before_a_mediator_has_confirmed() -> None:
    site = await restored(await Site().begin())
    room = site.room(JOINT)
    site.synapse.member(room, MIA, ALICE, "leave")
    await site.reconcile()
    assert room.membership(ALICE) == "leave"
    await site.reconcile(again=True)
    assert room.membership(ALICE) == "invite"


async def test_without_a_restore_whoever_was_removed_and_is_wanted_is_invited() -> None:
    """The planted fault: that the test above can fail."""
    site = await Site().begin()
    room = site.room(JOINT)
    site.synapse.member(room, MIA, ALICE, "leave")
    await site.reconcile()
    assert room.membership(ALICE) == "invite"


async def test_who_came_since_the_backup_is_taken_out_and_the_desk_hears_of_it() -> None:
    site = await restored(await Site().begin())
    room = site.room(DESK)
    site.synapse.member(room, MIA, STRANGER, "join")
    report = await site.reconcile()
    assert room.membership(STRANGER) == "leave"
    assert any(STRANGER in line for line in report.tell)


async def test_no_room_is_made_before_a_mediator_has_confirmed() -> None:
    site = Site()
    await site.change(site.case)
    await restored(site)
    await site.reconcile()
    assert not site.synapse.all_rooms
    await site.reconcile(again=True)
    assert site.synapse.all_rooms


async def test_a_case_opened_after_the_restore_needs_no_confirmation() -> None:
    site = Site()
    await restored(site)
    await site.begin()
    assert site.synapse.all_rooms


async def test_no_mail_leaves_before_a_mediator_has_confirmed_and_then_it_does() -> None:
    site = await restored(await Site(case_with(CARL_JOINS)).begin())
    carl = named(site.case, "Carl")
    relay = Relay(MessageId("m1"), JOINT, None, Text("x"), carl.id)
    outcome, _ = await site.deliver(relay)
    assert isinstance(outcome, Parked)
    assert outcome.key == confirm_wait_key(site.case.id)
    assert site.courier.carried == []
    await site.reconcile(again=True)
    async with site.database.begin() as work:
        assert not await work.epochs.unconfirmed(site.case.id)
    outcome, _ = await site.deliver(relay)
    assert not isinstance(outcome, Parked) or outcome.key != confirm_wait_key(site.case.id)


async def test_a_command_of_before_the_restore_is_not_carried_out_and_the_desk_is_told() -> None:
    site = await restored(await Site().begin())
    old = replace(message(site.case, "Mia", DESK), content=Text("!party add Eve @eve:example.org"), at=AT)
    async with site.database.begin() as work:
        decision = await handler(work).message(site.case.id, old, None, None)
    assert (decision.rule, decision.refused, decision.case) == ("before-restore", True, site.case)
    new = replace(old, id=MessageId("m2"), at=AT + timedelta(seconds=1))
    async with site.database.begin() as work:
        decision = await handler(work, "other").message(site.case.id, new, None, None)
    assert decision.case.at_address(named(decision.case, "Eve").endpoint.network, UserId("@eve:example.org"))
