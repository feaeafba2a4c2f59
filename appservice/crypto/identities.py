"""People's encryption identities as the rest of the service speaks of them: what is known, and confirming a new one."""

from collections.abc import Collection, Mapping
from datetime import UTC, datetime

from appservice.crypto.devices import confirm_identity
from appservice.crypto.ids import Ed25519Key, UserId
from appservice.crypto.rows import Pin, StoredDeviceList, StoredMasterKey
from appservice.crypto.store import CryptoStore
from policies.people.identity import Device, Identity


class StoredIdentities:
    """`rooms.ports.Identities` over the device lists."""

    def __init__(self, store: CryptoStore) -> None:
        """Belongs to the store's unit of work."""
        self._store = store

    async def known(self, users: Collection[UserId]) -> Mapping[UserId, Identity]:
        """What is known of those whose list was ever asked for."""
        keys = {(row.user_id, row.key): row for row in await self._store.master_keys(users)}
        return {
            row.user_id: _identity(row, keys.get((row.user_id, row.master_key)) if row.master_key else None)
            for row in await self._store.device_lists(sorted(users), lock=True)
            if row.fetched
        }

    async def expect(self, users: Collection[UserId]) -> None:
        """Begin to keep these people's device lists."""
        await self._store.track(users)

    async def confirm(self, user: UserId, key: str) -> bool:
        """Believe in this key from now on; False when it is no longer the one there is."""
        return await confirm_identity(self._store, user, Ed25519Key(key))


def _identity(row: StoredDeviceList, key: StoredMasterKey | None) -> Identity:
    return Identity(
        row.pinned_key,
        row.master_key,
        row.pin is Pin.REPLACED,
        _time(key.seen_at_ms) if key else None,
        _time(key.verified_at_ms) if key and key.verified_at_ms else None,
        tuple(Device(device.device_id, device.ed25519, device.cross_signed) for device in row.devices),
    )


def _time(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
