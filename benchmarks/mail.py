"""How many mails a second are taken by LMTP and kept, beside a bare server of the same library that commits one row."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from aiosmtpd.lmtp import LMTP
from aiosmtpd.smtp import SMTP, Envelope, Session

from appservice.crypto.sealing import Sealer
from appservice.storage.database import SqlDatabase
from appservice.storage.mail_inbox import MailInbox
from benchmarks.barehandler import BareRows
from benchmarks.results import Benchmark, Measure, at_least
from bridges.email.ids import new_reply_token, token_address, token_hash
from bridges.email.proof import Trust
from bridges.email.rate import RateCap
from bridges.email.reception import Reception
from bridges.email.server import LmtpServer
from policies.case import JOINT, Case, CaseId, Endpoint, EndpointId, Network, Person, PersonId
from rooms.addresses import ReplyAddress
from sandbox.ports import free_port

TRUST = Trust("mx.example.org", "reply.example.org")
CONNECTIONS = 4
BAR = 0.5
_HEAD = (
    "Authentication-Results: mx.example.org; dkim=pass header.d=example.net; dmarc=pass header.from=example.net\r\n"
    "From: Carl <carl@example.net>\r\nTo: {to}\r\nSubject: Re: EVERYONE\r\nMessage-ID: <{number}@example.net>\r\n\r\n"
)
_BODY = "I would accept this, if the hedge is cut.\r\n" * 40


class _Bare:
    """Keeps each mail as one row."""

    def __init__(self, file: Path) -> None:
        self._rows = BareRows(file)

    async def handle_RCPT(  # noqa: N802 - the library finds its hooks by these names
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 ok"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        await self._rows.keep(envelope.original_content or b"")
        return "250 2.0.0 stored"


async def take(folder: Path, *, quick: bool) -> list[Measure]:
    """Both, one after the other."""
    await asyncio.to_thread(folder.mkdir, parents=True)
    number = 100 if quick else 600
    async with _bare(folder) as (port, to):
        bare = await _rate(port, to, number)
    async with _ours(folder) as (port, to):
        ours = await _rate(port, to, number)
    made_of = f"{ours:.0f} mails a second of {bare:.0f}, {CONNECTIONS} connections, SQLite"
    return [at_least("mails accepted", ours / bare, BAR, made_of)]


@asynccontextmanager
async def _bare(folder: Path) -> AsyncIterator[tuple[int, str]]:
    handler = _Bare(folder / "bare.db")
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: LMTP(handler, hostname="bare", loop=loop), "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1], "somebody@reply.example.org"
    server.close()


@asynccontextmanager
async def _ours(folder: Path) -> AsyncIterator[tuple[int, str]]:
    database = SqlDatabase(f"sqlite:///{folder}/ours.db", Sealer([bytes(range(32))]))
    await database.open()
    token = new_reply_token()
    carl = Person(PersonId("p1"), "Carl", Endpoint(EndpointId("e1"), Network.EMAIL, "carl@example.net"))
    address = ReplyAddress(CaseId("1001"), carl.id, carl.endpoint.id, JOINT, token.value)
    async with database.begin() as work:
        await work.cases.save(Case(CaseId("1001"), "Smith and Jones", people=(carl,)))
        await work.addresses.save(address, token_hash(token))
    cap = RateCap(time.monotonic, limit=1_000_000)
    port = free_port()
    server = LmtpServer(Reception(MailInbox(database, TRUST), cap), TRUST.own_domain, host="127.0.0.1", port=port)
    await server.start()
    yield server.port, token_address(token, TRUST.own_domain)
    await server.stop()
    await database.close()


async def _rate(port: int, to: str, number: int) -> float:
    """Mails a second over several connections, each waiting for its answers, as a mail server does."""
    started = time.perf_counter()
    share = number // CONNECTIONS
    await asyncio.gather(*(_send(port, to, range(first * share, (first + 1) * share)) for first in range(CONNECTIONS)))
    return share * CONNECTIONS / (time.perf_counter() - started)


async def _send(port: int, to: str, numbers: range) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)

    async def said(command: str) -> None:
        writer.write(f"{command}\r\n".encode())
        await _answer(reader)

    await _answer(reader)
    await said("LHLO bench")
    for number in numbers:
        await said("MAIL FROM:<carl@example.net>")
        await said(f"RCPT TO:<{to}>")
        await said("DATA")
        writer.write(_HEAD.format(to=to, number=number).encode() + _BODY.encode() + b".\r\n")
        await _answer(reader)
    writer.close()


async def _answer(reader: asyncio.StreamReader) -> None:
    while True:
        line = (await reader.readline()).decode()
        if line[3:4] == " ":
            if line[0] not in "23":
                raise RuntimeError(f"the server said {line[:3]}")
            return


BENCHMARK = Benchmark("mail", take)
