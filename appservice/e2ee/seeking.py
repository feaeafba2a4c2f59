"""Looks for keys that have not come, as the ladder of `appservice.e2ee.patience` says."""

from __future__ import annotations

import json
from dataclasses import dataclass

from appservice.e2ee.encryption import Encryption
from appservice.e2ee.patience import ASK, SWEEP, TELL
from appservice.e2ee.sweeping import Sweeper
from rooms.ports import Item, RoomId, UserId


@dataclass(frozen=True, slots=True)
class Seeker:
    """Looks for keys."""

    encryption: Encryption
    sweeper: Sweeper
    bot: UserId

    async def seek(self, item: Item) -> None:
        """Do what the event's rung asks for, and the one below it once more: whoever climbed that may have been killed
        before anything was done. Outside of any unit of work."""
        if item.attempts in {SWEEP, ASK}:
            await self.sweeper.sweep_user(self.bot)
        if item.attempts in {ASK, TELL}:
            event = json.loads(item.body)
            session = event["content"].get("session_id") if isinstance(event["content"], dict) else None
            if isinstance(session, str):
                await self.encryption.ask_for_key(RoomId(event["room_id"]), session, UserId(event["sender"]))
