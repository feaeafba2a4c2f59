"""Telephone numbers: one spelling for each, and never two people in one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.people.telephone import contact, normalised, spellings, user_id


@pytest.mark.parametrize(
    ("typed", "number"),
    [
        ("+34 600 123-456", "+34600123456"),
        ("0034600123456", "+34600123456"),
        ("+44 (0)20 7946 0000", "+442079460000"),
        (" +1 (555) 000.1111 ", "+15550001111"),
        ("600123456", None),
        ("+0600123456", None),
        ("+34", None),
        ("+34600123456789012", None),
        ("+34 600 12345a", None),
        ("carl@example.org", None),
    ],
)
def test_a_number_has_one_spelling_and_names_its_country(typed: str, number: str | None) -> None:
    assert normalised(typed) == number


def test_a_person_without_a_number_is_named_by_whatsapps_own_id() -> None:
    assert contact("ES.4711aB") == user_id("ES.4711aB") == "ES.4711aB"
    assert contact("+34 600 123 456") == "+34600123456"
    assert contact("es.4711") is None


@pytest.mark.parametrize(
    ("one", "other"),
    [("+5511987654321", "+551187654321"), ("+5215512345678", "+525512345678"), ("+5491123456789", "+541123456789")],
)
def test_regional_spellings_are_known_both_ways(one: str, other: str) -> None:
    assert spellings(one) == {other}
    assert spellings(other) == {one}


@given(st.from_regex(r"\+[1-9][0-9]{6,14}", fullmatch=True))
def test_no_number_is_another_spelling_of_itself_and_the_relation_goes_both_ways(number: str) -> None:
    assert normalised(number) == number
    assert number not in spellings(number)
    assert all(number in spellings(other) for other in spellings(number))


@given(st.text())
def test_no_text_raises_anything(text: str) -> None:
    found = contact(text)
    assert found is None or contact(found) == found
