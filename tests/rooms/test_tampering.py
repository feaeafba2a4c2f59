"""What is an alarm in a room's settings, and what is only a plan that went on."""

from dataclasses import replace

import pytest

from policies.plan import RoomKey
from rooms.ports import UserId
from rooms.reconcile import ROOM_VERSION, Actual, Desired, Membership, tampering

BOT, MIA, ALICE, OTTO = (UserId(f"@{name}:example.org") for name in ("bot", "mia", "alice", "otto"))
LEVELS = {"users": {MIA: 75}, "users_default": 0, "events": {"m.reaction": 0}, "ban": 100}
MEMBERS = {MIA: Membership.JOINED, ALICE: Membership.JOINED}
WANTED = Desired(
    RoomKey("joint"), "EVERYONE", False, frozenset(MEMBERS), frozenset(), LEVELS, frozenset(), "example.org"
)
GOOD = Actual(ROOM_VERSION, BOT, "EVERYONE", True, "invite", "joined", "forbidden", MEMBERS, LEVELS, frozenset())


@pytest.mark.parametrize(
    "levels",
    [
        {**LEVELS, "users": {MIA: 75, ALICE: 1}},
        {**LEVELS, "users": {MIA: 100}},
        {**LEVELS, "users_default": 50},
        {**LEVELS, "events": {}},
        {**LEVELS, "invite": 0},
        {**LEVELS, "users": "broken"},
        {},
    ],
)
def test_more_power_than_planned_is_an_alarm(levels: dict[str, object]) -> None:
    assert tampering(WANTED, replace(GOOD, power_levels=levels))


@pytest.mark.parametrize("wrong", [{"join_rule": "public"}, {"history_visibility": "shared"}, {"join_rule": None}])
def test_an_opened_door_is_an_alarm(wrong: dict[str, str | None]) -> None:
    assert tampering(WANTED, replace(GOOD, **wrong))  # type: ignore[arg-type]


def test_a_plan_that_went_on_is_none() -> None:
    assert tampering(WANTED, GOOD) is None
    co_mediator = {**LEVELS, "users": {MIA: 75, OTTO: 75}}
    coming = replace(WANTED, members=WANTED.members | {OTTO}, power_levels=co_mediator)
    assert tampering(coming, GOOD) is None, "someone is to come"
    gone = replace(GOOD, power_levels=co_mediator, members={**MEMBERS, OTTO: Membership.JOINED})
    assert tampering(WANTED, gone) is None, "someone is to go"
    observer = {**LEVELS, "users": {MIA: 75, OTTO: -1}}
    watching = replace(WANTED, members=WANTED.members | {OTTO}, power_levels=observer)
    assert tampering(watching, GOOD) is None, "someone is to come who may only watch"
