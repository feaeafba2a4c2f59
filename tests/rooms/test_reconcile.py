"""The diff between the rooms that there are and those that there should be."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.plan import RoomKey, plan
from rooms.ids import RoomId, UserId
from rooms.reconcile import (
    ROOM_VERSION,
    Actual,
    Change,
    Desired,
    Invite,
    Join,
    Membership,
    Remove,
    SetState,
    breach,
    desire,
    diff,
    in_words,
)
from tests.policies.builders import both_sides

BOT = UserId("@bot:example.org")
USERS = [UserId(f"@u{n}:example.org") for n in range(5)]
GHOSTS = frozenset(USERS[:2])
LEVELS = {"users_default": 0, "ban": 100}
CHILDREN = frozenset(RoomId(f"!{n}") for n in range(3))

DESIRED = st.builds(
    lambda members, space, children: Desired(
        RoomKey("joint"), "EVERYONE", space, members, members & GHOSTS, LEVELS, children if space else frozenset(), "x"
    ),
    st.frozensets(st.sampled_from(USERS)),
    st.booleans(),
    st.frozensets(st.sampled_from(sorted(CHILDREN))),
)
ACTUAL = st.builds(
    Actual,
    version=st.just(ROOM_VERSION),
    creator=st.just(BOT),
    name=st.sampled_from([None, "EVERYONE", "other"]),
    encrypted=st.just(True),
    join_rule=st.sampled_from([None, "invite", "public"]),
    history_visibility=st.sampled_from([None, "joined", "shared", "world_readable"]),
    guests=st.sampled_from([None, "forbidden", "can_join"]),
    members=st.dictionaries(st.sampled_from(USERS), st.sampled_from(Membership)),
    power_levels=st.sampled_from([LEVELS, {}, {**LEVELS, "users": {USERS[0]: 100}}]),
    children=st.frozensets(st.sampled_from(sorted(CHILDREN))),
)
GOOD = Actual(ROOM_VERSION, BOT, "EVERYONE", True, "invite", "joined", "forbidden", {}, LEVELS, frozenset())
WANTED = Desired(RoomKey("joint"), "EVERYONE", False, frozenset(USERS), GHOSTS, LEVELS, frozenset(), "x")


def done(actual: Actual, change: Change) -> Actual:
    """The room after a change."""
    match change:
        case Invite(user):
            return replace(actual, members={**actual.members, user: Membership.INVITED})
        case Join(user):
            assert actual.members[user] is Membership.INVITED
            return replace(actual, members={**actual.members, user: Membership.JOINED})
        case Remove(user):
            return replace(actual, members={**actual.members, user: Membership.REMOVED})
        case SetState("m.room.power_levels", _, content):
            return replace(actual, power_levels=content)
        case SetState("m.room.name", _, content):
            return replace(actual, name=str(content["name"]))
        case SetState("m.room.join_rules", _, content):
            return replace(actual, join_rule=str(content["join_rule"]))
        case SetState("m.room.history_visibility", _, content):
            return replace(actual, history_visibility=str(content["history_visibility"]))
        case SetState("m.room.guest_access", _, content):
            return replace(actual, guests=str(content["guest_access"]))
        case SetState("m.space.child", key, content):
            child = frozenset({RoomId(key)})
            return replace(actual, children=actual.children | child if content else actual.children - child)
        case _:
            raise AssertionError(change)


@given(DESIRED, ACTUAL, st.booleans())
def test_a_room_that_was_repaired_needs_no_repair_and_is_fit(desired: Desired, actual: Actual, again: bool) -> None:
    for change in diff(desired, actual, again=again):
        actual = done(actual, change)
    assert diff(desired, actual, again=again) == ()
    assert breach(desired, actual, BOT) is None
    assert actual.joined <= desired.members


@given(DESIRED, ACTUAL)
def test_whoever_must_go_goes_first_and_newcomers_come_last(desired: Desired, actual: Actual) -> None:
    order = [{Remove: 0, SetState: 1, Invite: 2, Join: 2}[type(change)] for change in diff(desired, actual)]
    assert order == sorted(order)


@given(DESIRED, ACTUAL)
def test_nobody_is_let_in_who_is_not_wanted(desired: Desired, actual: Actual) -> None:
    for change in diff(desired, actual, again=True):
        if isinstance(change, Invite):
            assert change.user in desired.members
        if isinstance(change, Join):
            assert change.ghost in desired.ours


@given(DESIRED, ACTUAL)
def test_a_room_with_anybody_too_many_is_unfit(desired: Desired, actual: Actual) -> None:
    if actual.joined - desired.members:
        assert breach(desired, actual, BOT)


def test_whoever_left_by_themselves_is_invited_again_by_a_mediators_word_alone() -> None:
    person = USERS[4]
    wanted = replace(WANTED, members=frozenset({person}), ours=frozenset())
    left = replace(GOOD, members={person: Membership.LEFT})
    assert diff(wanted, left) == ()
    assert diff(wanted, left, again=True) == (Invite(person),)
    removed = replace(GOOD, members={person: Membership.REMOVED})
    assert diff(wanted, removed) == (Invite(person),)


def test_a_ghost_comes_back_always() -> None:
    ghost = USERS[0]
    wanted = replace(WANTED, members=frozenset({ghost}), ours=frozenset({ghost}))
    assert diff(wanted, replace(GOOD, members={ghost: Membership.LEFT})) == (Invite(ghost), Join(ghost))
    assert diff(wanted, replace(GOOD, members={ghost: Membership.INVITED})) == (Join(ghost),)


@pytest.mark.parametrize(
    "wrong",
    [
        {"members": {UserId("@x:y"): Membership.JOINED}},
        {"creator": USERS[3]},
        {"version": "11"},
        {"replaced": True},
        {"encrypted": False},
        {"join_rule": "public"},
        {"join_rule": None},
        {"history_visibility": "shared"},
        {"history_visibility": None},
        {"power_levels": {**LEVELS, "users": {USERS[3]: 100}}},
        {"power_levels": {**LEVELS, "ban": 0}},
    ],
    ids=str,
)
def test_nothing_is_sent_to_a_room_that_was_tampered_with(wrong: dict[str, object]) -> None:
    assert breach(WANTED, GOOD, BOT) is None
    assert breach(WANTED, replace(GOOD, **wrong), BOT)  # type: ignore[arg-type]


def test_a_member_who_is_missing_is_no_breach() -> None:
    assert breach(WANTED, replace(GOOD, members={USERS[4]: Membership.LEFT}), BOT) is None


def test_a_space_holds_no_words_and_is_not_encrypted() -> None:
    assert breach(replace(WANTED, is_space=True), replace(GOOD, encrypted=False), BOT) is None


def test_the_bot_never_stands_in_the_power_levels_for_it_made_the_room() -> None:
    case = both_sides()
    users = {person.id: UserId(f"@{person.name.lower()}:example.org") for person in case.people}
    for room in plan(case):
        desired = desire(room, users, frozenset(), {}, BOT)
        levels = desired.power_levels["users"]
        assert isinstance(levels, dict)
        assert BOT not in levels
        assert BOT not in desired.members


def test_a_change_is_told_in_words() -> None:
    told = {
        in_words(Invite(USERS[0])),
        in_words(Join(USERS[0])),
        in_words(Remove(USERS[0], Membership.JOINED)),
        in_words(Remove(USERS[0], Membership.INVITED)),
        in_words(SetState("m.room.name", "", {}, "the name")),
    }
    assert len(told) == 5
