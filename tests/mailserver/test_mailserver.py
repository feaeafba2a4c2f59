"""The whole way of mail on a real Postfix, Dovecot and rspamd: what is honest arrives, once; what is not, is held."""

import asyncio
import os
import shutil
import signal
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import pytest_asyncio

from appservice.codec import JsonCodec
from appservice.crypto.sealing import Sealer
from appservice.mail.courier import MailCourier, Sender
from appservice.mail.reader import MailReader
from appservice.mail.reports import ReportReader
from appservice.reading import MAIL, REPORT
from appservice.storage.database import SqlDatabase
from appservice.storage.errors import DatabaseUnavailable
from appservice.storage.mail_inbox import MailInbox
from bridges.email.api import MailServer, Security
from bridges.email.ids import BounceToken, new_bounce_token, new_reply_token, token_address
from bridges.email.mailbox import Account, Fetcher, ImapMailbox
from bridges.email.proof import Trust
from bridges.email.rate import RateCap
from bridges.email.reception import Entrance, InboxVerdict, ReceivedMail, Reception
from bridges.email.server import LmtpServer
from policies.case import DESK, JOINT, Case, Closing, Conversation, Phase
from policies.effects import Post, Relay, Tell
from policies.message import Text
from policies.plan import label
from rooms.handle import Handler
from rooms.house import House
from rooms.letters import Letter
from rooms.outcome import Sent
from rooms.outgoing import Outgoing
from rooms.queue import Item, ItemId, Lane, State
from tests.appservice.storage.master import MASTER
from tests.mailserver.dkim import Signer
from tests.mailserver.servers import FETCHED, PATIENCE, PROGRAMS, REPOSITORY, MailHost, running, until_open
from tests.mailserver.taker import TRUST
from tests.policies.builders import both_sides, caucus_of, confirmed, done, facts, named

REQUIRED = os.environ.get("MEDIATRIX_MAILSERVER") == "required"
INSTALLED = os.geteuid() == 0 and all(map(shutil.which, PROGRAMS))
pytestmark = [
    pytest.mark.mailserver,
    pytest.mark.enable_socket,
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(
        not (REQUIRED or INSTALLED), reason="needs root, Postfix, Dovecot and rspamd: .ci/root/30-mail installs them"
    ),
]

NET, COM, EVIL = Signer("example.net"), Signer("example.com"), Signer("evil-example.com")
NAMES = {
    "_dmarc.example.net": "v=DMARC1; p=reject",
    "example.net": "v=spf1 ip4:203.0.113.7 -all",
    "example.com": "v=spf1 ip4:203.0.113.7 -all",
    "_dmarc.evil-example.com": "v=DMARC1; p=none",
    **{f"s1._domainkey.{signer.domain}": signer.record for signer in (NET, COM, EVIL)},
}
CASE = both_sides()
CARL, OWN = named(CASE, "Carl"), caucus_of(CASE, "Jones")
HOUSE = House("example.org", "_mediatrix_", TRUST.own_domain, {})
CODEC = JsonCodec()


class Doorman(MailInbox):
    """The service's own inbox; `down` is a database that can't be reached."""

    down = False

    async def knows(self, token_hash: str) -> bool:
        if self.down:
            raise DatabaseUnavailable
        return await super().knows(token_hash)

    async def accept(self, mail: ReceivedMail) -> InboxVerdict:
        return InboxVerdict.BUSY if self.down else await super().accept(mail)


