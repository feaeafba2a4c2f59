"""A mail world on loopback: the service's outgoing mail server, people's mailboxes, and their mail clients."""

import asyncio
import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from email.policy import default
from email.utils import format_datetime, make_msgid, parseaddr
from enum import Enum, auto
from typing import Final

from aiosmtpd.smtp import SMTP, Envelope, Session

from sandbox.ports import require_free

_STEP_SECONDS: Final = 120.0


class Behaviour(Enum):
    """How the mail server treats the service's mail."""

    DELIVER = auto()
    REFUSE_RECIPIENT = auto()
    REFUSE = auto()
    DEFER = auto()
    DELIVER_AND_HANG_UP = auto()
    """Takes the mail, and drops the connection instead of answering."""
    HANG_UP = auto()
    """Drops the connection instead of answering, and the mail with it."""


class Stamp(Enum):
    """What our own mail server writes about a mail that comes in."""

    PASS = auto()
    FAIL = auto()
    NONE = auto()
    """Our mail server does not check: no Authentication-Results of ours."""
    FORGED_TOO = auto()
    """Ours says fail, and it overlooked one in its name that the sender had put in."""


@dataclass(frozen=True, slots=True)
class MailboxItem:
    """A mail of the service as it lies in a person's mailbox, the `number`th from 0."""

    number: int
    recipient: str
    envelope_from: str
    raw: bytes

    @property
    def message(self) -> EmailMessage:
        """Parsed, for its headers."""
        message = message_from_bytes(self.raw, policy=default)
        assert isinstance(message, EmailMessage)
        return message

    @property
    def subject(self) -> str:
        """Also the name of the room."""
        return str(self.message["Subject"])

    @property
    def reply_address(self) -> str:
        """Where an answer goes; empty for a mail without words, which takes none."""
        return parseaddr(str(self.message.get("Reply-To", "")))[1]

    @property
    def text(self) -> str:
        """What the person reads."""
        body = self.message.get_body(("plain",))
        assert isinstance(body, EmailMessage)
        return "\n".join(str(body.get_content()).splitlines())


