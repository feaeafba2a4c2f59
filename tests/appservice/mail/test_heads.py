"""Heads of the record leave once by mail, in plain text that an audit reads as it was saved."""

from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path

import pytest

from appservice.mail import plain
from appservice.mail.courier import Sender
from appservice.mail.heads import HeadsMail
from appservice.mail.plain import PlainMails
from bridges.email.api import MailServer, Refused, Security, SendResult
from bridges.unsent import NotSent, Unknown
from rooms.homeserver import Trouble
from rooms.outcome import Cancelled, Outcome, Sent, TakenOver, Unanswered
from rooms.outgoing import MailHeads
from rooms.queue import Item, ItemId, Lane, State
from rooms.record import posted
from tests.fakes.memory import MemoryDatabase
from tests.fakes.post_office import PostOffice

SENDER = Sender("Town Mediation", "+1 555 0100", "reply.example.org", "https://mediation.example.org")
TO = "records@example.org"
HEAD = f"1042 desk 31 {'0f' * 32}"
TEXT = f"Record of case 1042, 2026-01-05 10:00 UTC. Keep this.\n{HEAD}\nkey {'k' * 43} signature {'s' * 86}"


class Counter:
    """Somebody who carries heads, and a mail server."""

    def __init__(self) -> None:
        self.database, self.post_office = MemoryDatabase(), PostOffice()

    async def carry(self, *addresses: str) -> Outcome:
        """The item of the outbox, as it is stored now."""
        item = Item(ItemId("i1"), Lane("heads:1042"), "people", None, b"", datetime(2026, 1, 5, tzinfo=UTC))
        async with self.database.begin() as work:
            await work.outbox.put(item)
        stored = self.database.committed.outbox.items[item.id]
        server = MailServer("127.0.0.1", 25, Security.NONE)
        return await HeadsMail(PlainMails(self.database, server, SENDER), addresses or (TO,)).carry(
            stored, MailHeads(TO, TEXT)
        )


@pytest.fixture
def counter(monkeypatch: pytest.MonkeyPatch) -> Counter:
    counter = Counter()
    monkeypatch.setattr(plain, "send", counter.post_office.send)
    return counter


def saved(counter: Counter, folder: Path) -> str:
    """The mail as a file of a mail program, read as `mediatrix audit verify` reads it."""
    (folder / "heads.eml").write_bytes(counter.post_office.taken[0].raw)
    return (folder / "heads.eml").read_text()


async def test_the_saved_mail_has_the_heads_and_their_signature(counter: Counter, tmp_path: Path) -> None:
    assert isinstance(await counter.carry(), Sent)
    kept = posted(saved(counter, tmp_path))
    assert kept == posted(TEXT)
    assert len(kept.heads) == len(kept.signed) == 1


async def test_it_is_plain_text_without_a_case_in_its_header(counter: Counter) -> None:
    await counter.carry()
    [mail] = counter.post_office.taken
    message = message_from_bytes(mail.raw, EmailMessage, policy=SMTP)
    assert message.get_content_type() == "text/plain"
    assert message["To"] == TO
    assert message["Auto-Submitted"] == "auto-generated"
    assert "1042" not in "".join(str(value) for value in message.values())


async def test_what_was_begun_is_not_sent_again(counter: Counter) -> None:
    await counter.carry()
    assert isinstance(await counter.carry(), Unanswered)
    assert len(counter.post_office.taken) == 1


async def test_what_another_process_took_over_is_left_to_it(counter: Counter) -> None:
    item = Item(ItemId("i1"), Lane("heads:1042"), "people", None, b"", datetime(2026, 1, 5, tzinfo=UTC))
    async with counter.database.begin() as work:
        await work.outbox.put(item)
        await work.outbox.stop(item.id, State.CANCELLED, "by another")
    courier = HeadsMail(PlainMails(counter.database, MailServer("127.0.0.1", 25, Security.NONE), SENDER), (TO,))
    assert isinstance(await courier.carry(item, MailHeads(TO, TEXT)), TakenOver)
    assert not counter.post_office.taken


async def test_an_address_that_was_taken_out_of_the_configuration_gets_nothing(counter: Counter) -> None:
    assert isinstance(await counter.carry("others@example.org"), Cancelled)
    assert not counter.post_office.taken


@pytest.mark.parametrize(
    ("verdict", "transient"),
    [(NotSent("down"), True), (Refused(451, False, "later"), True), (Refused(550, True, "never"), False)],
)
async def test_what_did_not_leave_is_trouble(counter: Counter, verdict: SendResult, transient: bool) -> None:
    counter.post_office.verdicts.append(verdict)
    with pytest.raises(Trouble) as trouble:
        await counter.carry()
    assert trouble.value.transient is transient
    assert TO not in str(trouble.value)


async def test_what_nobody_answered_for_is_unknown(counter: Counter) -> None:
    counter.post_office.verdicts.append(Unknown("no answer"))
    assert isinstance(await counter.carry(), Unanswered)
