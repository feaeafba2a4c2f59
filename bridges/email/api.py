"""Handing one mail to the mail server by SMTP submission, and saying honestly what is known afterwards.

nothing of the mail sent …… NotSent: safe to repeat
the server said no ………………… Refused
the server said yes …………… Accepted
the mail sent, no answer … Unknown: it may be on its way, so nobody but a person repeats it
"""

import asyncio
import ipaddress
import re
import ssl
from contextlib import suppress
from dataclasses import field
from enum import StrEnum, unique
from typing import Final

from aiosmtplib import (
    SMTP,
    SMTPAuthenticationError,
    SMTPException,
    SMTPResponseException,
    SMTPServerDisconnected,
)

from bridges.email.convert_out import OutgoingMail
from bridges.unsent import NotSent, Unknown
from policies.frozen import frozen

_LINE_START_DOT: Final = re.compile(rb"(?m)^\.")
_ADDRESS: Final = re.compile(r"[^\s<>]+@[^\s<>]+")
_WHY_LIMIT: Final = 200
_FAREWELL_SECONDS: Final = 2.0
BEGIN_SECONDS: Final = 20.0
"""For the connection and the envelope together."""


@unique
class Security(StrEnum):
    """How the way to the mail server is protected."""

    NONE = "none"
    STARTTLS = "starttls"
    IMPLICIT = "tls"


@frozen
class MailServer:
    """The server that takes our mail. `timeout` in seconds, for each step.

    Without TLS only on this very machine: raises ValueError otherwise, naming the remedy.
    """

    host: str
    port: int
    security: Security = Security.STARTTLS
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    timeout: float = 30.0
    tls_context: ssl.SSLContext | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if self.security is Security.NONE and not _is_loopback(self.host):
            raise ValueError(
                f"mail to {self.host} would leave this machine in the clear: choose starttls or tls, or a loopback host"
            )


@frozen
class Accepted:
    """The server has taken charge of it. `reply` is its answer, with addresses masked: often a queue id."""

    reply: str


@frozen
class Refused:
    """The server said no: for now (4yz), or for good (5yz). `why` is its answer, with addresses masked."""

    code: int
    permanent: bool
    why: str


SendResult = Accepted | Refused | NotSent | Unknown


async def send(mail: OutgoingMail, server: MailServer) -> SendResult:
    """Submit one mail over a connection of its own. Raises nothing that the network or the server can cause."""
    client = _client(server)
    try:
        result = await _begin(client, mail) or await _transfer(client, mail.raw)
        if isinstance(result, Accepted | Refused):
            with suppress(SMTPException, OSError):
                await client.quit(timeout=_FAREWELL_SECONDS)
        return result
    finally:
        client.close()


async def greet(server: MailServer) -> NotSent | None:
    """Connect, log in and leave: why no mail could be sent now; None if one could be offered."""
    client = _client(server)
    try:
        async with asyncio.timeout(BEGIN_SECONDS):
            trouble = await _connect(client)
        if trouble is None:
            with suppress(SMTPException, OSError):
                await client.quit(timeout=_FAREWELL_SECONDS)
        return trouble
    except TimeoutError:
        return NotSent("the mail server was too slow")
    finally:
        client.close()


def _client(server: MailServer) -> SMTP:
    return SMTP(
        hostname=server.host,
        port=server.port,
        timeout=server.timeout,
        use_tls=server.security is Security.IMPLICIT,
        start_tls=server.security is Security.STARTTLS,
        username=server.username,
        password=server.password,
        tls_context=server.tls_context,
    )


async def _begin(client: SMTP, mail: OutgoingMail) -> Refused | NotSent | None:
    """Everything before the content, within one deadline: a server that dawdles at each step must not outlast it."""
    try:
        async with asyncio.timeout(BEGIN_SECONDS):
            return await _connect(client) or await _offer(client, mail)
    except TimeoutError:
        return NotSent("the mail server was too slow")


async def _connect(client: SMTP) -> NotSent | None:
    try:
        await client.connect()
    except SMTPAuthenticationError as error:
        return NotSent(f"the mail server refused our login ({error.code})")
    except (SMTPException, OSError, ValueError) as error:
        return NotSent(f"no connection to the mail server ({type(error).__name__})")
    return None


async def _offer(client: SMTP, mail: OutgoingMail) -> Refused | NotSent | None:
    """The envelope, up to the server's readiness to take the content."""
    try:
        await client.mail(mail.envelope_from)
        await client.rcpt(mail.recipient)
        response = await client.execute_command(b"DATA")
    except SMTPResponseException as error:
        return _refusal(error.code, error.message)
    except (SMTPException, OSError) as error:
        return NotSent(f"the connection to the mail server broke ({type(error).__name__})")
    return None if response.code == 354 else _refusal(response.code, response.message)


async def _transfer(client: SMTP, raw: bytes) -> SendResult:
    """From the first byte of the content on, silence tells nothing."""
    protocol = client.protocol
    if protocol is None:
        return NotSent("the connection to the mail server broke")
    try:
        protocol.write(_LINE_START_DOT.sub(b"..", raw).removesuffix(b"\r\n") + b"\r\n.\r\n")
    except SMTPServerDisconnected:
        return NotSent("the connection to the mail server broke")
    try:
        response = await protocol.read_response(timeout=client.timeout)
    except (SMTPException, OSError) as error:
        return Unknown(f"the mail was sent, and the server did not answer ({type(error).__name__})")
    if response.code == 250:
        return Accepted(_masked(response.message))
    return _refusal(response.code, response.message)


def _refusal(code: int, message: str) -> Refused | NotSent:
    if code == 421:
        return NotSent("the mail server is shutting down the connection (421)")
    return Refused(code, permanent=500 <= code < 600, why=_masked(message))


def _masked(message: str) -> str:
    """Servers like to name the recipient in their answers."""
    return _ADDRESS.sub("<address>", " ".join(message.split()))[:_WHY_LIMIT]


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
