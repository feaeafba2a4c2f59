"""Megolm, writing: a room's session, who is given its key, and encrypting with it.

`prepare` is called again and again, each time in its own transaction, and says what must happen on the network
before the next call; `encrypt` refuses until every recipient has what it must have.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import field, replace
from enum import StrEnum
from typing import TypeAlias

from vodozemac import GroupSession

from appservice.crypto import outgoing
from appservice.crypto.devices import eligible
from appservice.crypto.ids import Curve25519Key, DeviceId, MegolmSessionId, RoomId, UserId
from appservice.crypto.olm import Peer, newest_sessions
from appservice.crypto.requests import KeysClaim, KeysQuery, OutgoingRequest, claim_of, query_of
from appservice.crypto.rows import (
    Pin,
    ShareState,
    StoredDeviceList,
    StoredOlmSession,
    StoredOutbound,
)
from appservice.crypto.sharing import NO_OLM, UNVERIFIED, RoomKey, Shares, Sharing, encrypt_event, new_session
from appservice.crypto.untrusted import JsonObject
from appservice.crypto.work import Work
from policies.frozen import frozen

NO_OLM_REST_MS = 600_000
"""A device without one-time keys is tried again after this long."""


@frozen
class Rotation:
    """When a room's session must be replaced (`m.room.encryption`)."""

    period_ms: int = 604_800_000
    messages: int = 100


@frozen
class Audience:
    """Who may read what an identity writes in a room: the wanted members who have joined."""

    room_id: RoomId
    members: frozenset[UserId]
    rotation: Rotation


@frozen
class NeedsDevices:
    """Somebody's device list is unknown or stale: send this, take the answer in, prepare again."""

    query: KeysQuery


@frozen
class NeedsSessions:
    """There are devices without an Olm session: send this, take the answer in, prepare again, naming the
    devices that were unreachable."""

    claim: KeysClaim


@frozen
class Frozen:
    """These members' pinned identity was replaced: nothing is sent until a person has confirmed it."""

    people: frozenset[UserId]


@frozen
class Prepared:
    """The key is written down for everyone it is for. Send these, take the answers in; then encrypt."""

    requests: tuple[OutgoingRequest, ...]


Preparation: TypeAlias = NeedsDevices | NeedsSessions | Frozen | Prepared


class NotReadyReason(StrEnum):
    """Why nothing was encrypted; `prepare` mends each."""

    DEVICES_STALE = "devices_stale"
    ROTATION_DUE = "rotation_due"
    """There is no session, or it is used up, or somebody who holds its key may not read on."""
    NOT_SHARED = "not_shared"
    """A device that must have the key has not certainly got it."""


@frozen
class NotReady:
    """Nothing was encrypted: prepare (again)."""

    reason: NotReadyReason


@frozen
class Encrypted:
    """The content of an `m.room.encrypted` event. Its index is used up as soon as the transaction commits."""

    content: JsonObject = field(repr=False)
    key: RoomKey
    """What reads it, for those of the audience who come in before it does (`share_later`)."""

    @property
    def session_id(self) -> MegolmSessionId:
        """The session that it is encrypted with."""
        return self.key.session_id

    @property
    def message_index(self) -> int:
        """The index that it used up."""
        return self.key.message_index


async def prepare(work: Work, audience: Audience, unreachable: Collection[tuple[UserId, DeviceId]]) -> Preparation:
    """One step towards being able to encrypt. Wants the identity's lock; takes the room's.

    `unreachable`: the devices for which an earlier step's claim brought nothing; they are told so
    (`m.no_olm`) and left out.
    """
    lists = await fresh_lists(work, audience.members)
    if isinstance(lists, NeedsDevices | Frozen):
        return lists
    session = await work.store.outbound(work.me.user_id, audience.room_id, lock=True)
    shares = await _shares_of(work, session.session_id) if session else {}
    if session is None or not _usable(work, session, shares, lists, audience.rotation):
        session, shares = None, {}
    key = _key_of(work, session) if session else None
    wanted = [peer for peer in _eligible_peers(lists) if _lacks_key(work, shares, peer, key)]
    olm = await sessions_with(work, wanted, unreachable)
    if isinstance(olm, NeedsSessions):
        return olm
    if key is None:
        key = _key_of(work, await new_session(work, audience.room_id))
    writer = Sharing(work, key, shares)
    await _share(writer, wanted, olm)
    await writer.withhold([peer for peer in _unsigned_peers(lists) if peer.name not in shares], UNVERIFIED)
    return Prepared(await outgoing.hand_out(work, await writer.requests()))


async def share_later(
    work: Work, key: RoomKey, newcomers: frozenset[UserId], unreachable: Collection[tuple[UserId, DeviceId]]
) -> NeedsDevices | NeedsSessions | Prepared:
    """Like `prepare`, for an event that is encrypted already: give its key to people of its audience who came in
    after we had looked who is there, and before it did. Whose identity is in doubt gets nothing.
    """
    lists = await fresh_lists(work, newcomers)
    if isinstance(lists, Frozen):
        return await share_later(work, key, newcomers - lists.people, unreachable)
    if isinstance(lists, NeedsDevices):
        return lists
    await work.store.outbound(work.me.user_id, key.room_id, lock=True)
    shares = await _shares_of(work, key.session_id)
    wanted = [peer for peer in _eligible_peers(lists) if _lacks_key(work, shares, peer, key)]
    olm = await sessions_with(work, wanted, unreachable)
    if isinstance(olm, NeedsSessions):
        return olm
    names = {peer.name for peer in _eligible_peers(lists)}
    writer = Sharing(work, key, {name: share for name, share in shares.items() if name in names})
    await _share(writer, wanted, olm)
    return Prepared(await outgoing.hand_out(work, await writer.requests()))


