"""An identity's Olm account: its creation, its published keys, and their replenishment."""

import json
import secrets
import string
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Final

from vodozemac import Account, Curve25519PublicKey

from appservice.crypto.ids import Curve25519Key, DeviceId, Ed25519Key, UserId
from appservice.crypto.outgoing import new_request
from appservice.crypto.requests import Answer
from appservice.crypto.rows import Pin, RequestKind, StoredDevice, StoredIdentity, StoredRequest
from appservice.crypto.sealing import Sealer
from appservice.crypto.signing import CrossSigningSeeds, Sign, public_key, signer, with_signature
from appservice.crypto.store import CryptoStore
from appservice.crypto.untrusted import JsonObject, optional_object, parse
from appservice.crypto.work import Work

ALGORITHMS = ("m.olm.v1.curve25519-aes-sha2", "m.megolm.v1.aes-sha2")

ONE_TIME_KEYS = 50
"""How many unclaimed one-time keys the homeserver should hold for us."""

LOW_ONE_TIME_KEYS = 25
"""From here down they are replenished."""

FALLBACK_REST_MS = 3_600_000
"""A fallback key is replaced at most this often: the account remembers only the one before it."""

SEEDS: Final = "cross-signing seeds"
"""The purpose under which they are sealed."""
_DEVICE_ID_LETTERS = 12


async def create(
    store: CryptoStore,
    sealer: Sealer,
    user_id: UserId,
    *,
    display_name: str,
    seeds: CrossSigningSeeds | None,
    now_ms: int,
) -> StoredIdentity:
    """Make an identity with a fresh device and write its four requests down, before any of them leaves.

    The order (register, device, cross-signing keys, device keys that carry both signatures) leaves no moment
    in which anybody sees an unsigned device. An identity that exists is returned as it is.
    """
    existing = await store.identity(user_id) or await _after_other_creators(store, user_id)
    if existing is not None:
        return existing
    seeds = seeds or CrossSigningSeeds.generate()
    return await _make(store, sealer, user_id, seeds, display_name=display_name, now_ms=now_ms)


async def renew(
    store: CryptoStore, sealer: Sealer, user_id: UserId, *, display_name: str, now_ms: int
) -> StoredIdentity | None:
    """Give an identity out of a backup a fresh device, signed by the same seeds; None where there is no such identity.

    Everything of its former device goes, for nobody knows how far its ratchets were turned since the backup: the
    account, its sessions both ways, what it had shared, what it had to send. Room keys to read with stay.
    """
    former = await store.identity(user_id, lock=True)
    if former is None:
        return None
    await store.forget_device(user_id)
    await store.track([user_id])
    seeds = open_seeds(sealer, former)
    return await _make(store, sealer, user_id, seeds, display_name=display_name, now_ms=now_ms)


async def _make(
    store: CryptoStore, sealer: Sealer, user_id: UserId, seeds: CrossSigningSeeds, *, display_name: str, now_ms: int
) -> StoredIdentity:
    """Store an identity with a fresh device, and the requests that make it known."""
    account = Account()
    account.generate_one_time_keys(ONE_TIME_KEYS)
    account.generate_fallback_key()  # type: ignore[attr-defined]  # missing in vodozemac's stub
    device_id = DeviceId("".join(secrets.choice(string.ascii_uppercase) for _ in range(_DEVICE_ID_LETTERS)))
    device_keys = _device_keys(account, user_id, device_id, seeds)
    keys = _Publisher(account, user_id, device_id)
    bodies: Mapping[RequestKind, JsonObject] = {
        RequestKind.REGISTER: {
            "type": "m.login.application_service",
            "username": user_id.removeprefix("@").partition(":")[0],
            "inhibit_login": True,
        },
        RequestKind.MAKE_DEVICE: {"display_name": display_name},
        RequestKind.CROSS_SIGNING: _cross_signing_keys(user_id, seeds),
        RequestKind.FIRST_KEYS: {
            "device_keys": device_keys,
            "one_time_keys": keys.one_time_keys(),
            "fallback_keys": keys.fallback_keys(),
        },
    }
    account.mark_keys_as_published()
    me = StoredIdentity(
        user_id=user_id,
        device_id=device_id,
        ready=False,
        account=sealer.pickle(account),
        seeds=sealer.seal_text(SEEDS, user_id, seeds.to_text()),
        curve25519=Curve25519Key(account.curve25519_key.to_base64()),
        ed25519=Ed25519Key(account.ed25519_key.to_base64()),
        master_key=public_key(seeds.master),
        device_keys=json.dumps(device_keys),
        fallback_at_ms=now_ms,
        created_at_ms=now_ms,
    )
    await store.put_identity(me)
    await _list_own_device(store, me)
    work = Work(store, sealer, me, now_ms)
    await store.put_requests([new_request(work, kind, body) for kind, body in bodies.items()])
    return me


async def _after_other_creators(store: CryptoStore, user_id: UserId) -> StoredIdentity | None:
    """Wait for whoever is making this identity too: its own device list is what two creators can both lock."""
    await store.track([user_id])
    await store.device_lists([user_id], lock=True)
    return await store.identity(user_id)


async def _list_own_device(store: CryptoStore, me: StoredIdentity) -> None:
    """Nobody has to tell us which device is ours."""
    device = StoredDevice(me.device_id, me.curve25519, me.ed25519, cross_signed=True)
    for row in await store.device_lists([me.user_id]):
        own = replace(row, pin=Pin.PINNED, pinned_key=me.master_key, master_key=me.master_key, devices=(device,))
        await store.put_device_list(replace(own, fetched=row.changed, fetched_at_ms=me.created_at_ms))


