"""Reading a reply: exactly the sender's words, or a reason."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridges.email.convert_in import read_mail
from bridges.email.convert_out import Post, render
from bridges.email.ids import token_address
from bridges.email.incoming import Clean, Reading, Unsafe, UnsafeReason
from bridges.email.reply import read_reply
from tests.bridges.email.builders import (
    ADDRESS,
    CLIENTS,
    OTHER_TOKEN,
    OWN_DOMAIN,
    ROOM,
    TOKEN,
    letter,
    mail,
    parsed,
    plain_of,
    sent,
)

WORDS = "I would accept 4,500.\n\nOn the garden: he said he'd cut the hedge on 3 May.\nRegards, Carl"
ORIGINAL = sent("Dear Carl,\n\nThe offer: 4,000 at once.\nWould you call? https://example.org/" + "x" * 90)


def reading(text: str, *headers: str, to: str = ADDRESS) -> Reading:
    """What is read of a plain text."""
    return read_reply(read_mail(mail(text, *headers, to=to), null_sender=False), ADDRESS, ROOM.name)


def reason(text: str, *headers: str) -> UnsafeReason | None:
    """Why a text is unsafe, None if it is not."""
    found = reading(text, *headers)
    return found.reason if isinstance(found, Unsafe) else None


@pytest.mark.parametrize("client", CLIENTS)
def test_an_honest_reply_is_read_as_exactly_its_words(client: str) -> None:
    assert reading(CLIENTS[client](WORDS, ORIGINAL)) == Clean(WORDS)


@pytest.mark.parametrize("client", CLIENTS)
def test_a_reply_of_one_short_line_is_read(client: str) -> None:
    assert reading(CLIENTS[client]("Yes.", ORIGINAL)) == Clean("Yes.")


@pytest.mark.parametrize("client", CLIENTS)
def test_an_empty_reply_has_no_words(client: str) -> None:
    assert reason(CLIENTS[client]("", ORIGINAL)) is UnsafeReason.NO_WORDS


def test_a_fresh_mail_without_a_quote_is_read_whole() -> None:
    assert reading("Good morning.\n\nI write to you anew.") == Clean("Good morning.\n\nI write to you anew.")


def test_naming_the_room_in_ones_own_words_cuts_nothing() -> None:
    words = f"I saw {ROOM.name} and wonder.\n\nWhat does it mean:\n1. this\n2. that"
    for compose in CLIENTS.values():
        assert reading(compose(words, ORIGINAL)) == Clean(words)


@pytest.mark.parametrize(
    "text",
    [
        "Fine.\n\n> some quote\n> of something",
        "Fine.\n\nOn Mon, 5 Jan 2026, Bea wrote:\nI did it.",
        "Fine.\n\nAm 5.1.26 um 10:00 schrieb Bea:\nIch war es.",
        "Fine.\n\n-----Original Message-----\nFrom: Bea",
        "Fine.\n________________________________\nVon: Bea",
        "Fine.\n\nFrom: Bea <bea@example.com>\nSent: Monday\nTo: Carl\nSubject: secret\n\nI did it.",
        "Fine.\n\n##- end abcdefgh -##",
        "Fine.\n\nMediator M wrote\n| Dear Carl",
        f"Fine. Write to {ADDRESS}",
        f"Fine.\n\n##- {token_address(OTHER_TOKEN, OWN_DOMAIN)} -##\n> quoted",
        f"> other quote\n\nFine.\n\n> ##- {ADDRESS} -##\n> words",
        f"Fine.\n\nCoś napisał:\n\n> ##- {ADDRESS} -##\n> words",
    ],
)
def test_a_quote_that_is_not_ours_for_certain_is_held(text: str) -> None:
    assert reason(text) is UnsafeReason.QUOTE_UNRECOGNISED


@pytest.mark.parametrize(
    "line",
    [
        "---------- Forwarded message ---------",
        "Begin forwarded message:",
        "-------- Weitergeleitete Nachricht --------",
    ],
)
def test_a_forwarded_mail_is_held(line: str) -> None:
    assert reason(f"See this.\n\n{line}\nFrom: Bea <b@example.com>\n\nsecret") is UnsafeReason.FORWARDED


def test_our_anchor_with_another_address_is_not_our_anchor() -> None:
    other = render(letter(Post("M", "from the other room"), token=OTHER_TOKEN))
    text = CLIENTS["outlook"]("Fine.", plain_of(parsed(other.raw)))
    assert reason(text) is UnsafeReason.QUOTE_UNRECOGNISED


@pytest.mark.parametrize("client", CLIENTS)
def test_an_answer_within_the_quote_is_held_and_not_lost(client: str) -> None:
    lines = CLIENTS[client]("See below.", ORIGINAL).split("\n")
    place = next(i for i, line in enumerate(lines) if "The offer" in line) + 1
    text = "\n".join([*lines[:place], "", "No, I want 4,500.", "", *lines[place:]])
    found = reading(text)
    assert isinstance(found, Unsafe)
    assert found.reason is UnsafeReason.ANSWERED_IN_QUOTE
    assert "No, I want 4,500." in found.text


@pytest.mark.parametrize("client", sorted(set(CLIENTS) - {"thunderbird, german"}))
def test_an_answer_below_the_quote_is_held_and_not_lost(client: str) -> None:
    found = reading(CLIENTS[client]("", ORIGINAL) + "\n\nMy answer stands here.\n")
    assert isinstance(found, Unsafe)
    assert found.reason is UnsafeReason.ANSWERED_IN_QUOTE
    assert "My answer stands here." in found.text


def test_what_is_held_shows_no_secret_address() -> None:
    found = reading(CLIENTS["gmail"]("> a\nFine.", ORIGINAL))
    assert isinstance(found, Unsafe)
    assert TOKEN.value not in found.text


def test_a_quote_cut_short_by_its_author_is_still_cut() -> None:
    text = CLIENTS["gmail"](WORDS, ORIGINAL)
    assert reading(text[: text.index("> | Would you call")]) == Clean(WORDS)


def test_a_mail_to_others_too_is_held() -> None:
    both = f"{ADDRESS}, {token_address(OTHER_TOKEN, OWN_DOMAIN)}"
    for found in (reading("Hello", to=both), reading("Hello", "Cc: bea@example.com"), reading("Hello", "Cc: a, b")):
        assert isinstance(found, Unsafe)
        assert found.reason is UnsafeReason.OTHER_RECIPIENTS


def test_a_signature_is_left_out_and_a_dashed_list_is_not() -> None:
    assert reading("Yes.\n-- \nCarl\nLong Street 4") == Clean("Yes.")
    text = "Yes.\n--\n" + "\n".join(f"line {i}" for i in range(20))
    assert reading(text) == Clean(text)


def test_characters_that_steer_the_display_do_not_get_in() -> None:
    assert reading("a\u202eb\u2066c\x00d\x1be") == Clean("abcde")


_LINES = st.lists(
    st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), max_size=90)
    | st.sampled_from(["", "> x", "-- ", "From: a <b@c.de>", "On Monday he wrote:", "##- x -##", "| words", ROOM.name]),
    max_size=12,
)


@given(client=st.sampled_from(sorted(CLIENTS)), theirs=_LINES, ours=_LINES, noise=_LINES)
def test_no_line_that_we_sent_is_ever_left_in_clean_words(
    client: str, theirs: list[str], ours: list[str], noise: list[str]
) -> None:
    marker = "zq-marker"
    original = sent("\n".join(f"{marker} {line}" for line in [*ours, "last"]))
    words = "\n".join(line.replace(marker, "") for line in theirs)
    text = CLIENTS[client](words, original) + "\n".join(noise)
    found = reading(text)
    if isinstance(found, Clean):
        assert marker not in found.text
        assert ADDRESS not in found.text
        assert set("".join(found.text.split())) <= set("".join(words.split()))


@given(
    client=st.sampled_from(sorted(CLIENTS)),
    words=st.lists(st.text("abcdefghij .,!?äöüß", min_size=1, max_size=60).map(str.strip).filter(bool), min_size=1),
    ours=st.lists(st.text(st.characters(codec="utf-8"), max_size=200), max_size=8),
)
def test_ordinary_words_are_read_exactly_whatever_we_had_sent(client: str, words: list[str], ours: list[str]) -> None:
    said = "\n".join(words)
    assert reading(CLIENTS[client](said, sent("\n".join(ours)))) == Clean(said)


@pytest.mark.parametrize("headers", [b"", b"To: undisclosed-recipients:;\r\n"])
def test_a_mail_that_names_no_recipient_is_held(headers: bytes) -> None:
    """It may be any mail of that sender's, handed to us by whoever received it as a blind copy."""
    raw = b"From: carl@example.net\r\n" + headers + b"Message-ID: <a@b>\r\n\r\nI accept.\r\n"
    reading = read_reply(read_mail(raw, null_sender=False), ADDRESS, ROOM.name)
    assert isinstance(reading, Unsafe)
    assert reading.reason is UnsafeReason.OTHER_RECIPIENTS
