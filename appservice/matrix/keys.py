"""Keys at the homeserver: a device's own, other people's, and messages from device to device.

Bodies and answers are the raw JSON of the spec (client-server API, 11.11 and 11.12): the Olm machine signs and
verifies exactly those bytes, so nothing may be remodelled on the way.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from nio.api import Api

from appservice.matrix.client import V3, Connection
from appservice.matrix.ids import DeviceId, JsonObject, UserId


class Keys:
    """Every call about keys. `as_user` and `device` are whose keys they are."""

    def __init__(self, connection: Connection) -> None:
        self._http = connection

    async def upload(self, body: JsonObject, *, as_user: UserId, device: DeviceId) -> Mapping[str, int]:
        """Publish device keys, one-time keys, fallback keys; how many one-time keys are there now, by algorithm."""
        answer = await self._http.built(Api.keys_upload("", body), as_user=as_user, device=device)
        counts: Mapping[str, int] = answer.get("one_time_key_counts", {})
        return counts

    async def upload_cross_signing(self, body: JsonObject, *, as_user: UserId) -> None:
        """Publish master, self-signing and user-signing keys. No authentication dance for our users (MSC4190)."""
        await self._http.call("POST", f"{V3}/keys/device_signing/upload", body, as_user=as_user)

    async def upload_signatures(self, body: JsonObject, *, as_user: UserId) -> JsonObject:
        """Publish signatures on devices and keys; the answer's `failures` names those that were refused."""
        return await self._http.call("POST", f"{V3}/keys/signatures/upload", body, as_user=as_user)

    async def query(self, users: Iterable[UserId], *, as_user: UserId) -> JsonObject:
        """Devices and cross-signing keys of users; `failures` names servers that did not answer."""
        return await self._http.built(Api.keys_query("", users), as_user=as_user)

    async def claim(self, wanted: Mapping[UserId, Iterable[DeviceId]], *, as_user: UserId) -> JsonObject:
        """Take one one-time (or fallback) key of each device; a device that has none is left out of the answer."""
        users: dict[str, Iterable[str]] = {user: list(devices) for user, devices in wanted.items()}
        return await self._http.built(Api.keys_claim("", users), as_user=as_user)

    async def send_to_device(
        self,
        kind: str,
        messages: Mapping[UserId, Mapping[DeviceId, Mapping[str, Any]]],
        txn_id: str,
        *,
        as_user: UserId,
        device: DeviceId,
    ) -> None:
        """Send each device its message. Repeating a `txn_id` is harmless while the homeserver remembers it."""
        content = {"messages": {user: dict(devices) for user, devices in messages.items()}}
        await self._http.built(Api.to_device("", kind, content, txn_id), as_user=as_user, device=device)
