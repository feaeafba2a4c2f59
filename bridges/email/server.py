"""The LMTP server (RFC 2033): takes mail for known tokens, and answers 250 only for what is stored.

    RCPT   from a machine that is neither this one nor named … 451, whatever the address
           unknown address ……… 550, with no content        database down … 451
           a report's address, and a sender … 550: reports have none
    DATA   stored or known already … 250      over the cap … 450      database down … 451      too large … 552
           one answer for each recipient, in their order

Whoever hands us mail can forge Authentication-Results.
"""

import asyncio
import errno
import logging
from collections.abc import Collection
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import AnyStr, Final

from aiosmtpd.lmtp import LMTP
from aiosmtpd.smtp import SMTP, Envelope, Session

from bridges.email.ids import BounceToken, IntakeAddress, parse_recipient
from bridges.email.mime import LIMITS
from bridges.email.reception import InboxVerdict, ReceivedMail, Reception, received

logger = logging.getLogger(__name__)

STRANGERS_BYTES: Final = 256 * 1024
"""Of a mail to the address of strangers: words, and no files."""
_LINE_LIMIT: Final = 64 * 1024
"""RFC 5321 says 1000; some servers hand on longer lines, and to refuse them would lose mail."""
_IDLE_SECONDS: Final = 120.0
_GREETING_SECONDS: Final = 5.0

_STORED: Final = "250 2.0.0 stored"
_STRANGER: Final = "451 4.7.1 this machine may not hand us mail"
"""Not for good: where a setting is wrong, the mail waits until it is right."""
_UNKNOWN: Final = "550 5.1.1 no such address"
_BUSY: Final = "451 4.3.0 try again later"
_OVER_CAP: Final = "450 4.2.1 too much mail for this address, try again later"
_TOO_LARGE: Final = "552 5.3.4 too large"
_ANSWERS: Final = {
    InboxVerdict.STORED: _STORED,
    InboxVerdict.UNKNOWN: _UNKNOWN,
    InboxVerdict.OVER_CAP: _OVER_CAP,
    InboxVerdict.BUSY: _BUSY,
}


class PortTakenError(Exception):
    """The configured address can't be listened on; the message names it."""


class LmtpServer:
    """Serves one address in the running event loop, between `start` and `stop`: an `Entrance`."""

    way = "mail is taken at our LMTP port"
    remedy = "restart the service; its log says more"

    def __init__(
        self,
        reception: Reception,
        domain: str,
        *,
        host: str,
        port: int,
        servers: Collection[IPv4Network | IPv6Network] = (),
        size_limit: int = LIMITS.size,
        intake: str | None = None,
    ) -> None:
        """`servers`: who may hand us mail, besides this machine: what they write about a mail is believed. `intake`:
        the address of strangers."""
        self._handler = _Handler(reception, domain, servers, intake)
        self._domain = domain
        self._host = host
        self._port = port
        self._size_limit = size_limit
        self._server: asyncio.Server | None = None
        self._sessions: set[_Session] = set()

    @property
    def port(self) -> int:
        """The port in use, also where the configured one was 0."""
        if self._server is None:
            return self._port
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def start(self) -> None:
        """Listen. Raises PortTakenError."""
        _silence_library()
        try:
            self._server = await asyncio.get_running_loop().create_server(self._session, self._host, self._port)
        except OSError as error:
            what = "is taken" if error.errno == errno.EADDRINUSE else f"can't be used ({error.strerror})"
            raise PortTakenError(f"the LMTP port {self._host}:{self._port} {what}") from error

    async def trouble(self) -> str | None:
        """Why whoever connects is not greeted, None if they are: tried, as a mail server would."""
        return None if await self._greets() else "nobody answers at our LMTP port"

    async def _greets(self) -> bool:
        if self._server is None:
            return False
        try:
            async with asyncio.timeout(_GREETING_SECONDS):
                reader, writer = await asyncio.open_connection(*self._server.sockets[0].getsockname()[:2])
                try:
                    return (await reader.readline()).startswith(b"220")
                finally:
                    writer.close()
        except (OSError, TimeoutError):
            return False

    async def stop(self) -> None:
        """Take no more connections, end those that are open, and wait for what is being stored."""
        if self._server is None:
            return
        self._server.close()
        for session in list(self._sessions):
            if session.transport is not None:
                session.transport.close()
            await session.ended.wait()
        await self._handler.finish()
        await self._server.wait_closed()
        self._server = None

    def _session(self) -> "_Session":
        return _Session(self._handler, self._sessions, self._domain, self._size_limit)


