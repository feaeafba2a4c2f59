"""Hostile mail: whatever arrives is read, held or refused in bounded time, and nothing is raised."""

import functools
import os
import re
import time
from collections.abc import Callable
from pathlib import Path
from resource import RUSAGE_SELF, getrusage

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridges.email.convert_in import mail_identity, read_mail
from bridges.email.incoming import Clean, IncomingMail, UnsafeReason
from bridges.email.proof import Proven, prove
from bridges.email.reply import read_reply
from tests.bridges.email.builders import ADDRESS, CARL, ROOM, TRUST, mail

SECONDS = 30.0
"""Of processor time: more than any mail within the limits may take. What is not linear takes minutes here."""


@functools.cache
def corpora() -> tuple[bytes, ...]:
    """Every public mail of the fixtures; empty where they are not configured."""
    root = os.environ.get("MEDIATRIX_FIXTURES")
    if not root:
        return ()
    folders = ("mail-gem", "mime4j", "reply-trimmer/emails")
    return tuple(
        path.read_bytes()
        for folder in folders
        for path in sorted((Path(root) / "email" / folder).rglob("*"))
        if path.is_file()
    )


needs_corpora = pytest.mark.skipif(not corpora(), reason="MEDIATRIX_FIXTURES names no folder of public mails")


MEMORY = 400 * 1024
"""Kilobytes by which the process may grow over one mail of the largest size."""


def judged(raw: bytes) -> IncomingMail:
    """A mail taken the whole way, within the time that it may take."""
    started, held = time.process_time(), getrusage(RUSAGE_SELF).ru_maxrss
    mail_identity("hash", raw)
    found = read_mail(raw, null_sender=False)
    prove(found, CARL, TRUST)
    reading = read_reply(found, ADDRESS, ROOM.name)
    reading.text.encode("utf-8")
    for attachment in found.body.attachments:
        attachment.name.encode("utf-8")
    assert time.process_time() - started < SECONDS
    assert getrusage(RUSAGE_SELF).ru_maxrss - held < MEMORY
    return found


@needs_corpora
def test_every_public_mail_is_read_or_held_and_none_is_proven() -> None:
    assert len(corpora()) > 300
    for raw in corpora():
        assert prove(judged(raw), CARL, TRUST) != Proven()


@needs_corpora
def test_most_public_mails_have_a_text_that_is_read() -> None:
    found = [judged(raw) for raw in corpora()]
    assert sum(1 for each in found if each.body.text.strip()) > len(found) // 2


@needs_corpora
@given(data=st.data())
def test_a_damaged_public_mail_raises_nothing(data: st.DataObject) -> None:
    raw = bytearray(data.draw(st.sampled_from(corpora()))[:50_000])
    for _ in range(data.draw(st.integers(1, 8))):
        start = data.draw(st.integers(0, len(raw)))
        stop = start + data.draw(st.integers(0, 40))
        junk = st.binary(max_size=20) | st.sampled_from(
            [
                b"\r\n\r\n",
                b"Content-Type: multipart/mixed; boundary=b\r\n",
                b"charset=utf-7",
                b"\x00",
                b"=?utf-8?b?=00?=",
                b";",
            ]
        )
        raw[start:stop] = data.draw(junk)
    judged(bytes(raw))


def parts(raw: bytes) -> tuple[list[bytes], bytes]:
    """The lines of a header, each with its continuations, and the body."""
    head, _, body = raw.replace(b"\r\n", b"\n").partition(b"\n\n")
    return re.split(rb"\n(?![ \t])", head), body


DECLARING = (b"Content-Type: ", b"Content-Transfer-Encoding: ", b"Content-Disposition: ")


@needs_corpora
@given(data=st.data())
def test_public_mails_made_of_each_other_raise_nothing(data: st.DataObject) -> None:
    """The header of one and the body of another, with fields of a third, in an envelope of a fourth: well formed in
    parts, as what programs stumble over is."""
    some = st.sampled_from(corpora())
    head, _ = parts(data.draw(some)[:50_000])
    _, body = parts(data.draw(some)[:50_000])
    others, _ = parts(data.draw(some)[:50_000])
    for field in data.draw(st.lists(st.sampled_from(others), max_size=6)):
        head.insert(data.draw(st.integers(0, len(head))), field)
    for name in data.draw(st.lists(st.sampled_from(DECLARING), max_size=2)):
        values = st.sampled_from(
            [b"base64", b"quoted-printable", b"x-uuencode", b"multipart/x", b"attachment", b"\xff"]
        )
        head.insert(0, name + data.draw(values))
    raw = b"\n".join(head) + b"\n\n" + body
    for _ in range(data.draw(st.integers(0, 3))):
        kind = data.draw(st.sampled_from([b"multipart/mixed; boundary=zz", b"message/rfc822", b"multipart/report"]))
        raw = (
            b"Content-Type: " + kind + b"\n\n--zz\n" + raw + data.draw(st.sampled_from([b"", b"\n--zz", b"\n--zz--\n"]))
        )
    judged(raw if data.draw(st.booleans()) else raw.replace(b"\n", b"\r\n"))


