"""Olm, between our device and one of theirs: opening sessions, encrypting, decrypting, mending."""

import hashlib
import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Self, TypeAlias

from vodozemac import Account, AnyOlmMessage, Curve25519PublicKey, PreKeyMessage, Session

from appservice.crypto.account import open_account
from appservice.crypto.devices import by_user
from appservice.crypto.ids import Curve25519Key, DeviceId, MessageDigest, OlmSessionId, UserId
from appservice.crypto.outgoing import new_request
from appservice.crypto.requests import Answer, KeysClaim
from appservice.crypto.rows import (
    RequestKind,
    StoredDevice,
    StoredOlmMessage,
    StoredOlmSession,
    StoredUnwedging,
)
from appservice.crypto.signing import is_signed
from appservice.crypto.untrusted import (
    JsonObject,
    MalformedError,
    curve25519,
    optional_object,
    parse,
    required_object,
    required_text,
    unpadded,
    unpadded_base64,
)
from appservice.crypto.work import Work
from policies.frozen import frozen

OLM = "m.olm.v1.curve25519-aes-sha2"

UNWEDGING_REST_MS = 3_600_000
"""A fresh session with a device whose session broke is made at most this often (spec, "Recovering from
undecryptable messages")."""

SESSIONS_PER_DEVICE = 8
"""Beyond these the least recently used are forgotten: a peer may open as many as it likes."""

_PRE_KEY = 0
_NORMAL = 1


@frozen
class Peer:
    """A device of somebody."""

    user_id: UserId
    device: StoredDevice

    @property
    def name(self) -> tuple[UserId, DeviceId]:
        """What a device is called among all people's devices."""
        return self.user_id, self.device.device_id


Messages: TypeAlias = Mapping[UserId, Mapping[DeviceId, JsonObject]]
"""The `messages` of a sendToDevice request."""


# Encrypting


async def newest_sessions(work: Work, keys: Collection[Curve25519Key]) -> Mapping[Curve25519Key, StoredOlmSession]:
    """For each device, the session to send with: the one that last proved to work."""
    newest: dict[Curve25519Key, StoredOlmSession] = {}
    for row in await work.store.olm_sessions(work.me.user_id, keys):
        newest.setdefault(row.peer_key, row)
    return newest


async def encrypt_each(
    work: Work,
    sessions: Mapping[Curve25519Key, StoredOlmSession],
    event_type: str,
    contents: Iterable[tuple[Peer, JsonObject]],
) -> Messages:
    """Encrypt for each device, which must be one of `sessions`, and store the advanced ratchets."""
    messages: dict[UserId, dict[DeviceId, JsonObject]] = {}
    advanced: dict[Curve25519Key, StoredOlmSession] = dict(sessions)
    device_keys = parse(work.me.device_keys.encode())
    used = set()
    for peer, content in contents:
        key = peer.device.curve25519
        session = work.sealer.unpickle(Session.from_pickle, advanced[key].pickle)
        payload = {
            "type": event_type,
            "content": content,
            "sender": work.me.user_id,
            "recipient": peer.user_id,
            "recipient_keys": {"ed25519": peer.device.ed25519},
            "keys": {"ed25519": work.me.ed25519},
            "sender_device_keys": device_keys,
        }
        kind, body = session.encrypt(json.dumps(payload, ensure_ascii=False).encode()).to_parts()
        advanced[key] = replace(advanced[key], pickle=work.sealer.pickle(session))
        used.add(key)
        messages.setdefault(peer.user_id, {})[peer.device.device_id] = {
            "algorithm": OLM,
            "sender_key": work.me.curve25519,
            "ciphertext": {key: {"type": kind, "body": unpadded_base64(body)}},
        }
    await work.store.put_olm_sessions([advanced[key] for key in used])
    return messages


# Opening and mending sessions


async def take_claim(work: Work, claim: KeysClaim, answer: Answer) -> frozenset[tuple[UserId, DeviceId]]:
    """Open a session with each device whose claimed one-time key is signed by it; returns the others.

    A device whose session with us had broken is sent an `m.dummy` with the new one, so that it uses it too.
    """
    lists = by_user(await work.store.device_lists({user_id for user_id, _ in claim.devices}))
    claimed = optional_object(answer.content, "one_time_keys")
    account = open_account(work)
    opened: dict[Peer, StoredOlmSession] = {}
    for user_id, device_id in claim.devices:
        devices = lists[user_id].devices if user_id in lists else ()
        source = optional_object(optional_object(claimed, user_id), device_id)
        for device in devices:
            key = _one_time_key(user_id, device, source) if device.device_id == device_id else None
            if key is not None:
                opened[Peer(user_id, device)] = _new_session(work, account, device.curve25519, key)
    await work.store.put_olm_sessions(list(opened.values()))
    await _greet_mended(work, claim.devices, opened)
    return claim.devices - {peer.name for peer in opened}


