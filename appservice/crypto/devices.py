"""Whose devices are whose: reading `/keys/query`, pinning identities, and how far a device is to be trusted."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from enum import StrEnum

from appservice.crypto.ids import Curve25519Key, DeviceId, Ed25519Key, UserId
from appservice.crypto.requests import Answer, KeysQuery
from appservice.crypto.rows import (
    KeyOrigin,
    Pin,
    StoredDevice,
    StoredDeviceList,
    StoredInbound,
    StoredMasterKey,
)
from appservice.crypto.signing import is_signed
from appservice.crypto.store import CryptoStore
from appservice.crypto.untrusted import (
    JsonObject,
    MalformedError,
    curve25519,
    ed25519,
    optional_object,
    required_object,
)

REFRESH_REST_MS = 60_000
"""An unknown device makes us ask for its owner's list at most this often."""


class DeviceTrust(StrEnum):
    """How far the device behind a decrypted message is to be trusted. Only `CROSS_SIGNED` speaks for its owner."""

    CROSS_SIGNED = "cross_signed"
    """Its owner, whose identity is pinned, signed it."""
    UNSIGNED = "unsigned"
    """It is its owner's according to the homeserver alone."""
    UNKNOWN_DEVICE = "unknown_device"
    """Its owner's list does not show it."""
    IDENTITY_REPLACED = "identity_replaced"
    """Its owner's identity is not the pinned one: nothing is believed until a person has confirmed it."""


async def take_answer(store: CryptoStore, query: KeysQuery, answer: Answer, now_ms: int) -> frozenset[UserId]:
    """Take the devices in; returns whose pinned identity turned out to be replaced, or replaced again.

    Of two answers the one whose query left later stays. People of a homeserver that did not answer
    (`failures`) stay stale.
    """
    failed = optional_object(answer.content, "failures")
    lists = await store.device_lists(list(query.generations), lock=True)
    replaced = set()
    for row in lists:
        generation = query.generations[row.user_id]
        if generation < row.fetched or row.user_id.partition(":")[2] in failed:
            continue
        master_key, devices = read_keys(row.user_id, answer.content)
        fresh = replace(row, fetched=generation, master_key=master_key, devices=devices, fetched_at_ms=now_ms)
        fresh = _pinned(fresh)
        if master_key is not None and master_key != row.master_key:
            await _remember(store, StoredMasterKey(row.user_id, master_key, now_ms, None))
        if fresh.pin is Pin.REPLACED and (row.pin, row.master_key) != (fresh.pin, fresh.master_key):
            replaced.add(row.user_id)
        await store.put_device_list(fresh)
    return frozenset(replaced)


async def _remember(store: CryptoStore, seen: StoredMasterKey) -> None:
    if all(known.key != seen.key for known in await store.master_keys([seen.user_id])):
        await store.put_master_key(seen)


async def confirm_identity(store: CryptoStore, user_id: UserId, master_key: Ed25519Key) -> bool:
    """Pin the identity that a person has confirmed; False when it is no longer the one shown to that person."""
    for row in await store.device_lists([user_id], lock=True):
        if row.master_key == master_key:
            await store.put_device_list(replace(row, pin=Pin.PINNED, pinned_key=master_key))
            return True
    return False


def _pinned(row: StoredDeviceList) -> StoredDeviceList:
    """Trust on first use: the first master key is pinned, another one (or none) later freezes."""
    if row.pinned_key is None:
        return row if row.master_key is None else replace(row, pin=Pin.PINNED, pinned_key=row.master_key)
    return replace(row, pin=Pin.PINNED if row.master_key == row.pinned_key else Pin.REPLACED)


def read_keys(user_id: UserId, content: JsonObject) -> tuple[Ed25519Key | None, tuple[StoredDevice, ...]]:
    """A person's master key and devices from the body of `/keys/query`, as far as signatures hold.

    A device whose own signature fails is left out; the chain master key → self-signing key → device decides
    whether it counts as cross-signed (spec, "Cross-signing").
    """
    master_key = _cross_signing_key(user_id, optional_object(content, "master_keys").get(user_id), "master")
    signing_object = optional_object(content, "self_signing_keys").get(user_id)
    signing_key = _cross_signing_key(user_id, signing_object, "self_signing")
    if (
        master_key is None
        or not isinstance(signing_object, dict)
        or not is_signed(signing_object, user_id, master_key, master_key)
    ):
        signing_key = None
    found = optional_object(optional_object(content, "device_keys"), user_id)
    devices = (_device(user_id, DeviceId(name), found[name], signing_key) for name in sorted(found))
    return master_key, tuple(device for device in devices if device is not None)