def open_seeds(sealer: Sealer, me: StoredIdentity) -> CrossSigningSeeds:
    """The identity's seeds, for a backup or a restore."""
    return CrossSigningSeeds.from_text(sealer.open_text(SEEDS, me.user_id, me.seeds))


def open_account(work: Work) -> Account:
    """The Olm account. Whoever changes it stores it in the same unit of work, under the identity's lock."""
    return work.sealer.unpickle(Account.from_pickle, work.me.account)


async def replenish(work: Work, one_time_keys: int | None, fallback_types: Collection[str] | None) -> None:
    """Take in the counts of a transaction (MSC3202); None for what it didn't say.

    The counts are a snapshot that may be older than our last upload, so a low one only makes us ask: an upload
    without one-time keys answers with the count of this moment, and `uploaded` decides by that. One upload is
    under way at a time. A used fallback key is replaced.
    """
    low = one_time_keys is not None and one_time_keys <= LOW_ONE_TIME_KEYS
    used = fallback_types is not None and "signed_curve25519" not in fallback_types
    fallback_due = used and work.now_ms - work.me.fallback_at_ms >= FALLBACK_REST_MS
    if not work.me.ready or not (low or fallback_due) or await _uploading(work):
        return
    body: JsonObject = {}
    if fallback_due:
        account = open_account(work)
        account.generate_fallback_key()  # type: ignore[attr-defined]  # missing in vodozemac's stub
        body = {"fallback_keys": _Publisher(account, work.me.user_id, work.me.device_id).fallback_keys()}
        account.mark_keys_as_published()
        await work.store.put_identity(replace(work.me, account=work.sealer.pickle(account), fallback_at_ms=work.now_ms))
    await work.store.put_requests([new_request(work, RequestKind.KEYS_UPLOAD, body)])


async def uploaded(work: Work, row: StoredRequest, answer: Answer) -> None:
    """After an acknowledged upload: finish the identity's creation, and top the one-time keys up if need be."""
    me = replace(work.me, ready=True) if row.kind is RequestKind.FIRST_KEYS else work.me
    count = optional_object(answer.content, "one_time_key_counts").get("signed_curve25519", 0)
    brought_some = "one_time_keys" in parse(row.body.encode())
    enough = LOW_ONE_TIME_KEYS + 1 if brought_some else ONE_TIME_KEYS
    if isinstance(count, int) and count < enough:
        account = open_account(work)
        account.generate_one_time_keys(max(0, ONE_TIME_KEYS - count))
        body = {"one_time_keys": _Publisher(account, me.user_id, me.device_id).one_time_keys()}
        account.mark_keys_as_published()
        me = replace(me, account=work.sealer.pickle(account))
        await work.store.put_requests([new_request(work, RequestKind.KEYS_UPLOAD, body)])
    if me is not work.me:
        await work.store.put_identity(me)


async def _uploading(work: Work) -> bool:
    kinds = {row.kind for row in await work.store.requests(work.me.user_id)}
    return bool(kinds & {RequestKind.FIRST_KEYS, RequestKind.KEYS_UPLOAD})


class _Publisher:
    """Signs an account's unpublished keys for an upload."""

    def __init__(self, account: Account, user_id: UserId, device_id: DeviceId) -> None:
        self._account = account
        self._user_id = user_id
        self._device_id = device_id

    def one_time_keys(self) -> JsonObject:
        return self._signed(self._account.one_time_keys, {})

    def fallback_keys(self) -> JsonObject:
        keys = self._account.fallback_key  # type: ignore[attr-defined]  # missing in vodozemac's stub
        return self._signed(keys, {"fallback": True})

    def _signed(self, keys: Mapping[str, Curve25519PublicKey], extra: JsonObject) -> JsonObject:
        sign = _account_signer(self._account)
        return {
            f"signed_curve25519:{key_id}": with_signature(
                {"key": key.to_base64(), **extra}, self._user_id, self._device_id, sign
            )
            for key_id, key in keys.items()
        }


def _account_signer(account: Account) -> Sign:
    return lambda data: account.sign(data).to_base64()


def _device_keys(account: Account, user_id: UserId, device_id: DeviceId, seeds: CrossSigningSeeds) -> JsonObject:
    unsigned = {
        "user_id": user_id,
        "device_id": device_id,
        "algorithms": list(ALGORITHMS),
        "keys": {
            f"curve25519:{device_id}": account.curve25519_key.to_base64(),
            f"ed25519:{device_id}": account.ed25519_key.to_base64(),
        },
    }
    by_device = with_signature(unsigned, user_id, device_id, _account_signer(account))
    return with_signature(by_device, user_id, public_key(seeds.self_signing), signer(seeds.self_signing))


def _cross_signing_keys(user_id: UserId, seeds: CrossSigningSeeds) -> JsonObject:
    def key(usage: str, seed: bytes) -> JsonObject:
        public = public_key(seed)
        return {"user_id": user_id, "usage": [usage], "keys": {f"ed25519:{public}": public}}

    master_id, sign = public_key(seeds.master), signer(seeds.master)
    return {
        "master_key": key("master", seeds.master),
        "self_signing_key": with_signature(key("self_signing", seeds.self_signing), user_id, master_id, sign),
        "user_signing_key": with_signature(key("user_signing", seeds.user_signing), user_id, master_id, sign),
    }
