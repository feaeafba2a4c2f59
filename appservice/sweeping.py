"""Sweeps: what the homeserver lost on its way to us is fetched by /sync, as each of our devices.

Synapse delivers to-device messages with a transaction's first try only; what was under way while we were down is found
nowhere but here (facts measured on Synapse 1.163; element-hq/synapse#14710). A sweep also empties the homeserver's own
list of messages for the device, which delivery by transaction never does.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

from appservice.matrix import transaction as transactions
from appservice.matrix.homeserver import Homeserver
from appservice.matrix.ids import DeviceId
from appservice.ports import ServiceDatabase
from appservice.probe import Store
from rooms.ports import UserId

logger = logging.getLogger(__name__)


class Sweeper:
    """Sweeps every device of ours."""

    pause = timedelta(minutes=5)

    def __init__(self, database: ServiceDatabase, matrix: Homeserver, store: Store) -> None:
        """`store` takes what is found, as it takes transactions: what came already is stored once."""
        self._database, self._matrix, self._store = database, matrix, store
        self._since: dict[UserId, str] = {}

    async def sweep_all(self) -> None:
        """Sweep each device once."""
        async with self._database.begin() as work:
            identities = await work.crypto.identities()
        for user, device in identities:
            await self._sweep(user, device)

    async def sweep_user(self, user: UserId) -> None:
        """Sweep one of our users' device."""
        async with self._database.begin() as work:
            identity = await work.crypto.identity(user)
        if identity is not None and identity.ready:
            await self._sweep(user, identity.device_id)

    async def _sweep(self, user: UserId, device: DeviceId) -> None:
        """Store what waits; only then, with the next request, is the homeserver told that it may forget it."""
        while True:
            answer = await self._matrix.accounts.sync(user, device, self._since.get(user))
            waiting = answer.get("to_device", {}).get("events", [])
            await self._store.accept(transactions.parse("sweep", _as_transaction(user, device, answer)))
            self._since[user] = answer["next_batch"]
            if not waiting:
                return


def _as_transaction(user: UserId, device: DeviceId, answer: dict[str, Any]) -> dict[str, Any]:
    messages = answer.get("to_device", {}).get("events", [])
    return {
        "to_device": [{**m, "to_user_id": user, "to_device_id": device} for m in messages if isinstance(m, dict)],
        "device_one_time_keys_count": {user: {device: answer.get("device_one_time_keys_count", {})}},
        "device_unused_fallback_key_types": {user: {device: answer.get("device_unused_fallback_key_types", [])}},
        "device_lists": answer.get("device_lists", {}),
    }
