"""The proof of the sender: what is enough, and that nothing less is."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridges.email.authentication import parse_results
from bridges.email.convert_in import read_mail
from bridges.email.fields import addresses_in, split_fields
from bridges.email.ids import EmailAddress
from bridges.email.incoming import AutomaticKind
from bridges.email.proof import NotAReply, Proof, Proven, Unproven, UnprovenReason, prove
from tests.bridges.email.builders import ADDRESS, AUTHSERV_ID, CARL, OWN_DOMAIN, PASSED, TRUST, mail


def proof(
    *headers: str, sender: str = "Carl <carl@example.net>", null_sender: bool = False, enrolled: EmailAddress = CARL
) -> Proof:
    """The verdict on a mail of Carl's with these header lines."""
    found = read_mail(mail("Yes.", *headers, sender=sender), null_sender=null_sender)
    return prove(found, enrolled, TRUST)


def results(text: str) -> str:
    """A field of our own mail server."""
    return f"Authentication-Results: {AUTHSERV_ID}; {text}"


@pytest.mark.parametrize(
    "field",
    [
        PASSED,
        results("dmarc=pass header.from=example.net"),
        results("dmarc=pass (p=reject dis=none) header.from=Example.NET; spf=fail smtp.mailfrom=x@y.z"),
        results("dkim=fail header.d=example.net; dmarc=pass header.from=example.net"),
        results('dkim=pass (2048-bit key; unprotected) header.d=example.net header.i=@example.net header.b="x/y+"'),
        results("dkim=pass header.d=example.net; dmarc=none header.from=example.net"),
        results("dkim=pass header.d=other.example; dkim=pass header.d=example.net header.s=s1"),
        f"authentication-results: {AUTHSERV_ID.upper()} 1;\r\n\tDMARC=PASS\r\n\theader.from=example.net",
        f'Authentication-Results: (us) {AUTHSERV_ID};\r\n (a (b)) dmarc = pass reason="a;b" header.from = example.net',
    ],
)
def test_an_aligned_pass_of_our_own_mail_server_is_proof(field: str) -> None:
    assert proof(field) == Proven()


@pytest.mark.parametrize(
    "sender", ["carl@example.net", '"Carl, C. <x@y.z>" <Carl@Example.net>', "carl@example.net (Carl)"]
)
def test_the_enrolled_address_is_known_however_it_is_dressed(sender: str) -> None:
    head, _, body = mail("Yes.", PASSED).partition(b"\r\n\r\n")
    lines = [line for line in head.split(b"\r\n") if not line.startswith(b"From:")]
    raw = b"\r\n".join([*lines, b"From: " + sender.encode()]) + b"\r\n\r\n" + body
    assert prove(read_mail(raw, null_sender=False), CARL, TRUST) == Proven()


def test_a_signature_of_the_parent_domain_is_aligned_and_of_a_subdomain_is_not() -> None:
    field = results("dkim=pass header.d=example.net")
    below = EmailAddress("carl", "mail.example.net")
    assert proof(field, sender="carl@mail.example.net", enrolled=below) == Proven()
    assert proof(results("dkim=pass header.d=mail.example.net")) == Unproven(UnprovenReason.NO_ALIGNED_SIGNATURE)


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ([], UnprovenReason.NO_RESULTS_OF_OURS),
        ([PASSED.replace(AUTHSERV_ID, "mx.elsewhere.org")], UnprovenReason.NO_RESULTS_OF_OURS),
        ([PASSED.replace(AUTHSERV_ID, f"x{AUTHSERV_ID}")], UnprovenReason.NO_RESULTS_OF_OURS),
        ([PASSED, PASSED], UnprovenReason.SEVERAL_RESULTS_OF_OURS),
        ([PASSED, results("none")], UnprovenReason.SEVERAL_RESULTS_OF_OURS),
        ([PASSED, f'Authentication-Results: (c) "{AUTHSERV_ID}" ;;='], UnprovenReason.SEVERAL_RESULTS_OF_OURS),
        ([results("dmarc=pass header.from=example.net; garbage")], UnprovenReason.UNREADABLE_RESULTS),
        ([results("dmarc=pass header.from=example.net (open")], UnprovenReason.UNREADABLE_RESULTS),
        ([f"Authentication-Results: {AUTHSERV_ID}"], UnprovenReason.UNREADABLE_RESULTS),
        ([results("none")], UnprovenReason.NO_ALIGNED_SIGNATURE),
        ([results("spf=pass smtp.mailfrom=carl@example.net")], UnprovenReason.NO_ALIGNED_SIGNATURE),
        ([results("dkim=fail header.d=example.net")], UnprovenReason.NO_ALIGNED_SIGNATURE),
        ([results("dkim=pass header.d=evil.example")], UnprovenReason.NO_ALIGNED_SIGNATURE),
        ([results("dkim=pass header.d=ample.net")], UnprovenReason.NO_ALIGNED_SIGNATURE),
        ([results("dkim=pass header.d=evil.example header.d=example.net")], UnprovenReason.NO_ALIGNED_SIGNATURE),
        ([results("dkim=pass")], UnprovenReason.NO_ALIGNED_SIGNATURE),
        (
            [results("dmarc=fail header.from=example.net; dkim=pass header.d=example.net")],
            UnprovenReason.DMARC_NOT_PASSED,
        ),
        ([results("dmarc=temperror; dkim=pass header.d=example.net")], UnprovenReason.DMARC_NOT_PASSED),
        ([results("dmarc=pass header.from=example.net; dmarc=fail")], UnprovenReason.DMARC_NOT_PASSED),
        ([results("dmarc=pass header.from=evil.example")], UnprovenReason.OTHER_DOMAIN_PASSED),
        ([results("dmarc=pass")], UnprovenReason.OTHER_DOMAIN_PASSED),
        (
            [results("dmarc=pass (header.from=example.net) header.from=evil.example")],
            UnprovenReason.OTHER_DOMAIN_PASSED,
        ),
        ([PASSED, "DKIM-Signature: v=1; d=example.net; l=120; b=x"], UnprovenReason.SIGNED_IN_PART),
        ([PASSED, "From: carl@example.net"], UnprovenReason.NOT_ONE_SENDER),
        ([PASSED, "From : Carl <carl@example.net>"], UnprovenReason.MALFORMED),
        ([PASSED, "Subject: a\rX: y"], UnprovenReason.MALFORMED),
        ([PASSED, "no field at all"], UnprovenReason.MALFORMED),
        ([PASSED, "X: \0"], UnprovenReason.MALFORMED),
    ],
)
def test_whatever_is_missing_from_the_proof_is_named(headers: list[str], reason: UnprovenReason) -> None:
    assert proof(*headers) == Unproven(reason)
    assert reason.in_words


