"""The rooms of a case are made, manned and mended, through every interruption."""

from collections.abc import Awaitable, Callable
from contextlib import suppress

import pytest

from appservice.matrix.errors import MatrixError
from appservice.upkeep.epoch import Epoch, Stage
from policies.case import DESK, JOINT, Kind
from policies.effects import Tell
from policies.people.membership import conversations
from rooms.former import served_by
from rooms.homeserver import Trouble
from rooms.ids import UserId
from rooms.provision import Fit, fitness, preview
from tests.fakes.synapse import Room
from tests.policies.builders import caucus_of, done, facts
from tests.rooms.builders import ALICE, BOT, MIA, STRANGER, Repair, Site

Lose = Callable[[Site, Room], Awaitable[None]]


def joined(room: Room) -> set[UserId]:
    return set(room.joined - {BOT})


async def test_every_room_is_made_as_it_must_be_from_its_first_event() -> None:
    site = await Site().begin()
    assert len(site.synapse.all_rooms) == len(conversations(site.case)) + 3
    for room in site.synapse.all_rooms.values():
        creation = room.content("m.room.create")
        assert (room.creator, creation["room_version"], creation["m.federate"]) == (BOT, "12", False)
        assert room.content("m.room.join_rules") == {"join_rule": "invite"}
        assert room.content("m.room.history_visibility") == {"history_visibility": "joined"}
        assert room.content("m.room.guest_access") == {"guest_access": "forbidden"}
        assert not room.content("m.room.topic")
        if creation.get("type") != "m.space":
            assert room.content("m.room.encryption")["algorithm"] == "m.megolm.v1.aes-sha2"
        kinds = [event.type for event in room.timeline]
        first_guest = next(i for i, e in enumerate(room.timeline) if e.state_key not in {"", BOT, None})
        assert "m.room.power_levels" in kinds[:first_guest]


async def test_each_room_has_its_readers_and_nobody_else() -> None:
    site = await Site().begin()
    carl = site.ghost("Carl")
    smith, jones = caucus_of(site.case, "Smith"), caucus_of(site.case, "Jones")
    assert joined(site.room(DESK)) == {MIA}
    assert joined(site.room(JOINT)) == {MIA, ALICE, carl}
    assert joined(site.room(smith)) == {MIA, ALICE}
    assert joined(site.room(jones)) == {MIA, carl}
    assert joined(site.room(f"space-{jones.side}")) == {carl}


async def test_a_ghost_says_nothing_in_its_id_and_goes_by_the_mediators_name() -> None:
    site = await Site().begin()
    carl = site.ghost("Carl")
    assert "carl" not in carl.lower()
    assert site.synapse.names[carl] == "Carl (email)"


async def test_a_side_never_sees_the_others_caucus_in_its_space() -> None:
    site = await Site().begin()
    for side in site.case.sides:
        shown = {key for (kind, key) in site.room(f"space-{side.id}").state if kind == "m.space.child"}
        others = {site.room(c).id for c in conversations(site.case) if c.kind is Kind.CAUCUS and c.side != side.id}
        assert shown
        assert not shown & (others | {site.room(DESK).id})


async def test_doing_it_again_does_nothing() -> None:
    site = await Site().begin()
    before = sum(len(room.timeline) for room in site.synapse.all_rooms.values())
    report = await site.reconcile(again=True)
    assert report.done == report.failed == report.tell == ()
    assert sum(len(room.timeline) for room in site.synapse.all_rooms.values()) == before


@pytest.mark.parametrize("after", range(0, 60, 3))
async def test_an_interruption_anywhere_makes_no_room_twice(after: int) -> None:
    site = Site()
    await site.change(site.case)
    left = after

    async def hazard(call: str) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            raise MatrixError(call, "M_UNKNOWN", 0, transient=True)

    site.synapse.hazard = hazard
    for _ in range(3):
        with suppress(Trouble):
            await site.reconcile()
    await site.everyone_joins()
    names = [room.content("m.room.name")["name"] for room in site.synapse.all_rooms.values()]
    assert len(names) == len(conversations(site.case)) + 3
    assert joined(site.room(JOINT)) == {MIA, ALICE, site.ghost("Carl")}


