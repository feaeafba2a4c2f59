"""What is bold on a telephone is bold in Matrix, and nobody's words become anything else."""

import re
from html import unescape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.case import JOINT
from policies.effects import Post
from policies.message import MessageId, Text
from policies.words.chat import chat_html
from rooms.postings import html_of
from tests.appservice.whatsapp.house import case_with_bea
from tests.policies.builders import named


@pytest.mark.parametrize(
    ("typed", "shown"),
    [
        ("*no*, _never_ and ~maybe~", "<strong>no</strong>, <em>never</em> and <del>maybe</del>"),
        ("_*both*_", "<em><strong>both</strong></em>"),
        ("one\n*two*", "one<br><strong>two</strong>"),
        ("`a*b*c` and ```*x*\ny```", "<code>a*b*c</code> and <code>*x*<br>y</code>"),
        ("*<b>*", "<strong>&lt;b&gt;</strong>"),
        ("https://x.org/_a_/*b* _so_", "https://x.org/_a_/*b* <em>so</em>"),
        ("*a _b* c_", "<strong>a _b</strong> c_"),
        ("~a *b _c_*~", "<del>a <strong>b <em>c</em></strong></del>"),
        ("2*3*4 and snake_case_word and * x *", None),
        ("<a href='x'>plain</a>", None),
        ("", None),
    ],
)
def test_formatting_of_whatsapp_is_shown_in_matrix(typed: str, shown: str | None) -> None:
    assert chat_html(typed) == shown


@given(st.text(alphabet="*_~`<>&ab \n'\"/", max_size=60))
def test_no_tags_cross(typed: str) -> None:
    opened: list[str] = []
    for closes, tag in re.findall(r"<(/?)(\w+)>", chat_html(typed) or ""):
        if closes:
            assert opened.pop() == tag
        elif tag != "br":
            opened.append(tag)
    assert not opened


@given(st.text(alphabet="*_~ab/.", max_size=30).map("https://x.org/".__add__))
def test_a_link_stays_as_it_was_typed(link: str) -> None:
    assert link in (chat_html(f"*see* {link}") or "")


@given(st.text(alphabet="*_~`<>&ab \n'\"/", max_size=60))
def test_no_word_is_lost_and_no_other_tag_gets_in(typed: str) -> None:
    shown = chat_html(typed)
    if shown is None:
        return
    assert set(re.findall(r"</?([^>]*)>", shown)) <= {"strong", "em", "del", "code", "br"}
    plain = unescape(re.sub(r"<[^>]*>", "", shown))
    assert re.sub(r"[*_~`\n]", "", plain) == re.sub(r"[*_~`\n]", "", typed)


def test_only_what_came_by_whatsapp_is_read_so() -> None:
    case = case_with_bea("!party add Carl carl@example.org on Jones")
    said = {name: Post(JOINT, named(case, name).id, Text("*no*"), MessageId("m1")) for name in ("Bea", "Carl")}
    assert html_of(said["Bea"], case) == "<strong>no</strong>"
    assert html_of(said["Carl"], case) is None
