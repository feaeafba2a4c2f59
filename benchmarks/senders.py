"""People at work: accounts with real devices, cross-signed, that write real Megolm, and no more than that.

A matrix-js-sdk client costs more than the homeserver does, and would be what is measured. A device here does on the
network what a client's does (keys, queries, claims, shares, sends) and keeps nothing but what it needs to write.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Self
from urllib.parse import quote, urlencode

import aiohttp
from vodozemac import Account, Curve25519PublicKey, GroupSession
from vodozemac import Session as OlmSession

from appservice.crypto.ids import UserId
from appservice.crypto.signing import CrossSigningSeeds, public_key, signer, with_signature
from appservice.crypto.untrusted import unpadded_base64
from sandbox.homeserver import Homeserver

MEGOLM: Final = "m.megolm.v1.aes-sha2"
OLM: Final = "m.olm.v1.curve25519-aes-sha2"
ROTATION: Final = 100
"""Messages that one Megolm session encrypts: the default of clients."""
_V3: Final = "/_matrix/client/v3"
_NO_MESSAGES: Final = json.dumps({"room": {"timeline": {"limit": 0}, "state": {"limit": 0}}, "presence": {"limit": 0}})

Json = dict[str, Any]


class Http:
    """JSON requests to one homeserver, over one pool of connections."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._pool = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=64))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._pool.close()

    async def call(self, method: str, path: str, token: str, body: Mapping[str, Any] | None = None) -> Json:
        """One request. Raises RuntimeError for a refusal: nothing here is supposed to be refused."""
        headers = {"Authorization": f"Bearer {token}"}
        async with self._pool.request(method, f"{self._url}{path}", headers=headers, json=body) as response:
            answer: Json = await response.json(content_type=None)
            if response.status not in {200, 201}:
                raise RuntimeError(f"{method} {path}: {response.status} {answer}")
            return answer


@dataclass(slots=True)
class _Writing:
    """The session that a device writes one room with."""

    session: GroupSession
    left: int = ROTATION