class Service:
    """What of the service has to do with mail, with a database of its own."""

    def __init__(self, host: MailHost, folder: Path, trust: Trust = TRUST) -> None:
        self.trust = trust
        self.host, self.url = host, f"sqlite:///{folder}/mediatrix.db"
        self.database = SqlDatabase(self.url, Sealer([MASTER]))
        self.inbox = Doorman(self.database, trust)
        reception = Reception(self.inbox, RateCap(time.monotonic))
        self.lmtp = LmtpServer(reception, trust.own_domain, host="127.0.0.1", port=host.ours)
        account = Account("127.0.0.1", host.imap, Security.NONE, f"replies@{trust.own_domain}", "open sesame")
        self.fetcher = Fetcher(
            reception,
            trust.own_domain,
            lambda: ImapMailbox(account),
            every=timedelta(seconds=0.2),
            on_duty=lambda: True,
            looked=self.note_look,
        )
        sender = Sender("Town Mediation", "+1 555 0100", trust.own_domain, "https://mediation.example.org")
        self.courier = MailCourier(self.database, MailServer("127.0.0.1", host.smtp, Security.NONE), sender)
        self._items = 0

    async def note_look(self, at: datetime) -> None:
        """All that lay in the mailbox is stored."""
        async with self.database.begin() as work:
            await work.mails.note_look(at)

    async def begin(self, case: Case = CASE) -> None:
        """The case is there, and mail is taken, or fetched."""
        await self.database.open()
        async with self.database.begin() as work:
            await work.cases.save(case)
        await self.entrance.start()

    @property
    def entrance(self) -> Entrance:
        """By which way mail comes in."""
        return self.fetcher if self.trust.own_domain == FETCHED else self.lmtp

    async def end(self) -> None:
        """No more mail."""
        await self.entrance.stop()
        await self.database.close()

    async def write(self, text: str, where: Conversation, case: Case = CASE) -> EmailMessage:
        """A mediator's words go to Carl; the mail as it lies in his mailbox."""
        carl = named(case, "Carl")
        address = carl.endpoint.address
        before = len(self.host.mailbox(address))
        self._items += 1
        item = Item(ItemId(f"i{self._items}-{time.time_ns()}"), Lane("l"), "people", case.id, b"{}", datetime.now(UTC))
        async with self.database.begin() as work:
            await work.outbox.put(item)
        letter = Letter(case, where, label(where, case), carl.id, (), "Mia", Text(text), None)
        assert isinstance(await self.courier.carry(item, letter), Sent)
        await until(lambda: asyncio.sleep(0, len(self.host.mailbox(address)) > before or "nobody" in address))
        return self.host.mailbox(address)[-1] if "nobody" not in address else EmailMessage()

    async def send(self, raw: bytes, *recipients: str, envelope_from: str = "carl@example.net") -> dict[str, int]:
        """Somebody hands a mail to our mail server."""
        return await asyncio.to_thread(self.host.send, envelope_from, list(recipients), raw)

    async def items(self) -> tuple[Item, ...]:
        """What waits in the inbox."""
        async with self.database.begin() as work:
            return await work.inbox.in_state((State.READY,))

    async def arrived(self, number: int = 1) -> None:
        """Until so many mails are in the inbox."""

        async def enough() -> bool:
            return len(await self.items()) >= number

        await until(enough)

    async def read(self) -> list[Outgoing]:
        """Everything that came is read; what follows from it."""
        reader = MailReader(self.database, CODEC, HOUSE, self.trust, settle=timedelta())
        reports = ReportReader(self.database, CODEC, HOUSE)
        for item in await self.items():
            await (reports if item.kind == REPORT else reader).read(item)
        async with self.database.begin() as work:
            sent = await work.outbox.in_state((State.READY, State.PARKED))
        return [CODEC.load(item.body) for item in sent if item.body != b"{}"]

    async def held(self) -> list[str]:
        """Why what is held is held."""
        async with self.database.begin() as work:
            return [held.why for held in await work.holds.of_case(CASE.id)]


async def until(holds: Callable[[], Awaitable[object]]) -> None:
    """Wait for something."""
    async with asyncio.timeout(PATIENCE):
        while not await holds():  # noqa: ASYNC110 - files and other processes have no event for it
            await asyncio.sleep(0.1)


@pytest.fixture(scope="module")
def host() -> Iterator[MailHost]:
    """The mail server, for all tests; in a folder that its users can enter, as pytest's can't be."""
    with TemporaryDirectory(prefix="mailserver-") as folder, running(Path(folder), NAMES) as host:
        yield host


@pytest_asyncio.fixture(loop_scope="module")
async def service(host: MailHost, tmp_path: Path) -> AsyncIterator[Service]:
    """A service with Carl in a case."""
    service = Service(host, tmp_path)
    await service.begin()
    yield service
    await service.end()


def reply(letter: EmailMessage, words: str, *headers: str, sender: str = "Carl <carl@example.net>") -> bytes:
    """What a mail program makes of an answer, unsigned yet."""
    message = EmailMessage(policy=SMTP)
    message["From"] = sender
    message["To"] = str(letter["Reply-To"])
    message["Subject"] = f"Re: {letter['Subject']}"
    message["Message-ID"] = f"<{time.time_ns()}@example.net>"
    body = letter.get_body(("plain",))
    assert isinstance(body, EmailMessage)
    quote = "\n".join(f"> {line}".rstrip() for line in str(body.get_content()).splitlines())
    wrote = f"On Mon, Jan 5, 2026 at 10:00 AM {letter['Subject']} <\n{address_of(letter)}> wrote:"
    message.set_content(f"{words}\n\n{wrote}\n\n{quote}\n", cte="quoted-printable")
    return "".join(f"{line}\r\n" for line in headers).encode() + message.as_bytes()


