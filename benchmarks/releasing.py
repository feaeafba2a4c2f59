"""How long after the author's yes released words stand before a reader, beside a bare encrypted send.

Both are seen by the same real client of the other side (matrix-js-sdk), decrypted. In turn, in one run:
    a release    from the homeserver's yes to “yes 4F2A” in the author's private room
    a bare send  from the moment the same author writes in a room of the same people without any of ours
"""

from __future__ import annotations

import asyncio
import statistics
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.results import Benchmark, Measure, at_most
from benchmarks.scene import SYNAPSE
from sandbox.client import Client
from sandbox.node import Node
from sandbox.world import MEDIATOR, World
from tests.e2e.cases import Desk, Staff, arriving, at_work, code_in, new_ports, told
from tests.e2e.conftest import NODE

WARMING: Final = 3
"""Of each kind, before the clock runs: keys are shared and code is loaded."""
REST: Final = 0.25
"""Seconds between two, in which what follows from the one is done."""


@dataclass(frozen=True, slots=True)
class _Table:
    """Who sits at it, and in which rooms."""

    desk: Desk
    alice: Client
    bob: Client
    private: str
    joint: str
    bare: str

    async def release(self, number: int) -> float:
        """Something that Alice said in private is released; the seconds from her yes until Bob reads it."""
        mia, words = self.desk.mediator, f"I could live with a date in June, number {number}"
        said = await self.alice.text(self.private, words)
        await mia.wait_for_text(self.private, words)
        await mia.reply(self.private, said, "!release")
        await self.desk.ask(f"yes {code_in(await self.desk.told(words))}", "Alice is asked")
        code = code_in(await told(self.alice, self.private, words))
        # She reads it first, so its poll stands by the time she answers.
        await self.alice.wait_for_poll(self.private, code)
        await self.alice.text(self.private, f"yes {code}")
        accepted = time.monotonic()
        await self.bob.wait_for(lambda event: event.room_id == self.joint and words in (event.body or ""), words)
        took = time.monotonic() - accepted
        await self.desk.told(f"R{number} is released")
        return took

    async def send(self, number: int) -> float:
        """Alice says something where only clients are; the seconds until Bob reads it."""
        words = f"A date in June, number {number}"
        began = time.monotonic()
        await self.alice.text(self.bare, words)
        await self.bob.wait_for_text(self.bare, words)
        return time.monotonic() - began


async def releasing(folder: Path, *, quick: bool) -> list[Measure]:
    """One release and one bare send after another."""
    releases, sends = list[float](), list[float]()
    async with (
        World(folder, new_ports(), SYNAPSE) as world,
        Node(NODE, log=folder / "node.log") as node,
        arriving(world, node) as arrive,
    ):
        staff = await at_work(world, node, MEDIATOR)
        table = await _table(staff, await arrive("alice"), await arrive("bob"))
        for number in range(1, WARMING + (8 if quick else 40) + 1):
            releases.append(await table.release(number))
            await asyncio.sleep(REST)
            sends.append(await table.send(number))
            await asyncio.sleep(REST)
        await staff.client.stop()
    release, send = (1000 * statistics.median(times[WARMING:]) for times in (releases, sends))
    return [at_most("release_visible", release / send, 2, f"{release:.1f} ÷ {send:.1f} ms until another client has it")]


BENCHMARK: Final = Benchmark("releasing", releasing)


async def _table(staff: Staff, alice: Client, bob: Client) -> _Table:
    """A case in session, and a room of the same three without the bot."""
    desk = await staff.open_case()
    await desk.add("Alice", alice.user_id)
    await desk.add("Bob", bob.user_id)
    private = await desk.caucus(alice)
    joint = await desk.open(alice, bob)
    bare = await alice.create_room("Without a mediator", invite=[bob.user_id, staff.client.user_id])
    for guest in (bob, staff.client):
        await guest.wait_for_invite(bare)
        await guest.join(bare)
    return _Table(desk, alice, bob, private, joint, bare)
