"""One harmless event for devices that get no keys: telling their owner how to put that right."""

from collections.abc import Collection
from dataclasses import field

from vodozemac import GroupSession

from appservice.crypto import outgoing
from appservice.crypto.devices import eligible
from appservice.crypto.ids import DeviceId, UserId
from appservice.crypto.olm import Peer, encrypt_each
from appservice.crypto.outbound import Audience, Frozen, NeedsDevices, NeedsSessions, fresh_lists, sessions_with
from appservice.crypto.requests import OutgoingRequest
from appservice.crypto.rows import RequestKind
from appservice.crypto.sharing import RoomKey, encrypt_event
from appservice.crypto.untrusted import JsonObject
from appservice.crypto.work import Work
from policies.frozen import frozen


@frozen
class Notice:
    """An event of a session made for it alone: send the requests, then the event."""

    content: JsonObject = field(repr=False)
    requests: tuple[OutgoingRequest, ...]
    key: RoomKey


async def encrypt_notice(
    work: Work,
    audience: Audience,
    unsigned_of: UserId,
    event_type: str,
    content: JsonObject,
    *,
    unreachable: Collection[tuple[UserId, DeviceId]],
) -> NeedsDevices | NeedsSessions | Frozen | Notice:
    """Encrypt one harmless event for the audience, and for the unsigned devices of one person in it. Wants the
    identity's lock.

    Its session is made, used once and forgotten within this call, so it can never carry anything else: this is
    how the owner of an unsigned device is told how to put it right.
    """
    lists = await fresh_lists(work, audience.members)
    if isinstance(lists, NeedsDevices | Frozen):
        return lists
    peers = [
        Peer(row.user_id, device)
        for row in lists
        for device in (row.devices if row.user_id == unsigned_of else eligible(row))
    ]
    olm = await sessions_with(work, peers, unreachable)
    if isinstance(olm, NeedsSessions):
        return olm
    ratchet = GroupSession()
    key = RoomKey.next_of(audience.room_id, ratchet)
    reachable = [(peer, key.content) for peer in peers if peer.device.curve25519 in olm]
    messages = await encrypt_each(work, olm, "m.room_key", reachable)
    rows = [outgoing.new_request(work, RequestKind.TO_DEVICE, {"messages": messages}, "m.room.encrypted")]
    requests = await outgoing.hand_out(work, rows if messages else [])
    return Notice(encrypt_event(work, ratchet, audience.room_id, event_type, content), requests, key)