def address_of(letter: EmailMessage) -> str:
    """Where an answer goes."""
    return str(letter["Reply-To"].addresses[0].addr_spec)


def posts(effects: list[Outgoing]) -> list[tuple[Conversation, object]]:
    return [(e.conversation, e.content) for e in effects if isinstance(e, Post)]


# --- what is honest


@pytest.mark.parametrize("where", [JOINT, OWN], ids=str)
async def test_an_answer_goes_the_whole_way_and_stands_in_its_room_as_it_was_written(
    service: Service, where: Conversation
) -> None:
    letter = await service.write("What would you accept?", where)
    assert letter["Authentication-Results"] is None or "reply.example.org" not in str(letter["Authentication-Results"])
    assert await service.send(NET.sign(reply(letter, "4,500, by June.")), address_of(letter)) == {}
    await service.arrived()
    assert posts(await service.read()) == [(where, Text("4,500, by June."))]
    assert await service.held() == []


async def test_a_domain_without_a_dmarc_policy_is_proven_by_its_signature_alone(service: Service) -> None:
    moved = done(CASE, "!mail address Carl dora@example.com", facts(None)).case
    case = confirmed(done(moved, "!consent Carl: yes", facts(None)).case)
    async with service.database.begin() as work:
        await work.cases.save(case)
    letter = await service.write("Hello", OWN, case)
    raw = reply(letter, "signed", sender="dora@example.com")
    await service.send(COM.sign(raw), address_of(letter), envelope_from="dora@example.com")
    await service.arrived()
    assert posts(await service.read()) == [(OWN, Text("signed"))]
    unsigned = reply(letter, "only SPF vouches", sender="dora@example.com")
    await service.send(unsigned, address_of(letter), envelope_from="dora@example.com")
    await service.arrived()
    assert len(posts(await service.read())) == 1
    assert len(await service.held()) == 1


@pytest_asyncio.fixture(loop_scope="module")
async def fetching(host: MailHost, tmp_path: Path) -> AsyncIterator[Service]:
    """A service that fetches its mail from a mailbox."""
    service = Service(host, tmp_path, replace(TRUST, own_domain=FETCHED))
    await service.begin()
    yield service
    await service.end()


async def test_a_mail_that_is_fetched_from_a_mailbox_is_proven_and_stands_in_its_room(fetching: Service) -> None:
    letter = await fetching.write("What would you accept?", OWN)
    assert address_of(letter).endswith(f"@{FETCHED}")
    assert await fetching.send(NET.sign(reply(letter, "4,500, by June.")), address_of(letter)) == {}
    await fetching.send(reply(letter, "I am Carl."), address_of(letter), envelope_from="mallory@evil-example.com")
    await fetching.arrived(2)
    assert posts(await fetching.read()) == [(OWN, Text("4,500, by June."))]
    assert len(await fetching.held()) == 1
    assert await fetching.fetcher.trouble() is None


async def test_a_mail_in_the_mailbox_that_is_for_nobody_stays_there_for_a_person_to_look_at(
    fetching: Service, host: MailHost
) -> None:
    letter = await fetching.write("Hello", OWN)
    await fetching.send(reply(letter, "for nobody"), f"nobody@{FETCHED}")
    await fetching.send(NET.sign(reply(letter, "for us")), address_of(letter))
    await fetching.arrived()

    async def only_one_is_left() -> bool:
        left = [file.name for file in (host.folder / "mail" / f"replies@{FETCHED}" / "Maildir").glob("*/*:2,*")]
        return len(left) == 1 and "F" in left[0].rpartition(",")[2]

    await until(only_one_is_left)


# --- what is not


def spoofed(letter: EmailMessage) -> bytes:
    return reply(letter, "I accept everything.")


def with_forged_results(letter: EmailMessage) -> bytes:
    forged = (
        "Authentication-Results: mx.example.org; dkim=pass header.d=example.net; dmarc=pass header.from=example.net"
    )
    return reply(letter, "I accept everything.", forged)


def signed_by_another_domain(letter: EmailMessage) -> bytes:
    return EVIL.sign(reply(letter, "I accept everything."))


def of_another_sender_who_is_aligned(letter: EmailMessage) -> bytes:
    return EVIL.sign(reply(letter, "I accept everything.", sender="Carl <carl@evil-example.com>"))


