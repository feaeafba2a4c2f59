"""Sweeps: what the homeserver lost on its way to us is fetched by /sync, as each of our devices.

Synapse delivers to-device messages with a transaction's first try only; what was under way while we were down is found
nowhere but here (facts measured on Synapse 1.163; element-hq/synapse#14710). It forgets events, too: one that it had
taken up for us, but not yet written into a transaction when it was stopped, never comes; and one that it wrote into a
transaction at the very moment in which it found us again, after we had failed to answer, comes no sooner than the next
time that we fail (its scheduler asks whether we are up before it writes, and its recoverer looks for what is left
before it says that we are). The bot is in every room of ours, so its sweep asks for what happened in rooms since the
last one. Where that was stands in the bot's account data:
it is the homeserver's token, and of no use with another. A sweep also empties the homeserver's own list of messages
for the device, which delivery by transaction never does.

Nearly always nothing was lost, and what is found is what people have just said. The homeserver serves others the later
while it looks that up, so it is asked for page by page, with rests (ADR 59).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from time import monotonic
from typing import Any

from appservice.matrix import transaction as transactions
from appservice.matrix.errors import MatrixError
from appservice.matrix.homeserver import Homeserver
from appservice.matrix.ids import DeviceId
from appservice.ports import ServiceDatabase
from appservice.setup.probe import Store
from policies.case import Phase
from rooms.ids import RoomId, UserId
from rooms.ports import Work

logger = logging.getLogger(__name__)

SWEPT = "org.mediatrix.swept"
"""The bot's account data: how far everything that happened in its rooms is known to be stored."""

ASKED_AT_ONCE = 20
"""Devices of which is asked in one unit of work whether they are in use."""
REST = 0.1
"""Seconds at least between two sweeps; each costs the homeserver about 30 ms."""
RESTS_FOR = 4
"""So many times as long as the last sweep took: a homeserver that is busy is asked less often."""
REST_AT_MOST = 3.0
"""Seconds: what else is to be done every few minutes waits until all are swept."""