def _one_time_key(user_id: UserId, device: StoredDevice, source: JsonObject) -> Curve25519Key | None:
    for key_id, value in source.items():
        if not key_id.startswith("signed_curve25519:") or not isinstance(value, dict):
            continue
        if is_signed(value, user_id, device.device_id, device.ed25519):
            try:
                return curve25519(value.get("key"))
            except MalformedError:
                return None
    return None


def _new_session(
    work: Work, account: Account, peer_key: Curve25519Key, one_time_key: Curve25519Key
) -> StoredOlmSession:
    session = account.create_outbound_session(
        Curve25519PublicKey.from_base64(peer_key), Curve25519PublicKey.from_base64(one_time_key)
    )
    return _session_row(work, session, peer_key)


def _session_row(work: Work, session: Session, peer_key: Curve25519Key) -> StoredOlmSession:
    session_id = OlmSessionId(session.session_id)
    pickle = work.sealer.pickle(session)
    return StoredOlmSession(work.me.user_id, session_id, peer_key, pickle, work.now_ms, work.now_ms)


async def begin_unwedging(work: Work, user_id: UserId, device_id: DeviceId) -> None:
    """Have a fresh session made with a device whose messages we can't read, unless one was made lately."""
    for row in await work.store.unwedgings(work.me.user_id):
        if (row.peer_user, row.peer_device) == (user_id, device_id) and (work.now_ms - row.at_ms < UNWEDGING_REST_MS):
            return
    fresh = StoredUnwedging(work.me.user_id, user_id, device_id, pending=True, at_ms=work.now_ms)
    await work.store.put_unwedging(fresh)


async def to_mend(work: Work) -> frozenset[tuple[UserId, DeviceId]]:
    """The devices that a fresh session has still to be made with."""
    rows = await work.store.unwedgings(work.me.user_id)
    return frozenset((row.peer_user, row.peer_device) for row in rows if row.pending)


async def _greet_mended(
    work: Work, asked: Collection[tuple[UserId, DeviceId]], opened: Mapping[Peer, StoredOlmSession]
) -> None:
    """Nobody is asked for again before the next failure: a device that is gone must not keep us busy."""
    peers = {peer.name: peer for peer in opened}
    mended = []
    for row in await work.store.unwedgings(work.me.user_id):
        name = (row.peer_user, row.peer_device)
        if row.pending and name in asked:
            await work.store.put_unwedging(replace(row, pending=False))
            mended += [peers[name]] if name in peers else []
    if mended:
        sessions = {peer.device.curve25519: opened[peer] for peer in mended}
        messages = await encrypt_each(work, sessions, "m.dummy", [(peer, {}) for peer in mended])
        body = {"messages": messages}
        await work.store.put_requests([new_request(work, RequestKind.TO_DEVICE, body, "m.room.encrypted")])


# Decrypting


@frozen
class OlmMessage:
    """An Olm message to us, read but not decrypted."""

    sender_key: Curve25519Key
    kind: int
    body: bytes
    digest: MessageDigest


def read_message(content: JsonObject, own_key: Curve25519Key) -> OlmMessage | None:
    """The part of an `m.room.encrypted` that is for our device, None without any; may raise `MalformedError`."""
    if content.get("algorithm") != OLM:
        raise MalformedError("algorithm")
    part = optional_object(required_object(content, "ciphertext"), own_key)
    if not part:
        return None
    kind, body = part.get("type"), unpadded(required_text(part, "body"))
    if not isinstance(kind, int) or isinstance(kind, bool) or kind not in {_PRE_KEY, _NORMAL}:
        raise MalformedError("type")
    digest = MessageDigest(hashlib.sha256(body).hexdigest())
    return OlmMessage(curve25519(content.get("sender_key")), kind, body, digest)


def _nothing() -> None:
    """Nothing was read yet."""


