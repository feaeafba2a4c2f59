"""The rooms of a case, and who has which power in them."""

from policies.case import Case, Kind, Role
from policies.people.membership import conversations, readers
from policies.plan import MEDIATOR_LEVEL, WantedRoom, desk_label, label, plan
from tests.policies.builders import both_sides, case_with, caucus_of, named, new_case


def rooms(case: Case) -> dict[str, WantedRoom]:
    return {room.key: room for room in plan(case)}


def test_a_new_case_has_a_desk_and_its_space_and_nothing_else() -> None:
    assert list(rooms(new_case())) == ["desk", "space-desk"]


def test_each_side_has_a_caucus_and_a_space_and_all_have_the_joint_room_once_it_is_open() -> None:
    closed = case_with("!side add Smith", "!side add Jones")
    assert "joint" not in rooms(closed)
    case = both_sides()
    sides = [side.id for side in case.sides]
    caucuses, spaces = {f"caucus-{s}" for s in sides}, {f"space-{s}" for s in sides}
    assert set(rooms(case)) == {"desk", "joint", "space-desk"} | caucuses | spaces


def test_a_room_is_read_by_its_conversations_readers() -> None:
    case = both_sides()
    for room in plan(case):
        if room.conversation:
            assert room.readers == readers(case, room.conversation)


def test_a_sides_space_shows_its_own_caucus_and_the_joint_room_alone() -> None:
    case = both_sides()
    for side in case.sides:
        space = rooms(case)[f"space-{side.id}"]
        assert set(space.children) == {"joint", f"caucus-{side.id}"}
        assert not any(case.is_staff(person) for person in space.readers)


def test_the_mediators_space_lists_every_room_and_only_mediators_see_it() -> None:
    case = both_sides()
    space = rooms(case)["space-desk"]
    assert {room.key for room in plan(case) if room.conversation} == set(space.children)
    assert all(case.is_staff(person) for person in space.readers)


def test_rooms_come_before_the_spaces_that_list_them() -> None:
    seen: set[str] = set()
    for room in plan(both_sides()):
        assert set(room.children) <= seen
        seen.add(room.key)


def test_no_name_of_a_room_has_a_fact_of_the_case() -> None:
    case = both_sides()
    told = {"Smith", "Jones", "Alice", "Carl", "Mia"}
    assert not any(word in room.name for room in plan(case) for word in told)
    assert not any(word in label(c, case) for c in conversations(case) for word in told)


def test_the_two_caucuses_have_names_that_do_not_tell_them_apart_but_at_the_desk() -> None:
    case = both_sides()
    one, other = caucus_of(case, "Smith"), caucus_of(case, "Jones")
    assert label(one, case) == label(other, case) == "PRIVATE with mediator · 1042"
    assert desk_label(one, case) != desk_label(other, case)


def test_nobody_but_the_bot_can_change_a_room() -> None:
    case = both_sides("!party add Olga @olga:example.org as observer")
    for room in plan(case):
        levels = room.levels
        highest = max(levels.users.values(), default=0)
        assert highest <= MEDIATOR_LEVEL
        assert min(levels.state_default, levels.invite, levels.kick, levels.ban, levels.redact) > highest
        assert "m.room.power_levels" not in levels.events


def test_parties_may_post_words_and_take_them_back_in_private_only() -> None:
    for room in plan(both_sides()):
        if room.conversation is None:
            assert room.levels.events_default > MEDIATOR_LEVEL
            continue
        may = {kind for kind, level in room.levels.events.items() if level <= room.levels.users_default}
        taking_back = set() if room.conversation.kind is Kind.JOINT else {"m.room.redaction"}
        assert may == {"m.room.encrypted", "m.room.message", "m.reaction"} | taking_back


def test_an_observer_only_looks_on() -> None:
    case = both_sides("!party add Olga @olga:example.org as observer")
    olga = named(case, "Olga").id
    assert case.roles(olga)[0].role is Role.OBSERVER
    assert rooms(case)["joint"].levels.users[olga] < 0