async def encrypt(
    work: Work, audience: Audience, event_type: str, content: JsonObject
) -> Encrypted | NotReady | Frozen:
    """Encrypt an event for the audience, and store the advanced ratchet; takes the room's lock only.

    A relation is repeated outside the ciphertext, as servers and clients need it (spec, "m.room.encrypted").
    """
    lists = await fresh_lists(work, audience.members)
    if isinstance(lists, NeedsDevices):
        return NotReady(NotReadyReason.DEVICES_STALE)
    if isinstance(lists, Frozen):
        return lists
    session = await work.store.outbound(work.me.user_id, audience.room_id, lock=True)
    shares = await _shares_of(work, session.session_id) if session else {}
    if session is None or not _usable(work, session, shares, lists, audience.rotation):
        return NotReady(NotReadyReason.ROTATION_DUE)
    ratchet = work.sealer.unpickle(GroupSession.from_pickle, session.pickle)
    key = RoomKey.next_of(audience.room_id, ratchet)
    if not _complete(work, shares, lists, key):
        return NotReady(NotReadyReason.NOT_SHARED)
    encrypted = encrypt_event(work, ratchet, audience.room_id, event_type, content)
    await work.store.put_outbound(
        replace(session, pickle=work.sealer.pickle(ratchet), message_count=ratchet.message_index)
    )
    return Encrypted(encrypted, key)


async def retire(work: Work, room_id: RoomId) -> None:
    """Never encrypt with the room's current session again. Takes the room's lock."""
    session = await work.store.outbound(work.me.user_id, room_id, lock=True)
    if session is not None:
        await work.store.put_outbound(replace(session, retired=True))


# Who must have it


async def fresh_lists(work: Work, members: frozenset[UserId]) -> Sequence[StoredDeviceList] | NeedsDevices | Frozen:
    """Everybody's devices, our own excepted, if all are known and nobody is frozen."""
    others = members - {work.me.user_id}
    rows = await work.store.device_lists(others)
    if len(rows) < len(others):
        await work.store.track(others)
        rows = await work.store.device_lists(others)
    stale = {row.user_id: row.changed for row in rows if row.changed != row.fetched}
    if stale:
        return NeedsDevices(query_of(stale, work.me))
    frozen = frozenset(row.user_id for row in rows if row.pin is Pin.REPLACED)
    return Frozen(frozen) if frozen else rows


def _eligible_peers(lists: Iterable[StoredDeviceList]) -> list[Peer]:
    return [Peer(row.user_id, device) for row in lists for device in eligible(row)]


def _unsigned_peers(lists: Iterable[StoredDeviceList]) -> list[Peer]:
    return [Peer(row.user_id, device) for row in lists for device in row.devices if device not in eligible(row)]


def _key_of(work: Work, session: StoredOutbound) -> RoomKey:
    return RoomKey.next_of(session.room_id, work.sealer.unpickle(GroupSession.from_pickle, session.pickle))


async def _shares_of(work: Work, session_id: MegolmSessionId) -> Shares:
    rows = await work.store.shares(work.me.user_id, session_id)
    return {(row.peer_user, row.peer_device): row for row in rows}


async def sessions_with(
    work: Work, peers: Sequence[Peer], unreachable: Collection[tuple[UserId, DeviceId]]
) -> Mapping[Curve25519Key, StoredOlmSession] | NeedsSessions:
    """An Olm session with each of these devices, but for the unreachable ones."""
    olm = await newest_sessions(work, {peer.device.curve25519 for peer in peers})
    missing = {peer.name for peer in peers if peer.device.curve25519 not in olm} - set(unreachable)
    return NeedsSessions(claim_of(frozenset(missing), work.me)) if missing else olm


async def _share(writer: Sharing, peers: Sequence[Peer], olm: Mapping[Curve25519Key, StoredOlmSession]) -> None:
    """Give these devices the key, as far as they can be reached."""
    await writer.share([peer for peer in peers if peer.device.curve25519 in olm], olm)
    await writer.withhold([peer for peer in peers if peer.device.curve25519 not in olm], NO_OLM)


def _usable(
    work: Work,
    session: StoredOutbound,
    shares: Shares,
    lists: Iterable[StoredDeviceList],
    rotation: Rotation,
) -> bool:
    """Whether the session may go on: not used up, and everyone who holds its key may read on."""
    worn = (
        session.retired
        or session.message_count >= rotation.messages
        or not 0 <= work.now_ms - session.created_at_ms < rotation.period_ms
    )
    holders = {
        (share.peer_user, share.peer_device, share.peer_key)
        for share in shares.values()
        if share.state is not ShareState.WITHHELD
    }
    allowed = {(*peer.name, peer.device.curve25519) for peer in _eligible_peers(lists)}
    return not worn and holders <= allowed


def _lacks_key(work: Work, shares: Shares, peer: Peer, key: RoomKey | None) -> bool:
    """Whether a device that may have the key still has to be given it (or to be tried again)."""
    share = shares.get(peer.name)
    if share is None or share.state is not ShareState.WITHHELD:
        return share is None or (key is not None and share.message_index > key.message_index)
    return share.code != NO_OLM or work.now_ms - share.at_ms >= NO_OLM_REST_MS


def _complete(work: Work, shares: Shares, lists: Sequence[StoredDeviceList], key: RoomKey) -> bool:
    """Whether everyone has certainly got the key, or has been refused it."""
    given = all(
        not _lacks_key(work, shares, peer, key) and shares[peer.name].state is not ShareState.PENDING
        for peer in _eligible_peers(lists)
    )
    return given and all(peer.name in shares for peer in _unsigned_peers(lists))