def _html(depth: int) -> bytes:
    return b"Content-Type: text/html\r\n\r\n" + b"<div><table><tr><td>" * depth + b"x"


MEGABYTES = 20 * 1024 * 1024
ATTACKS: dict[str, Callable[[], bytes]] = {
    "parts without end": lambda: (
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n\r\n" * (MEGABYTES // 8)
    ),
    "many parts": lambda: b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n\r\n" * 5_000,
    "nesting without end": lambda: b"".join(
        b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (i, i) for i in range(50_000)
    ),
    "nested mails": lambda: b"Content-Type: message/rfc822\r\n\r\n" * 50_000,
    "one endless line": lambda: b"Content-Type: text/plain\r\n\r\n" + b"a" * MEGABYTES,
    "endless short lines": lambda: b"Content-Type: text/plain\r\n\r\n" + b"\n" * MEGABYTES,
    "endless header": lambda: b"X: y\r\n" * (MEGABYTES // 6),
    "endless header in a part": lambda: (
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n" + b"X:y\r\n" * 500_000
    ),
    "parameters without end": lambda: b"Content-Type: text/plain" + b";a=b" * 100_000 + b"\r\n\r\nx",
    "parameters folded without end": lambda: b"Content-Type: text/plain;\r\n" + b" a=b;\r\n" * 100_000 + b"\r\n\r\nx",
    "parameters in a part": lambda: (
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: a/b" + b';a="' * 100_000 + b"\r\n\r\nx"
    ),
    "a slow codec": lambda: b"Content-Type: text/plain; charset=punycode\r\n\r\n" + b"a-\xff" * 500_000,
    "deep html": lambda: _html(10_000),
    "html of open tags": lambda: b"Content-Type: text/html\r\n\r\n" + b"<" * 250_000,
    "wide html table": lambda: b"Content-Type: text/html\r\n\r\n<table><tr>" + b"<td>x" * 40_000,
    "a line of dashes": lambda: mail("-" * 250_000 + "x"),
    "a mark and blanks": lambda: mail(f"##- {ADDRESS} -##\n##-" + " " * 250_000 + "x"),
    "links without end": lambda: mail(f"Yes\n##- {ADDRESS} -##\n" + "<http:" * 40_000 + "\n##- end abcdefgh -##"),
    "words of attributions": lambda: mail("Op " + "heeft " * 40_000 + ":"),
    "header lines": lambda: mail("a: b@c\n" * 35_000),
    "signature marks": lambda: mail("-- \n" * 60_000),
    "soft line breaks": lambda: b"Content-Type: text/plain; format=flowed\r\n\r\n" + b" \n" * 120_000,
    "comments": lambda: b"From: " + b"(" * 200_000 + b"\r\n\r\nx",
    "quotes": lambda: b"From: " + b'"\\' * 100_000 + b"\r\n\r\nx",
    "commas": lambda: b"To: " + b"," * 200_000 + b"\r\n\r\nx",
    "results": lambda: b"Authentication-Results: mx.example.org 1" + b"1" * 15_000 + b"=\r\n" + b"\r\nx",
    "many results": lambda: b"Authentication-Results: mx.example.org; a=b c.d=e\r\n" * 5_000 + b"\r\nx",
    "uuencoded": lambda: b"Content-Transfer-Encoding: x-uuencode\r\n\r\nbegin 644 x\r\n" + b"M\r\n" * 400_000,
    "signatures": lambda: b"DKIM-Signature: " + b"; l" * 80_000 + b"\r\n\r\nx",
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_an_attack_on_time_and_memory_ends_soon(attack: str) -> None:
    found = judged(ATTACKS[attack]())
    assert not isinstance(prove(found, CARL, TRUST), Proven)


def test_a_bound_is_named_and_an_honest_large_mail_is_within() -> None:
    assert judged(ATTACKS["many parts"]()).body.obstacle is UnsafeReason.TOO_MANY_PARTS
    assert judged(ATTACKS["nested mails"]()).body.obstacle is UnsafeReason.TOO_DEEP
    honest = mail("It is a long story.\n" * 5_000)
    assert isinstance(read_reply(judged(honest), ADDRESS, ROOM.name), Clean)
