"""Words from outside are harmless to show, and names don't imitate."""

import unicodedata
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.words.text import NAME_LIMIT, as_html, clean, marked, name_problem, one_line, skeleton

BIDI = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"


@given(st.text())
def test_nothing_that_was_cleaned_steers_the_reader(body: str) -> None:
    cleaned = clean(body)
    assert not set(cleaned) & set(BIDI)
    assert all(unicodedata.category(c) not in {"Cc", "Cs", "Co"} for c in cleaned if c not in "\n\t")
    assert clean(cleaned) == cleaned


@given(st.text(alphabet=st.characters(categories=("L", "N", "P", "Zs")), max_size=40))
def test_ordinary_words_stay_as_they_are(body: str) -> None:
    assert clean(body) == body


def test_line_breaks_stay_and_come_in_one_form() -> None:
    assert clean("one\r\ntwo\n\tthree\x00") == "one\ntwo\n\tthree"


@given(st.text(), st.integers(2, 100))
def test_one_line_is_one_short_line(body: str, limit: int) -> None:
    line = one_line(body, limit)
    assert len(line) <= limit
    assert len(line.splitlines()) <= 1


class _Shown(HTMLParser):
    """What a client shows of HTML: lines, each with whether a quotation's bar stands beside it."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.lines: list[tuple[bool, str]] = [(False, "")]
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        assert (tag, attrs) in (("blockquote", []), ("br", []))
        if tag == "blockquote" and self.lines[-1] == (False, ""):
            self.lines.pop()
        self.lines.append((tag == "blockquote" or self.lines[-1][0], ""))

    def handle_endtag(self, tag: str) -> None:
        self.lines.append((False, ""))

    def handle_data(self, data: str) -> None:
        quoted, line = self.lines[-1]
        self.lines[-1] = (quoted, line + data)


@given(st.lists(st.text(alphabet="a<>&\"' /b!-", max_size=12), max_size=4), st.text(max_size=40))
def test_in_html_somebodys_words_stand_beside_a_bar_and_ours_without_and_none_is_markup(
    ours: list[str], words: str
) -> None:
    text = "\n".join([f"Ours: {line}" for line in ours] + marked(words) + ["Ours again"])
    html = as_html(text)
    if not marked(words):
        assert html is None
        return
    assert html is not None
    shown = [(quoted, line.strip()) for quoted, line in _Shown(html).lines]
    theirs = [line.removeprefix(">").strip() for line in marked(words)]
    assert shown == [
        *((False, f"Ours: {line}".strip()) for line in ours),
        *((True, line) for line in theirs),
        (False, "Ours again"),
    ]


@pytest.mark.parametrize("name", ["Alice", "Alice Smith", "Zoë O'Brien-Smith", "Ольга", "李四", "Dr. Jones", "Jan 2"])
def test_ordinary_names_are_fine(name: str) -> None:
    assert name_problem(name) is None


@pytest.mark.parametrize("char", [*BIDI, *"\u200b\u200c\u200d\u2060\ufeff\u00ad\u3164\x00\x1b\n\u2028"])
def test_no_name_hides_anything(char: str) -> None:
    assert name_problem(f"Al{char}ice")


@pytest.mark.parametrize("char", '<>()[]{}|·@:!`*_#"\\')
def test_no_name_holds_what_our_labels_are_made_of(char: str) -> None:
    assert name_problem(f"Al{char}ice")


@pytest.mark.parametrize("word", ["everyone", "private", "mediatrix", "desk", "held", "released"])
def test_no_name_begins_like_a_label(word: str) -> None:
    for shown in (
        word,
        word.upper(),
        f"{word} Alice",
        f"{word.title()}  x",
        word.translate(str.maketrans("eao", "еао")),
    ):
        assert name_problem(shown), shown
    assert name_problem(f"{word}ly") is None


def test_a_name_is_short_and_there() -> None:
    assert name_problem("x" * NAME_LIMIT) is None
    assert name_problem("x" * (NAME_LIMIT + 1))
    assert name_problem("   ")


@given(st.text(alphabet=st.characters(categories=("L", "N", "Zs")), min_size=1, max_size=20))
def test_a_skeleton_is_the_same_for_what_looks_the_same(name: str) -> None:
    assert skeleton(skeleton(name)) == skeleton(name)
    assert skeleton(f" {name} ") == skeleton(name)


@pytest.mark.parametrize(
    ("one", "other"),
    [("Alice", "Аlice"), ("Alice", "AIice"), ("Carl", "Cаrl"), ("Bob", "B0b"), ("Zoe", "Zoë"), ("Ann", "Ａｎｎ")],
)
def test_twins_have_one_skeleton(one: str, other: str) -> None:
    assert skeleton(one) == skeleton(other)


def test_people_with_different_names_are_told_apart() -> None:
    names = ("Alice", "Bob", "Carl", "Dan", "Eve", "Ольга", "Олег", "李四", "张三")
    assert len({skeleton(name) for name in names}) == len(names)
