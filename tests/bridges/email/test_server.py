"""The LMTP server: 250 for what is stored, and the right refusal for everything else."""

import asyncio
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from ipaddress import ip_network

import pytest
from aiosmtpd.lmtp import LMTP
from aiosmtpd.smtp import Envelope, Session

from bridges.email.ids import BounceToken, IntakeAddress, ReplyToken, token_address, token_hash
from bridges.email.rate import RateCap
from bridges.email.reception import InboxVerdict, ReceivedMail, Reception
from bridges.email.server import STRANGERS_BYTES, LmtpServer, PortTakenError, _Handler
from sandbox.mail import lmtp
from tests.bridges.email.builders import ADDRESS, OTHER_TOKEN, OWN_DOMAIN, TOKEN, mail

pytestmark = pytest.mark.enable_socket

RAW = mail("Yes, .\n.\n..dots")
OTHER_ADDRESS = token_address(OTHER_TOKEN, OWN_DOMAIN)
UNKNOWN_ADDRESS = token_address(ReplyToken("q" * 26), OWN_DOMAIN)


@dataclass
class FakeInbox:
    """Keeps mail in memory; `down` is a database that is not there."""

    stored: list[ReceivedMail] = field(default_factory=list)
    known: set[str] = field(default_factory=lambda: {token_hash(t) for t in (TOKEN, OTHER_TOKEN)})
    verdict: InboxVerdict = InboxVerdict.STORED
    down: bool = False
    gate: asyncio.Event | None = None
    reached: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once a mail waits at the gate."""

    async def knows(self, token_hash: str) -> bool:
        if self.down:
            raise ConnectionError("the database is down")
        return token_hash in self.known

    async def vouches(self, mail: ReceivedMail) -> bool:
        return b"forged" not in mail.raw

    async def accept(self, mail: ReceivedMail) -> InboxVerdict:
        if self.gate:
            self.reached.set()
            await self.gate.wait()
        if self.down:
            raise ConnectionError("the database is down")
        if self.verdict is InboxVerdict.STORED:
            self.stored.append(mail)
        return self.verdict


@dataclass
class Clock:
    """Seconds, moved by hand."""

    seconds: float = 0.0

    def __call__(self) -> float:
        return self.seconds


@dataclass
class Service:
    """A running server and what it stands on."""

    inbox: FakeInbox
    clock: Clock
    server: LmtpServer

    async def offer(self, *recipients: str, raw: bytes = RAW, sender: str = "carl@example.net") -> list[str]:
        """Its answers, one for each recipient: the code only."""
        return [answer[:3] for answer in await lmtp("127.0.0.1", self.server.port, sender, recipients, raw)]


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    """A server on a free port that takes three mails an hour."""
    inbox, clock = FakeInbox(), Clock()
    reception = Reception(inbox, RateCap(clock, limit=3))
    server = LmtpServer(reception, OWN_DOMAIN, host="127.0.0.1", port=0, size_limit=10_000)
    await server.start()
    yield Service(inbox, clock, server)
    await server.stop()


async def test_a_mail_to_a_known_token_is_stored_as_it_came(service: Service) -> None:
    assert await service.offer(ADDRESS.upper()) == ["250"]
    (stored,) = service.inbox.stored
    assert stored.raw == RAW
    assert stored.token == TOKEN
    assert stored.token_hash == token_hash(TOKEN)
    assert stored.envelope_from == "carl@example.net"
    assert stored.recipients == 1


async def test_an_unknown_address_is_refused_at_rcpt_and_no_other(service: Service) -> None:
    assert await service.offer(UNKNOWN_ADDRESS, "carl@example.org", "nonsense", ADDRESS) == ["550", "550", "550", "250"]


async def test_a_revoked_address_is_refused_after_the_content_too(service: Service) -> None:
    service.inbox.verdict = InboxVerdict.UNKNOWN
    assert await service.offer(ADDRESS) == ["550"]


@pytest.mark.parametrize(("named", "answer"), [("192.0.2.0/24", "250"), ("198.51.100.25/32", "451")])
async def test_only_a_mail_server_that_is_named_hands_us_mail(service: Service, named: str, answer: str) -> None:
    ends = {"peername": ("192.0.2.25", 40000), "sockname": ("192.0.2.9", 2424)}
    handler = _Handler(Reception(service.inbox, RateCap(service.clock)), OWN_DOMAIN, [ip_network(named)])
    session = LMTP(handler)
    session.transport = asyncio.Transport(ends)
    assert (await handler.handle_RCPT(session, Session(session.loop), Envelope(), ADDRESS, []))[:3] == answer


async def test_the_null_sender_is_an_empty_sender(service: Service) -> None:
    assert await service.offer(ADDRESS, sender="") == ["250"]
    assert service.inbox.stored[0].envelope_from == ""


async def test_each_recipient_gets_its_own_answer_and_one_mail_to_two_rooms_is_seen(service: Service) -> None:
    for _ in range(3):
        await service.offer(OTHER_ADDRESS)
    assert await service.offer(ADDRESS, UNKNOWN_ADDRESS, OTHER_ADDRESS) == ["250", "550", "450"]
    assert service.inbox.stored[-1].token == TOKEN
    assert service.inbox.stored[-1].recipients == 2


async def test_while_the_database_is_down_the_mail_server_keeps_the_mail(service: Service) -> None:
    service.inbox.down = True
    assert await service.offer(ADDRESS) == ["451"]
    service.inbox.down = False
    service.inbox.verdict = InboxVerdict.BUSY
    assert await service.offer(ADDRESS) == ["451"]
    service.inbox.verdict = InboxVerdict.STORED
    assert await service.offer(ADDRESS) == ["250"]
    assert len(service.inbox.stored) == 1


async def test_a_database_that_goes_down_after_rcpt_gives_451_to_each_recipient(service: Service) -> None:
    service.inbox.gate = asyncio.Event()
    offer = asyncio.create_task(service.offer(ADDRESS, OTHER_ADDRESS))
    await service.inbox.reached.wait()
    service.inbox.down = True
    service.inbox.gate.set()
    assert await offer == ["451", "451"]


async def test_too_large_a_mail_is_refused_for_each_recipient_and_the_session_goes_on(service: Service) -> None:
    large = RAW + b"x" * 70 + b"\r\n" + (b"y" * 70 + b"\r\n") * 200
    assert await service.offer(ADDRESS, OTHER_ADDRESS, raw=large) == ["552", "552"]
    endless = RAW + b"z" * 200_000
    assert await service.offer(ADDRESS, raw=endless) == ["552"]
    assert service.inbox.stored == []


async def test_a_line_longer_than_the_rules_allow_is_taken(service: Service) -> None:
    assert await service.offer(ADDRESS, raw=RAW + b"x" * 5000 + b"\r\n") == ["250"]


async def test_beyond_the_cap_mail_waits_and_later_it_is_taken(service: Service) -> None:
    answers = [await service.offer(ADDRESS, raw=mail(f"{i}")) for i in range(5)]
    assert answers == [["250"]] * 3 + [["450"]] * 2
    assert await service.offer(OTHER_ADDRESS) == ["250"]
    service.clock.seconds = 3600
    assert await service.offer(ADDRESS) == ["250"]


async def test_probes_and_failures_do_not_count_against_the_cap(service: Service) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", service.server.port)
    for line in ["LHLO x", *["MAIL FROM:<>", f"RCPT TO:<{ADDRESS}>", "RSET"] * 9, "QUIT"]:
        writer.write(f"{line}\r\n".encode())
    probed = (await reader.read()).decode()
    writer.close()
    assert probed.count("250 2.1.5") == 9
    service.inbox.verdict = InboxVerdict.BUSY
    for _ in range(5):
        await service.offer(ADDRESS)
    service.inbox.verdict = InboxVerdict.STORED
    assert await service.offer(ADDRESS) == ["250"]


async def test_the_same_mail_has_the_same_identity_whatever_way_it_came(service: Service) -> None:
    await service.offer(ADDRESS)
    await service.offer(ADDRESS, raw=b"Received: by another way\r\n" + RAW)
    await service.offer(OTHER_ADDRESS)
    await service.offer(OTHER_ADDRESS, raw=RAW.replace(b"Yes", b"No"))
    first, again, other_room, other_words = service.inbox.stored
    assert first.identity == again.identity
    assert len({first.identity, other_room.identity, other_words.identity}) == 3
    assert other_room.same_message == other_words.same_message != first.same_message


async def test_two_mails_without_message_id_are_two(service: Service) -> None:
    bare = b"From: carl@example.net\r\nDate: %s\r\n\r\nyes\r\n"
    await service.offer(ADDRESS, raw=bare % b"monday")
    await service.offer(ADDRESS, raw=bare % b"tuesday")
    first, second = service.inbox.stored
    assert first.identity != second.identity


async def test_a_client_that_goes_while_its_mail_is_stored_does_not_stop_the_storing(service: Service) -> None:
    service.inbox.gate = asyncio.Event()
    offer = asyncio.create_task(service.offer(ADDRESS))
    await service.inbox.reached.wait()
    offer.cancel()
    await asyncio.gather(offer, return_exceptions=True)
    await asyncio.sleep(0.05)
    service.inbox.gate.set()
    await service.server.stop()
    assert len(service.inbox.stored) == 1


async def test_whether_it_listens_is_tried(service: Service) -> None:
    assert await service.server.trouble() is None
    await service.server.stop()
    assert await service.server.trouble() == "nobody answers at our LMTP port"


async def test_a_taken_port_is_named(service: Service) -> None:
    reception = Reception(service.inbox, RateCap(service.clock))
    second = LmtpServer(reception, OWN_DOMAIN, host="127.0.0.1", port=service.server.port)
    with pytest.raises(PortTakenError, match=rf"127\.0\.0\.1:{service.server.port} is taken"):
        await second.start()


async def test_hostile_commands_leave_the_server_standing(service: Service) -> None:
    for command in (b"EHLO x", b"RCPT TO:<a>", b"\xff\xfe", b"MAIL FROM:<\xff>", b"DATA", b"x" * 100_000, b"LHLO"):
        reader, writer = await asyncio.open_connection("127.0.0.1", service.server.port)
        writer.write(command + b"\r\nQUIT\r\n")
        assert b"221" in await reader.read()
        writer.close()
    assert await service.offer(ADDRESS) == ["250"]


async def test_neither_addresses_nor_words_reach_a_log(service: Service, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    await service.offer(ADDRESS, UNKNOWN_ADDRESS)
    service.inbox.down = True
    await service.offer(ADDRESS)
    assert "ConnectionError" in caplog.text
    for secret in (TOKEN.value, "carl@", "Yes"):
        assert secret not in caplog.text


def test_the_cap_forgets_what_is_old() -> None:
    clock = Clock()
    cap = RateCap(clock, limit=2, window=10)
    cap.count("a")
    clock.seconds = 5
    cap.count("a")
    assert cap.is_full("a")
    clock.seconds = 10
    assert not cap.is_full("a")
    clock.seconds = 15
    assert not cap.is_full("a")
    assert not cap.is_full("b")


async def test_a_stranger_who_knows_the_address_can_not_silence_its_owner(service: Service) -> None:
    forged = [await service.offer(ADDRESS, raw=mail(f"forged {n}"), sender="eve@example.net") for n in range(5)]
    assert forged == [["250"]] * 3 + [["450"]] * 2
    assert await service.offer(ADDRESS) == ["250"]


async def test_reports_have_an_address_of_their_own_and_no_sender(service: Service) -> None:
    token = BounceToken(TOKEN.value)
    service.inbox.known = {token_hash(token)}
    there = token_address(token, OWN_DOMAIN)
    assert await service.offer(there) == ["550"]
    assert await service.offer(there, sender="") == ["250"]
    assert await service.offer(ADDRESS, sender="") == ["550"]
    (stored,) = service.inbox.stored
    assert stored.token == token


async def test_anybody_may_write_to_the_intake_address_where_there_is_one_and_not_too_much() -> None:
    intake, inbox = f"Info@{OWN_DOMAIN}", FakeInbox()
    inbox.known.add(token_hash(IntakeAddress()))
    server = LmtpServer(Reception(inbox, RateCap(Clock())), OWN_DOMAIN, host="127.0.0.1", port=0, intake=intake)
    await server.start()
    there = Service(inbox, Clock(), server)
    long = RAW + b"x" * 70 + b"\r\n" + (b"y" * 70 + b"\r\n") * (STRANGERS_BYTES // 70)
    assert await there.offer(intake.lower(), ADDRESS) == ["250", "250"]
    assert await there.offer(intake, raw=long) == ["552"]
    assert [mail.token for mail in inbox.stored] == [IntakeAddress(), TOKEN]
    await server.stop()


async def test_without_an_intake_address_nobody_writes_there(service: Service) -> None:
    service.inbox.known.add(token_hash(IntakeAddress()))
    assert await service.offer(f"info@{OWN_DOMAIN}", f"intake@{OWN_DOMAIN}") == ["550", "550"]
