"""Users of ours at the homeserver in memory: their names, their account data, and what /sync has for their devices.

To-device messages are given as Synapse gives them: in the first try of one transaction, and by /sync until a later
/sync says that they have come.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from appservice.crypto.ids import DeviceId
from appservice.crypto.ids import UserId as CryptoUserId
from appservice.matrix.errors import MatrixError
from rooms.ids import UserId
from tests.appservice.crypto.homeserver import Device

if TYPE_CHECKING:
    from tests.fakes.synapse import FakeSynapse

Json = dict[str, Any]


class FakeAccounts:
    """`appservice.matrix.accounts.Accounts`, as far as the service uses it."""

    def __init__(self, synapse: FakeSynapse) -> None:
        self._synapse = synapse
        self._data: dict[tuple[UserId, str], Json] = {}
        self._forgotten: Counter[Device] = Counter()
        """How many messages of each device /sync has acknowledged."""
        self._told: Counter[Device] = Counter()
        """How many messages of each device were in a transaction, or ought to have been."""

    async def register(self, localpart: str) -> bool:
        await self._synapse.hazard("register")
        user = UserId(f"@{localpart}:example.org")
        new = user not in self._synapse.users
        self._synapse.register(user)
        self._synapse.keys.users.add(localpart)
        await self._synapse.hazard("register")
        return new

    async def set_display_name(self, user: UserId, name: str) -> None:
        await self._synapse.hazard("set_display_name")
        if user not in self._synapse.users:
            raise MatrixError("fake", "M_FORBIDDEN", 403, transient=False)
        self._synapse.names[user] = name

    async def devices(self, user: UserId) -> frozenset[DeviceId]:
        await self._synapse.hazard("devices")
        return frozenset(device for owner, device in self._synapse.keys.devices if owner == user)

    async def delete_device(self, user: UserId, device: DeviceId) -> None:
        await self._synapse.hazard("delete_device")
        self._synapse.keys.delete_device((CryptoUserId(user), device))
        await self._synapse.hazard("delete_device")

    async def account_data(self, user: UserId, kind: str) -> Json | None:
        await self._synapse.hazard("account_data")
        return self._data.get((user, kind))

    async def set_account_data(self, user: UserId, kind: str, content: Json) -> None:
        await self._synapse.hazard("set_account_data")
        self._data[user, kind] = dict(content)
        await self._synapse.hazard("set_account_data")

    async def sync(self, user: UserId, device: DeviceId, since: str | None = None, *, timelines: bool = False) -> Json:
        await self._synapse.hazard("sync")
        events, messages = (int(number) for number in (since or "0.0").split("."))
        me = (CryptoUserId(user), device)
        waiting = self._synapse.keys.inbox[me]
        del waiting[: max(messages - self._forgotten[me], 0)]
        self._forgotten[me] = max(messages, self._forgotten[me])
        happened: dict[str, list[Json]] = {}
        for event in self._synapse.history[events:] if timelines else ():
            if user in self._synapse.room(event.room).joined:
                happened.setdefault(event.room, []).append(event.raw)
        answer = {
            "next_batch": f"{len(self._synapse.history)}.{self._forgotten[me] + len(waiting)}",
            "to_device": {"events": list(waiting)},
            "device_one_time_keys_count": {"signed_curve25519": self._synapse.keys.count(me)},
            "rooms": {"join": {room: {"timeline": {"events": found}} for room, found in happened.items()}},
        }
        await self._synapse.hazard("sync")
        return answer

    def messages_for_a_transaction(self) -> list[Json]:
        """The to-device messages for our users that were in no transaction yet; each is given once, come what may."""
        found: list[Json] = []
        for (user, device), waiting in self._synapse.keys.inbox.items():
            if user.startswith(self._synapse.ours):
                told = self._told[user, device] - self._forgotten[user, device]
                found += [{**one, "to_user_id": user, "to_device_id": device} for one in waiting[max(told, 0) :]]
                self._told[user, device] = self._forgotten[user, device] + len(waiting)
        return found
