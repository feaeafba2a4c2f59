"""The mail world of the demo against the real bridge: a letter goes out over SMTP, an answer comes in over LMTP."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest
import pytest_asyncio

from appservice.mail.courier import Sender
from appservice.mail.heads import HeadsMail
from appservice.mail.plain import PlainMails
from bridges.email.api import Accepted, MailServer, Security, send
from bridges.email.convert_in import read_mail
from bridges.email.convert_out import Invitation, Post, render
from bridges.email.incoming import Clean
from bridges.email.proof import Proof, Proven, Unproven, UnprovenReason, prove
from bridges.email.rate import RateCap
from bridges.email.reception import InboxVerdict, ReceivedMail, Reception
from bridges.email.reply import read_reply
from bridges.email.server import LmtpServer
from policies.case import CaseId, ConversationId
from rooms.outcome import Sent
from rooms.outgoing import MailHeads
from rooms.queue import Item, ItemId, Lane
from rooms.record import posted
from sandbox.mail import MailSandbox, Stamp, composed
from tests.bridges.email.builders import ADDRESS, AUTHSERV_ID, CARL, OWN_DOMAIN, ROOM, TRUST, letter
from tests.fakes.memory import MemoryDatabase


@dataclass
class Inbox:
    """Takes everything."""

    stored: list[ReceivedMail] = field(default_factory=list)

    async def knows(self, token_hash: str) -> bool:
        return True

    async def vouches(self, mail: ReceivedMail) -> bool:
        return True

    async def accept(self, mail: ReceivedMail) -> InboxVerdict:
        self.stored.append(mail)
        return InboxVerdict.STORED


@dataclass
class World:
    """The sandbox, the bridge, and the mail that came in."""

    mail: MailSandbox
    inbox: Inbox
    server: MailServer

    async def write(self, text: str) -> None:
        assert isinstance(await send(render(letter(Post("Mediator M", text))), self.server), Accepted)

    def proof(self) -> Proof:
        """Of the last mail that came in."""
        last = read_mail(self.inbox.stored[-1].raw, null_sender=False)
        return prove(last, CARL, TRUST)


@pytest_asyncio.fixture(loop_scope="session")
async def world() -> AsyncIterator[World]:
    """A running mail world with the bridge in it."""
    sandbox, inbox = MailSandbox(authserv_id=AUTHSERV_ID), Inbox()
    bridge = LmtpServer(Reception(inbox, RateCap(lambda: 0.0)), OWN_DOMAIN, host="127.0.0.1", port=0)
    await sandbox.start()
    await bridge.start()
    sandbox.service = ("127.0.0.1", bridge.port)
    yield World(sandbox, inbox, MailServer("127.0.0.1", sandbox.port, Security.NONE))
    await bridge.stop()
    await sandbox.stop()


async def test_a_letter_is_answered_and_the_answer_is_proven_and_clean(world: World) -> None:
    await world.write("Dear Carl,\n\nwould 4,000 do?")
    received = await world.mail.wait_for(CARL.spelled)
    assert "| would 4,000 do?" in received.text
    assert received.reply_address == ADDRESS
    answer = await world.mail.deliver(CARL.spelled, received.reply_address, "Make it 4,500.", in_reply_to=received)
    assert answer.startswith("250")
    mail = read_mail(world.inbox.stored[0].raw, null_sender=False)
    assert world.proof() == Proven()
    assert read_reply(mail, ADDRESS, ROOM.name) == Clean("Make it 4,500.")


async def test_a_fresh_mail_is_clean_too(world: World) -> None:
    await world.mail.deliver(CARL.spelled, ADDRESS, "A question:\nwhen do we meet?")
    mail = read_mail(world.inbox.stored[0].raw, null_sender=False)
    assert read_reply(mail, ADDRESS, ROOM.name) == Clean("A question:\nwhen do we meet?")


@pytest.mark.parametrize(
    ("stamp", "reason"),
    [
        (Stamp.NONE, UnprovenReason.NO_RESULTS_OF_OURS),
        (Stamp.FAIL, UnprovenReason.DMARC_NOT_PASSED),
        (Stamp.FORGED_TOO, UnprovenReason.SEVERAL_RESULTS_OF_OURS),
    ],
)
async def test_each_stamp_but_a_pass_leaves_the_mail_unproven(
    world: World, stamp: Stamp, reason: UnprovenReason
) -> None:
    await world.mail.deliver(CARL.spelled, ADDRESS, "Yes.", stamp=stamp)
    assert world.proof() == Unproven(reason)


async def test_a_forged_result_is_taken_out_and_anothers_stays(world: World) -> None:
    forged = f"Authentication-Results: {AUTHSERV_ID};\r\n dmarc=pass header.from=example.net\r\n"
    other = "Authentication-Results: mx.elsewhere.org; dmarc=pass header.from=example.net\r\n"
    raw = (forged + other).encode() + composed(CARL.spelled, ADDRESS, "Yes.")
    stamped = world.mail.stamped(raw, CARL.spelled, Stamp.FAIL)
    assert stamped.count(AUTHSERV_ID.encode()) == 1
    assert b"mx.elsewhere.org" in stamped
    await world.mail.deliver_raw(CARL.spelled, [ADDRESS], stamped)
    assert world.proof() == Unproven(UnprovenReason.DMARC_NOT_PASSED)


async def test_a_mailbox_keeps_the_order_and_waiting_starts_after_what_was_seen(world: World) -> None:
    for text in ("one", "two", "three"):
        await world.write(text)
    first = await world.mail.wait_for(CARL.spelled)
    third = await world.mail.wait_for(CARL.spelled, lambda item: "| three" in item.text, after=first)
    assert [item.number for item in world.mail.mailbox(CARL.spelled)] == [0, 1, 2]
    assert third.number == 2
    with pytest.raises(TimeoutError):
        await world.mail.wait_for(CARL.spelled, after=third, timeout=0.05)


async def test_an_invitation_can_be_answered_with_one_word(world: World) -> None:
    invitation = letter(Invitation("The Organisation", "Mediator M", "+49 30 1234", "Carl"))
    await send(render(invitation), world.server)
    received = await world.mail.wait_for(CARL.spelled)
    await world.mail.deliver(CARL.spelled, received.reply_address, "Hello", in_reply_to=received)
    mail = read_mail(world.inbox.stored[0].raw, null_sender=False)
    assert read_reply(mail, ADDRESS, ROOM.name) == Clean("Hello")


async def test_heads_of_the_record_arrive_as_lines_that_an_audit_reads(world: World) -> None:
    database, heads = MemoryDatabase(), "1042 joint 7 " + "ab" * 32
    text = f"Record of case 1042, 2026-01-05 10:00 UTC. Keep this.\n{heads}\nkey {'k' * 43} signature {'s' * 86}"
    item = Item(ItemId("heads"), Lane("heads:1042"), "people", None, b"", datetime(2026, 1, 5, tzinfo=UTC))
    async with database.begin() as work:
        await work.outbox.put(item)
    sender = Sender("Town Mediation", "+1 555 0100", OWN_DOMAIN, "https://mediation.example.org")
    courier = HeadsMail(PlainMails(database, world.server, sender), ("records@example.net",))
    assert isinstance(await courier.carry(item, MailHeads("records@example.net", text)), Sent)
    received = await world.mail.wait_for("records@example.net")
    assert text in received.text
    assert posted(received.text).heads == (((CaseId("1042"), ConversationId("joint")), 7, "ab" * 32),)
