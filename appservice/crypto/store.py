"""The port through which the Olm machines keep their state (`rows`).

A `CryptoStore` is ONE open unit of work: every call happens inside a database transaction that the
caller opened and will commit or roll back. No method commits, calls the network or waits for anything
but the database. Within a unit of work, what was written is what is read.

Locks (PostgreSQL: `SELECT … FOR UPDATE`; SQLite: the one writer of `BEGIN IMMEDIATE`): `identity(lock=True)`
guards an identity's account, Olm sessions and requests, `outbound(lock=True)` one Megolm ratchet,
`device_lists(lock=True)` the lists. They are taken in the order identity → device lists → outbound, and a unit of
work ends before any HTTP begins. A lock on a row that does not exist locks nothing: an outbound session is created
only under the lock of its identity, and an identity only under the lock of its own device list.
"""

from collections.abc import Collection, Sequence
from typing import Protocol

from appservice.crypto.ids import (
    Curve25519Key,
    DeviceId,
    MegolmSessionId,
    MessageDigest,
    OlmSessionId,
    RequestId,
    RoomId,
    UserId,
)
from appservice.crypto.rows import (
    StoredDeviceList,
    StoredIdentity,
    StoredInbound,
    StoredIndex,
    StoredKeyRequest,
    StoredMasterKey,
    StoredOlmMessage,
    StoredOlmSession,
    StoredOutbound,
    StoredRequest,
    StoredShare,
    StoredUnwedging,
    StoredVerification,
    StoredWithheld,
)


