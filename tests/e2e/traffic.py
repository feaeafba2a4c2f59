"""Random traffic in one room: people at devices of three implementations, one by mail, and what befalls all of them.

Hours pass in it, for our service and for the clients of matrix-js-sdk: at once, as if everything had slept. Sessions
last an hour, or `MESSAGES`; the homeserver and libolm, which ask nobody for the time, stay in the present.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from sandbox.client import Client
from sandbox.mail import MailboxItem
from sandbox.node import Node
from tests.e2e.cases import Arrive, Desk, enter_room, events_of
from tests.e2e.later import HOURS
from tests.e2e.libolm_client import LibolmClient

MESSAGES = 5
"""With one session."""
HOUR = 61 / 60
PHONES = 3
"""Further devices at a time: who has so many, logs one out first."""
NEWCOMERS = 2
ALL_KEYS = 120
"""One-time keys; no device has more at the homeserver."""
ASLEEP = 40
"""Messages after which Lia wakes at the latest: Synapse gives a device no more than a hundred at once."""


WORDS = ("alice", "mia", "lia", "carl", "burst")


@dataclass(frozen=True, slots=True)
class Said:
    """Words in the room."""

    text: str
    by: str
    hour: int
    """How many had passed."""


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
    arrive: Arrive
    hours: int = 0
    phones: list[Client] = field(default_factory=list)
    """Further devices of Alice's, cross-signed."""
    newcomers: dict[Client, int] = field(default_factory=dict)
    """Who came into the room later, and how much had been said before."""
    said: list[Said] = field(default_factory=list)
    done: Counter[str] = field(default_factory=Counter)
    """What has happened, and how often."""
    _asleep: int | None = None
    """What had been said when Lia fell asleep."""

    async def act(self, what: str, number: int) -> None:
        """One thing happens."""
        self.done[what] += 1
        match what:
            case "alice" | "mia" | "lia" | "carl":
                await self._say(what, f"number {number} by {what}")
            case "burst":
                await asyncio.gather(
                    *(self._say(who, f"{number} in a burst by {who}") for who in ("alice", "mia", "lia"))
                )
            case "hour":
                await self._an_hour_passes()
            case "sleep":
                self._asleep = len(self.said)
            case "kill":
                await self.desk.world.kill_service()
                await self.desk.world.start_service()
            case "homeserver":
                await self.desk.world.homeserver.restart()
            case _:
                await self._act_on_keys(what, number)
        if what in WORDS and (self._asleep is None or len(self.said) - self._asleep > ASLEEP):
            self._asleep = None
            await self.lia.sync()

    async def _act_on_keys(self, what: str, number: int) -> None:
        match what:
            case "discard":
                await (self.alice, self.desk.mediator)[number % 2].discard_session(self.room)
            case "log in":
                await self._log_in(f"PHONE{number}")
            case "log out" if self.phones:
                await self.phones.pop(0).logout()
            case "come" if len(self.newcomers) < NEWCOMERS:
                await self._come(f"dora{number}")
            case "exhaust":
                await self._exhaust()
            case _:
                """Nobody is there to log out, or nobody to come."""

    async def _say(self, who: str, text: str) -> None:
        self.said.append(Said(text, who, self.hours))
        match who:
            case "alice":
                await self.alice.text(self.room, text)
            case "mia":
                await self.desk.mediator.text(self.room, text)
            case "carl":
                answer = await self.desk.world.mail.deliver(self.carl, self.letter.reply_address, text)
                assert answer.startswith("250")
            case _:
                self._asleep = None
                await self.lia.sync()
                if sum(said.by == who for said in self.said) % MESSAGES == 0:
                    self.lia.device.rotate()  # libolm counts nothing
                await self.lia.text(self.room, text)

    async def _log_in(self, name: str) -> None:
        if len(self.phones) == PHONES:
            await self.phones.pop(0).logout()
        localpart = self.alice.user_id[1:].partition(":")[0]
        url = self.desk.world.homeserver.url
        self.phones.append(await Client.login(self.node, url, localpart, "password of alice", device=name))

    async def _come(self, name: str) -> None:
        newcomer = await self.arrive(name)
        await self.desk.add(name.title(), newcomer.user_id)
        await enter_room(newcomer, self.room)
        self.newcomers[newcomer] = len(self.said)

    async def _exhaust(self) -> None:
        """Somebody takes all one-time keys of everybody's in the room."""
        members = await self.lia.ask("GET", f"/rooms/{quote(self.room)}/joined_members")
        found = await self.lia.ask("POST", "/keys/query", {"device_keys": {user: [] for user in members["joined"]}})
        wanted = {
            user: dict.fromkeys(devices, "signed_curve25519")
            for user, devices in found["device_keys"].items()
            if user != self.lia.user_id  # libolm has no fallback key
        }
        for _ in range(ALL_KEYS // len(wanted)):
            await self.lia.ask("POST", "/keys/claim", {"one_time_keys": wanted})

    async def _an_hour_passes(self) -> None:
        self.hours += 1
        world = self.desk.world
        # In one go: the service may be looking still, for the hour before.
        written = world.config.with_name(f"{HOURS}.new")
        written.write_text(str(self.hours * HOUR))
        written.replace(world.config.with_name(HOURS))
        os.kill(world.service_pid, signal.SIGUSR1)
        await self.alice.time_passes(HOUR)
        self.lia.device.rotate()

    # --- what came of it

    def shown(self, client: Client) -> Counter[str]:
        """How often a client shows each text."""
        return self._counted([event.body for event in events_of(client, self.room)])

    def shown_to_lia(self) -> Counter[str]:
        """How often libolm has decrypted each text that Lia did not write herself."""
        events = [event for event in self.lia.seen if event["room_id"] == self.room]
        shown = self._counted([event["content"].get("body") for event in events])
        return Counter({said.text: shown[said.text] for said in self.said if said.by != "lia"})

    def mailed(self) -> Counter[str]:
        """How often each text of somebody else is in Carl's mailbox."""
        lines = [line for mail in self.desk.world.mail.mailbox(self.carl) for line in mail.text.splitlines()]
        mailed = self._counted([line.removeprefix("| ") for line in lines])
        return Counter({said.text: mailed[said.text] for said in self.said if said.by != "carl"})

    def _counted(self, found: Sequence[str | None]) -> Counter[str]:
        every = Counter(found)
        return Counter({said.text: every[said.text] for said in self.said})

    async def sessions(self) -> dict[str, list[Said]]:
        """What was said with each Megolm session, in order."""
        events = {event.body: event.event_id for event in events_of(self.desk.mediator, self.room)}
        session_of = {event["event_id"]: event["content"].get("session_id") for event in await self._history()}
        found = defaultdict[str, list[Said]](list)
        for said in self.said:
            found[session_of[events[said.text]]].append(said)
        return found

    async def _history(self) -> list[Any]:
        """All encrypted events of the room."""
        found, since = list[Any](), ""
        while True:
            page = await self.lia.ask("GET", f"/rooms/{quote(self.room)}/messages?dir=b&limit=500{since}")
            found += [event for event in page["chunk"] if event["type"] == "m.room.encrypted"]
            if "end" not in page:
                return found
            since = f"&from={page['end']}"


def new_name() -> str:
    """An account's, that nobody has."""
    return f"lia-{secrets.token_hex(3)}"


def too_long(sessions: dict[str, list[Said]]) -> Iterator[str]:
    """Sessions used for more, or longer, than they may be. Of a mail nobody knows in which hour it was posted."""
    for session, said in sessions.items():
        hours = {one.hour for one in said if one.by != "carl"}
        if len(said) > MESSAGES or len(hours) > 1:
            yield f"{session}: {said}"
