"""Bodies: what a person would read, what came along, and what is not read at all."""

from email.message import EmailMessage
from email.policy import SMTP

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridges.email.incoming import Attachment, UnsafeReason
from bridges.email.mime import LIMITS, Limits, read_body, unflowed


def message(*headers: str, body: bytes = b"") -> bytes:
    """A raw mail from these header lines."""
    return "\r\n".join([*headers, "", ""]).encode() + body


def part(mime_type: str, body: str, *headers: str) -> str:
    """One part of a multipart body, boundary included."""
    lines = [f"Content-Type: {mime_type}", *headers, "", body]
    return "--b\r\n" + "\r\n".join(lines) + "\r\n"


def multipart(kind: str, *parts: str) -> bytes:
    """A raw mail of these parts."""
    return message(f"Content-Type: multipart/{kind}; boundary=b", body=("".join(parts) + "--b--\r\n").encode())


def test_plain_text_comes_with_one_kind_of_line_end() -> None:
    body = read_body(message("Content-Type: text/plain; charset=utf-8", body="a\r\nb\rc\u2028d\n".encode()))
    assert body.text == "a\nb\nc\nd"


def test_of_alternatives_the_plain_one_is_read() -> None:
    raw = multipart("alternative", part("text/plain", "words"), part("text/html", "<p>words</p>"))
    assert (read_body(raw).text, read_body(raw).obstacle) == ("words", None)


def test_formatted_mail_is_read_as_text() -> None:
    body = read_body(message("Content-Type: text/html", body=b"<p>Dear M,</p><p>I <b>agree</b>.<br>Carl</p>"))
    assert body.text.split() == ["Dear", "M,", "I", "agree.", "Carl"]
    assert body.above is None


@pytest.mark.parametrize(
    "html",
    ["<blockquote type=cite>x</blockquote>", '<div class="gmail_quote">x</div>', "<div id=divRplyFwdMsg>x</div>"],
)
def test_a_quote_in_formatted_mail_is_seen(html: str) -> None:
    assert read_body(message("Content-Type: text/html", body=f"<p>Yes</p>{html}".encode())).above is not None


def test_an_empty_plain_alternative_does_not_hide_the_words() -> None:
    raw = multipart("alternative", part("text/plain", " "), part("text/html", "<p>words</p>"))
    assert read_body(raw).text.strip() == "words"


def test_files_are_kept_with_their_names_cleaned() -> None:
    message_ = EmailMessage(policy=SMTP)
    message_.set_content("see the file")
    message_.add_attachment(b"%PDF", maintype="application", subtype="pdf", filename="../../etc/a\u202eb.pdf")
    message_.add_attachment(b"\x89PNG", maintype="image", subtype="png", disposition="inline")
    body = read_body(message_.as_bytes())
    assert body.text.strip() == "see the file"
    assert body.attachments == (
        Attachment("ab.pdf", "application/pdf", b"%PDF"),
        Attachment("unnamed", "image/png", b"\x89PNG"),
    )
    assert body.attachments[0].size == 4
    assert "ab.pdf" not in repr(body)


@pytest.mark.parametrize(
    ("size", "fields", "kept"),
    [
        (900, "Content-ID: <logo@a>", 0),
        (900, "Content-ID: <logo@a>\r\nContent-Disposition: inline; filename=logo.png", 0),
        (900, "Content-ID: <scan@a>\r\nContent-Disposition: attachment; filename=scan.png", 1),
        (900, "Content-Disposition: inline; filename=scan.png", 1),
        (90_000, "Content-ID: <pasted@a>", 1),
    ],
)
def test_the_logo_of_a_signature_is_no_file_that_anybody_sent(size: int, fields: str, kept: int) -> None:
    shown = multipart(
        "related", part("text/html", '<p>Yes</p><img src="cid:logo@a">'), part("image/png", "x" * size, fields)
    )
    body = read_body(shown)
    assert body.text.strip() == "Yes"
    assert len(body.attachments) == kept
    assert len(read_body(shown.replace(b"multipart/related", b"multipart/mixed")).attachments) == 1


