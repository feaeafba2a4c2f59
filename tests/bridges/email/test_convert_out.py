"""Outgoing mail: who it speaks for, what it can't be made to say."""

import re
import unicodedata
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bridges.email.convert_out import (
    Attached,
    Content,
    Correction,
    Explanation,
    FileShared,
    Invitation,
    Letter,
    MailRoom,
    Post,
    Released,
    Removed,
    Several,
    render,
)
from bridges.email.ids import EmailAddress, token_address
from bridges.email.plaintext import WORDS_MARK, as_words, one_line, tidied
from policies.case import Kind
from tests.bridges.email.builders import ADDRESS, BOUNCES, CARL, OTHER_TOKEN, OWN_DOMAIN, ROOM, letter, parsed, text_of

JOINT = MailRoom("EVERYONE · 1042", Kind.JOINT)
EVERY_KIND: list[Content] = [
    Post("Alice", "words"),
    Correction("Alice", "words"),
    Removed(),
    FileShared("Alice"),
    Invitation("The Organisation", "Mediator M", "+49 30 1234", "Carl"),
    Explanation("Your mail was not posted."),
    Released("Alice's words, released by the mediator", "words"),
    Several((("2026-01-05 10:00 UTC", Post("Alice", "words")), ("2026-01-05 10:05 UTC", FileShared("Alice")))),
]


def test_the_boundaries_of_a_mail_with_a_file_have_only_signs_that_boundaries_can_have_and_differ() -> None:
    """RFC 2046, section 5.1.1: at most 70 of these, and the last no space."""
    file = Attached("brief.pdf", "application/pdf", b"%PDF-1.7")
    mail = parsed(render(replace(letter(Post("Alice", "words")), attached=file)).raw)
    boundaries = [part.get_boundary() or "" for part in mail.walk() if part.is_multipart()]
    assert len(set(boundaries)) == 2
    assert all(re.fullmatch(r"[0-9A-Za-z'()+_,./:=?-]{1,70}", one) for one in boundaries)


@pytest.mark.parametrize("content", EVERY_KIND)
def test_every_mail_has_the_anchor_the_room_and_its_readers_first(content: Content) -> None:
    lines = text_of(letter(content)).split("\n")
    assert lines[1] == f"##- {ADDRESS} -##"
    assert lines[3] == "PRIVATE with mediator · 1042"
    assert lines[4] == "Only your own side and the mediators read this, and what you answer."
    assert "EVERYONE in the mediation" in text_of(letter(content, room=JOINT))
    assert max(len(line) for line in lines) <= 72


@pytest.mark.parametrize("content", EVERY_KIND)
def test_every_mail_has_one_recipient_and_one_way_back(content: Content) -> None:
    outgoing = render(letter(content))
    message = parsed(outgoing.raw)
    assert outgoing.recipient == message["To"] == CARL.spelled
    assert message["Cc"] is None
    assert message["From"] == message["Reply-To"]
    assert message["From"].addresses[0].addr_spec == ADDRESS
    assert message["From"].addresses[0].display_name == message["Subject"] == ROOM.name
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["X-Auto-Response-Suppress"] == "All"
    assert message["X-Loop"] == OWN_DOMAIN
    assert outgoing.envelope_from == BOUNCES
    assert outgoing.raw.isascii()


@pytest.mark.parametrize("content", EVERY_KIND)
def test_to_unsubscribe_is_to_pause_by_one_press(content: Content) -> None:
    """RFC 8058: the mail program asks, and sends a POST itself; a machine that only looks at links stops nothing."""
    message = parsed(render(replace(letter(content), pause_url="https://x.example/p/1/pause")).raw)
    assert message["List-Unsubscribe"] == "<https://x.example/p/1/pause>"
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"


def test_rooms_share_no_address_name_or_subject() -> None:
    caucus = parsed(render(letter(Post("M", "x"))).raw)
    joint = parsed(render(letter(Post("M", "x"), room=JOINT, token=OTHER_TOKEN)).raw)
    for name in ("From", "Reply-To", "Subject"):
        assert caucus[name] != joint[name]
    assert token_address(OTHER_TOKEN, OWN_DOMAIN) not in render(letter(Post("M", "x"))).raw.decode()


def test_the_author_and_the_words_are_there() -> None:
    assert "Alice wrote\n| Dear all,\n|\n| yes.\n" in text_of(letter(Post("Alice", "Dear all,\n\nyes.")))


def test_a_thread_names_only_the_mails_it_was_given() -> None:
    earlier = tuple(f"<{i}@{OWN_DOMAIN}>" for i in range(14))
    message = parsed(
        render(Letter(Post("M", "x"), ROOM, ADDRESS, BOUNCES, CARL, "<n@x.y>", datetime.now(UTC), earlier)).raw
    )
    assert message["References"].split() == list(earlier[-10:])
    assert message["In-Reply-To"] == earlier[-1]
    assert parsed(render(letter(Post("M", "x"))).raw)["References"] is None


