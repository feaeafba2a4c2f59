"""A Megolm session and the devices that are given, or refused, its key."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import field
from typing import Self, TypeAlias

from vodozemac import GroupSession, InboundGroupSession

from appservice.crypto.ids import Curve25519Key, DeviceId, MegolmSessionId, RoomId, UserId
from appservice.crypto.inbound import MEGOLM
from appservice.crypto.olm import Peer, encrypt_each
from appservice.crypto.outgoing import new_request
from appservice.crypto.rows import (
    KeyOrigin,
    RequestKind,
    ShareState,
    StoredInbound,
    StoredOlmSession,
    StoredOutbound,
    StoredRequest,
    StoredShare,
)
from appservice.crypto.untrusted import JsonObject, optional_object
from appservice.crypto.work import Work
from policies.frozen import frozen

UNVERIFIED = "m.unverified"
NO_OLM = "m.no_olm"

_WITHHELD_REASONS = {
    UNVERIFIED: "The device is not cross-signed by its owner",
    NO_OLM: "Unable to establish a secure channel",
}
_DEVICES_PER_REQUEST = 100

Shares: TypeAlias = Mapping[tuple[UserId, DeviceId], StoredShare]
"""What each device got of one session."""


async def new_session(work: Work, room_id: RoomId) -> StoredOutbound:
    """A room's new session, stored, and our own copy to read it with."""
    ratchet = GroupSession()
    session_id = MegolmSessionId(ratchet.session_id)
    own = InboundGroupSession(ratchet.session_key)
    session = StoredOutbound(
        work.me.user_id, room_id, session_id, work.sealer.pickle(ratchet), 0, work.now_ms, retired=False
    )
    await work.store.put_outbound(session)
    await work.store.put_inbound(
        [
            StoredInbound(
                user_id=work.me.user_id,
                room_id=room_id,
                session_id=session_id,
                sender=work.me.user_id,
                sender_key=work.me.curve25519,
                sender_ed25519=work.me.ed25519,
                sender_device=work.me.device_id,
                vouched_by=work.me.master_key,
                origin=KeyOrigin.OWN,
                pickle=work.sealer.pickle(own),
                first_known_index=0,
                received_at_ms=work.now_ms,
            )
        ]
    )
    return session


@frozen
class RoomKey:
    """A session's key as it was before one message: it reads that message and all after it, and no earlier one."""

    room_id: RoomId
    session_id: MegolmSessionId
    message_index: int
    session_key: str = field(repr=False)

    @classmethod
    def next_of(cls, room_id: RoomId, ratchet: GroupSession) -> Self:
        """The key for the next message and all after it."""
        session_id = MegolmSessionId(ratchet.session_id)
        return cls(room_id, session_id, ratchet.message_index, ratchet.session_key.to_base64())

    @property
    def content(self) -> JsonObject:
        """The content of an `m.room_key`."""
        return {
            "algorithm": MEGOLM,
            "room_id": self.room_id,
            "session_id": self.session_id,
            "session_key": self.session_key,
        }


def encrypt_event(
    work: Work, ratchet: GroupSession, room_id: RoomId, event_type: str, content: JsonObject
) -> JsonObject:
    """The content of an `m.room.encrypted`. Advances the ratchet; the caller stores it, or forgets it."""
    plaintext = {"room_id": room_id, "type": event_type, "content": content}
    data = json.dumps(plaintext, separators=(",", ":"), ensure_ascii=False).encode()
    relation = optional_object(content, "m.relates_to")
    return {
        "algorithm": MEGOLM,
        "sender_key": work.me.curve25519,
        "device_id": work.me.device_id,
        "session_id": ratchet.session_id,
        "ciphertext": ratchet.encrypt(data).to_base64(),
        **({"m.relates_to": relation} if relation else {}),
    }


class Sharing:
    """Writes the shares of one session down, and the requests that carry them."""

    def __init__(self, work: Work, key: RoomKey, shares: Shares) -> None:
        """`shares`: what was given of this session before."""
        self._work = work
        self._key = key
        self._shares = shares
        self._new: list[StoredRequest] = []

    async def share(self, peers: Sequence[Peer], olm: Mapping[Curve25519Key, StoredOlmSession]) -> None:
        """Give these devices the key."""
        for batch in _batches(peers):
            contents = [(peer, self._key.content) for peer in batch]
            messages = await encrypt_each(self._work, olm, "m.room_key", contents)
            request = self._request("m.room.encrypted", messages)
            await self._put(batch, ShareState.PENDING, "", request)

    async def withhold(self, peers: Sequence[Peer], code: str) -> None:
        """Refuse these devices the key, and tell them once."""
        told = [peer for peer in peers if self._was_told(peer, code)]
        await self._put(told, ShareState.WITHHELD, code, None)
        for batch in _batches([peer for peer in peers if peer not in told]):
            content = self._withheld(code)
            messages: dict[UserId, dict[DeviceId, JsonObject]] = {}
            for peer in batch:
                messages.setdefault(peer.user_id, {})[peer.device.device_id] = content
            request = self._request("m.room_key.withheld", messages)
            await self._put(batch, ShareState.WITHHELD, code, request)

    async def requests(self) -> list[StoredRequest]:
        """The new requests, and the earlier ones of this session that were never acknowledged."""
        pending = {row.request_id for row in self._shares.values() if row.state is ShareState.PENDING}
        if not pending:
            return self._new
        rows = await self._work.store.requests(self._work.me.user_id)
        return [row for row in rows if row.request_id in pending] + self._new

    def _was_told(self, peer: Peer, code: str) -> bool:
        share = self._shares.get(peer.name)
        return share is not None and share.state is ShareState.WITHHELD and share.code == code

    def _request(self, event_type: str, messages: Mapping[UserId, Mapping[DeviceId, JsonObject]]) -> StoredRequest:
        request = new_request(self._work, RequestKind.TO_DEVICE, {"messages": messages}, event_type)
        self._new.append(request)
        return request

    def _withheld(self, code: str) -> JsonObject:
        content = {
            "algorithm": MEGOLM,
            "sender_key": self._work.me.curve25519,
            "code": code,
            "reason": _WITHHELD_REASONS[code],
        }
        if code == NO_OLM:
            return content
        return {**content, "room_id": self._key.room_id, "session_id": self._key.session_id}

    async def _put(self, peers: Iterable[Peer], state: ShareState, code: str, request: StoredRequest | None) -> None:
        await self._work.store.put_shares(
            [
                StoredShare(
                    user_id=self._work.me.user_id,
                    session_id=self._key.session_id,
                    peer_user=peer.user_id,
                    peer_device=peer.device.device_id,
                    peer_key=peer.device.curve25519,
                    state=state,
                    message_index=self._key.message_index,
                    code=code,
                    request_id=request.request_id if request else None,
                    at_ms=self._work.now_ms,
                )
                for peer in peers
            ]
        )


def _batches(peers: Sequence[Peer]) -> Iterator[Sequence[Peer]]:
    for start in range(0, len(peers), _DEVICES_PER_REQUEST):
        yield peers[start : start + _DEVICES_PER_REQUEST]