@pytest.mark.parametrize(
    ("sender", "reason"),
    [
        ("bea@example.net", UnprovenReason.OTHER_SENDER),
        ("carl@example.net.evil.example", UnprovenReason.OTHER_SENDER),
        ('"carl@example.net" <bea@example.net>', UnprovenReason.OTHER_SENDER),
        ("carl@example.net, bea@example.net", UnprovenReason.NOT_ONE_SENDER),
    ],
)
def test_another_sender_is_not_the_party(sender: str, reason: UnprovenReason) -> None:
    assert proof(PASSED, sender=sender) == Unproven(reason)


SPF = results("dkim=none; spf=pass smtp.mailfrom=carl@example.net")
UNSIGNED = Unproven(UnprovenReason.NO_ALIGNED_SIGNATURE)


@pytest.mark.parametrize(
    ("field", "opted_in", "expected"),
    [
        (SPF, False, UNSIGNED),
        (SPF, True, Proven()),
        (results("spf=pass smtp.mailfrom=example.net"), True, Proven()),
        (results("spf=pass smtp.mailfrom=carl@evil.example"), True, UNSIGNED),
        (results("spf=softfail smtp.mailfrom=carl@example.net"), True, UNSIGNED),
        (results("spf=pass smtp.mailfrom=a@example.net; spf=pass"), True, UNSIGNED),
        (
            results("dmarc=fail header.from=example.net; spf=pass smtp.mailfrom=carl@example.net"),
            True,
            Unproven(UnprovenReason.DMARC_NOT_PASSED),
        ),
    ],
)
def test_spf_is_proof_only_where_the_operator_says_so(field: str, opted_in: bool, expected: Proof) -> None:
    found = read_mail(mail("Yes.", field), null_sender=False)
    assert prove(found, CARL, replace(TRUST, spf=opted_in)) == expected


FORWARDED = (
    results("dmarc=fail header.from=example.net; arc=pass (i=2)"),
    "ARC-Seal: i=2; a=rsa-sha256; d=two.example; s=x; cv=pass; b=y",
    "ARC-Authentication-Results: i=2; mx.two.example; dmarc=fail header.from=example.net",
    "ARC-Seal: i=1; a=rsa-sha256; d=one.example; s=x; cv=none; b=y",
    "ARC-Authentication-Results: i=1; mx.one.example; dmarc=pass header.from=example.net",
)
BOTH = {"one.example", "two.example"}


