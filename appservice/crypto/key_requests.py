"""Asking for keys we lack, and answering those who ask for ours."""

import json
from dataclasses import replace

from vodozemac import InboundGroupSession

from appservice.crypto.devices import by_user, eligible
from appservice.crypto.ids import DeviceId, MegolmSessionId, RoomId, UserId
from appservice.crypto.inbound import MEGOLM, KeyContent, KeySender
from appservice.crypto.olm import Peer, encrypt_each, newest_sessions
from appservice.crypto.outgoing import new_request
from appservice.crypto.rows import (
    KeyOrigin,
    RequestKind,
    ShareState,
    StoredInbound,
    StoredKeyRequest,
    StoredShare,
)
from appservice.crypto.untrusted import JsonObject, required_id, required_object
from appservice.crypto.work import Work

ANSWER_REST_MS = 60_000
"""A device that asks for a key again is answered at most this often."""

_REQUEST = "m.room_key_request"


async def ask(work: Work, room_id: RoomId, session_id: MegolmSessionId, sender: UserId) -> None:
    """Ask every device of the session's owner for it (`m.room_key_request` to `*`).

    Asking again while a request is open sends the same request id again, which a peer may ignore.
    """
    request = new_request(work, RequestKind.TO_DEVICE, {}, _REQUEST)
    known = await work.store.key_request(work.me.user_id, room_id, session_id)
    request_id = known.request_id if known else request.request_id
    content = {
        "action": "request",
        "body": {"algorithm": MEGOLM, "room_id": room_id, "session_id": session_id},
        "request_id": request_id,
        "requesting_device_id": work.me.device_id,
    }
    row = StoredKeyRequest(work.me.user_id, room_id, session_id, sender, request_id, work.now_ms)
    await work.store.put_key_request(row)
    body = {"messages": {sender: {"*": content}}}
    await work.store.put_requests([replace(request, body=json.dumps(body))])


async def arrived(work: Work, room_id: RoomId, session_id: MegolmSessionId) -> None:
    """Withdraw what we asked for this session, now that we have it."""
    row = await work.store.key_request(work.me.user_id, room_id, session_id)
    if row is None:
        return
    content = {
        "action": "request_cancellation",
        "request_id": row.request_id,
        "requesting_device_id": work.me.device_id,
    }
    body = {"messages": {row.sender: {"*": content}}}
    await work.store.delete_key_request(work.me.user_id, room_id, session_id)
    await work.store.put_requests([new_request(work, RequestKind.TO_DEVICE, body, _REQUEST)])


async def was_asked_for(work: Work, sender: KeySender, key: KeyContent, content: JsonObject) -> bool:
    """Whether a forwarded key may be kept: we asked that person, and the device that answers owns the session."""
    row = await work.store.key_request(work.me.user_id, key.room_id, key.session_id)
    return (
        row is not None
        and row.sender == sender.user_id
        and content.get("sender_key") == sender.key
        and content.get("sender_claimed_ed25519_key") == sender.signing_key
    )


async def answer(work: Work, asker: UserId, content: JsonObject) -> None:
    """Send our session again to a device that was given it, from the index it was given it from.

    Nobody learns more than what was shared with that very device, and only while its owner vouches for it; all
    other requests are ignored in silence. Raises `MalformedError`.
    """
    if content.get("action") != "request":
        return
    wanted = required_object(content, "body")
    device_id = DeviceId(required_id(content, "requesting_device_id"))
    room_id = RoomId(required_id(wanted, "room_id"))
    session_id = MegolmSessionId(required_id(wanted, "session_id"))
    share = await _given(work, session_id, asker, device_id)
    if share is None or work.now_ms - share.at_ms < ANSWER_REST_MS:
        return
    peer = await _still_eligible(work, share)
    copies = await work.store.inbound(room_id, [session_id])
    own = [row for row in copies if row.user_id == work.me.user_id and row.origin is KeyOrigin.OWN]
    if peer is None or not own:
        return
    await _send_again(work, peer, own[0], share)


async def _given(work: Work, session_id: MegolmSessionId, user_id: UserId, device_id: DeviceId) -> StoredShare | None:
    for share in await work.store.shares(work.me.user_id, session_id):
        if (share.peer_user, share.peer_device) == (user_id, device_id) and (share.state is not ShareState.WITHHELD):
            return share
    return None


async def _still_eligible(work: Work, share: StoredShare) -> Peer | None:
    lists = by_user(await work.store.device_lists([share.peer_user]))
    for device in eligible(lists[share.peer_user]) if share.peer_user in lists else ():
        if (device.device_id, device.curve25519) == (share.peer_device, share.peer_key):
            return Peer(share.peer_user, device)
    return None


async def _send_again(work: Work, peer: Peer, own: StoredInbound, share: StoredShare) -> None:
    session = work.sealer.unpickle(InboundGroupSession.from_pickle, own.pickle)
    exported = session.export_at(share.message_index)
    sessions = await newest_sessions(work, [share.peer_key])
    if exported is None or not sessions:
        return
    content = {
        "algorithm": MEGOLM,
        "room_id": own.room_id,
        "session_id": own.session_id,
        "session_key": exported.to_base64(),
        "sender_key": work.me.curve25519,
        "sender_claimed_ed25519_key": work.me.ed25519,
        "forwarding_curve25519_key_chain": [],
    }
    messages = await encrypt_each(work, sessions, "m.forwarded_room_key", [(peer, content)])
    request = new_request(work, RequestKind.TO_DEVICE, {"messages": messages}, "m.room.encrypted")
    await work.store.put_requests([request])
    await work.store.put_shares([replace(share, at_ms=work.now_ms)])