async def test_somebody_taken_off_is_out_of_every_room() -> None:
    site = await Site().begin()
    await site.change(done(site.case, "!party remove Alice", facts(None)).case)
    await site.reconcile()
    assert not any(ALICE in room.joined for room in site.synapse.all_rooms.values())


async def test_an_invitation_of_somebody_taken_off_is_withdrawn() -> None:
    site = await Site().begin(joined=False)
    await site.change(done(site.case, "!party remove Alice", facts(None)).case)
    await site.reconcile()
    assert all(room.membership(ALICE) in {None, "leave"} for room in site.synapse.all_rooms.values())


async def test_a_ghost_of_somebody_taken_off_leaves() -> None:
    site = await Site().begin()
    carl = site.ghost("Carl")
    await site.change(done(site.case, "!party remove Carl", facts(None)).case)
    await site.reconcile()
    assert not any(carl in room.joined for room in site.synapse.all_rooms.values())


async def test_an_intruder_is_put_out_and_the_desk_alarmed() -> None:
    site = await Site().begin()
    site.synapse.member(site.room(JOINT), STRANGER, STRANGER, "join")
    report = await site.reconcile()
    assert STRANGER not in site.room(JOINT).joined
    assert any(STRANGER in text for text in report.tell)


async def test_somebody_of_this_case_in_a_wrong_room_is_put_out() -> None:
    site = await Site().begin()
    jones = site.room(caucus_of(site.case, "Jones"))
    site.synapse.member(jones, ALICE, ALICE, "join")
    await site.reconcile()
    assert ALICE not in jones.joined


async def test_settings_that_were_changed_are_put_right() -> None:
    site = await Site().begin()
    room = site.room(JOINT)
    levels = room.content("m.room.power_levels")
    site.synapse.append(room, ALICE, "m.room.power_levels", {**levels, "users": {ALICE: 99}}, "")
    site.synapse.append(room, ALICE, "m.room.join_rules", {"join_rule": "public"}, "")
    site.synapse.append(room, ALICE, "m.room.history_visibility", {"history_visibility": "world_readable"}, "")
    await site.reconcile()
    assert room.content("m.room.power_levels") == levels
    assert room.content("m.room.join_rules") == {"join_rule": "invite"}
    assert room.content("m.room.history_visibility") == {"history_visibility": "joined"}


async def test_a_lost_room_of_a_restored_case_is_suspended_until_a_mediator_has_looked() -> None:
    site = await Site().begin()
    room = site.room(JOINT)
    site.synapse.append(room, ALICE, "m.room.tombstone", {"replacement_room": "!x"}, "")
    async with site.database.begin() as work:
        await work.epochs.begin(Epoch(2, "x", 0, Stage.ANNOUNCED))
    report = await site.reconcile()
    assert any("nothing is sent there any more: somebody upgraded it" in text for text in report.tell)
    assert site.room(JOINT).id == room.id
    assert (await site.reconcile()).tell == ()
    await site.reconcile(again=True)
    assert site.room(JOINT).id != room.id


async def test_a_room_in_order_again_is_told_and_wakes_what_waited() -> None:
    site = await Site().begin()
    room = site.room(JOINT)
    site.synapse.append(room, ALICE, "m.room.join_rules", {"join_rule": "public"}, "")

    async def refuse(call: str) -> None:
        if call == "put_state":
            raise MatrixError(call, "M_FORBIDDEN", 403, transient=False)

    calm, site.synapse.hazard = site.synapse.hazard, refuse
    await site.reconcile()
    site.synapse.hazard = calm
    report = await site.reconcile()
    assert any("in order again" in text for text in report.tell)


async def test_a_refusal_for_good_is_reported_and_the_rest_is_done() -> None:
    site = await Site().begin(joined=False)
    room = site.room(caucus_of(site.case, "Smith"))
    site.synapse.append(room, ALICE, "m.room.name", {"name": "mine"}, "")

    async def hazard(call: str) -> None:
        if call == "put_state":
            raise MatrixError(call, "M_FORBIDDEN", 403, transient=False)

    site.synapse.hazard = hazard
    site.synapse.member(site.room(JOINT), STRANGER, STRANGER, "join")
    report = await site.reconcile()
    assert len(report.failed) == 1
    assert "M_FORBIDDEN" in report.failed[0]
    assert STRANGER not in site.room(JOINT).joined


