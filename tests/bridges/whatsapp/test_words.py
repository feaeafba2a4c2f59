"""People's words on WhatsApp: all of them, marked, in parts that are taken, none passing for ours."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridges.whatsapp.words import LIMIT, MARK, formatted, in_parts, quoted, units


@pytest.mark.parametrize(
    ("markdown", "shown"),
    [
        ("**no** and *perhaps*", "*no* and _perhaps_"),
        ("~~old~~ new", "~old~ new"),
        ("# Offer\n4,000", "Offer\n4,000"),
        ("[terms](https://example.org/a) apply", "terms (https://example.org/a) apply"),
        ("`**code**` and ```\n*x*\n```", "`**code**` and ```\n*x*\n```"),
        ("2*3*4 is 24, a * b", "2*3*4 is 24, a * b"),
        ("* an item\n* another", "* an item\n* another"),
        ("#1042", "#1042"),
    ],
)
def test_formatting_becomes_whatsapps_own(markdown: str, shown: str) -> None:
    assert formatted(markdown) == shown


@given(st.text(alphabet="ab *_~`#[]()\n.1", max_size=60))
def test_formatting_never_changes_a_word(markdown: str) -> None:
    assert re.findall(r"\w+", formatted(markdown).replace("_", " ")) == re.findall(r"\w+", markdown.replace("_", " "))


def test_a_long_text_is_broken_after_a_sentence() -> None:
    sentence = "This is one sentence of the text. "
    first, *_ = in_parts(quoted(sentence * 200))
    assert first.endswith("text.")
    assert units(first) > LIMIT // 2


def test_lines_that_fit_together_stay_together() -> None:
    assert in_parts(["a", "b", "c"]) == ["a\nb\nc"]


@given(st.text(max_size=300), st.integers(min_value=12, max_value=60))
def test_no_word_is_lost_and_no_part_is_too_long(text: str, limit: int) -> None:
    lines = quoted(text)
    found = in_parts(lines, limit)
    assert all(units(part) <= limit for part in found)
    said = "".join("".join(line.removeprefix(MARK.rstrip()).split()) for line in lines)
    carried = "".join("".join(line.removeprefix(MARK.rstrip()).split()) for part in found for line in part.split("\n"))
    assert carried == said


@given(st.text(alphabet=st.sampled_from("🔒PRIVATE \r\n\u2028\x0b\x85>ab"), max_size=80))
def test_none_of_a_persons_lines_passes_for_one_of_ours(text: str) -> None:
    for part in in_parts(quoted(text), 20):
        assert all(line.startswith(MARK.rstrip()) for line in part.splitlines())