@pytest.mark.parametrize(
    ("sealers", "headers", "proven"),
    [
        (BOTH, FORWARDED, True),
        (set(), FORWARDED, False),
        ({"one.example"}, FORWARDED, False),
        (BOTH, (FORWARDED[0].replace("arc=pass", "arc=fail"), *FORWARDED[1:]), False),
        (BOTH, (FORWARDED[0].replace("arc=pass", "x=pass"), *FORWARDED[1:]), False),
        (BOTH, (*FORWARDED, FORWARDED[3]), False),
        (BOTH, FORWARDED[:3], False),
        (BOTH, (*FORWARDED[:4], FORWARDED[4].replace("pass", "fail")), False),
        (BOTH, (*FORWARDED[:4], FORWARDED[4].replace("example.net", "evil.example")), False),
    ],
)
def test_a_forwarders_word_counts_only_if_every_sealer_is_configured(
    sealers: set[str], headers: tuple[str, ...], proven: bool
) -> None:
    found = read_mail(mail("Yes.", *headers), null_sender=False)
    assert (prove(found, CARL, replace(TRUST, arc_sealers=frozenset(sealers))) == Proven()) is proven


def test_a_mail_that_claims_to_be_ours_is_no_reply() -> None:
    assert proof(PASSED, sender=ADDRESS) == NotAReply(AutomaticKind.OUR_OWN)
    assert proof(PASSED, f"X-Loop: {OWN_DOMAIN}") == NotAReply(AutomaticKind.OUR_OWN)


@pytest.mark.parametrize(
    ("header", "kind"),
    [
        ("Auto-Submitted: auto-replied", AutomaticKind.AUTO_REPLY),
        ("Auto-Submitted: auto-generated (vacation)", AutomaticKind.AUTO_REPLY),
        ("Auto-Submitted: no\r\nAuto-Submitted: auto-replied", AutomaticKind.AUTO_REPLY),
        ("Precedence: bulk", AutomaticKind.AUTO_REPLY),
        ("Precedence: AUTO_REPLY", AutomaticKind.AUTO_REPLY),
        ("X-Autoreply: yes", AutomaticKind.AUTO_REPLY),
        ("List-Id: <list.example.org>", AutomaticKind.MAILING_LIST),
    ],
)
def test_what_no_person_sent_is_no_reply_even_if_proven(header: str, kind: AutomaticKind) -> None:
    assert proof(PASSED, header) == NotAReply(kind)


def test_a_null_sender_is_no_reply() -> None:
    assert proof(PASSED, null_sender=True) == NotAReply(AutomaticKind.NULL_SENDER)


def test_a_delivery_report_is_no_reply() -> None:
    raw = mail("x", PASSED).replace(b"Content-Type: text/plain", b"Content-Type: multipart/report; boundary=b", 1)
    found = read_mail(raw, null_sender=False)
    assert prove(found, CARL, TRUST) == NotAReply(AutomaticKind.DELIVERY_REPORT)


def test_auto_submitted_no_is_a_person() -> None:
    assert proof(PASSED, "Auto-Submitted: no") == Proven()


@pytest.mark.parametrize(
    ("value", "addresses"),
    [
        ("", ()),
        ("undisclosed-recipients:;", ()),
        ("a@b.c", ("a@b.c",)),
        ('"x, y" <a@b.c>, (note, here) d@e.f', ("a@b.c", "d@e.f")),
        ("Carl <a@b.c> <d@e.f>", ("Carl <a@b.c> <d@e.f>",)),
        ("a@b.c <d@e.f>", ("a@b.c <d@e.f>",)),
        ('"open <a@b.c>', ('"open <a@b.c>',)),
        ("Group: a@b.c;", ("Group: a@b.c;",)),
    ],
)
def test_addresses_are_found_and_what_is_unclear_is_nobodys(value: str, addresses: tuple[str, ...]) -> None:
    assert addresses_in(value) == addresses


@given(st.text(alphabet=st.characters(codec="latin-1"), max_size=300) | st.text('";()\\=., amxy<>@', max_size=200))
def test_no_field_raises(value: str) -> None:
    addresses_in(value)
    parse_results(value)
    parse_results(f"{AUTHSERV_ID}; {value}")


@given(st.text('";()\\=.,: dmarcpasheoxlnt', max_size=80))
def test_our_own_server_is_recognised_whatever_follows_its_name(rest: str) -> None:
    assert parse_results(f"{AUTHSERV_ID}; {rest}").authserv_id == AUTHSERV_ID


@given(st.binary(max_size=400))
def test_no_header_section_raises(raw: bytes) -> None:
    split_fields(raw)
    prove(read_mail(raw, null_sender=False), CARL, TRUST)


@given(st.lists(st.sampled_from([b"From: ", b"carl@example.net", b"\r\n", b"\n", b"\r", b" ", b"<", b">", b",", b";",
    PASSED.encode(), b"Authentication-Results:", b"mx.example.org;", b"dmarc=pass", b"header.from=evil.example",
    b"Fr\0om:", b"Sender:", b"(", b'"']), max_size=30))  # fmt: skip
def test_a_proof_always_has_one_sender_and_one_pass(pieces: list[bytes]) -> None:
    raw = b"".join(pieces)
    if prove(read_mail(raw, null_sender=False), CARL, TRUST) == Proven():
        assert raw.count(b"From:") == 1
        assert raw.count(PASSED.encode()) == 1
        assert b"\0" not in raw