async def test_whoever_left_is_invited_again_only_by_a_mediators_word() -> None:
    site = await Site().begin()
    room = site.room(JOINT)
    await site.synapse.rooms.leave(room.id, as_user=ALICE)
    await site.reconcile()
    assert room.membership(ALICE) == "leave"
    await site.reconcile(again=True)
    assert room.membership(ALICE) == "invite"


async def test_a_preview_says_what_would_be_done_and_does_nothing() -> None:
    site = await Site().begin()
    await site.synapse.rooms.leave(site.room(JOINT).id, as_user=ALICE)
    await site.changed(site.room(JOINT).id)
    before = len(site.room(JOINT).timeline)
    lines = await preview(site.database, site.builder, site.case.id)
    assert lines == (f"EVERYONE · 1042: invite {ALICE}",)
    assert len(site.room(JOINT).timeline) == before
    fresh = Site()
    await fresh.change(fresh.case)
    assert all(line.endswith("make the room") for line in await preview(fresh.database, fresh.builder, fresh.case.id))
    assert not fresh.synapse.all_rooms


async def test_only_who_is_wanted_and_has_joined_is_to_read() -> None:
    site = await Site().begin(joined=False)
    await site.synapse.rooms.join(site.room(JOINT).id, as_user=MIA)
    await site.changed(site.room(JOINT).id)
    record = site.database.committed.rooms[site.case.id, "joint"]  # type: ignore[index]
    assert await fitness(site.database, site.builder, site.case.id, record) == Fit(
        audience=frozenset({MIA, site.ghost("Carl")}), awaited=frozenset({ALICE})
    )


async def test_a_room_with_an_intruder_is_unfit() -> None:
    site = await Site().begin()
    site.synapse.member(site.room(JOINT), STRANGER, STRANGER, "join")
    await site.changed(site.room(JOINT).id)
    record = site.database.committed.rooms[site.case.id, "joint"]  # type: ignore[index]
    assert STRANGER in str(await fitness(site.database, site.builder, site.case.id, record))


async def test_a_case_that_is_not_there_is_no_reason_to_try_again() -> None:
    site = Site()
    with pytest.raises(Trouble) as caught:
        await site.reconcile()
    assert not caught.value.transient


# --- rooms that are lost


async def upgraded(site: Site, room: Room) -> None:
    """Somebody has given themselves power, and upgraded the room."""
    site.synapse.append(room, ALICE, "m.room.tombstone", {"replacement_room": "!theirs"}, "")
    await site.changed(room.id)


async def deleted(site: Site, room: Room) -> None:
    """The homeserver's administrator deleted it."""
    del site.synapse.all_rooms[room.id]
    await site.changed(room.id)


async def without_the_bot(site: Site, room: Room) -> None:
    """The homeserver's administrator took the bot out."""
    site.synapse.member(room, BOT, BOT, "leave")
    await site.changed(room.id)


async def with_other_encryption(site: Site, room: Room) -> None:
    site.synapse.append(room, ALICE, "m.room.encryption", {"algorithm": "org.example.none"}, "")
    await site.changed(room.id)


LOSSES = pytest.mark.parametrize("lose", [upgraded, deleted, without_the_bot, with_other_encryption])


@LOSSES
async def test_a_lost_room_is_made_anew_and_nothing_goes_to_the_former_one(lose: Lose) -> None:
    site = await Site().begin()
    before = site.room(JOINT)
    await lose(site, before)
    report = await site.reconcile()
    await site.everyone_joins()
    after = site.room(JOINT)
    assert after.id != before.id
    assert joined(after) == {MIA, ALICE, site.ghost("Carl")}
    assert report.remade == (JOINT,)
    assert any("EVERYONE · 1042 can't be used any more" in text for text in report.tell)
    await site.deliver(Tell(JOINT, "hello"))
    assert [posting.room for posting in site.poster.posted] == [after.id]


@LOSSES
async def test_it_is_made_anew_once_and_the_desk_hears_of_it_once(lose: Lose) -> None:
    site = await Site().begin()
    await lose(site, site.room(DESK))
    await site.reconcile()
    await site.everyone_joins()
    rooms = set(site.synapse.all_rooms)
    report = await site.reconcile(again=True)
    assert report == Repair()
    assert set(site.synapse.all_rooms) == rooms