def test_a_text_file_is_a_file_and_not_words() -> None:
    raw = multipart(
        "mixed",
        part("text/plain", "words"),
        part("text/plain", "minutes", 'Content-Disposition: attachment; filename="=?utf-8?q?Prot=C3=B6koll?="'),
    )
    body = read_body(raw)
    assert body.text.strip() == "words"
    assert [each.name for each in body.attachments] == ["Protökoll"]


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (message("Content-Type: application/pkcs7-mime; smime-type=enveloped-data"), UnsafeReason.SMIME),
        (multipart("encrypted", part("application/pgp-encrypted", "Version: 1")), UnsafeReason.PGP),
        (multipart("signed", part("text/plain", "x"), part("application/pgp-signature", "x")), UnsafeReason.PGP),
        (message("Content-Type: text/plain", body=b"-----BEGIN PGP MESSAGE-----\nx"), UnsafeReason.PGP),
        (multipart("alternative", part("text/plain", "x"), part("text/calendar", "x")), UnsafeReason.CALENDAR),
        (multipart("mixed", part("text/plain", "x"), part("application/ms-tnef", "x")), UnsafeReason.WINMAIL),
        (
            multipart(
                "mixed", part("application/octet-stream", "x", "Content-Disposition: attachment; filename=WINMAIL.DAT")
            ),
            UnsafeReason.WINMAIL,
        ),
        (
            multipart("mixed", part("text/plain", "x"), part("message/rfc822", "Subject: y\r\n\r\nz")),
            UnsafeReason.NESTED_MAIL,
        ),
        (multipart("digest", "--b\r\n\r\nSubject: y\r\n\r\nz\r\n"), UnsafeReason.NESTED_MAIL),
        (multipart("mixed", part("text/plain", "x"), part("text/html", "<p>y</p>")), UnsafeReason.SEVERAL_BODIES),
        (message("Content-Type: text/plain; charset=x-unknown", body=b"\xff"), UnsafeReason.CHARSET),
        (message("Content-Type: text/plain; charset=utf-8", body=b"\xff\xfe\xfa"), UnsafeReason.CHARSET),
        (message("Content-Type: text/plain; charset=idna", body=b"\xff"), UnsafeReason.CHARSET),
        (message("Content-Type: text/plain", body=b"x" * (LIMITS.text + 1)), UnsafeReason.TOO_LARGE),
        (message("Content-Type: text/plain; x=" + "a;" * 8192, body=b"x"), UnsafeReason.MALFORMED),
    ],
)
def test_what_is_not_read_says_why(raw: bytes, reason: UnsafeReason) -> None:
    assert read_body(raw).obstacle is reason
    assert reason.in_words


def test_size_parts_and_depth_are_bounded() -> None:
    assert read_body(b"x" * 101, Limits(size=100)).obstacle is UnsafeReason.TOO_LARGE
    many = multipart("mixed", *[part("text/plain", "x")] * 120)
    assert read_body(many).obstacle is UnsafeReason.TOO_MANY_PARTS
    assert read_body(multipart("mixed", *["--b\r\n\r\n"] * 5000)).obstacle is UnsafeReason.TOO_MANY_PARTS
    deep = "".join(f"--b{i}\r\nContent-Type: multipart/mixed; boundary=b{i + 1}\r\n\r\n" for i in range(20))
    assert (
        read_body(message("Content-Type: multipart/mixed; boundary=b0", body=deep.encode())).obstacle
        is UnsafeReason.TOO_DEEP
    )


@pytest.mark.parametrize("charset", ["iso-8859-1", "windows-1252", "utf-16", "koi8-r", "gb18030", "utf-7", "shift_jis"])
def test_odd_charsets_are_decoded(charset: str) -> None:
    text = "Да" if charset == "koi8-r" else "はい" if charset == "shift_jis" else "für"
    raw = message(f"Content-Type: text/plain; charset={charset}", body=text.encode(charset))
    assert read_body(raw).text == text


def test_text_of_a_wrongly_named_charset_is_read_if_it_is_utf_8() -> None:
    raw = message("Content-Type: text/plain; charset=us-ascii", body="für".encode())
    assert read_body(raw).text == "für"


def test_soft_line_breaks_are_joined_within_one_depth_of_quoting() -> None:
    text = "one \ntwo\n> a \n> b\n>> c \n> d\n-- \nCarl \nC."
    assert unflowed(text, delete_space=False) == "one two\n> a b\n>> c \n> d\n-- \nCarl C."
    assert unflowed("be \ncause", delete_space=True) == "because"


@given(st.text(">- ab\n", max_size=60))
def test_joining_loses_no_letters(text: str) -> None:
    assert [c for c in unflowed(text, delete_space=False) if c in "ab"] == [c for c in text if c in "ab"]


_NAMES = st.sampled_from(["Content-Type", "Content-Transfer-Encoding", "Content-Disposition", "MIME-Version"])
_VALUES = st.sampled_from(
    [
        "text/plain",
        'text/html; charset="',
        "multipart/mixed; boundary=b",
        'multipart/alternative; boundary=""',
        "base64",
        "quoted-printable",
        "x-uuencode",
        "attachment; filename*=utf-8''%ff",
        "message/rfc822",
        "text/plain; charset*0=a; charset*1=b",
        "; ;=",
        "text/plain; format=flowed; delsp=yes",
        "message/partial",
        "multipart/digest; boundary=b",
    ]
)


@given(
    st.lists(st.tuples(_NAMES, _VALUES | st.text(max_size=20)), max_size=5),
    st.lists(
        st.sampled_from(["--b\r\n", "--b--\r\n", "\r\n", "begin 644 x\r\n", "=\r\n", "Content-Type: text/plain\r\n"])
        | st.text(max_size=20)
    ),
)
def test_no_body_raises(headers: list[tuple[str, str]], body: list[str]) -> None:
    raw = message(*(f"{name}: {value}" for name, value in headers), body="".join(body).encode("utf-8", "replace"))
    read_body(raw).text.encode("utf-8")
