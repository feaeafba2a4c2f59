"""Whether memory stays where it is through 100,000 webhooks, at full speed, while the service works on them.

A party in a case writes by WhatsApp, and as many reports come of messages that nobody knows. The service is a process
of its own beside a real homeserver; its memory is looked at after each thousandth part.
"""

from __future__ import annotations

import asyncio
import secrets
import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from appservice.web.whatsapp import PATH
from benchmarks.bridged import USER, party_by_whatsapp, said
from benchmarks.results import Benchmark, Measure, at_most
from benchmarks.scene import SYNAPSE
from benchmarks.watch import Usage
from sandbox.node import Node
from sandbox.ports import LOOPBACK
from sandbox.whatsapp.graph import PRIVATE
from sandbox.whatsapp.server import APP, SECRETS
from sandbox.whatsapp.webhooks import payload, signed, written
from sandbox.world import MEDIATOR, World
from tests.e2e.cases import at_work, new_ports
from tests.e2e.conftest import NODE

ALL, SOME = 100_000, 5_000
CONNECTIONS: Final = 64
BAR: Final = 1.1
ANSWER: Final = b"{}"
LOOKS: Final = 100
"""How often memory is looked at."""


async def flood(folder: Path, *, quick: bool) -> list[Measure]:
    """All of them; memory in the last tenth beside that in the first after the beginning."""
    count = SOME if quick else ALL
    async with World(folder, new_ports(), SYNAPSE) as world, Node(NODE, log=folder / "node.log") as node:
        staff = await at_work(world, node, MEDIATOR)
        await party_by_whatsapp(staff)
        await staff.client.stop()
        numbers, looks = iter(range(count)), list[float]()

        def webhooks() -> Iterator[bytes]:
            for number in numbers:
                if number % (count // LOOKS) == 0:
                    looks.append(Usage.of(world.service_pid).megabytes)
                yield _request(number)

        began = time.monotonic()
        async with asyncio.timeout(3_600), asyncio.TaskGroup() as group:
            for _ in range(CONNECTIONS):
                group.create_task(_send(world.ports.service, webhooks()))
        rate = count / (time.monotonic() - began)
    tenth = LOOKS // 10
    early, late = (statistics.median(some) for some in (looks[tenth : 2 * tenth], looks[-tenth:]))
    made_of = f"{late:.0f} ÷ {early:.0f} MB in the last and the second tenth of {count}, {rate:.0f} a second"
    return [at_most("webhook_memory", late / early, BAR, made_of)]


BENCHMARK: Final = Benchmark("flood", flood)


async def _send(port: int, requests: Iterator[bytes]) -> None:
    """One after another over one connection, each as soon as the last was taken. A client of aiohttp would cost more
    than the service, and would be what is measured."""
    reader, writer = await asyncio.open_connection(LOOPBACK, port)
    for request in requests:
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200 "):
            raise RuntimeError("a webhook was refused")
        await reader.readexactly(len(ANSWER))
    writer.close()


def _request(number: int) -> bytes:
    """Words and reports in turn."""
    if number % 2 == 0:
        whole = payload(said(f"A date in June, number {number}"), PRIVATE)
    else:
        status = {"id": f"wamid.{secrets.token_hex(16)}", "status": "delivered", "recipient_user_id": USER}
        whole = payload({"statuses": [status | {"timestamp": str(round(time.time()))}]}, PRIVATE)
    body = written(whole)
    headers = {"Host": LOOPBACK, "Content-Length": str(len(body)), **signed(body, SECRETS[APP])}
    lines = (f"POST {PATH} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items()), "", "")
    return "\r\n".join(lines).encode() + body
