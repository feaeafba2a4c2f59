"""What is an alarm in a room's settings, and what is only a plan that went on."""

from dataclasses import replace

import pytest

from policies.plan import RoomKey
from rooms.ids import UserId
from rooms.reconcile import ROOM_VERSION, Actual, Desired, Membership, levels_digest, tampering

BOT, MIA, ALICE, OTTO = (UserId(f"@{name}:example.org") for name in ("bot", "mia", "alice", "otto"))
LEVELS = {"users": {MIA: 75}, "users_default": 0, "events": {"m.reaction": 0}, "ban": 100}
MEMBERS = {MIA: Membership.JOINED, ALICE: Membership.JOINED}
WANTED = Desired(
    RoomKey("joint"), "EVERYONE", False, frozenset(MEMBERS), frozenset(), LEVELS, frozenset(), "example.org"
)
GOOD = Actual(ROOM_VERSION, BOT, "EVERYONE", True, "invite", "joined", "forbidden", MEMBERS, LEVELS, frozenset())


WRITTEN = frozenset({levels_digest(LEVELS)})


@pytest.mark.parametrize(
    "levels",
    [
        {**LEVELS, "users": {MIA: 75, ALICE: 1}},
        {**LEVELS, "users": {MIA: 100}},
        {**LEVELS, "users": {}},
        {**LEVELS, "users_default": 50},
        {**LEVELS, "events": {}},
        {**LEVELS, "invite": 0},
        {**LEVELS, "users": "broken"},
        {},
    ],
)
def test_power_levels_that_we_did_not_write_are_an_alarm(levels: dict[str, object]) -> None:
    assert tampering(WANTED, replace(GOOD, power_levels=levels), WRITTEN)


@pytest.mark.parametrize("wrong", [{"join_rule": "public"}, {"history_visibility": "shared"}, {"join_rule": None}])
def test_an_opened_door_is_an_alarm(wrong: dict[str, str | None]) -> None:
    assert tampering(WANTED, replace(GOOD, **wrong), WRITTEN)  # type: ignore[arg-type]


def test_a_plan_that_went_on_is_none() -> None:
    assert tampering(WANTED, GOOD, WRITTEN) is None
    locked = {**LEVELS, "events": {"m.reaction": 50}, "users": {MIA: 75, ALICE: 50}}
    assert tampering(replace(WANTED, power_levels=locked), GOOD, WRITTEN) is None, "it is to be locked"
    half_way = WRITTEN | {levels_digest(locked)}
    assert tampering(WANTED, replace(GOOD, power_levels=locked), half_way) is None, "it was locked, and we died then"


def test_where_we_do_not_know_what_we_wrote_only_power_that_nobody_should_have_is_an_alarm() -> None:
    unknown: frozenset[str] = frozenset()
    assert tampering(WANTED, replace(GOOD, power_levels={**LEVELS, "events": {}}), unknown) is None
    assert tampering(WANTED, replace(GOOD, power_levels={**LEVELS, "users": {ALICE: 99}}), unknown)
    assert tampering(WANTED, replace(GOOD, power_levels={**LEVELS, "users": "broken"}), unknown)