def _cross_signing_key(user_id: UserId, source: object, usage: str) -> Ed25519Key | None:
    if not isinstance(source, dict) or source.get("user_id") != user_id:
        return None
    usages, keys = source.get("usage"), optional_object(source, "keys")
    if not isinstance(usages, list) or usage not in usages or len(keys) != 1:
        return None
    [(key_id, text)] = keys.items()
    try:
        key = ed25519(text)
    except MalformedError:
        return None
    return key if key_id == f"ed25519:{key}" else None


def _device(
    user_id: UserId, device_id: DeviceId, source: object, signing_key: Ed25519Key | None
) -> StoredDevice | None:
    if not isinstance(source, dict):
        return None
    try:
        device = self_signed_device(user_id, device_id, source)
    except MalformedError:
        return None
    signed = signing_key is not None and is_signed(source, user_id, signing_key, signing_key)
    return replace(device, cross_signed=signed)


def self_signed_device(user_id: UserId, device_id: DeviceId, source: JsonObject) -> StoredDevice:
    """A device as its own signature vouches for it; `MalformedError` when that doesn't hold."""
    if source.get("user_id") != user_id or source.get("device_id") != device_id:
        raise MalformedError("device keys of another device")
    keys = required_object(source, "keys")
    signing = ed25519(keys.get(f"ed25519:{device_id}"))
    if not is_signed(source, user_id, device_id, signing):
        raise MalformedError("device signature")
    return StoredDevice(device_id, curve25519(keys.get(f"curve25519:{device_id}")), signing, cross_signed=False)


def eligible(row: StoredDeviceList) -> tuple[StoredDevice, ...]:
    """The devices that may get keys: signed by their owner, whose identity is the pinned one."""
    if row.pin is not Pin.PINNED:
        return ()
    return tuple(device for device in row.devices if device.cross_signed)


def by_user(rows: Iterable[StoredDeviceList]) -> Mapping[UserId, StoredDeviceList]:
    """The lists by whom they are of."""
    return {row.user_id: row for row in rows}


def owner_of(row: StoredDeviceList | None, key: Curve25519Key, signing_key: Ed25519Key) -> StoredDevice | None:
    """The device that owns both keys."""
    owners = (
        device for device in (row.devices if row else ()) if device.curve25519 == key and device.ed25519 == signing_key
    )
    return next(owners, None)


def trust_in(copy: StoredInbound, row: StoredDeviceList | None) -> tuple[DeviceTrust, DeviceId | None]:
    """How far the owner of a session is to be trusted now, and its device.

    A device that was vouched for when its key came is still believed after it was logged out, as long as the
    identity that vouched is the pinned one.
    """
    if copy.origin is KeyOrigin.OWN:
        return DeviceTrust.CROSS_SIGNED, copy.sender_device
    device = owner_of(row, copy.sender_key, copy.sender_ed25519)
    trust = trust_of(device, row)
    if row is not None and row.pin is Pin.PINNED and copy.vouched_by == row.pinned_key:
        trust = DeviceTrust.CROSS_SIGNED
    return trust, device.device_id if device else copy.sender_device


def trust_of(device: StoredDevice | None, row: StoredDeviceList | None) -> DeviceTrust:
    """How far this device of a person's list is to be trusted."""
    if row is not None and row.pin is Pin.REPLACED:
        return DeviceTrust.IDENTITY_REPLACED
    if row is None or device is None:
        return DeviceTrust.UNKNOWN_DEVICE
    return DeviceTrust.CROSS_SIGNED if device in eligible(row) else DeviceTrust.UNSIGNED


async def refresh(store: CryptoStore, user_ids: Collection[UserId], now_ms: int) -> None:
    """Have the lists of people asked for again who were seen with a device that isn't in theirs.

    Only lists that are kept, and each at most once a minute: a stranger can't make us ask.
    """
    rows = await store.device_lists(user_ids)
    old = [row.user_id for row in rows if row.changed == row.fetched and now_ms - row.fetched_at_ms >= REFRESH_REST_MS]
    if old:
        await store.mark_changed(old)
