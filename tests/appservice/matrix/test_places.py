"""A place that somebody shares goes on as words, if everybody is shown the same one."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appservice.matrix.content import read
from policies.message import Text, Unreadable

FENCE = {"msgtype": "m.location", "body": "the fence", "geo_uri": "geo:51.5008,-0.1247;u=35"}
WORDS = "📍 51.500800 -0.124700\nthe fence"


def said(**more: Any) -> Any:
    return read("m.room.message", {**FENCE, **more}, {}).content


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"geo_uri": "geo:51.5008,-0.1247"},
        {"geo_uri": "geo:51.5008,-0.1247,12.5;crs=wgs84"},
        {"geo_uri": "geo:51.50080012345679,-0.12470032263183594"},
        {"m.location": {"uri": "geo:51.5008,-0.1247"}, "m.asset": {"type": "m.pin"}},
        {"org.matrix.msc3488.location": {"uri": "geo:51.50080,-0.12470", "description": "the fence"}},
    ],
)
def test_a_place_is_words_and_where_it_is_stands_first(more: dict[str, Any]) -> None:
    assert said(**more) == Text(WORDS)


def test_whatever_is_said_of_it_goes_with_it_and_is_no_command() -> None:
    assert said(body="!undo") == Text("📍 51.500800 -0.124700\n!undo")
    again = {"uri": FENCE["geo_uri"], "description": "where it stood"}
    assert said(**{"m.location": again}) == Text(f"{WORDS}\nwhere it stood")


@pytest.mark.parametrize(
    "more",
    [
        {"geo_uri": None},
        {"geo_uri": 5},
        {"geo_uri": "geo:91,0"},
        {"geo_uri": "geo:0,181"},
        {"geo_uri": "geo:nan,0"},
        {"geo_uri": "https://example.org/51.5,-0.1"},
        {"geo_uri": "geo:51.5008"},
        {"m.location": {"uri": "geo:52,13"}},
        {"org.matrix.msc3488.location": {"uri": "geo:52,13"}},
        {"m.location": "geo:51.5008,-0.1247"},
        {"m.location": {"uri": FENCE["geo_uri"], "description": 5}},
        {"format": "org.matrix.custom.html", "formatted_body": "somewhere else"},
        {"body": "to the \u202eleft"},
    ],
)
def test_what_is_not_one_place_for_everybody_is_not_carried(more: dict[str, Any]) -> None:
    assert isinstance(said(**more), Unreadable)


@given(st.text(max_size=80), st.text(), st.one_of(st.none(), st.text(), st.dictionaries(st.text(), st.text())))
def test_nothing_in_it_breaks_reading(uri: str, body: str, again: object) -> None:
    for one in (uri, f"geo:{uri}"):
        assert isinstance(said(geo_uri=one, body=body, **{"m.location": again}), Text | Unreadable)