class MailSandbox:
    """The mail world. Stamp and deliver go to the service's LMTP server at `service`, once that is set."""

    def __init__(self, *, authserv_id: str, host: str = "127.0.0.1", port: int = 0) -> None:
        self.behaviour = Behaviour.DELIVER
        self.service: tuple[str, int] | None = None
        self._authserv_id = authserv_id
        self._host = host
        self._port = port
        self._mailboxes: dict[str, list[MailboxItem]] = {}
        self._news = asyncio.Condition()
        self._server: asyncio.Server | None = None
        self._connections: list[SMTP] = []

    @property
    def port(self) -> int:
        """Where the service is to send its mail."""
        assert self._server is not None, "start() first"
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def start(self) -> None:
        """Listen. Raises PortTaken."""
        if self._port:
            require_free(self._port, "the mail server")
        self._server = await asyncio.get_running_loop().create_server(self._connection, self._host, self._port)

    async def stop(self) -> None:
        """Close every connection."""
        if self._server is None:
            return
        self._server.close()
        for connection in self._connections:
            if connection.transport is not None:
                connection.transport.close()
        await asyncio.sleep(0)
        await self._server.wait_closed()
        self._server = None

    def mailbox(self, recipient: str) -> tuple[MailboxItem, ...]:
        """All mail of the service to one person, in the order of its arrival."""
        return tuple(self._mailboxes.get(recipient.lower(), ()))

    async def wait_for(
        self,
        recipient: str,
        matches: Callable[[MailboxItem], bool] = lambda _: True,
        *,
        after: MailboxItem | None = None,
        timeout: float = _STEP_SECONDS,  # noqa: ASYNC109 - a convenience of test equipment
    ) -> MailboxItem:
        """The first mail that matches, of those that came later than `after`. Raises TimeoutError."""
        start = 0 if after is None else after.number + 1

        def first() -> MailboxItem | None:
            return next((item for item in self.mailbox(recipient)[start:] if matches(item)), None)

        async with asyncio.timeout(timeout), self._news:
            await self._news.wait_for(lambda: first() is not None)
        found = first()
        assert found is not None
        return found

    async def deliver(
        self,
        sender: str,
        to: str,
        text: str,
        *,
        in_reply_to: MailboxItem | None = None,
        stamp: Stamp = Stamp.PASS,
    ) -> str:
        """Write and send as a person's mail client does; returns the service's answer (`250 …`)."""
        raw = composed(sender, to, text, in_reply_to=in_reply_to)
        return (await self.deliver_raw(sender, [to], self.stamped(raw, sender, stamp)))[0]

    def stamped(self, raw: bytes, sender: str, stamp: Stamp) -> bytes:
        """A mail as our own mail server hands it on: without any result in its name, and with its own."""
        if stamp is Stamp.NONE:
            return raw
        domain = sender.rpartition("@")[2]
        verdict = "pass" if stamp is Stamp.PASS else "fail"
        result = (
            f"Authentication-Results: {self._authserv_id};\r\n"
            f'\tdkim={verdict} header.d={domain} header.s=s1 header.b="sAndb0x/";\r\n'
            f"\tdmarc={verdict} (policy=reject) header.from={domain}\r\n"
        )
        if stamp is Stamp.FORGED_TOO:
            forged = f"Authentication-Results: {self._authserv_id}; dmarc=pass header.from={domain}\r\n"
            return (result + forged).encode() + raw
        claimed = re.compile(
            rb"^Authentication-Results:\s*" + re.escape(self._authserv_id.encode()) + rb"\b.*\r?\n(?:[ \t].*\r?\n)*",
            re.IGNORECASE | re.MULTILINE,
        )
        head, separator, body = raw.partition(b"\r\n\r\n")
        return result.encode() + claimed.sub(b"", head + b"\r\n")[:-2] + separator + body

    async def deliver_raw(self, envelope_from: str, recipients: Sequence[str], raw: bytes) -> list[str]:
        """Hand these bytes to the service by LMTP; its answer for each recipient, in their order."""
        assert self.service is not None, "say where the service listens first"
        return await lmtp(*self.service, envelope_from, recipients, raw)

    def _connection(self) -> SMTP:
        connection = SMTP(
            self, hostname="sandbox.test", enable_SMTPUTF8=True, loop=asyncio.get_running_loop(), timeout=60
        )
        self._connections.append(connection)
        return connection

    async def handle_RCPT(  # noqa: N802 - the library finds its hooks by these names
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Take any recipient, unless told otherwise."""
        if self.behaviour is Behaviour.REFUSE_RECIPIENT:
            return f"550 5.1.1 <{address}>: no such mailbox"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 ok"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Put the mail into the mailboxes, or misbehave."""
        if self.behaviour in (Behaviour.DELIVER, Behaviour.DELIVER_AND_HANG_UP):
            await self._put(envelope)
        if self.behaviour in (Behaviour.HANG_UP, Behaviour.DELIVER_AND_HANG_UP):
            assert server.transport is not None
            server.transport.close()
        answers = {Behaviour.REFUSE: "554 5.7.1 refused", Behaviour.DEFER: "451 4.3.0 later"}
        return answers.get(self.behaviour, "250 2.0.0 taken")

    async def _put(self, envelope: Envelope) -> None:
        sender = envelope.mail_from or ""
        raw = envelope.original_content or b""
        async with self._news:
            for recipient in envelope.rcpt_tos:
                box = self._mailboxes.setdefault(recipient.lower(), [])
                box.append(MailboxItem(len(box), recipient, sender, raw))
            self._news.notify_all()


def composed(sender: str, to: str, text: str, *, in_reply_to: MailboxItem | None = None) -> bytes:
    """A mail as a common client writes it: the answer on top, below it who wrote, and the whole mail quoted."""
    message = EmailMessage(policy=SMTP_POLICY)
    message["From"] = sender
    message["To"] = to
    message["Subject"] = f"Re: {in_reply_to.subject}" if in_reply_to else "A question"
    message["Date"] = format_datetime(datetime.now(UTC))
    message["Message-ID"] = make_msgid(domain=sender.rpartition("@")[2])
    body = text
    if in_reply_to is not None:
        message["In-Reply-To"] = message["References"] = str(in_reply_to.message["Message-ID"])
        quote = "\n".join(f"> {line}".rstrip() for line in in_reply_to.text.splitlines())
        wrote = f"On Mon, 5 Jan 2026 at 10:00, {in_reply_to.subject} <{in_reply_to.reply_address}> wrote:"
        body = f"{text}\n\n{wrote}\n\n{quote}\n"
    message.set_content(body, cte="quoted-printable")
    return message.as_bytes()


async def lmtp(host: str, port: int, envelope_from: str, recipients: Sequence[str], raw: bytes) -> list[str]:
    """Deliver by LMTP (RFC 2033) as a mail server does; the answer for each recipient, refusals at RCPT included.

    Raises TimeoutError where the service falls silent, ConnectionError where it hangs up.
    """
    async with asyncio.timeout(_STEP_SECONDS):
        reader, writer = await asyncio.open_connection(host, port)
        try:
            return await _transaction(reader, writer, envelope_from, recipients, raw)
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()


async def _transaction(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    envelope_from: str,
    recipients: Sequence[str],
    raw: bytes,
) -> list[str]:
    async def answer() -> str:
        while True:
            line = (await reader.readline()).decode("utf-8", "replace").rstrip("\r\n")
            if not line:
                raise ConnectionError("the service hung up")
            if line[3:4] != "-":
                return line

    async def say(command: str) -> str:
        writer.write(f"{command}\r\n".encode())
        return await answer()

    await answer()
    await say("LHLO sandbox.test")
    await say(f"MAIL FROM:<{envelope_from}>")
    verdicts = [await say(f"RCPT TO:<{recipient}>") for recipient in recipients]
    taken = [i for i, verdict in enumerate(verdicts) if verdict.startswith("250")]
    if taken:
        await say("DATA")
        writer.write(re.sub(rb"(?m)^\.", b"..", raw).removesuffix(b"\r\n") + b"\r\n.\r\n")
        for i in taken:
            verdicts[i] = await answer()
    await say("QUIT")
    return verdicts
