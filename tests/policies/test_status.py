"""A case in words: what a room's readers are told, and what the desk is."""

from policies.case import JOINT
from policies.people.membership import conversations, readers
from policies.status import readers_text, sides_text, status_text
from tests.policies.builders import CARL_JOINS, both_sides, case_with, caucus_of, new_case

FULL = both_sides(
    "!party add Dan @dan:example.org as interpreter on Smith",
    "!party add Dan @dan:example.org as interpreter on Jones",
)


def test_a_room_names_all_who_read_it_and_nobody_else() -> None:
    for conversation in conversations(FULL):
        text = readers_text(FULL, conversation)
        for person in FULL.people:
            assert (person.name in text) is (person.id in readers(FULL, conversation))


def test_a_caucus_says_neither_side_nor_addresses() -> None:
    text = readers_text(FULL, caucus_of(FULL, "Jones"))
    assert text.startswith("PRIVATE.")
    assert "Jones" not in text
    assert "@" not in text


def test_a_neutral_in_both_caucuses_is_shown_in_both() -> None:
    for side in ("Smith", "Jones"):
        assert "Dan (interpreter)" in readers_text(FULL, caucus_of(FULL, side))


def test_what_is_not_end_to_end_encrypted_is_said_where_it_matters() -> None:
    assert "not end-to-end encrypted" in readers_text(FULL, JOINT)
    assert "not end-to-end encrypted" in readers_text(FULL, caucus_of(FULL, "Jones"))
    assert "encrypted" not in readers_text(FULL, caucus_of(FULL, "Smith"))


def test_the_desk_sees_people_channels_and_consents() -> None:
    text = status_text(both_sides())
    assert "– Alice: party on Smith; in Matrix as @alice:example.org" in text
    assert "by mail at carl@example.net, consent recorded by Mia on 2026-01-05" in text
    assert "NO CONSENT yet" in status_text(case_with(CARL_JOINS))


def test_an_empty_case_says_what_to_do() -> None:
    assert "!party add" in status_text(new_case())
    assert "!side add" in sides_text(new_case())


def test_the_sides_are_listed_with_their_people() -> None:
    assert "Jones: Carl (party), Dan (interpreter)" in sides_text(FULL)
    assert "Brown: nobody yet" in sides_text(both_sides("!side add Brown"))