class OlmReader:
    """Decrypts a batch of messages, and writes everything that changed down at its end.

    The account is opened only when a message opens a session, and its used one-time keys are gone from the
    stored account in the same transaction.
    """

    def __init__(self, work: Work, rows: Sequence[StoredOlmSession], seen: Collection[MessageDigest]) -> None:
        """Use `open`."""
        self._work = work
        self._rows: dict[Curve25519Key, list[StoredOlmSession]] = {}
        for row in rows:
            self._rows.setdefault(row.peer_key, []).append(row)
        self._sessions: dict[OlmSessionId, Session] = {}
        self._used: dict[OlmSessionId, StoredOlmSession] = {}
        self._account: Account | None = None
        self._account_changed = False
        self._undo: Callable[[], None] = _nothing
        """Makes what the last message was read with as it was before."""
        self._seen = set(seen)
        self._read: list[StoredOlmMessage] = []

    @classmethod
    async def open(cls, work: Work, messages: Collection[OlmMessage]) -> Self:
        """Load what these messages need, in two reads."""
        user_id = work.me.user_id
        rows = await work.store.olm_sessions(user_id, {message.sender_key for message in messages})
        seen = await work.store.seen_olm_messages(user_id, {message.digest for message in messages})
        return cls(work, rows, seen)

    def was_read(self, message: OlmMessage) -> bool:
        """Whether it was decrypted before: a replay, or delivered by a sweep and a transaction both."""
        return message.digest in self._seen

    def decrypt(self, message: OlmMessage) -> bytes:
        """The plaintext. Raises ValueError (vodozemac's errors are such) when no session reads it."""
        read = self._decrypt_pre_key if message.kind == _PRE_KEY else self._decrypt_normal
        plaintext = read(message)
        self._seen.add(message.digest)
        self._read.append(StoredOlmMessage(self._work.me.user_id, message.digest, self._work.now_ms))
        return plaintext

    def take_back(self, message: OlmMessage) -> None:
        """The last message that was decrypted is not what its envelope says: nothing of it counts. Who made that
        envelope may have had the ciphertext of a genuine one, which still has to be readable."""
        self._undo()
        self._seen.discard(message.digest)
        self._read.pop()

    async def close(self) -> None:
        """Store advanced sessions, the account if it changed, and what was read; forget surplus sessions."""
        work = self._work
        await work.store.put_olm_sessions(
            [
                replace(row, pickle=work.sealer.pickle(self._session(row)), used_at_ms=work.now_ms)
                for row in self._used.values()
            ]
        )
        await work.store.put_olm_messages(self._read)
        if self._account is not None and self._account_changed:
            await work.store.put_identity(replace(work.me, account=work.sealer.pickle(self._account)))
        for rows in self._rows.values():
            if len(rows) > SESSIONS_PER_DEVICE:
                surplus = [row.session_id for row in rows[SESSIONS_PER_DEVICE:]]
                await work.store.delete_olm_sessions(work.me.user_id, surplus)

    def _decrypt_pre_key(self, message: OlmMessage) -> bytes:
        pre_key = PreKeyMessage.from_base64(unpadded_base64(message.body))
        rows = self._rows.setdefault(message.sender_key, [])
        for row in rows:
            session = self._session(row)
            if session.session_matches(pre_key):
                return self._decrypt_with(row, pre_key.to_any())
        self._account = self._account or open_account(self._work)
        account, changed = self._work.sealer.pickle(self._account), self._account_changed
        session, plaintext = self._account.create_inbound_session(
            Curve25519PublicKey.from_base64(message.sender_key), pre_key
        )
        self._account_changed = True
        row = _session_row(self._work, session, message.sender_key)
        rows.insert(0, row)
        self._sessions[row.session_id] = session
        self._used[row.session_id] = row

        def undo() -> None:
            self._account = self._work.sealer.unpickle(Account.from_pickle, account)
            self._account_changed = changed
            rows.remove(row)
            del self._sessions[row.session_id], self._used[row.session_id]

        self._undo = undo
        return plaintext

    def _decrypt_normal(self, message: OlmMessage) -> bytes:
        normal = AnyOlmMessage.normal(message.body)
        for row in self._rows.get(message.sender_key, []):
            try:
                return self._decrypt_with(row, normal)
            except ValueError:
                continue
        raise MalformedError("no session reads it")

    def _decrypt_with(self, row: StoredOlmSession, message: AnyOlmMessage) -> bytes:
        session = self._session(row)
        before, was_used = self._work.sealer.pickle(session), row.session_id in self._used
        plaintext = session.decrypt(message)
        self._used[row.session_id] = row

        def undo() -> None:
            self._sessions[row.session_id] = self._work.sealer.unpickle(Session.from_pickle, before)
            if not was_used:
                del self._used[row.session_id]

        self._undo = undo
        return plaintext

    def _session(self, row: StoredOlmSession) -> Session:
        session = self._sessions.get(row.session_id)
        if session is None:
            session = self._work.sealer.unpickle(Session.from_pickle, row.pickle)
            self._sessions[row.session_id] = session
        return session
