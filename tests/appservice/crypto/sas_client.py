"""The other side of a verification by emoji: a client that begins, and checks us, with vodozemac's mathematics."""

import hashlib
from dataclasses import dataclass, field
from typing import Any

from vodozemac import Curve25519PublicKey, EstablishedSas, Sas

from appservice.crypto.emoji import EMOJI
from appservice.crypto.ids import DeviceId, RoomId
from appservice.crypto.signing import CrossSigningSeeds, canonical_json, public_key
from appservice.crypto.untrusted import unpadded_base64
from appservice.crypto.verification import Device, Keys, Reply
from tests.appservice.crypto.people import ALICE, BOT

US, THEM = Device(BOT, DeviceId("OURS")), Device(ALICE, DeviceId("PHONE"))
FLOW = "flow"


def some_keys() -> Keys:
    seeds = CrossSigningSeeds.generate()
    return Keys(public_key(seeds.self_signing), public_key(seeds.master))


@dataclass
class Client:
    """The other side: it begins, and checks us as the spec has it."""

    room: RoomId | None = None
    flow: str = FLOW
    keys: Keys = field(default_factory=some_keys)
    sas: Sas = field(default_factory=Sas)
    started: dict[str, Any] = field(default_factory=dict)
    commitment: str = ""
    our_device: str = US.device_id
    our_key: str = ""
    agreed: EstablishedSas | None = None

    def content(self, **fields: Any) -> dict[str, Any]:
        relation = {"rel_type": "m.reference", "event_id": self.flow}
        return {**fields, **({"m.relates_to": relation} if self.room else {"transaction_id": self.flow})}

    def request(self, **changes: Any) -> dict[str, Any]:
        return {"from_device": THEM.device_id, "methods": ["m.sas.v1", "m.reciprocate.v1"], **changes}

    def start(self, **changes: Any) -> dict[str, Any]:
        self.started = self.content(
            **{
                "from_device": THEM.device_id,
                "method": "m.sas.v1",
                "key_agreement_protocols": ["curve25519", "curve25519-hkdf-sha256"],
                "hashes": ["sha256"],
                "message_authentication_codes": ["hkdf-hmac-sha256", "hkdf-hmac-sha256.v2"],
                "short_authentication_string": ["decimal", "emoji"],
                **changes,
            }
        )
        return self.started

    def key(self) -> dict[str, Any]:
        return self.content(key=self.sas.public_key.to_base64())

    def take_accept(self, reply: Reply) -> None:
        assert reply.type == "m.key.verification.accept"
        self.commitment = str(reply.content["commitment"])

    def take_key(self, reply: Reply) -> None:
        assert reply.type == "m.key.verification.key"
        self.our_key = str(reply.content["key"])
        committed = hashlib.sha256(self.our_key.encode() + canonical_json(self.started)).digest()
        assert self.commitment == unpadded_base64(committed), "another key than the one promised"
        self.agreed = self.sas.diffie_hellman(Curve25519PublicKey.from_base64(self.our_key))

    @property
    def shown(self) -> tuple[tuple[str, ...], tuple[int, ...]]:
        assert self.agreed is not None
        info = (
            f"MATRIX_KEY_VERIFICATION_SAS|{ALICE}|PHONE|{self.sas.public_key.to_base64()}"
            f"|{BOT}|{self.our_device}|{self.our_key}|{self.flow}"
        )
        short = self.agreed.bytes(info)
        return tuple(EMOJI[number] for number in short.emoji_indices), tuple(short.decimals)

    def mac(self, **keys: str) -> dict[str, Any]:
        """Proves these, or the device and the master key."""
        proven: dict[str, object] = dict(keys) or {
            f"ed25519:{THEM.device_id}": self.keys.device,
            f"ed25519:{self.keys.master}": self.keys.master,
        }
        macs = {key_id: self._mac(str(key), key_id) for key_id, key in proven.items()}
        return self.content(mac=macs, keys=self._mac(",".join(sorted(macs)), "KEY_IDS"))

    def check_mac(self, reply: Reply, ours: Keys) -> None:
        assert reply.type == "m.key.verification.mac"
        assert self.agreed is not None
        macs: Any = reply.content["mac"]
        assert macs.keys() == {"ed25519:OURS", f"ed25519:{ours.master}"}
        base = f"MATRIX_KEY_VERIFICATION_MAC{BOT}OURS{ALICE}PHONE{self.flow}"
        self.agreed.verify_mac(str(ours.device), f"{base}ed25519:OURS", macs["ed25519:OURS"])
        self.agreed.verify_mac(str(ours.master), f"{base}ed25519:{ours.master}", macs[f"ed25519:{ours.master}"])
        self.agreed.verify_mac(",".join(sorted(macs)), f"{base}KEY_IDS", str(reply.content["keys"]))

    def _mac(self, text: str, key_id: str) -> str:
        assert self.agreed is not None
        return self.agreed.calculate_mac(
            text, f"MATRIX_KEY_VERIFICATION_MAC{ALICE}PHONE{BOT}{self.our_device}{self.flow}{key_id}"
        )
