"""One harmless event for devices that get no keys: telling their owner how to put that right."""

from collections.abc import Collection
from dataclasses import dataclass, field

from vodozemac import GroupSession

from appservice.crypto import outgoing
from appservice.crypto.ids import DeviceId, RoomId, UserId
from appservice.crypto.olm import Peer, encrypt_each, newest_sessions
from appservice.crypto.outbound import Frozen, NeedsDevices, NeedsSessions, fresh_lists
from appservice.crypto.requests import OutgoingRequest, claim_of
from appservice.crypto.rows import RequestKind
from appservice.crypto.sharing import encrypt_event, room_key
from appservice.crypto.untrusted import JsonObject
from appservice.crypto.work import Work


@dataclass(frozen=True, slots=True)
class Notice:
    """An event of a session made for it alone: send the requests, then the event."""

    content: JsonObject = field(repr=False)
    requests: tuple[OutgoingRequest, ...]


async def encrypt_notice(
    work: Work,
    room_id: RoomId,
    event_type: str,
    content: JsonObject,
    *,
    recipients: Collection[tuple[UserId, DeviceId]],
    unreachable: Collection[tuple[UserId, DeviceId]],
) -> NeedsDevices | NeedsSessions | Frozen | Notice:
    """Encrypt one harmless event for these devices, signed by their owners or not. Wants the identity's lock.

    Its session is made, used once and forgotten within this call, so it can never carry anything else: this is
    how the owner of an unsigned device is told how to put it right.
    """
    lists = await fresh_lists(work, frozenset(user_id for user_id, _ in recipients))
    if isinstance(lists, NeedsDevices | Frozen):
        return lists
    peers = [
        Peer(row.user_id, device)
        for row in lists
        for device in row.devices
        if (row.user_id, device.device_id) in recipients
    ]
    olm = await newest_sessions(work, {peer.device.curve25519 for peer in peers})
    missing = {peer.name for peer in peers if peer.device.curve25519 not in olm} - set(unreachable)
    if missing:
        return NeedsSessions(claim_of(frozenset(missing), work.me))
    ratchet = GroupSession()
    reachable = [peer for peer in peers if peer.device.curve25519 in olm]
    key = room_key(room_id, ratchet)
    messages = await encrypt_each(work, olm, "m.room_key", [(peer, key) for peer in reachable])
    rows = [outgoing.new_request(work, RequestKind.TO_DEVICE, {"messages": messages}, "m.room.encrypted")]
    requests = await outgoing.hand_out(work, rows if messages else [])
    return Notice(encrypt_event(work, ratchet, room_id, event_type, content), requests)