@pytest.mark.parametrize("lose", [upgraded, with_other_encryption])
async def test_nobody_is_left_behind_where_nobody_listens(lose: Lose) -> None:
    site = await Site().begin()
    before = site.room(JOINT)
    await lose(site, before)
    await site.reconcile()
    assert joined(before) == set()


async def test_what_is_still_to_be_read_of_the_former_room_is_still_of_its_conversation() -> None:
    site = await Site().begin()
    before = site.room(JOINT)
    await upgraded(site, before)
    await site.reconcile()
    async with site.database.begin() as work:
        record = await work.rooms.by_room_id(before.id)
    assert record
    assert served_by(record) == ("joint", False)


async def test_a_space_lists_the_room_that_took_the_place() -> None:
    site = await Site().begin()
    before = site.room(JOINT)
    await deleted(site, before)
    await site.reconcile()
    space = site.room("space-desk")
    listed = {key for (kind, key), event in space.state.items() if kind == "m.space.child" and event.content.get("via")}
    assert site.room(JOINT).id in listed
    assert before.id not in listed


@pytest.mark.parametrize("after", range(4, 26, 2))
async def test_an_interruption_anywhere_remakes_a_room_once(after: int) -> None:
    site = await Site().begin()
    await upgraded(site, site.room(JOINT))
    rooms, left = len(site.synapse.all_rooms), after

    async def hazard(call: str) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            raise MatrixError(call, "M_UNKNOWN", 0, transient=True)

    site.synapse.hazard = hazard
    for _ in range(3):
        with suppress(Trouble):
            await site.reconcile()
    await site.everyone_joins()
    assert len(site.synapse.all_rooms) == rooms + 1
    assert joined(site.room(JOINT)) == {MIA, ALICE, site.ghost("Carl")}


async def test_a_room_that_only_can_not_be_looked_at_now_is_not_made_anew() -> None:
    site = await Site().begin()
    before = site.room(JOINT).id

    async def away(call: str) -> None:
        if call == "state":
            raise MatrixError(call, "M_CONNECTION_FAILED", 0, transient=True)

    site.synapse.hazard = away
    with pytest.raises(Trouble):
        await site.reconcile()
    assert site.room(JOINT).id == before
    assert len(site.synapse.all_rooms) == len(conversations(site.case)) + 3


@pytest.mark.parametrize("errcode", ["M_FORBIDDEN", "M_NOT_FOUND"])
async def test_where_a_room_is_refused_in_which_the_homeserver_says_that_the_bot_is_everything_waits(
    errcode: str,
) -> None:
    """As by a rule of a proxy, or where the list of the bot's rooms is not up to date."""
    site = await Site().begin()
    before, rooms = site.room(JOINT), len(site.synapse.all_rooms)

    async def refused(call: str) -> None:
        if call == "state":
            raise MatrixError(call, errcode, 403, transient=False)

    site.synapse.hazard = refused
    await site.changed(before.id)
    for attempt in (site.reconcile, lambda: site.deliver(Tell(JOINT, "hello"))):
        with pytest.raises(Trouble, match=errcode) as caught:
            await attempt()
        assert caught.value.transient
    assert (site.room(JOINT), len(site.synapse.all_rooms)) == (before, rooms)


@pytest.mark.parametrize("errcode", ["M_FORBIDDEN", "M_NOT_FOUND"])
async def test_where_the_bot_is_refused_whatever_it_asks_no_room_is_lost(errcode: str) -> None:
    """As by a homeserver that was started with another registration, or by whatever answers in its place."""
    site = await Site().begin()
    before, rooms = site.room(JOINT), len(site.synapse.all_rooms)

    async def refused(call: str) -> None:
        if call in {"state", "create", "joined_rooms"}:
            raise MatrixError(call, errcode, 403, transient=False)

    calm, site.synapse.hazard = site.synapse.hazard, refused
    await site.changed(before.id)
    for attempt in (site.reconcile, lambda: site.deliver(Tell(JOINT, "hello"))):
        with pytest.raises(Trouble, match="refuses the bot") as caught:
            await attempt()
        assert caught.value.transient
    site.synapse.hazard = calm
    assert await site.reconcile() == Repair()
    assert (site.room(JOINT), len(site.synapse.all_rooms)) == (before, rooms)
    await site.deliver(Tell(JOINT, "hello"))
    assert [posting.room for posting in site.poster.posted] == [before.id]
