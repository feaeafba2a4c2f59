"""Interoperability: the rust crypto of matrix-js-sdk, libolm, and our bot and ghosts in one room, in random traffic.

Devices come and go, sessions are thrown away, the service is killed; in the end everybody has read everything that was
said while they were there, once, without a warning. `MEDIATRIX_ACTS=200` goes on for so much longer (two minutes),
from another seed if `MEDIATRIX_SEED` says so.
"""

from __future__ import annotations

import asyncio
import os
import random
import secrets
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

import pytest_asyncio

from sandbox.client import Client, NotSeen
from sandbox.mail import MailboxItem
from sandbox.node import Node
from tests.e2e.cases import Arrive, Desk, Staff, events_of, flaws, mail_address, until
from tests.e2e.libolm_client import LibolmClient

pytest_plugins = ["tests.e2e.cases"]

SEED, ACTS = int(os.environ.get("MEDIATRIX_SEED", "20261122")), int(os.environ.get("MEDIATRIX_ACTS", "50"))
WHAT = ("alice", "alice", "mia", "mia", "lia", "lia", "carl", "discard", "log in", "log out", "kill", "burst")


@dataclass
class Traffic:
    """One room, and what was said in it."""

    desk: Desk
    room: str
    alice: Client
    lia: LibolmClient
    carl: str
    letter: MailboxItem
    node: Node
    phones: list[Client] = field(default_factory=list)
    """Further devices of Alice's, cross-signed."""
    said: list[str] = field(default_factory=list)
    written: list[str] = field(default_factory=list)
    """By Carl, who has no need to read his own mails."""

    async def act(self, what: str, number: int) -> None:
        """One thing happens."""
        text = f"number {number} by {what}"
        match what:
            case "alice" | "mia":
                self.said.append(text)
                await (self.alice if what == "alice" else self.desk.mediator).text(self.room, text)
            case "lia":
                self.said.append(text)
                await self.lia.text(self.room, text)
                await self.lia.sync()  # Synapse shows no more than a hundred events at once
            case "carl":
                self.said.append(text)
                self.written.append(text)
                await self._mail(text)
            case "discard":
                await (self.alice, self.desk.mediator)[number % 2].discard_session(self.room)
            case "log in":
                await self._log_in(f"PHONE{number}")
            case "log out" if self.phones:
                await self.phones.pop(0).logout()
            case "kill":
                await self.desk.world.kill_service()
                await self.desk.world.start_service()
            case _:
                await asyncio.gather(
                    *(self.act(who, number * 100 + n) for n, who in enumerate(("alice", "mia", "lia")))
                )

    async def _log_in(self, name: str) -> None:
        localpart = self.alice.user_id[1:].partition(":")[0]
        url = self.desk.world.homeserver.url
        self.phones.append(await Client.login(self.node, url, localpart, "password of alice", device=name))

    async def _mail(self, text: str) -> None:
        answer = await self.desk.world.mail.deliver(self.carl, self.letter.reply_address, text)
        assert answer.startswith("250")

    def shown(self, client: Client) -> Counter[str]:
        """How often a client shows each text."""
        return _counted(self.said, [event.body for event in events_of(client, self.room)])

    def shown_to_lia(self) -> Counter[str]:
        """How often libolm has decrypted each text that Lia did not write herself."""
        events = [event for event in self.lia.seen if event["room_id"] == self.room]
        return _counted(self.said, [event["content"].get("body") for event in events])

    def mailed(self) -> Counter[str]:
        """How often each text is in Carl's mailbox."""
        lines = [line for mail in self.desk.world.mail.mailbox(self.carl) for line in mail.text.splitlines()]
        return _counted(self.said, [line.removeprefix("| ") for line in lines])


def _counted(wanted: Sequence[str], found: Sequence[str | None]) -> Counter[str]:
    every = Counter(found)
    return Counter({text: every[text] for text in wanted})


@pytest_asyncio.fixture(loop_scope="session")
async def traffic(mia: Staff, arrive: Arrive, case_node: Node) -> AsyncIterator[Traffic]:
    """Everybody in one room."""
    lia, alice, desk = await asyncio.gather(
        LibolmClient.log_in(mia.world.homeserver, f"lia-{secrets.token_hex(3)}"),
        arrive("alice"),
        mia.open_case(),
    )
    carl = mail_address("carl")
    await desk.add("Alice", alice.user_id)
    await desk.add("Lia", lia.user_id)
    await desk.add("Carl", carl)
    await desk.ask("!consent Carl: by telephone", "On record")
    room = await desk.open(alice)
    await lia.join(await lia.invitation(f"EVERYONE · {desk.number}"))
    await lia.reads(room, "EVERYONE in the case reads this room")
    letter = await mia.world.mail.wait_for(carl, lambda mail: mail.subject.startswith("EVERYONE"))
    traffic = Traffic(desk, room, alice, lia, carl, letter, case_node)
    yield traffic
    await asyncio.gather(*(phone.stop() for phone in traffic.phones))


async def test_random_traffic_of_three_implementations_leaves_nothing_unread_and_no_shield(traffic: Traffic) -> None:
    chance = random.Random(SEED)
    await traffic.act("log in", 0)
    for number in range(1, ACTS):
        await traffic.act(chance.choice(WHAT), number)
    await traffic.act("mia", ACTS)
    once = Counter(dict.fromkeys(traffic.said, 1))
    by_lia = {text for text in traffic.said if text.endswith("by lia")}
    for client in (traffic.alice, traffic.desk.mediator):
        await until(lambda c=client: _all(traffic.shown(c)), f"everything shown to {client.user_id}")  # type: ignore[misc]

    async def libolm_has_all() -> bool:
        await traffic.lia.sync()
        return all(count for text, count in traffic.shown_to_lia().items() if text not in by_lia)

    try:
        await until(libolm_has_all, "everything decrypted by libolm")
    except NotSeen:
        raise NotSeen(
            [text for text, count in traffic.shown_to_lia().items() if not count and text not in by_lia]
        ) from None
    # A device that came later has no key of what was said before, as everywhere.
    await asyncio.gather(*(phone.wait_for_text(traffic.room, traffic.said[-1]) for phone in traffic.phones))
    for client in (traffic.alice, traffic.desk.mediator):
        assert max(traffic.shown(client).values()) == 1
        assert await flaws(client, traffic.room) == []
    assert traffic.shown(traffic.alice) == traffic.shown(traffic.desk.mediator) == once
    assert {text: count for text, count in traffic.shown_to_lia().items() if text not in by_lia} == {
        text: 1 for text in traffic.said if text not in by_lia
    }

    async def last_is_mailed() -> bool:
        return traffic.mailed()[traffic.said[-1]] > 0

    # What a killed process had taken rests until its lease runs out.
    await until(last_is_mailed, "the last words mailed")
    by_carl = set(traffic.written)
    assert max(count for text, count in traffic.mailed().items() if text not in by_carl) == 1


async def _all(counts: Counter[str]) -> bool:
    return all(counts.values())
