"""Answers that are HTML alone: exactly the words, or a reason; and our own mail in HTML says what its text does."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridges.email.anchor import cut_at_anchor
from bridges.email.convert_in import read_mail
from bridges.email.convert_out import Content, Correction, FileShared, Invitation, Post, Removed
from bridges.email.html import text_of, without_quotes
from bridges.email.incoming import Clean, Reading, Unsafe, UnsafeReason
from bridges.email.reply import read_reply
from tests.bridges.email.builders import ADDRESS, HTML_CLIENTS, OTHER_TOKEN, ROOM, html_mail, html_of, letter

WORDS = "I would accept 4,500.\n\nOn the garden: he'd cut <the> hedge & more.\nRegards, Carl"
OURS: dict[str, Content] = {
    "post": Post("Mediator M", "Dear Carl,\n\nThe offer: 4,000 at once - or more.\n> quoted <b>\n" + "x" * 90),
    "correction": Correction("Alice", "new words"),
    "removal": Removed(),
    "file": FileShared("Alice"),
    "invitation": Invitation("Town Mediation", "Mia", "+1 555 0100", "Carl"),
}


def reading(source: str) -> Reading:
    return read_reply(read_mail(html_mail(source), null_sender=False), ADDRESS, ROOM.name)


def reason(source: str) -> UnsafeReason | None:
    found = reading(source)
    return found.reason if isinstance(found, Unsafe) else None


@pytest.mark.parametrize("ours", OURS)
@pytest.mark.parametrize("client", HTML_CLIENTS)
def test_an_honest_answer_is_read_as_exactly_its_words(client: str, ours: str) -> None:
    assert reading(HTML_CLIENTS[client](WORDS, html_of(letter(OURS[ours])))) == Clean(WORDS)


def test_a_fresh_mail_is_read_whole() -> None:
    assert reading("<p>Good morning.</p><p>I write anew.</p>") == Clean("Good morning.\n\nI write anew.")


@pytest.mark.parametrize("client", HTML_CLIENTS)
def test_an_answer_within_the_quote_is_held_and_not_lost(client: str) -> None:
    original = html_of(letter(OURS["post"]))
    source = HTML_CLIENTS[client]("See below.", original).replace(
        "4,000 at once", "4,000 at once</p><p>No, 4,500!</p><p>"
    )
    found = reading(source)
    assert isinstance(found, Unsafe)
    assert "No, 4,500!" in found.text


@pytest.mark.parametrize("client", sorted(set(HTML_CLIENTS) - {"outlook"}))
def test_an_answer_below_the_quote_is_held_and_not_lost(client: str) -> None:
    source = HTML_CLIENTS[client]("", html_of(letter(OURS["post"]))).replace("</body>", "<p>My answer.</p></body>")
    found = reading(source)
    assert isinstance(found, Unsafe)
    assert "My answer." in found.text


@pytest.mark.parametrize("client", HTML_CLIENTS)
def test_a_quote_of_another_mail_is_held(client: str) -> None:
    other = html_of(letter(Post("M", "from the other room"), token=OTHER_TOKEN))
    assert reason(HTML_CLIENTS[client]("Fine.", other)) is UnsafeReason.HTML_QUOTE


def test_our_mail_in_html_says_what_its_text_says_and_is_cut_at_the_same_marks() -> None:
    for content in OURS.values():
        cut = cut_at_anchor(text_of(html_of(letter(content))).split("\n"), ADDRESS)
        assert cut is not None
        assert not cut.answered_below


@given(st.text(max_size=200))
def test_a_partys_words_can_not_become_markup_of_ours(words: str) -> None:
    source = html_of(letter(Post("Alice", words)))
    plain = html_of(letter(Post("Alice", "x")))
    assert re.findall(r"<[a-z/!][^>]*>", source) == re.findall(r"<[a-z/!][^>]*>", plain)


@given(
    client=st.sampled_from(sorted(HTML_CLIENTS)),
    ours=st.lists(st.text(max_size=60), max_size=5),
    noise=st.text("<>/=\"' abcdivblockquote", max_size=60),
    place=st.integers(0, 4000),
)
def test_no_line_that_we_sent_is_ever_left_in_clean_words(client: str, ours: list[str], noise: str, place: int) -> None:
    original = html_of(letter(Post("M", "\n".join(f"zq-marker {line}" for line in [*ours, "last"]))))
    source = HTML_CLIENTS[client]("Yes.", original)
    found = reading(source[:place] + noise + source[place:])
    if isinstance(found, Clean):
        assert "zq-marker" not in found.text
        assert ADDRESS not in found.text


@given(st.text("<>/=\"'&;# adivblockquotep", max_size=300))
def test_no_markup_raises(source: str) -> None:
    text_of(without_quotes(source))
