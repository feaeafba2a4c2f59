"""A homeserver's key and to-device endpoints, in memory, answering as Synapse does."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from appservice.crypto.ids import DeviceId, UserId
from appservice.crypto.requests import Answer, Http

Device = tuple[UserId, DeviceId]


class FakeHomeserver:
    """Handles what machines send. Everything is open to a test's eye and hand."""

    def __init__(self) -> None:
        """Nobody is registered."""
        self.users: set[str] = set()
        self.devices: dict[Device, dict[str, Any]] = {}
        self.master_keys: dict[str, Any] = {}
        self.self_signing_keys: dict[str, Any] = {}
        self.one_time_keys: dict[Device, dict[str, Any]] = defaultdict(dict)
        self.fallback_keys: dict[Device, dict[str, Any]] = defaultdict(dict)
        self.used_fallback: set[Device] = set()
        self.published: Counter[tuple[Device, str]] = Counter()
        """How often each one-time key was published; a second time is a fault of the client."""
        self.inbox: dict[Device, list[dict[str, Any]]] = defaultdict(list)
        self.seen: list[Http] = []
        self.transactions: set[tuple[str | None, str]] = set()

    def handle(self, http: Http) -> Answer:
        """Do what is asked."""
        self.seen.append(http)
        path = unquote(http.path.removeprefix("/_matrix/client/v3"))
        body: Any = http.body
        if path == "/register":
            return self._register(body)
        assert http.user_id is not None
        me = (http.user_id, http.device_id or DeviceId(path.rpartition("/")[2]))
        if path.startswith("/devices/"):
            return self._make_device(me, body)
        if me not in self.devices:
            return Answer(400, {"errcode": "M_UNKNOWN_DEVICE"})
        if path == "/keys/device_signing/upload":
            self.master_keys[http.user_id] = body["master_key"]
            self.self_signing_keys[http.user_id] = body["self_signing_key"]
            return Answer(200, {})
        if path == "/keys/upload":
            return self._upload(me, body)
        if path == "/keys/query":
            return self._query(body["device_keys"])
        if path == "/keys/claim":
            return self._claim(body["one_time_keys"])
        assert path.startswith("/sendToDevice/"), path
        return self._send_to_device(http, path, body["messages"])

    def _register(self, body: Mapping[str, Any]) -> Answer:
        if body["username"] in self.users:
            return Answer(400, {"errcode": "M_USER_IN_USE"})
        self.users.add(body["username"])
        return Answer(200, {"user_id": f"@{body['username']}:example.org"})

    def _make_device(self, device: Device, body: Mapping[str, Any]) -> Answer:
        assert device[0][1:].partition(":")[0] in self.users
        created = device not in self.devices
        self.devices.setdefault(device, {})
        return Answer(201 if created else 200, {})

    def _upload(self, device: Device, body: Mapping[str, Any]) -> Answer:
        if "device_keys" in body:
            self.devices[device] = body["device_keys"]
        for key_id, key in body.get("one_time_keys", {}).items():
            self.published[device, key_id] += 1
            self.one_time_keys[device][key_id] = key
        if body.get("fallback_keys"):
            self.fallback_keys[device] = dict(body["fallback_keys"])
            self.used_fallback.discard(device)
        return Answer(200, {"one_time_key_counts": {"signed_curve25519": self.count(device)}})

    def count(self, device: Device) -> int:
        """How many one-time keys of this device are unclaimed."""
        return len(self.one_time_keys[device])

    def _query(self, wanted: Mapping[UserId, object]) -> Answer:
        return Answer(
            200,
            {
                "device_keys": {
                    user: {d: keys for (owner, d), keys in self.devices.items() if owner == user and keys}
                    for user in wanted
                },
                "master_keys": {u: k for u, k in self.master_keys.items() if u in wanted},
                "self_signing_keys": {u: k for u, k in self.self_signing_keys.items() if u in wanted},
                "failures": {},
            },
        )

    def _claim(self, wanted: Mapping[UserId, Mapping[DeviceId, str]]) -> Answer:
        found: dict[str, dict[str, Any]] = {}
        for user, devices in wanted.items():
            for device in devices:
                keys = self.one_time_keys[user, device]
                if keys:
                    key_id = next(iter(keys))
                    found.setdefault(user, {})[device] = {key_id: keys.pop(key_id)}
                elif self.fallback_keys[user, device]:
                    self.used_fallback.add((user, device))
                    found.setdefault(user, {})[device] = dict(self.fallback_keys[user, device])
        return Answer(200, {"one_time_keys": found, "failures": {}})

    def _send_to_device(self, http: Http, path: str, messages: Mapping[str, Mapping[str, Any]]) -> Answer:
        _, _, event_type, txn_id = path.split("/")
        if (http.user_id, txn_id) in self.transactions:
            return Answer(200, {})
        self.transactions.add((http.user_id, txn_id))
        for user, contents in messages.items():
            for name, content in contents.items():
                for owner, device in list(self.devices):
                    if owner == user and name in {"*", device}:
                        event = {"type": event_type, "sender": http.user_id, "content": content}
                        self.inbox[owner, device].append(event)
        return Answer(200, {})

    def delete_device(self, device: Device) -> None:
        """The device logs out."""
        for table in (self.devices, self.one_time_keys, self.fallback_keys, self.inbox):
            table.pop(device, None)
