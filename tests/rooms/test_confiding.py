"""A code goes to one person's own room, to nobody else in it, and is not said late."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from policies.case import DESK
from policies.effects import Confide, Decision, Inform, Reconcile, Tell
from policies.message import Text
from policies.people.codes import with_room
from policies.plan import code_key, plan
from policies.showing import GiveLink
from policies.words.phrase import verbatim
from rooms.handle import Handler
from rooms.homeserver import ReaderFrozen, Trouble
from rooms.outcome import Cancelled, Parked, Sent
from rooms.outgoing import ROOMS
from rooms.queue import ItemId
from tests.policies.builders import caucus_of, named
from tests.rooms.builders import ALICE, AT, BOT, CODEC, HOUSE, STRANGER, Site, item_of

LATER = datetime.now(UTC) + timedelta(days=1)
CODE = "1234 5678"


async def alone(*, joined: bool = True) -> tuple[Site, Confide]:
    """Alice has a room for codes, and one is to be told there."""
    site = Site()
    alice = named(site.case, "Alice")
    endpoint = replace(alice.endpoint, codes=True)
    site.case = site.case.with_person(replace(alice, endpoint=endpoint))
    await site.begin(joined=joined)
    return site, Confide(alice.id, endpoint.id, verbatim(CODE), LATER)


async def test_a_code_is_for_one_person_and_for_their_signed_devices_alone() -> None:
    site, told = await alone()
    outcome, report = await site.deliver(told)
    (posting,) = site.poster.posted
    assert isinstance(outcome, Sent)
    assert report.tell == ()
    assert posting.room == site.room(code_key(told.to)).id
    assert (posting.sender, posting.audience, posting.awaited) == (BOT, frozenset({ALICE}), frozenset())
    assert (posting.only_for, posting.in_clear, posting.but_for_the_frozen) == (None, False, False)
    assert posting.content == Text(CODE)


async def test_nobody_but_its_person_has_that_room_and_nobody_writes_there() -> None:
    site, told = await alone()
    [room] = [room for room in plan(site.case) if room.key == code_key(told.to)]
    assert room.readers == {told.to}
    assert (dict(room.levels.users), room.levels.events_default, room.conversation) == ({}, 100, None)
    assert not any(room.key in other.children for other in plan(site.case))
    assert site.room(room.key).membership(ALICE) == "join"
    assert [user for kind, user in site.room(room.key).state if kind == "m.room.member"] in ([BOT, ALICE], [ALICE, BOT])


async def test_it_waits_for_its_person_and_is_not_said_when_its_time_is_over() -> None:
    site, told = await alone(joined=False)
    outcome, _ = await site.deliver(told)
    assert isinstance(outcome, Parked)
    assert outcome.until == LATER
    late, report = await site.deliver(replace(told, until=datetime.now(UTC)))
    assert isinstance(late, Cancelled)
    assert "Alice's page was not told" in report.tell[0]
    assert not site.poster.posted


async def test_before_the_room_stands_it_waits() -> None:
    site = Site()
    alice = named(site.case, "Alice")
    await site.begin()
    await site.change(site.case.with_person(replace(alice, endpoint=replace(alice.endpoint, codes=True))))
    outcome, _ = await site.deliver(Confide(alice.id, alice.endpoint.id, verbatim(CODE), LATER))
    assert isinstance(outcome, Parked)
    assert outcome.until == LATER


@pytest.mark.parametrize("joined", [True, False])
async def test_who_left_that_room_or_declined_is_invited_again_when_they_ask_and_into_no_other(joined: bool) -> None:
    site, told = await alone(joined=joined)
    own = site.room(code_key(told.to))
    rooms = (own, site.room(caucus_of(site.case, "Smith")))
    for room in rooms:
        site.synapse.member(room, ALICE, ALICE, "leave")
    await site.reconcile()
    assert own.membership(ALICE) == "leave"
    await site.changed(own.id)
    _, made = with_room(site.case, named(site.case, "Alice"))
    for effect in made:
        assert isinstance(effect, Reconcile)
        await site.deliver(effect)
    assert [room.membership(ALICE) for room in rooms] == ["invite", "leave"]


async def test_a_replaced_identity_is_told_nothing_and_the_desk_learns_it() -> None:
    site, told = await alone()
    site.poster.trouble = ReaderFrozen(ALICE)
    outcome, report = await site.deliver(told)
    assert isinstance(outcome, Cancelled)
    assert "a reader's encryption identity was reset" in report.tell[0]
    assert CODE not in report.tell[0]


async def test_an_intruder_in_that_room_stops_it_and_alarms_the_desk() -> None:
    site, told = await alone()
    room = site.room(code_key(told.to))
    site.synapse.member(room, ALICE, STRANGER, "join")
    await site.changed(room.id)
    outcome, report = await site.deliver(told)
    assert isinstance(outcome, Cancelled)
    assert "ALARM" in report.tell[0]
    assert not site.poster.posted


async def test_who_takes_part_no_more_or_by_another_account_is_told_none() -> None:
    site, told = await alone()
    other, _ = await site.deliver(replace(told, endpoint=named(site.case, "Carl").endpoint.id))
    assert isinstance(other, Cancelled)
    await site.change(replace(site.case, people=tuple(p for p in site.case.people if p.id != told.to)))
    outcome, _ = await site.deliver(told)
    assert isinstance(outcome, Cancelled)
    assert not site.poster.posted


async def test_a_link_in_the_private_room_has_its_code_elsewhere_and_the_record_has_neither() -> None:
    site, told = await alone()
    own = caucus_of(site.case, "Smith")
    async with site.database.begin() as work:
        handler = Handler(work, CODEC, HOUSE, ItemId("x"), AT)
        given = GiveLink(told.to, own, "https://x.org/p")
        await handler.follow(site.case, Decision(site.case, (given,), "page", "asked"))
    link, code = [thing for thing in site.outbox() if isinstance(thing, Inform | Confide)]
    assert isinstance(link, Inform)
    assert isinstance(code, Confide)
    assert link.conversation == own
    [secret] = [one.code[0] for one in site.database.committed.links.values() if one.code]
    token = link.text.rpartition("/p/")[2].split()[0]
    assert f"{secret[:4]} {secret[4:]}" in code.text
    assert secret[4:] not in link.text
    assert token not in code.text
    for line in site.database.committed.record.values():
        assert secret[:4] not in line.words
        assert token not in line.words
    assert not [thing for thing in site.outbox() if isinstance(thing, Tell) and thing.conversation == DESK]
    assert not any(isinstance(thing, Reconcile) for thing in site.outbox())


async def test_while_its_room_is_being_put_in_order_it_waits_and_the_desk_has_no_alarm() -> None:
    site, told = await alone()
    await _put(site, Reconcile(codes_of=told.to))
    room = site.room(code_key(told.to))
    site.synapse.member(room, BOT, STRANGER, "join")
    await site.changed(room.id)
    with pytest.raises(Trouble) as trouble:
        await site.deliver(told)
    assert trouble.value.transient
    assert not site.poster.posted
    await site.deliver(Reconcile(codes_of=told.to))
    async with site.database.begin() as work:
        await work.outbox.done(ItemId("mending"))
    outcome, report = await site.deliver(told)
    assert isinstance(outcome, Sent)
    assert report.tell == ()
    assert [posting.audience for posting in site.poster.posted] == [frozenset({ALICE})]


async def test_a_room_that_is_never_put_in_order_lets_the_codes_time_run_out() -> None:
    site, told = await alone()
    await _put(site, Reconcile())
    site.synapse.member(site.room(code_key(told.to)), BOT, STRANGER, "join")
    late, report = await site.deliver(replace(told, until=datetime.now(UTC)))
    assert isinstance(late, Cancelled)
    assert "came too late" in report.tell[0]
    assert not site.poster.posted


async def _put(site: Site, mending: Reconcile) -> None:
    async with site.database.begin() as work:
        await work.outbox.put(item_of(mending, site.case.id, "mending", ROOMS))
