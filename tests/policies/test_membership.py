"""Who reads what: the table of roles and rooms, over random cases."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.case import (
    DESK,
    JOINT,
    STAFF,
    Case,
    CaseId,
    Conversation,
    Kind,
    Participation,
    PersonId,
    Phase,
    Role,
    Side,
    SideId,
    caucus,
)
from policies.people.membership import caucuses_of, conversations, readers, sits_in_a_caucus
from tests.policies.builders import both_sides, caucus_of, named

SIDES = (Side(SideId("s1"), "Smith"), Side(SideId("s2"), "Jones"))
SEATS = st.builds(
    Participation,
    st.sampled_from([PersonId(f"p{n}") for n in range(6)]),
    st.sampled_from(Role),
    st.sampled_from([SideId("s1"), SideId("s2"), None]),
)
CASES = st.builds(
    lambda seats, phase: Case(CaseId("1"), "x", phase, SIDES, participations=tuple(seats)),
    st.lists(SEATS, max_size=8),
    st.sampled_from(Phase),
)
EVERYWHERE = (DESK, JOINT, caucus(SideId("s1")), caucus(SideId("s2")), caucus(SideId("s9")))


def staff(case: Case, person: PersonId) -> bool:
    return any(p.person == person and p.role in STAFF for p in case.participations)


@given(CASES)
def test_a_caucus_is_read_by_its_side_and_the_mediators_alone(case: Case) -> None:
    for side in SIDES:
        for person in readers(case, caucus(side.id)):
            on_it = any(p.person == person and p.side == side.id for p in case.participations)
            assert on_it or staff(case, person)


@given(CASES)
def test_the_desk_is_read_by_mediators_alone(case: Case) -> None:
    assert all(staff(case, person) for person in readers(case, DESK))


@given(CASES)
def test_a_mediator_reads_everything_that_there_is(case: Case) -> None:
    for person in {p.person for p in case.participations if p.role in STAFF}:
        assert all(person in readers(case, c) for c in conversations(case))


@given(CASES)
def test_the_joint_room_is_read_by_all_once_it_is_open_and_by_nobody_before(case: Case) -> None:
    everyone = {p.person for p in case.participations}
    assert readers(case, JOINT) == (everyone if case.phase is Phase.IN_SESSION else set())


@given(CASES)
def test_what_the_case_does_not_have_is_read_by_nobody(case: Case) -> None:
    assert readers(case, caucus(SideId("s9"))) == frozenset()
    assert readers(case, Conversation(Kind.CAUCUS)) == frozenset()


@given(CASES)
def test_a_person_has_the_caucuses_of_their_own_sides(case: Case) -> None:
    for person in {p.person for p in case.participations}:
        own = caucuses_of(case, person)
        if staff(case, person):
            assert own == ()
        else:
            assert set(own) == {c for c in EVERYWHERE if c.kind is Kind.CAUCUS and person in readers(case, c)}


@pytest.mark.parametrize("role", list(Role))
def test_each_role_has_the_rooms_of_the_table(role: Role) -> None:
    case = both_sides()
    seat = Participation(PersonId("x"), role, caucus_of(case, "Smith").side if sits_in_a_caucus(role) else None)
    case = Case(case.id, "x", Phase.IN_SESSION, case.sides, participations=(*case.participations, seat))
    mine = {c.id for c in conversations(case) if "x" in readers(case, c)}
    smith, jones = caucus_of(case, "Smith").id, caucus_of(case, "Jones").id
    expected = {
        Role.MEDIATOR: {DESK.id, JOINT.id, smith, jones},
        Role.CO_MEDIATOR: {DESK.id, JOINT.id, smith, jones},
        Role.PARTY: {JOINT.id, smith},
        Role.COUNSEL: {JOINT.id, smith},
        Role.SUPPORTER: {JOINT.id, smith},
        Role.INTERPRETER: {JOINT.id, smith},
        Role.EXPERT: {JOINT.id},
        Role.OBSERVER: {JOINT.id},
        Role.COLLEAGUE: set(),  # in the mediators' room alone
    }
    assert mine == expected[role]


def test_one_side_does_not_read_the_other() -> None:
    case = both_sides()
    assert named(case, "Alice").id not in readers(case, caucus_of(case, "Jones"))
    assert named(case, "Carl").id not in readers(case, caucus_of(case, "Smith"))
