"""How soon what comes by mail and by WhatsApp is kept, and stands before the mediator, beside a bare encrypted send.

All is seen by the same real client of the mediator's (matrix-js-sdk), decrypted. In turn, in one run:
    a webhook    from when it is sent until its 200, and until its words stand in the caucus
    a bare one   the same webhook, to an aiohttp handler in a process of its own that commits one row
    a mail       from its 250 until its words stand in the caucus
    a bare send  from the moment somebody writes in a room of the same people without any of ours
"""

from __future__ import annotations

import asyncio
import secrets
import statistics
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import aiohttp

from benchmarks.barehandler import bare_handler, post
from benchmarks.results import Benchmark, Measure, at_most
from benchmarks.scene import SYNAPSE
from sandbox.client import Client
from sandbox.mail import Stamp, composed
from sandbox.node import Node
from sandbox.whatsapp.graph import PRIVATE
from sandbox.whatsapp.server import APP, SECRETS
from sandbox.whatsapp.webhooks import payload, signed, written
from sandbox.world import MEDIATOR, World
from tests.e2e.cases import Staff, arriving, at_work, enter, new_ports
from tests.e2e.conftest import NODE

WARMING: Final = 3
"""Of each kind, before the clock runs: keys are shared and code is loaded."""
REST: Final = 0.25
"""Seconds between two, in which what follows from the one is done."""
CARL: Final = "carl@example.org"
NUMBER, USER = "+34600123456", "ES.4711aB"


@dataclass(frozen=True, slots=True)
class _Table:
    """Who sits at it, in which rooms, and where to write."""

    world: World
    mia: Client
    alice: Client
    http: aiohttp.ClientSession
    bare_url: str
    by_whatsapp: str
    by_mail: str
    mail_address: str
    bare: str

    async def seen(self, room: str, words: str, began: float) -> float:
        """The seconds since then until the mediator reads it."""
        await self.mia.wait_for_text(room, words)
        return time.monotonic() - began

    async def webhook(self, url: str, words: str) -> tuple[float, float]:
        """Bea writes by WhatsApp: when it was sent, and the seconds until the 200."""
        body = written(payload(said(words), PRIVATE))
        headers = signed(body, SECRETS[APP])
        began = time.monotonic()
        await post(self.http, url, body, headers)
        return began, time.monotonic() - began

    async def mail(self, words: str) -> float:
        """Carl writes; the time of the 250."""
        raw = self.world.mail.stamped(composed(CARL, self.mail_address, words), CARL, Stamp.PASS)
        [answer] = await self.world.mail.deliver_raw(CARL, [self.mail_address], raw)
        if not answer.startswith("250"):
            raise RuntimeError(f"a mail was refused: {answer[:3]}")
        return time.monotonic()


@dataclass(slots=True)
class _Times:
    """Seconds."""

    kept: list[float] = field(default_factory=list)
    bare_kept: list[float] = field(default_factory=list)
    webhooks: list[float] = field(default_factory=list)
    mails: list[float] = field(default_factory=list)
    sends: list[float] = field(default_factory=list)

    async def round(self, table: _Table, number: int) -> None:
        """One of each kind."""
        words = f"A date in June, number {number}"
        began, kept = await table.webhook(table.world.whatsapp.webhooks.url, words)
        self.kept.append(kept)
        self.webhooks.append(await table.seen(table.by_whatsapp, words, began))
        await asyncio.sleep(REST)
        _, kept = await table.webhook(table.bare_url, words)
        self.bare_kept.append(kept)
        await asyncio.sleep(REST)
        accepted = await table.mail(words)
        self.mails.append(await table.seen(table.by_mail, words, accepted))
        await asyncio.sleep(REST)
        began = time.monotonic()
        await table.alice.text(table.bare, words)
        self.sends.append(await table.seen(table.bare, words, began))
        await asyncio.sleep(REST)

    def measures(self) -> list[Measure]:
        """By the median of each."""
        kept, bare, webhook, mail, send = (
            1000 * statistics.median(times[WARMING:])
            for times in (self.kept, self.bare_kept, self.webhooks, self.mails, self.sends)
        )
        until = f"÷ {send:.1f} ms until the mediator's client has it"
        return [
            at_most("webhook_accepted", kept / bare, 2, f"{kept:.2f} ÷ {bare:.2f} ms from a webhook to its 200"),
            at_most("webhook_visible", webhook / send, 1.5, f"{webhook:.1f} {until}"),
            at_most("mail_visible", mail / send, 1.5, f"{mail:.1f} {until}"),
        ]


async def bridged(folder: Path, *, quick: bool) -> list[Measure]:
    """One of each after another."""
    times = _Times()

    async def take(table: _Table) -> None:
        for number in range(1, WARMING + (10 if quick else 40) + 1):
            await times.round(table, number)

    await _at_table(folder, take)
    return times.measures()


BENCHMARK: Final = Benchmark("bridged", bridged)


async def _at_table(folder: Path, take: Callable[[_Table], Awaitable[None]]) -> None:
    """A case in which one party writes by WhatsApp and one by mail."""
    async with (
        World(folder, new_ports(), SYNAPSE) as world,
        bare_handler(folder / "bare.db") as bare_url,
        Node(NODE, log=folder / "node.log") as node,
        arriving(world, node) as arrive,
        aiohttp.ClientSession() as http,
    ):
        staff = await at_work(world, node, MEDIATOR)
        await take(await _table(staff, await arrive("alice"), http, bare_url))
        await staff.client.stop()


async def _table(staff: Staff, alice: Client, http: aiohttp.ClientSession, bare_url: str) -> _Table:
    world, mia = staff.world, staff.client
    by_whatsapp = await party_by_whatsapp(staff)
    by_mail = await _party(staff, "Carl", CARL)
    await mia.text(by_mail, "Which date suits you?")
    letter = await world.mail.wait_for(CARL, lambda mail: "Which date suits you?" in mail.text)
    bare = await alice.create_room("Without a mediator", invite=[mia.user_id])
    await mia.wait_for_invite(bare)
    await mia.join(bare)
    return _Table(world, mia, alice, http, bare_url, by_whatsapp, by_mail, letter.reply_address, bare)


async def party_by_whatsapp(staff: Staff) -> str:
    """Bea takes part in a case; her caucus, in which the mediator is."""
    whatsapp = staff.world.whatsapp
    whatsapp.graph.write(whatsapp.telephone(NUMBER, USER, "Bea").phone, PRIVATE)
    return await _party(staff, "Bea", NUMBER)


async def _party(staff: Staff, name: str, address: str) -> str:
    desk = await staff.open_case()
    await desk.add(name, address)
    if address == CARL:
        await desk.confirm(name, address)
    else:
        await desk.ask(f"!consent {name}: by telephone", "On record")
    return await enter(staff.client, f"PRIVATE with mediator · {desk.number}")


def said(words: str) -> dict[str, object]:
    """A message of Bea's, as Meta tells it."""
    number = NUMBER.removeprefix("+")
    ids = {"from": number, "from_user_id": USER, "id": f"wamid.{secrets.token_hex(16)}"}
    message = {**ids, "timestamp": str(round(time.time())), "type": "text", "text": {"body": words}}
    contact = {"profile": {"name": "Bea"}, "wa_id": number, "user_id": USER}
    return {"contacts": [contact], "messages": [message]}
