"""Our users at the homeserver: their registration, devices, names, and what a device has waiting for it."""

import json
from collections.abc import Mapping
from typing import Any, Final

from appservice.matrix.client import V1, V3, Connection
from appservice.matrix.errors import MatrixError
from appservice.matrix.ids import DeviceId, JsonObject, UserId
from appservice.matrix.nio_parts import Api
from appservice.matrix.path import path_of

TO_DEVICE_ONLY: Final = {
    "room": {"rooms": []},
    "presence": {"not_types": ["*"]},
    "account_data": {"not_types": ["*"]},
}
"""A filter for sweeps: to-device messages, key counts and device lists, nothing of rooms (27-36 ms a device)."""

FEW: Final = 10
"""Events of each room that come with an answer: the homeserver finds all of them at once, and serves others the later
for it (400 of eight rooms 180 ms, 80 of them 75; 50 of one room, asked for by themselves, 25)."""

WITH_TIMELINES: Final = TO_DEVICE_ONLY | {
    "room": {
        "timeline": {"limit": FEW},
        "state": {"not_types": ["*"]},
        "ephemeral": {"not_types": ["*"]},
        "account_data": {"not_types": ["*"]},
    }
}
"""The same, with the last of what happened in the rooms."""

SYNC_TIMEOUT: Final = 90.0
"""Seconds; a first sync of a device does more than other calls."""


class Accounts:
    """Users of our namespace."""

    def __init__(self, connection: Connection) -> None:
        self._http = connection

    async def register(self, localpart: str) -> bool:
        """Make a user of our namespace, without a device; False when it was there already."""
        body = {"type": "m.login.application_service", "username": localpart, "inhibit_login": True}
        try:
            await self._http.call("POST", f"{V3}/register", body, as_user=None)
        except MatrixError as error:
            if error.errcode == "M_USER_IN_USE":
                return False
            raise
        return True

    async def put_device(self, user: UserId, device: DeviceId, display_name: str) -> None:
        """Make a device, or rename it (MSC4190, spec 1.17). The name is public: say nothing of a case in it."""
        await self._http.call("PUT", path_of(V3, "devices", device), {"display_name": display_name}, as_user=user)

    async def delete_device(self, user: UserId, device: DeviceId) -> None:
        """Delete a device and the keys it has at the homeserver (MSC4190: no user-interactive authentication)."""
        await self._http.call("DELETE", path_of(V3, "devices", device), as_user=user)

    async def devices(self, user: UserId) -> frozenset[DeviceId]:
        """The devices of one of our users."""
        answer = await self._http.built(Api.devices(""), as_user=user)
        return frozenset(DeviceId(found["device_id"]) for found in answer.get("devices", []))

    async def send_to_device(
        self,
        kind: str,
        messages: Mapping[UserId, Mapping[DeviceId, JsonObject]],
        txn_id: str,
        *,
        as_user: UserId,
        device: DeviceId,
    ) -> None:
        """Send each device its message. Repeating a `txn_id` is harmless while the homeserver remembers it."""
        content = {"messages": {user: dict(devices) for user, devices in messages.items()}}
        await self._http.built(Api.to_device("", kind, content, txn_id), as_user=as_user, device=device)

    async def sync(
        self, user: UserId, device: DeviceId, since: str | None = None, *, timelines: bool = False
    ) -> JsonObject:
        """What waits for a device: `to_device`, counts, `device_lists`, `next_batch`; with `timelines`, `rooms`, too.

        Returns at once.

        Passing the last answer's `next_batch` as `since` acknowledges it: the homeserver then forgets those messages.
        """
        wanted = WITH_TIMELINES if timelines else TO_DEVICE_ONLY
        query = {"timeout": "0", "set_presence": "offline", "filter": json.dumps(wanted)}
        if since is not None:
            query["since"] = since
        return await self._http.call(
            "GET", f"{V3}/sync", as_user=user, device=device, query=query, timeout=SYNC_TIMEOUT
        )

    async def set_display_name(self, user: UserId, name: str) -> None:
        """Set the name others see. It comes from the mediator, never from a network's profile (I10)."""
        await self._http.built(Api.profile_set_displayname("", user, name), as_user=user)

    async def account_data(self, user: UserId, kind: str) -> JsonObject | None:
        """A user's account data of one type, None where there is none."""
        try:
            return await self._http.call("GET", path_of(V3, "user", user, "account_data", kind), as_user=user)
        except MatrixError as error:
            if error.status == 404:
                return None
            raise

    async def set_account_data(self, user: UserId, kind: str, content: JsonObject) -> None:
        """Replace a user's account data of one type."""
        await self._http.call("PUT", path_of(V3, "user", user, "account_data", kind), content, as_user=user)

    async def whoami(self, user: UserId | None = None, device: DeviceId | None = None) -> JsonObject:
        """Whom the homeserver takes us for: `user_id`, and `device_id` where one was named."""
        return await self._http.built(Api.whoami(""), as_user=user, device=device)

    async def versions(self) -> JsonObject:
        """What the homeserver says it supports. A hint at most: probe what matters."""
        return await self._http.call("GET", "/_matrix/client/versions", as_user=None)

    async def ping(self, appservice_id: str, txn_id: str) -> int:
        """Have the homeserver call us (MSC2659); how long it took, in milliseconds."""
        path = path_of(V1, "appservice", appservice_id, "ping")
        answer = await self._http.call("POST", path, {"transaction_id": txn_id}, as_user=None)
        took: Any = answer.get("duration_ms")
        return took if isinstance(took, int) else 0
