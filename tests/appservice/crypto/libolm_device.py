"""A device as deployed clients on libolm have it: signed by its owner, reading and writing Olm and Megolm."""

import json
from contextlib import suppress
from typing import Any

from olm.account import Account
from olm.group_session import InboundGroupSession, OutboundGroupSession
from olm.session import InboundSession, OlmMessage, OlmPreKeyMessage, OlmSessionError, OutboundSession

from appservice.crypto.ids import DeviceId, EventId, RoomId, UserId
from appservice.crypto.inbound import MEGOLM, EncryptedEvent
from appservice.crypto.olm import OLM
from appservice.crypto.signing import CrossSigningSeeds, canonical_json, public_key, signer, with_signature
from tests.appservice.crypto.homeserver import FakeHomeserver

Json = dict[str, Any]


class LibolmDevice:
    """Publishes its keys on the fake homeserver as it is made."""

    def __init__(
        self, homeserver: FakeHomeserver, user_id: UserId, device_id: DeviceId, *, signed: bool = True
    ) -> None:
        """`signed`: by its owner's self-signing key."""
        self.homeserver = homeserver
        self.user_id = user_id
        self.device_id = device_id
        self.account = Account()
        self.curve25519: str = self.account.identity_keys["curve25519"]
        self.ed25519: str = self.account.identity_keys["ed25519"]
        self.sessions: dict[str, Any] = {}
        """The newest with each device, which is written with."""
        self.former: dict[str, list[Any]] = {}
        self.inbound: dict[str, Any] = {}
        self.outbound = OutboundGroupSession()
        self.seeds = CrossSigningSeeds.generate()
        self._publish(signed)

    def _publish(self, signed: bool) -> None:
        name = (self.user_id, self.device_id)
        keys: Json = {
            "user_id": self.user_id,
            "device_id": self.device_id,
            "algorithms": [OLM, MEGOLM],
            "keys": {
                f"curve25519:{self.device_id}": self.curve25519,
                f"ed25519:{self.device_id}": self.ed25519,
            },
        }
        keys = with_signature(keys, self.user_id, self.device_id, self.sign)
        master, self_signing = public_key(self.seeds.master), public_key(self.seeds.self_signing)
        if signed:
            keys = with_signature(keys, self.user_id, self_signing, signer(self.seeds.self_signing))
        self.homeserver.devices[name] = keys
        self.homeserver.master_keys[self.user_id] = self._key("master", master)
        self.homeserver.self_signing_keys[self.user_id] = with_signature(
            self._key("self_signing", self_signing), self.user_id, master, signer(self.seeds.master)
        )
        self.publish_one_time_keys(5)

    def publish_one_time_keys(self, count: int) -> None:
        """For so many more who want to open a session."""
        name = (self.user_id, self.device_id)
        self.account.generate_one_time_keys(count)
        for key_id, key in self.account.one_time_keys["curve25519"].items():
            self.homeserver.one_time_keys[name][f"signed_curve25519:{key_id}"] = with_signature(
                {"key": key}, self.user_id, self.device_id, self.sign
            )
        self.account.mark_keys_as_published()

    def _key(self, usage: str, public: str) -> Json:
        return {"user_id": self.user_id, "usage": [usage], "keys": {f"ed25519:{public}": public}}

    def sign(self, data: bytes) -> str:
        """By the device's own key."""
        signature: str = self.account.sign(data.decode())
        return signature

    def receive(self) -> list[Json]:
        """Decrypt what waits; room keys are kept."""
        payloads = []
        for event in self.homeserver.inbox.pop((self.user_id, self.device_id), []):
            payload = self.read_olm(event["content"])
            if payload["type"] == "m.room_key":
                self._keep_room_key(payload["content"])
            payloads.append(payload)
        return payloads

    def _keep_room_key(self, key: Json) -> None:
        """Of two shares of one session the one counts that reads more."""
        known, found = self.inbound.get(key["session_id"]), InboundGroupSession(key["session_key"])
        if known is None or found.first_known_index < known.first_known_index:
            self.inbound[key["session_id"]] = found

    def read_olm(self, content: Json) -> Json:
        """One Olm message to us."""
        part, sender = content["ciphertext"][self.curve25519], content["sender_key"]
        if part["type"] == 0:
            session = self._session_for(OlmPreKeyMessage(part["body"]), sender)
            plaintext = session.decrypt(OlmPreKeyMessage(part["body"]))
        else:
            plaintext = self._decrypt_with_any(OlmMessage(part["body"]), sender)
        payload: Json = json.loads(plaintext)
        return payload

    def _session_for(self, message: OlmPreKeyMessage, sender: str) -> Any:
        for known in self._sessions_with(sender):
            if known.matches(message):
                return known
        session = InboundSession(self.account, message, sender)
        self.account.remove_one_time_keys(session)
        self._keep(sender, session)
        return session

    def _decrypt_with_any(self, message: OlmMessage, sender: str) -> str:
        """Both sides may have opened a session at once, and each then writes with its own."""
        for session in self._sessions_with(sender):
            with suppress(OlmSessionError):
                plaintext: str = session.decrypt(message)
                return plaintext
        raise LookupError("no session reads it")

    def _sessions_with(self, sender: str) -> list[Any]:
        return [session for session in (self.sessions.get(sender), *self.former.get(sender, ())) if session]

    def _keep(self, peer: str, session: Any) -> None:
        self.former[peer] = self._sessions_with(peer)
        self.sessions[peer] = session

    def open_session(self, user_id: UserId, device_id: DeviceId) -> str:
        """Claim a one-time key; the peer's curve key."""
        device = self.homeserver.devices[user_id, device_id]
        peer_key: str = device["keys"][f"curve25519:{device_id}"]
        keys = self.homeserver.one_time_keys[user_id, device_id]
        one_time_key = keys.pop(next(iter(keys)))
        self._keep(peer_key, OutboundSession(self.account, peer_key, one_time_key["key"]))
        return peer_key

    def send_olm(self, user_id: UserId, device_id: DeviceId, event_type: str, content: Json) -> None:
        """Encrypt to a device and put it into its inbox."""
        device = self.homeserver.devices[user_id, device_id]
        payload = {
            "type": event_type,
            "content": content,
            "sender": self.user_id,
            "recipient": user_id,
            "recipient_keys": {"ed25519": device["keys"][f"ed25519:{device_id}"]},
            "keys": {"ed25519": self.ed25519},
        }
        self.send_payload(user_id, device_id, payload)

    def send_payload(self, user_id: UserId, device_id: DeviceId, payload: Json) -> None:
        """Encrypt whatever it says."""
        peer_key = self.homeserver.devices[user_id, device_id]["keys"][f"curve25519:{device_id}"]
        message = self.sessions[peer_key].encrypt(canonical_json(payload).decode())
        self.homeserver.inbox[user_id, device_id].append(
            {
                "type": "m.room.encrypted",
                "sender": self.user_id,
                "content": {
                    "algorithm": OLM,
                    "sender_key": self.curve25519,
                    "ciphertext": {peer_key: {"type": message.message_type, "body": message.ciphertext}},
                },
            }
        )

    def room_key(self, room_id: RoomId) -> Json:
        """The content of our `m.room_key`."""
        return {
            "algorithm": MEGOLM,
            "room_id": room_id,
            "session_id": self.outbound.id,
            "session_key": self.outbound.session_key,
        }

    def rotate(self) -> None:
        """Write with another session from now on."""
        self.outbound = OutboundGroupSession()

    def export_outbound(self) -> str:
        """Our session as a forwarded key carries it."""
        inbound = InboundGroupSession(self.outbound.session_key)
        exported: str = inbound.export_session(inbound.first_known_index)
        return exported

    def write(self, room_id: RoomId, text: str, event_id: str) -> EncryptedEvent:
        """A room event."""
        payload = {"type": "m.room.message", "room_id": room_id, "content": {"body": text}}
        content = {
            "algorithm": MEGOLM,
            "sender_key": self.curve25519,
            "device_id": self.device_id,
            "session_id": self.outbound.id,
            "ciphertext": self.outbound.encrypt(json.dumps(payload)),
        }
        return EncryptedEvent(EventId(event_id), room_id, self.user_id, content)

    def read(self, event: EncryptedEvent) -> str:
        """A room event's text."""
        plaintext, _ = self.inbound[str(event.content["session_id"])].decrypt(event.content["ciphertext"])
        text: str = json.loads(plaintext)["content"]["body"]
        return text