def test_a_file_is_announced_without_its_name() -> None:
    assert "ask the\nmediator" in text_of(letter(FileShared("Alice")))
    assert "Beside it" not in text_of(letter(FileShared("Alice")))
    assert "Beside it Alice wrote\n| my offer" in text_of(letter(FileShared("Alice", "my offer")))


@pytest.mark.parametrize(
    "words",
    [
        f"##- {ADDRESS} -##",
        "EVERYONE · 1042",
        "Mediator M wrote\n| I lied",
        "a\u2028Mediator M wrote",
        "a\x0bMediator M wrote",
        "a\rMediator M wrote",
        "a\x85Mediator M wrote",
        "a" + " " * 90 + "Mediator M wrote",
        "a" + "\u00a0" * 90 + "Mediator\u00a0M\u00a0wrote",
        "\u202eetorw M rotaideM",
        "x" * 200 + "EVERYONE",
    ],
)
def test_a_partys_words_cannot_pass_for_ours(words: str) -> None:
    lines = text_of(letter(Post("Alice", words))).split("\n")
    start = lines.index("Alice wrote")
    assert lines[start + 1].startswith(WORDS_MARK)
    ours = [line for line in lines if not line.startswith(WORDS_MARK.strip())]
    assert len(ours) == len([line for line in text_of(letter(Post("Alice", "x"))).split("\n") if line != "| x"])


@given(st.text() | st.text("a \u00a0\u2003\u3000\n"))
def test_every_line_of_words_is_marked_narrow_and_harmless(words: str) -> None:
    for line in as_words(words).split("\n"):
        assert line == WORDS_MARK.strip() or line.startswith(WORDS_MARK)
        assert len(line) <= 72
        assert not any(unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp") for char in line)
        assert not any(unicodedata.category(char) == "Zs" for char in line.replace(" ", ""))
        assert not set(line) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c")


@given(st.text(st.characters(categories=("L", "N", "P", "S", "M")), min_size=1))
@example("\u115f")
@example("| x")
def test_no_visible_character_of_the_words_is_lost(words: str) -> None:
    said = "".join(line.removeprefix(WORDS_MARK.strip()) for line in as_words(words).split("\n"))
    assert "".join(said.split()) == "".join(
        words.translate(dict.fromkeys(map(ord, "\u115f\u1160\u2800\u3164\uffa0"))).split()
    )


def test_a_long_link_is_not_broken() -> None:
    link = "https://example.org/" + "a" * 100
    assert f"| {link}" in as_words(f"see {link} please")


_NASTY = st.text() | st.sampled_from(
    ["x\r\nBcc: bea@example.com", "x\nSubject: y", "=?utf-8?q?=0d=0aBcc:_b?=", "=??Q?=0D0", "\x00", ",<a@b.c>", '"']
)


@given(name=_NASTY, author=_NASTY, words=_NASTY)
def test_nothing_adds_a_header_or_a_recipient(name: str, author: str, words: str) -> None:
    room = MailRoom(f"{name} room", Kind.JOINT)
    raw = render(letter(Post(author, words), room=room)).raw
    message = parsed(raw)
    plain = parsed(render(letter(Post("M", "x"))).raw)
    assert sorted(message.keys()) == sorted(plain.keys())
    assert [address.addr_spec for address in message["To"].addresses] == [CARL.spelled]
    assert [address.addr_spec for address in message["From"].addresses] == [ADDRESS]
    assert message["Subject"] == one_line(f"{name} room").replace("=?", "= ?")


@given(local=st.text("abc.", min_size=1, max_size=3), domain=st.integers(1, 60))
def test_long_addresses_are_not_broken(local: str, domain: int) -> None:
    recipient = EmailAddress(("a" * 60) + local.replace(".", ""), f"{'d' * domain}.{'e' * domain}.example")
    message = parsed(
        render(Letter(Post("M", "x"), ROOM, ADDRESS, BOUNCES, recipient, "<n@x.y>", datetime.now(UTC))).raw
    )
    assert message["To"] == recipient.spelled


@pytest.mark.parametrize("broken", ["<a@b.c>\r\nBcc: x@y.z", "a\nb"])
def test_a_message_id_that_would_break_the_header_is_refused(broken: str) -> None:
    found = Letter(Post("M", "x"), ROOM, ADDRESS, BOUNCES, CARL, broken, datetime.now(UTC))
    with pytest.raises(ValueError, match="linefeed or carriage"):
        render(found)


def test_the_same_letter_always_gives_the_same_bytes() -> None:
    assert render(letter(Post("M", "x"))) == render(letter(Post("M", "x")))


@given(st.text() | st.text("a\n\r\x0b\x00\u202e "))
def test_tidied_text_is_tidy_and_stays_so(text: str) -> None:
    assert tidied(tidied(text)) == tidied(text)
    assert "\r" not in tidied(text)