def tampered(letter: EmailMessage) -> bytes:
    return NET.sign(reply(letter, "I want 4,500.")).replace(b"4,500", b"9,500")


def appended_below_the_signed_part(letter: EmailMessage) -> bytes:
    raw = reply(letter, "I accept")
    return NET.sign(raw, length=len("I accept")) + b"\r\nand more\r\n"


def with_two_senders(letter: EmailMessage) -> bytes:
    return NET.sign(reply(letter, "I accept everything.", "From: eve@evil-example.com"))


def by_somebody_who_was_forwarded_it(letter: EmailMessage) -> bytes:
    return COM.sign(reply(letter, "I accept everything.", sender="Dora <dora@example.com>"))


@pytest.mark.parametrize(
    "forge",
    [
        spoofed,
        with_forged_results,
        signed_by_another_domain,
        of_another_sender_who_is_aligned,
        tampered,
        appended_below_the_signed_part,
        with_two_senders,
        by_somebody_who_was_forwarded_it,
    ],
)
async def test_what_is_not_provably_carls_is_held_and_never_answered(
    service: Service, forge: Callable[[EmailMessage], bytes]
) -> None:
    letter = await service.write("What would you accept?", JOINT)
    before = {address: len(service.host.mailbox(address)) for address in ("carl@example.net", "dora@example.com")}
    await service.send(forge(letter), address_of(letter), envelope_from="eve@evil-example.com")
    await service.arrived()
    effects = await service.read()
    assert posts(effects) == []
    assert not [e for e in effects if isinstance(e, Relay)]
    assert len(await service.held()) == 1
    assert before == {address: len(service.host.mailbox(address)) for address in before}


async def test_reply_all_with_both_addresses_reaches_neither_room(service: Service) -> None:
    joint, own = await service.write("to all", JOINT), await service.write("in private", OWN)
    raw = reply(joint, "for both")
    both = raw.replace(b"To: ", f"Cc: {address_of(own)}\r\nTo: ".encode(), 1)
    await service.send(NET.sign(both), address_of(joint), address_of(own))
    await service.arrived(2)
    assert posts(await service.read()) == []
    assert len(await service.held()) == 2


async def test_one_mail_that_comes_to_two_addresses_on_two_ways_is_not_posted_to_all(service: Service) -> None:
    joint, own = await service.write("to all", JOINT), await service.write("in private", OWN)
    raw = NET.sign(reply(joint, "for both, secretly"))
    for letter in (own, joint):
        await service.send(raw, address_of(letter))
    await service.arrived(2)
    assert JOINT not in {where for where, _ in posts(await service.read())}


async def test_a_quote_of_the_private_room_never_gets_into_the_joint_one(service: Service) -> None:
    joint, own = await service.write("to all", JOINT), await service.write("the secret price is 4711", OWN)
    body = own.get_body(("plain",))
    assert isinstance(body, EmailMessage)
    stray = reply(joint, "See what he wrote to me:\n\n" + str(body.get_content()))
    await service.send(NET.sign(stray), address_of(joint))
    await service.arrived()
    assert all(where != JOINT for where, _ in posts(await service.read()))
    back = reply(own, "About this in the joint room: to all")
    await service.send(NET.sign(back), address_of(own))
    await service.arrived()
    assert (OWN, Text("About this in the joint room: to all")) in posts(await service.read())
    assert JOINT not in {where for where, _ in posts(await service.read())}


async def test_a_storm_of_absence_notes_is_one_notice_and_no_answer(service: Service) -> None:
    letter = await service.write("hello", JOINT)
    before = len(service.host.mailbox("carl@example.net"))
    for number in range(8):
        raw = reply(letter, f"I am away, {number}", "Auto-Submitted: auto-replied")
        await service.send(NET.sign(raw), address_of(letter), envelope_from="" if number % 2 else "carl@example.net")
    await service.arrived(8)
    effects = await service.read()
    assert posts(effects) == []
    assert len([e for e in effects if isinstance(e, Tell) and e.conversation == DESK]) == 1
    assert len(service.host.mailbox("carl@example.net")) == before


# --- reports


async def test_a_mail_that_comes_back_stops_the_mailbox_and_nothing_else(service: Service) -> None:
    gone = done(CASE, "!mail address Carl nobody@example.net", facts(None)).case
    case = confirmed(done(gone, "!consent Carl: yes", facts(None)).case)
    async with service.database.begin() as work:
        await work.cases.save(case)
    await service.write("hello", OWN, case)
    await service.arrived()
    (item,) = await service.items()
    assert item.kind == REPORT
    effects = await service.read()
    assert posts(effects) == []
    async with service.database.begin() as work:
        now = await work.cases.load(CASE.id)
    assert now is not None
    assert named(now, "Carl").endpoint.stopped == "a mail came back (5.1.1)"


