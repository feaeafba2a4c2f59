"""A libolm device in a real homeserver: what `LibolmDevice` publishes and sends, carried by plain client-server calls.

The device keeps its side of things on a fake homeserver that nobody else sees; this client takes it from there.
"""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import quote

from appservice.crypto.ids import DeviceId, UserId
from appservice.crypto.inbound import MEGOLM
from sandbox.client import TIMEOUT, NotSeen
from sandbox.homeserver import Homeserver, Session
from tests.appservice.crypto.homeserver import FakeHomeserver
from tests.appservice.crypto.libolm_device import LibolmDevice

V3 = "/_matrix/client/v3"
Json = dict[str, Any]

_WITHOUT_GAPS = json.dumps({"room": {"timeline": {"limit": 1000}}})
ONE_TIME_KEYS = 60
FEW = 20
"""One-time keys at the homeserver, below which as many more follow. libolm keeps no more than a hundred."""


@dataclass
class LibolmClient:
    """One person with one libolm device, cross-signed."""

    homeserver: Homeserver
    session: Session
    device: LibolmDevice
    seen: list[Json] = field(default_factory=list)
    """Room events, in order of arrival, decrypted where they could be."""
    invited: dict[str, str] = field(default_factory=dict)
    """The rooms this person was invited to, by name."""
    since: str | None = None
    txns: itertools.count[int] = field(default_factory=itertools.count)

    @classmethod
    async def log_in(cls, homeserver: Homeserver, localpart: str) -> Self:
        """A new account, with its identity, its device and one-time keys."""
        password = f"password of {localpart}"
        await homeserver.register(localpart, password)
        session = await homeserver.log_in(localpart, password, "LIBOLM")
        user, name = UserId(session.user_id), DeviceId(session.device_id)
        fake = FakeHomeserver()
        client = cls(homeserver, session, LibolmDevice(fake, user, name))
        client.device.publish_one_time_keys(ONE_TIME_KEYS)
        auth = {
            "type": "m.login.password",
            "identifier": {"type": "m.id.user", "user": localpart},
            "password": password,
        }
        identity = {"master_key": fake.master_keys[user], "self_signing_key": fake.self_signing_keys[user]}
        await client.ask("POST", "/keys/device_signing/upload", {"auth": auth, **identity})
        keys = {"device_keys": fake.devices[user, name], "one_time_keys": fake.one_time_keys[user, name]}
        await client.ask("POST", "/keys/upload", keys)
        return client

    @property
    def user_id(self) -> str:
        return self.session.user_id

    async def join(self, room: str) -> None:
        await self.ask("POST", f"/join/{quote(room)}", {})

    async def invitation(self, name: str, within: float = TIMEOUT) -> str:
        """The room of that name, once this person is invited to it."""
        async with asyncio.timeout(within):
            while name not in self.invited:
                await self.sync()
        return self.invited[name]

    async def sees(self, room: str, fits: Callable[[Json], bool], within: float = TIMEOUT) -> Json:
        """The first event of the room that fits. Raises NotSeen."""
        try:
            async with asyncio.timeout(within):
                while True:
                    for event in self.seen:
                        if event["room_id"] == room and fits(event):
                            return event
                    await self.sync()
        except TimeoutError:
            bodies = [event["content"].get("body") for event in self.seen]
            raise NotSeen(f"the libolm device saw only {bodies}") from None

    async def reads(self, room: str, text: str) -> Json:
        """The message in which that text is."""
        return await self.sees(room, lambda event: text in str(event["content"].get("body")))

    async def sync(self) -> None:
        """Take in what has come, keys first."""
        since = f"&since={self.since}" if self.since else ""
        answer = await self.ask("GET", f"/sync?timeout=1000&filter={quote(_WITHOUT_GAPS)}{since}", None)
        self.since = answer["next_batch"]
        if answer["device_one_time_keys_count"].get("signed_curve25519", 0) < FEW:
            await self._publish_more_one_time_keys()
        inbox = self.device.homeserver.inbox[self.device.user_id, self.device.device_id]
        inbox += [e for e in answer.get("to_device", {}).get("events", []) if e["type"] == "m.room.encrypted"]
        self.device.receive()
        for room, shown in answer.get("rooms", {}).get("invite", {}).items():
            names = [e["content"]["name"] for e in shown["invite_state"]["events"] if e["type"] == "m.room.name"]
            self.invited |= dict.fromkeys(names, room)
        for room, joined in answer.get("rooms", {}).get("join", {}).items():
            self.seen += [self._opened(event) | {"room_id": room} for event in joined["timeline"]["events"]]

    async def _publish_more_one_time_keys(self) -> None:
        mine = self.device.homeserver.one_time_keys[self.device.user_id, self.device.device_id]
        mine.clear()
        self.device.publish_one_time_keys(FEW)
        await self.ask("POST", "/keys/upload", {"one_time_keys": mine})

    async def text(self, room: str, body: str) -> str:
        """Share the session with every device in the room, and write; the event id."""
        members = await self.ask("GET", f"/rooms/{quote(room)}/joined_members", None)
        await self._share(room, [user for user in members["joined"] if user != self.user_id])
        device = self.device
        payload = {"type": "m.room.message", "room_id": room, "content": {"msgtype": "m.text", "body": body}}
        content = {
            "algorithm": MEGOLM,
            "sender_key": device.curve25519,
            "device_id": device.device_id,
            "session_id": device.outbound.id,
            "ciphertext": device.outbound.encrypt(json.dumps(payload)),
        }
        path = f"/rooms/{quote(room)}/send/m.room.encrypted/{next(self.txns)}"
        return str((await self.ask("PUT", path, content))["event_id"])

    async def _share(self, room: str, users: list[str]) -> None:
        queried = await self.ask("POST", "/keys/query", {"device_keys": {user: [] for user in users}})
        fake, peers = self.device.homeserver, []
        for user, devices in queried["device_keys"].items():
            for name, keys in devices.items():
                peers.append((UserId(user), DeviceId(name)))
                fake.devices[peers[-1]] = keys
        await self._open_sessions([peer for peer in peers if self._curve25519(peer) not in self.device.sessions])
        messages: dict[str, dict[str, Any]] = {}
        for user, name in peers:
            self.device.send_olm(user, name, "m.room_key", self.device.room_key(room))  # type: ignore[arg-type]
            [sent] = fake.inbox.pop((user, name))
            messages.setdefault(user, {})[name] = sent["content"]
        await self.ask("PUT", f"/sendToDevice/m.room.encrypted/{next(self.txns)}", {"messages": messages})

    async def _open_sessions(self, peers: list[tuple[UserId, DeviceId]]) -> None:
        wanted: dict[str, dict[str, str]] = {}
        for user, name in peers:
            wanted.setdefault(user, {})[name] = "signed_curve25519"
        claimed = await self.ask("POST", "/keys/claim", {"one_time_keys": wanted}) if wanted else {}
        for user, devices in claimed.get("one_time_keys", {}).items():
            for name, keys in devices.items():
                self.device.homeserver.one_time_keys[UserId(user), DeviceId(name)] = dict(keys)
        for peer in peers:
            self.device.open_session(*peer)

    def _curve25519(self, peer: tuple[UserId, DeviceId]) -> str:
        return str(self.device.homeserver.devices[peer]["keys"][f"curve25519:{peer[1]}"])

    def _opened(self, event: Json) -> Json:
        if event["type"] != "m.room.encrypted" or event["content"].get("session_id") not in self.device.inbound:
            return event
        plaintext, _ = self.device.inbound[event["content"]["session_id"]].decrypt(event["content"]["ciphertext"])
        opened = json.loads(plaintext)
        return event | {"type": opened["type"], "content": opened["content"]}

    async def ask(self, method: str, path: str, body: object = None) -> Json:
        """A call of the homeserver as this device; its answer."""
        return await self.homeserver.request(method, V3 + path, token=self.session.access_token, body=body)