class CryptoStore(Protocol):
    """The state of all our identities, seen from inside one open transaction. See the module's words."""

    # Identities: under `identity(lock=True)` unless said otherwise.

    async def identity(self, user_id: UserId, *, lock: bool = False) -> StoredIdentity | None:
        """The identity, or None. With `lock`, its row stays locked until the unit of work ends."""
        ...

    async def put_identity(self, row: StoredIdentity) -> None:
        """Insert or replace."""
        ...

    async def identities(self) -> Sequence[tuple[UserId, DeviceId]]:
        """The user and device of every identity that is `ready`. Needs no lock."""
        ...

    async def unfinished_identities(self) -> Sequence[UserId]:
        """Those not `ready`, oldest first. Needs no lock."""
        ...

    async def forget_device(self, user_id: UserId) -> None:
        """Delete whatever belongs to this identity's device: Olm sessions, digests and unwedgings, outbound sessions
        and their shares, requests and key requests. What it can read with (inbound sessions) stays."""
        ...

    # Olm

    async def olm_sessions(self, user_id: UserId, peer_keys: Collection[Curve25519Key]) -> Sequence[StoredOlmSession]:
        """The identity's sessions with these devices, most recently used first (ties: newest first)."""
        ...

    async def put_olm_sessions(self, rows: Collection[StoredOlmSession]) -> None:
        """Insert or replace each."""
        ...

    async def delete_olm_sessions(self, user_id: UserId, session_ids: Collection[OlmSessionId]) -> None:
        """Delete those that exist."""
        ...

    async def seen_olm_messages(self, user_id: UserId, digests: Collection[MessageDigest]) -> frozenset[MessageDigest]:
        """Those of `digests` that this identity has decrypted already."""
        ...

    async def put_olm_messages(self, rows: Collection[StoredOlmMessage]) -> None:
        """Insert each; one that is there already stays as it is."""
        ...

    async def unwedgings(self, user_id: UserId) -> Sequence[StoredUnwedging]:
        """All of this identity's, in any order."""
        ...

    async def put_unwedging(self, row: StoredUnwedging) -> None:
        """Insert or replace."""
        ...

    # Megolm, inbound. Readable without a lock; an identity's rows are written under its lock.

    async def inbound(self, room_id: RoomId, session_ids: Collection[MegolmSessionId]) -> Sequence[StoredInbound]:
        """Every identity's copies of these sessions in this room, lowest `first_known_index` first."""
        ...

    async def put_inbound(self, rows: Collection[StoredInbound]) -> None:
        """Insert or replace each."""
        ...

    async def withheld(self, room_id: RoomId, session_ids: Collection[MegolmSessionId]) -> Sequence[StoredWithheld]:
        """Every identity's withheld notices for these sessions in this room."""
        ...

    async def put_withheld(self, row: StoredWithheld) -> None:
        """Insert or replace."""
        ...

    async def claim_indexes(self, rows: Collection[StoredIndex]) -> Sequence[StoredIndex]:
        """Insert each unless its key is taken; then return, for every key asked for, the row that holds it.

        The first of two rows with one key in one call wins. Safe against parallel claims: exactly one wins.
        """
        ...

    async def key_request(
        self, user_id: UserId, room_id: RoomId, session_id: MegolmSessionId
    ) -> StoredKeyRequest | None:
        """The open request for this session, or None."""
        ...

    async def put_key_request(self, row: StoredKeyRequest) -> None:
        """Insert or replace."""
        ...

    async def delete_key_request(self, user_id: UserId, room_id: RoomId, session_id: MegolmSessionId) -> None:
        """Delete it if it is there."""
        ...

    # Megolm, outbound

    async def outbound(self, user_id: UserId, room_id: RoomId, *, lock: bool = False) -> StoredOutbound | None:
        """The room's current session, or None. With `lock`, its row stays locked until the end."""
        ...

    async def put_outbound(self, row: StoredOutbound) -> None:
        """Insert, or replace the room's session whichever it was. The shares of another session stay."""
        ...

    async def shares(self, user_id: UserId, session_id: MegolmSessionId) -> Sequence[StoredShare]:
        """Who got this session."""
        ...

    async def put_shares(self, rows: Collection[StoredShare]) -> None:
        """Insert or replace each."""
        ...

    async def acknowledge_shares(self, request_id: RequestId) -> None:
        """Turn the PENDING shares that this request carried into SENT; others stay as they are."""
        ...

    # Requests

    async def requests(self, user_id: UserId) -> Sequence[StoredRequest]:
        """All of the identity's, in the order they were first put."""
        ...

    async def request(self, request_id: RequestId) -> StoredRequest | None:
        """One, or None when it was acknowledged (deleted) already."""
        ...

    async def put_requests(self, rows: Collection[StoredRequest]) -> None:
        """Insert or replace each; a replaced one keeps its place in the order."""
        ...

    async def delete_request(self, request_id: RequestId) -> None:
        """Delete it if it is there."""
        ...

    async def request_owners(self, now_ms: int) -> Sequence[UserId]:
        """Identities that have a request whose lease is over (`leased_until_ms <= now_ms`). Needs no lock."""
        ...

    # Device lists (of everybody, shared by all identities)

    async def device_lists(self, user_ids: Collection[UserId], *, lock: bool = False) -> Sequence[StoredDeviceList]:
        """The lists that are kept, of these people. With `lock`, rows are locked in the order of user ids."""
        ...

    async def put_device_list(self, row: StoredDeviceList) -> None:
        """Insert, or replace everything but `changed`, which only `track` and `mark_changed` write."""
        ...

    async def track(self, user_ids: Collection[UserId]) -> None:
        """Begin to keep a list (stale, pin NONE, `changed` 1, `fetched` 0) for each who has none."""
        ...

    async def mark_changed(self, user_ids: Collection[UserId]) -> None:
        """Add one to `changed` of those whose list is kept; atomic, without reading first."""
        ...

    async def stale_people(self, limit: int) -> Sequence[UserId]:
        """Up to `limit` people whose list is stale, in the order of user ids."""
        ...

    async def old_people(self, before_ms: int, limit: int) -> Sequence[UserId]:
        """Up to `limit` people whose list was last fetched before that moment, oldest first."""
        ...

    # Trust. Under the lock of the identity that verifies.

    async def verification(self, peer_user: UserId) -> StoredVerification | None:
        """The one that is under way with this person, or None."""
        ...

    async def verifications(self) -> Sequence[StoredVerification]:
        """All that are under way, oldest first. Needs no lock."""
        ...

    async def put_verification(self, row: StoredVerification) -> None:
        """Insert or replace."""
        ...

    async def delete_verification(self, peer_user: UserId) -> None:
        """Delete it if it is there."""
        ...

    async def master_keys(self, user_ids: Collection[UserId]) -> Sequence[StoredMasterKey]:
        """Every master key that was seen of these people, in any order. Needs no lock."""
        ...

    async def put_master_key(self, row: StoredMasterKey) -> None:
        """Insert, or replace everything but `seen_at_ms`."""
        ...

    # Housekeeping

    async def prune(self, before_ms: int) -> None:
        """Forget what is older: Olm digests, and shares of sessions that are no room's current one."""
        ...