async def test_a_forged_report_is_refused_at_the_door_or_is_nobodys_word(service: Service) -> None:
    letter = await service.write("hello", JOINT)
    report = (
        b"From: MAILER-DAEMON@example.net\r\nContent-Type: multipart/report; boundary=b\r\n\r\n--b\r\n\r\n--b\r\n"
        b"Content-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; x\r\n\r\nAction: failed\r\n"
        b"Status: 5.1.1\r\n\r\n--b--\r\n"
    )
    guessed = token_address(new_bounce_token(), TRUST.own_domain)
    assert await service.send(report, guessed, envelope_from="") == {guessed: 550}
    returned = str(letter["Return-Path"]).strip("<>")
    assert returned.startswith(BounceToken("").local_part)
    assert await service.send(report, address_of(letter), envelope_from="") == {}
    await service.arrived()
    assert posts(await service.read()) == []
    async with service.database.begin() as work:
        now = await work.cases.load(CASE.id)
    assert now is not None
    assert named(now, "Carl").endpoint.stopped is None


async def test_an_unknown_address_is_refused_at_the_door(service: Service) -> None:
    unknown = token_address(new_reply_token(), TRUST.own_domain)
    assert await service.send(NET.sign(reply(await service.write("x", OWN), "hello")), unknown) == {unknown: 550}
    assert await service.items() == ()


async def test_the_address_of_a_case_that_was_closed_long_ago_is_refused_at_the_door(service: Service) -> None:
    letter = await service.write("x", OWN)
    long_ago = datetime.now(UTC) - timedelta(days=1)
    closed = replace(CASE, phase=Phase.CLOSED, closing=Closing(long_ago, long_ago + timedelta(days=9)))
    async with service.database.begin() as work:
        await work.cases.save(closed)
        await Handler(work, CODEC, HOUSE, ItemId("late"), datetime.now(UTC)).due(CASE.id, "closing:")
    assert await service.send(NET.sign(reply(letter, "too late")), address_of(letter)) == {address_of(letter): 550}
    assert await service.items() == ()


# --- trouble


async def test_while_the_database_is_down_mail_waits_at_the_door_and_comes_once(service: Service) -> None:
    letter = await service.write("hello", JOINT)
    raw = NET.sign(reply(letter, "patience"))
    await service.send(NET.sign(reply(letter, "first")), address_of(letter))  # Postfix knows the address from now on
    await service.arrived()
    service.inbox.down = True
    await service.send(raw, address_of(letter))
    await until(
        lambda: asyncio.to_thread(
            lambda: "451" in service.host.log() and "Mail queue is empty" not in service.host.queue()
        )
    )
    service.inbox.down = False
    service.host.flush()
    await service.arrived(2)
    assert [content for _, content in posts(await service.read())] == [Text("first"), Text("patience")]


async def test_a_process_killed_between_the_commit_and_its_answer_neither_loses_nor_doubles(
    service: Service, tmp_path: Path
) -> None:
    letter = await service.write("hello", JOINT)
    await service.send(NET.sign(reply(letter, "first")), address_of(letter))
    await service.arrived()
    await service.read()
    await service.lmtp.stop()
    marker = tmp_path / "died"
    command = (sys.executable, "-m", "tests.mailserver.taker", service.url, str(service.host.ours), str(marker))
    first = await asyncio.create_subprocess_exec(*command, cwd=REPOSITORY)
    await asyncio.to_thread(until_open, service.host.ours)
    await service.send(NET.sign(reply(letter, "once")), address_of(letter))
    try:
        assert await asyncio.wait_for(first.wait(), PATIENCE) == -signal.SIGKILL
    finally:
        await killed(first)
    (stored,) = await service.items()
    await service.lmtp.start()
    service.host.flush()
    await until(lambda: asyncio.to_thread(lambda: "Mail queue is empty" in service.host.queue()))
    assert [item.id for item in await service.items()] == [stored.id]
    assert stored.kind == MAIL
    assert [content for _, content in posts(await service.read())] == [Text("first"), Text("once")]


async def killed(process: asyncio.subprocess.Process) -> None:
    """It runs no more."""
    if process.returncode is None:
        process.kill()
        await process.wait()