@dataclass(slots=True)
class Device:
    """One person's only device. Made by `arrive`; whatever it is asked to do costs the requests that a client needs."""

    user: UserId
    id: str
    token: str
    account: Account = field(default_factory=Account)
    _writing: dict[str, _Writing] = field(default_factory=dict)
    _sharing: dict[str, asyncio.Lock] = field(default_factory=dict)
    """By room: held while its key is made and shared."""
    _olm: dict[str, OlmSession] = field(default_factory=dict)
    _names: dict[str, str] = field(default_factory=dict)
    _since: str = ""

    @classmethod
    async def arrive(cls, homeserver: Homeserver, http: Http, localpart: str) -> Self:
        """Register, log in, and upload keys: the device is signed from the first moment on."""
        await homeserver.register(localpart, f"a password of {localpart}")
        session = await homeserver.log_in(localpart, f"a password of {localpart}")
        device = cls(UserId(session.user_id), session.device_id, session.access_token)
        seeds = CrossSigningSeeds.generate()
        await http.call("POST", f"{_V3}/keys/device_signing/upload", device.token, device._cross_signing(seeds))
        keys = {"device_keys": device._device_keys(seeds), "one_time_keys": device._one_time_keys()}
        await http.call("POST", f"{_V3}/keys/upload", device.token, keys)
        return device

    async def accept_invitations(self, http: Http) -> Mapping[str, str]:
        """Join whatever this person is invited to; every room's name, with its id."""
        query = {"timeout": "0", "filter": _NO_MESSAGES, **({"since": self._since} if self._since else {})}
        answer = await http.call("GET", f"{_V3}/sync?{urlencode(query)}", self.token)
        self._since = answer["next_batch"]
        for room, invited in answer.get("rooms", {}).get("invite", {}).items():
            await http.call("POST", f"{_V3}/join/{quote(room)}", self.token, {})
            events = invited["invite_state"]["events"]
            self._names |= {e["content"]["name"]: room for e in events if e["type"] == "m.room.name"}
        return self._names

    async def write(self, http: Http, room: str, words: str) -> str:
        """Encrypt for everyone in the room, and send; the event's id."""
        async with self._sharing.setdefault(room, asyncio.Lock()):
            # Nobody else writes meanwhile: what is said before the key is exported, its readers could never read.
            writing = self._writing.get(room)
            if writing is None or not writing.left:
                writing = _Writing(GroupSession())
                await self._share(http, room, writing.session)
                self._writing[room] = writing
            writing.left -= 1
        content = written(writing.session, self.account, self.id, room, words)
        path = f"{_V3}/rooms/{quote(room)}/send/m.room.encrypted/{secrets.token_hex(8)}"
        return str((await http.call("PUT", path, self.token, content))["event_id"])

    # --- keys

    async def _share(self, http: Http, room: str, session: GroupSession) -> None:
        members = await http.call("GET", f"{_V3}/rooms/{quote(room)}/joined_members", self.token)
        query: Json = {"device_keys": {user: [] for user in members["joined"] if user != self.user}}
        devices = (await http.call("POST", f"{_V3}/keys/query", self.token, query))["device_keys"]
        found = [(user, id_, keys) for user, of_user in devices.items() for id_, keys in of_user.items()]
        unknown = [(user, id_) for user, id_, keys in found if keys["keys"][f"curve25519:{id_}"] not in self._olm]
        claimed = await self._claim(http, unknown) if unknown else {}
        key = {
            "algorithm": MEGOLM,
            "room_id": room,
            "session_id": session.session_id,
            "session_key": session.session_key.to_base64(),
        }
        messages: dict[str, Json] = {}
        for user, id_, keys in found:
            curve, ed = keys["keys"][f"curve25519:{id_}"], keys["keys"][f"ed25519:{id_}"]
            if curve not in self._olm:
                one_time = next(iter(claimed[user][id_].values()))["key"]
                self._olm[curve] = self.account.create_outbound_session(
                    Curve25519PublicKey.from_base64(curve), Curve25519PublicKey.from_base64(one_time)
                )
            messages.setdefault(user, {})[id_] = self._sealed(curve, ed, user, key)
        path = f"{_V3}/sendToDevice/m.room.encrypted/{secrets.token_hex(8)}"
        await http.call("PUT", path, self.token, {"messages": messages})

    async def _claim(self, http: Http, devices: list[tuple[str, str]]) -> Json:
        wanted: dict[str, dict[str, str]] = {}
        for user, device in devices:
            wanted.setdefault(user, {})[device] = "signed_curve25519"
        answer = await http.call("POST", f"{_V3}/keys/claim", self.token, {"one_time_keys": wanted})
        keys: Json = answer["one_time_keys"]
        return keys

    def _sealed(self, curve: str, ed: str, user: str, content: Json) -> Json:
        payload = {
            "type": "m.room_key",
            "content": content,
            "sender": self.user,
            "recipient": user,
            "recipient_keys": {"ed25519": ed},
            "keys": {"ed25519": self.account.ed25519_key.to_base64()},
        }
        kind, body = self._olm[curve].encrypt(json.dumps(payload).encode()).to_parts()
        return {
            "algorithm": OLM,
            "sender_key": self.account.curve25519_key.to_base64(),
            "ciphertext": {curve: {"type": kind, "body": unpadded_base64(body)}},
        }

    def _cross_signing(self, seeds: CrossSigningSeeds) -> Json:
        def key(usage: str, seed: bytes) -> Json:
            public = public_key(seed)
            return {"user_id": self.user, "usage": [usage], "keys": {f"ed25519:{public}": public}}

        master, sign = public_key(seeds.master), signer(seeds.master)
        return {
            "master_key": key("master", seeds.master),
            "self_signing_key": with_signature(key("self_signing", seeds.self_signing), self.user, master, sign),
            "user_signing_key": with_signature(key("user_signing", seeds.user_signing), self.user, master, sign),
        }

    def _device_keys(self, seeds: CrossSigningSeeds) -> Json:
        keys = {
            "user_id": self.user,
            "device_id": self.id,
            "algorithms": [OLM, MEGOLM],
            "keys": {
                f"curve25519:{self.id}": self.account.curve25519_key.to_base64(),
                f"ed25519:{self.id}": self.account.ed25519_key.to_base64(),
            },
        }
        signed = with_signature(keys, self.user, self.id, self._sign)
        return with_signature(signed, self.user, public_key(seeds.self_signing), signer(seeds.self_signing))

    def _one_time_keys(self) -> Json:
        self.account.generate_one_time_keys(self.account.max_number_of_one_time_keys)
        keys = self.account.one_time_keys
        self.account.mark_keys_as_published()
        return {
            f"signed_curve25519:{id_}": with_signature({"key": key.to_base64()}, self.user, self.id, self._sign)
            for id_, key in keys.items()
        }

    def _sign(self, data: bytes) -> str:
        return self.account.sign(data).to_base64()


def written(session: GroupSession, account: Account, device: str, room: str, words: str) -> Json:
    """Words, encrypted: the content of an event."""
    payload = {"type": "m.room.message", "content": {"msgtype": "m.text", "body": words}, "room_id": room}
    return {
        "algorithm": MEGOLM,
        "ciphertext": session.encrypt(json.dumps(payload).encode()).to_base64(),
        "session_id": session.session_id,
        "sender_key": account.curve25519_key.to_base64(),
        "device_id": device,
    }