class _Session(LMTP):
    """One connection. The library answers once after DATA; LMTP wants one answer for each recipient."""

    line_length_limit = _LINE_LIMIT
    _recipients = 1

    def __init__(self, handler: "_Handler", connected: set["_Session"], hostname: str, size_limit: int) -> None:
        super().__init__(
            handler,
            hostname=hostname,
            ident="Mediatrix",
            data_size_limit=size_limit,
            enable_SMTPUTF8=True,
            timeout=_IDLE_SECONDS,
            loop=asyncio.get_running_loop(),
        )
        self.ended = asyncio.Event()
        self._connected = connected

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._connected.add(self)
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        super().connection_lost(error)
        self._connected.discard(self)
        self.ended.set()

    async def smtp_DATA(self, arg: str) -> None:  # noqa: N802 - the library finds commands by this name
        self._recipients = len(self.envelope.rcpt_tos) if self.envelope else 0
        await super().smtp_DATA(arg)

    async def push(self, status: AnyStr) -> None:
        """The library's own refusals of the content come as one line; repeat them for every recipient."""
        if isinstance(status, str) and status.startswith(("552 Error: Too much", "500 Line too long")):
            await super().push("\r\n".join([_TOO_LARGE] * self._recipients))
        else:
            await super().push(status)


class _Handler:
    """What is done at each step of a session."""

    def __init__(
        self,
        reception: Reception,
        domain: str,
        servers: Collection[IPv4Network | IPv6Network] = (),
        intake: str | None = None,
    ) -> None:
        self._reception, self._intake = reception, intake
        self._servers = servers
        self._domain = domain
        self._storing: set[asyncio.Task[InboxVerdict]] = set()

    async def handle_EHLO(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        session.host_name = hostname
        return [*responses[:-1], "250-PIPELINING", "250-ENHANCEDSTATUSCODES", *responses[-1:]]

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if not self._is_ours(server):
            logger.warning("mail was offered by a machine that email.lmtp.servers does not name")
            return _STRANGER
        token = parse_recipient(address, self._domain, self._intake)
        is_report = isinstance(token, BounceToken)
        if token is None or (is_report and not _is_null(envelope.mail_from)):
            return _UNKNOWN
        if not await self._reception.knows(token):
            return _UNKNOWN
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 ok"

    def _is_ours(self, server: SMTP) -> bool:
        """Whether it is our mail server that is connected, or something on this machine."""
        if server.transport is None:
            return False
        peer, here = (ip_address(server.transport.get_extra_info(end)[0]) for end in ("peername", "sockname"))
        return peer.is_loopback or peer == here or any(peer in network for network in self._servers)

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        raw = envelope.original_content or b""
        sender = "" if _is_null(envelope.mail_from) else envelope.mail_from or ""
        answers = []
        for recipient in envelope.rcpt_tos:
            token = parse_recipient(recipient, self._domain, self._intake)
            if token is None:
                answers.append(_UNKNOWN)
                continue
            if isinstance(token, IntakeAddress) and len(raw) > STRANGERS_BYTES:
                answers.append(_TOO_LARGE)
                continue
            mail = received(token, sender, raw, recipients=len(envelope.rcpt_tos))
            answers.append(await self._answer(mail))
        return "\r\n".join(answers)

    async def handle_exception(self, error: Exception) -> str:
        logger.error("a step of an LMTP session failed: %s", type(error).__name__)
        return _BUSY

    async def finish(self) -> None:
        """Wait for every mail that is being stored."""
        if self._storing:
            await asyncio.wait(self._storing)

    async def _answer(self, mail: ReceivedMail) -> str:
        """Store in a task of its own: the library cancels its session when the client goes, and a commit that was
        begun should end."""
        task = asyncio.create_task(self._reception.take(mail))
        self._storing.add(task)
        task.add_done_callback(self._storing.discard)
        return _ANSWERS[await asyncio.shield(task)]


def _is_null(sender: str | None) -> bool:
    return sender in (None, "", "<>")


def _drop(_: logging.LogRecord) -> bool:
    return False


def _silence_library() -> None:
    """The library logs addresses, commands and content; nothing of that may reach any log, at whatever level."""
    logging.getLogger("mail.log").addFilter(_drop)
