"""Delivery reports: read from their machine-readable part, and from nothing else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridges.email.reports import read_report
from policies.networks.mail import MailState, Report
from tests.bridges.email.builders import mail
from tests.bridges.email.test_hostile import corpora, needs_corpora

BLOCK = "Final-Recipient: rfc822; carl@example.net\nAction: {action}\nStatus: {status}\n"


def dsn(*blocks: str, about: str = "text/plain") -> bytes:
    """A report as a mail server writes it."""
    status = "\n".join(["Reporting-MTA: dns; mx.example.net\n", *blocks])
    return (
        "From: MAILER-DAEMON@mx.example.net\nSubject: Undelivered\nMIME-Version: 1.0\n"
        'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\n\n'
        f"--b\nContent-Type: {about}\n\nThis mail could not be delivered: Action: delivered\n"
        f"--b\nContent-Type: message/delivery-status\n\n{status}\n--b--\n"
    ).encode()


@pytest.mark.parametrize(
    ("action", "status", "report"),
    [
        ("failed", "5.1.1", Report(MailState.FAILED, "5.1.1")),
        ("Failed (really)", " 5.7.26 (policy)", Report(MailState.FAILED, "5.7.26")),
        ("failed", "4.4.7", Report(MailState.FAILED, "4.4.7")),
        ("delayed", "4.0.0", Report(MailState.DELAYED, "4.0.0")),
        ("delivered", "2.0.0", Report(MailState.DELIVERED, "2.0.0")),
        ("relayed", "2.0.0", Report(MailState.ACCEPTED, "2.0.0")),
        ("exploded", "5.1.1", Report(None, "5.1.1")),
        ("failed", "carl@example.net", Report(MailState.FAILED, "")),
    ],
)
def test_a_report_says_what_became_of_the_mail(action: str, status: str, report: Report) -> None:
    assert read_report(dsn(BLOCK.format(action=action, status=status))) == report


def test_of_several_recipients_the_worst_counts() -> None:
    blocks = (BLOCK.format(action=a, status=s) for a, s in (("delivered", "2.0.0"), ("failed", "5.1.1")))
    assert read_report(dsn(*blocks)) == Report(MailState.FAILED, "5.1.1")


@pytest.mark.parametrize("raw", [b"", mail("5.1.1 failed"), dsn(), b"\0\xff", dsn(BLOCK)[:200]])
def test_what_is_no_report_says_nothing(raw: bytes) -> None:
    assert read_report(raw) == Report(None)


def test_only_a_final_failure_says_that_the_address_is_no_good() -> None:
    assert Report(MailState.FAILED, "5.1.1").is_final
    others = (Report(MailState.FAILED, "4.4.7"), Report(MailState.DELAYED, "5.0.0"), Report(None))
    assert not any(report.is_final for report in others)


@given(st.binary(max_size=300), st.integers(0, 400))
def test_nothing_raises(junk: bytes, place: int) -> None:
    raw = dsn(BLOCK)
    read_report(raw[:place] + junk + raw[place:])


@needs_corpora
def test_no_public_mail_raises() -> None:
    assert [raw for raw in corpora() if read_report(raw).state is MailState.FAILED]
