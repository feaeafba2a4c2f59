"""What is pressed or typed on a page becomes a place on it, in the words of the command, and nothing else does."""

import pytest

from bridges.portal.marking import HIGH, WIDE, marked_by
from policies.commands.redacting import MARKED_MOST, TOO_MUCH, area_from, area_text
from policies.documents.document import Area

PRESSED = {"page": "2", "corner": "100,200", "at.x": str(WIDE * 6 // 10), "at.y": str(HIGH * 3 // 10)}


def test_one_press_is_a_corner_and_the_next_makes_a_place_whichever_corners_they_are() -> None:
    first = marked_by({"page": "2", "at.x": str(WIDE * 6 // 10), "at.y": str(HIGH * 3 // 10)})
    assert (first.corner, first.areas) == ((600, 300), ())
    assert first.said
    assert marked_by(PRESSED).areas == (Area(2, 100, 200, 603, 303),)
    backwards = PRESSED | {"corner": "600,300", "at.x": str(WIDE // 10), "at.y": str(HIGH * 2 // 10)}
    assert marked_by(backwards).areas == (Area(2, 100, 200, 603, 303),)


def test_the_whole_page_can_be_marked() -> None:
    last = {"at.x": str(WIDE - 1), "at.y": str(HIGH - 1)}  # as a browser counts them
    assert marked_by({"corner": "0,0", **last}).areas == (Area(1, 0, 0, 1000, 1000),)
    corner = marked_by(last).corner
    assert corner
    first = {"corner": f"{corner[0]},{corner[1]}", "at.x": "0", "at.y": "0"}
    assert marked_by(first).areas == (Area(1, 0, 0, 1000, 1000),)


def test_a_decimal_comma_is_one() -> None:
    typed = {"left": "5", "top": "5,5", "right": "50", "bottom": "7,5"}
    assert marked_by(typed).areas == (Area(1, 50, 55, 500, 75),)


def test_a_place_is_typed_in_percent_and_what_was_marked_stays() -> None:
    typed = {"page": "3", "areas": "1:10.0,20.0-60.0,28.5", "left": "5", "top": "5", "right": "50", "bottom": "7.5"}
    assert marked_by(typed).areas == (Area(1, 100, 200, 600, 285), Area(3, 50, 50, 500, 75))
    assert marked_by(typed).text == "1:10.0,20.0-60.0,28.5 3:5.0,5.0-50.0,7.5"
    assert marked_by(typed).without(0) == "3:5.0,5.0-50.0,7.5"


@pytest.mark.parametrize(
    "wrong",
    [
        {"left": "60", "top": "5", "right": "50", "bottom": "7"},
        {"left": "5", "top": "", "right": "50", "bottom": "7"},
        {"left": "-1", "top": "5", "right": "50", "bottom": "107"},
        {"left": "x", "top": "5", "right": "50", "bottom": "7"},
        {"corner": "600,300", "at.x": str(WIDE * 6 // 10), "at.y": "9"},
    ],
)
def test_what_is_no_place_is_said_and_marks_nothing(wrong: dict[str, str]) -> None:
    marked = marked_by({"page": "1"} | wrong)
    assert marked.areas == ()
    assert marked.said


@pytest.mark.parametrize(
    "odd", [{"page": "x"}, {"page": "9" * 30}, {"at.x": "1" * 50, "at.y": "²"}, {"areas": "<script> 1:0,0-200,200"}]
)
def test_whatever_stands_in_the_address_breaks_nothing(odd: dict[str, str]) -> None:
    assert marked_by(odd).areas == ()


def test_there_are_so_many_places_and_no_more() -> None:
    areas = " ".join(["1:0.0,0.0-1.0,1.0"] * (MARKED_MOST + 5))
    full = marked_by(PRESSED | {"areas": areas})
    assert len(full.areas) == MARKED_MOST
    assert full.said == TOO_MUCH


def test_a_place_that_is_written_is_read_as_the_same() -> None:
    for area in (Area(1, 0, 0, 1000, 1000), Area(12, 1, 999, 2, 1000), Area(3, 50, 50, 505, 75)):
        assert area_from(area_text(area)) == area
