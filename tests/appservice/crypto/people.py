"""Names that the tests here share, and people whose keys a test makes by hand."""

from typing import Any

from vodozemac import Account

from appservice.crypto.ids import DeviceId, RoomId, UserId
from appservice.crypto.signing import CrossSigningSeeds, public_key, signer, with_signature
from tests.appservice.crypto.homeserver import FakeHomeserver

BOT = UserId("@bot:example.org")
GHOST = UserId("@ghost:example.org")
ALICE = UserId("@alice:example.org")
CARL = UserId("@carl:example.org")
ROOM = RoomId("!room")
OTHER_ROOM = RoomId("!other")


class Person:
    """Somebody's cross-signing identity and devices, published as the test likes."""

    def __init__(self, homeserver: FakeHomeserver, user_id: UserId) -> None:
        """A person with an identity and no device."""
        self.homeserver = homeserver
        self.user_id = user_id
        self.seeds = CrossSigningSeeds.generate()
        self.publish_identity()

    def publish_identity(self) -> None:
        """The master and self-signing keys of `seeds`."""
        master = public_key(self.seeds.master)
        self.homeserver.master_keys[self.user_id] = self.key("master", master)
        self.homeserver.self_signing_keys[self.user_id] = with_signature(
            self.key("self_signing", public_key(self.seeds.self_signing)),
            self.user_id,
            master,
            signer(self.seeds.master),
        )

    def key(self, usage: str, public: str) -> dict[str, Any]:
        """A cross-signing key object, unsigned."""
        return {"user_id": self.user_id, "usage": [usage], "keys": {f"ed25519:{public}": public}}

    def reset(self) -> None:
        """A new identity: every client warns."""
        self.seeds = CrossSigningSeeds.generate()
        self.publish_identity()

    def add_device(
        self, name: str, *, signed: bool = True, one_time_keys: int = 5, account: Account | None = None
    ) -> Account:
        """A device with its keys."""
        account = account or Account()
        device_id = DeviceId(name)
        keys: dict[str, Any] = {
            "user_id": self.user_id,
            "device_id": device_id,
            "algorithms": [],
            "keys": {
                f"curve25519:{device_id}": account.curve25519_key.to_base64(),
                f"ed25519:{device_id}": account.ed25519_key.to_base64(),
            },
        }
        keys = with_signature(keys, self.user_id, device_id, lambda data: account.sign(data).to_base64())
        self.homeserver.devices[self.user_id, device_id] = keys
        if signed:
            self.sign_device(name)
        account.generate_one_time_keys(one_time_keys)
        for key_id, key in account.one_time_keys.items():
            self.homeserver.one_time_keys[self.user_id, device_id][f"signed_curve25519:{key_id}"] = with_signature(
                {"key": key.to_base64()},
                self.user_id,
                device_id,
                lambda data: account.sign(data).to_base64(),
            )
        account.mark_keys_as_published()
        return account

    def sign_device(self, name: str) -> None:
        """The owner signs it."""
        device = (self.user_id, DeviceId(name))
        key = public_key(self.seeds.self_signing)
        self.homeserver.devices[device] = with_signature(
            self.homeserver.devices[device], self.user_id, key, signer(self.seeds.self_signing)
        )