class Sweeper:
    """Sweeps every device of ours."""

    def __init__(self, database: ServiceDatabase, matrix: Homeserver, store: Store, bot: UserId) -> None:
        """`store` takes what is found, as it takes transactions: what came already is stored once."""
        self._database, self._matrix, self._store, self._bot = database, matrix, store, bot
        self._since: dict[UserId, str] = {}

    async def sweep_all(self) -> None:
        """Sweep each device once, but for those of cases that are over; gently, for the homeserver serves others."""
        async with self._database.begin() as work:
            identities = await work.crypto.identities()
        for first in range(0, len(identities), ASKED_AT_ONCE):
            for user, device in await self._in_use(identities[first : first + ASKED_AT_ONCE]):
                began = monotonic()
                await self._sweep_or_pass_over(user, device)
                await _rest(monotonic() - began)
            await asyncio.sleep(REST)

    async def _sweep_or_pass_over(self, user: UserId, device: DeviceId) -> None:
        """One device that the homeserver refuses keeps no other from being swept."""
        try:
            await self._sweep(user, device, hurries=False)
        except MatrixError as error:
            if error.transient:
                raise
            logger.warning("a device of ours can't be swept (%s)", error.errcode)

    async def _in_use(self, identities: Sequence[tuple[UserId, DeviceId]]) -> list[tuple[UserId, DeviceId]]:
        async with self._database.begin() as work:
            return [(user, device) for user, device in identities if not await _is_over(work, user)]

    async def sweep_bot(self) -> None:
        """Sweep the bot's device, and with it what happened in rooms."""
        await self.sweep_user(self._bot)

    async def sweep_user(self, user: UserId, *, hurries: bool = False) -> None:
        """Sweep one of our users' device; who `hurries` leaves the homeserver no rest for others."""
        async with self._database.begin() as work:
            identity = await work.crypto.identity(user)
        if identity is not None and identity.ready:
            await self._sweep(user, identity.device_id, hurries=hurries)

    async def _sweep(self, user: UserId, device: DeviceId, *, hurries: bool) -> None:
        """Store what waits; only then, with the next request, is the homeserver told that it may forget it."""
        since = await self._swept(user)
        while True:
            timelines = user == self._bot and since is not None
            answer = await self._matrix.accounts.sync(user, device, since, timelines=timelines)
            waited = _as_transaction(user, device, answer)
            await self._store.accept(transactions.parse("sweep", waited))
            if since is not None:
                await self._store_what_happened(answer, since, hurries=hurries)
            since = self._since[user] = answer["next_batch"]
            if user == self._bot:
                await self._matrix.accounts.set_account_data(user, SWEPT, {"next_batch": since})
            if not waited["to_device"]:
                return

    async def _swept(self, user: UserId) -> str | None:
        if user == self._bot and user not in self._since:
            kept = await self._matrix.accounts.account_data(user, SWEPT)
            token = kept.get("next_batch") if kept else None
            return token if isinstance(token, str) else None
        return self._since.get(user)

    async def _store_what_happened(self, answer: Mapping[str, Any], since: str, *, hurries: bool) -> None:
        """The events of all rooms since that token, after the keys that came for them: each room's at once, in its
        order, so that nothing comes in between, and no more than one room's are in memory."""
        for room, joined in answer.get("rooms", {}).get("join", {}).items():
            timeline = joined.get("timeline", {})
            events = timeline.get("events", [])
            if timeline.get("limited"):
                events = [*await self._older(RoomId(room), timeline["prev_batch"], since, hurries=hurries), *events]
            if found := [{**event, "room_id": room} for event in _since_joined(events, self._bot)]:
                await self._store.accept(transactions.parse("sweep", {"events": found}))

    async def _older(self, room: RoomId, newer: str, older: str, *, hurries: bool) -> list[dict[str, Any]]:
        """What happened in a room between two tokens, oldest first."""
        newest_first: list[dict[str, Any]] = []
        began = monotonic()
        async for page in self._matrix.rooms.between(room, newer, older, as_user=self._bot):
            newest_first += page
            if not hurries:
                await _rest(monotonic() - began)
            began = monotonic()
        return newest_first[::-1]


async def _rest(took: float) -> None:
    """Leave the homeserver to others, the longer the longer it took with what was asked, in seconds."""
    await asyncio.sleep(min(max(REST, RESTS_FOR * took), REST_AT_MOST))


async def _is_over(work: Work, user: UserId) -> bool:
    """Whether that is somebody's ghost in a case that is over."""
    stands_for = await work.ghosts.who(user)
    case = await work.cases.load(stands_for[0]) if stands_for else None
    return case is not None and case.phase is Phase.CLOSED


def _since_joined(events: list[dict[str, Any]], bot: UserId) -> list[dict[str, Any]]:
    """Without what was said before the bot came in: it was not said to us."""
    arrivals = [
        number
        for number, event in enumerate(events)
        if event.get("type") == "m.room.member"
        and event.get("state_key") == bot
        and event.get("content", {}).get("membership") == "join"
        and event.get("unsigned", {}).get("prev_content", {}).get("membership") != "join"
    ]
    return events[arrivals[-1] :] if arrivals else events


def _as_transaction(user: UserId, device: DeviceId, answer: dict[str, Any]) -> dict[str, Any]:
    messages = answer.get("to_device", {}).get("events", [])
    return {
        "to_device": [{**m, "to_user_id": user, "to_device_id": device} for m in messages if isinstance(m, dict)],
        "device_one_time_keys_count": {user: {device: answer.get("device_one_time_keys_count", {})}},
        "device_unused_fallback_key_types": {user: {device: answer.get("device_unused_fallback_key_types", [])}},
        "device_lists": answer.get("device_lists", {}),
    }
