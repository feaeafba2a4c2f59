"""A crypto store in memory: one unit of work at a time, committed or rolled back as a whole."""

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from appservice.crypto.ids import (
    Curve25519Key,
    DeviceId,
    Ed25519Key,
    MegolmSessionId,
    MessageDigest,
    OlmSessionId,
    RequestId,
    RoomId,
    UserId,
)
from appservice.crypto.rows import (
    Pin,
    ShareState,
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

InboundKey = tuple[UserId, RoomId, MegolmSessionId, Curve25519Key]
ShareKey = tuple[UserId, MegolmSessionId, UserId, DeviceId]


@dataclass
class Tables:
    """Every table, keyed as the rows say; insertion order is the order of first being put."""

    identities: dict[UserId, StoredIdentity] = field(default_factory=dict)
    olm_sessions: dict[tuple[UserId, OlmSessionId], StoredOlmSession] = field(default_factory=dict)
    olm_messages: dict[tuple[UserId, MessageDigest], StoredOlmMessage] = field(default_factory=dict)
    unwedgings: dict[tuple[UserId, UserId, DeviceId], StoredUnwedging] = field(default_factory=dict)
    inbound: dict[InboundKey, StoredInbound] = field(default_factory=dict)
    withheld: dict[tuple[UserId, RoomId, MegolmSessionId, UserId], StoredWithheld] = field(default_factory=dict)
    indexes: dict[tuple[MegolmSessionId, UserId, int], StoredIndex] = field(default_factory=dict)
    key_requests: dict[tuple[UserId, RoomId, MegolmSessionId], StoredKeyRequest] = field(default_factory=dict)
    outbound: dict[tuple[UserId, RoomId], StoredOutbound] = field(default_factory=dict)
    shares: dict[ShareKey, StoredShare] = field(default_factory=dict)
    requests: dict[RequestId, StoredRequest] = field(default_factory=dict)
    device_lists: dict[UserId, StoredDeviceList] = field(default_factory=dict)
    verifications: dict[UserId, StoredVerification] = field(default_factory=dict)
    master_keys: dict[tuple[UserId, Ed25519Key], StoredMasterKey] = field(default_factory=dict)

    def copy(self) -> "Tables":
        """A copy that shares only frozen rows."""
        return Tables(**{name: dict(getattr(self, name)) for name in self.__dataclass_fields__})


class MemoryCryptoDatabase:
    """Holds what was committed, and opens units of work one after another, as SQLite does."""

    def __init__(self) -> None:
        """Begin empty."""
        self.committed = Tables()
        self._writer = asyncio.Lock()

    @asynccontextmanager
    async def begin(self) -> AsyncIterator["MemoryCryptoStore"]:
        """One unit of work: committed when the block ends, rolled back when it raises."""
        async with self._writer:
            store = MemoryCryptoStore(self.committed.copy())
            yield store
            self.committed = store.tables


class MemoryCryptoStore:
    """`CryptoStore` over one copy of the tables."""

    def __init__(self, tables: Tables) -> None:
        """Work on these tables; the caller keeps them or throws them away."""
        self.tables = tables

    async def identity(self, user_id: UserId, *, lock: bool = False) -> StoredIdentity | None:
        return self.tables.identities.get(user_id)

    async def put_identity(self, row: StoredIdentity) -> None:
        self.tables.identities[row.user_id] = row

    async def identities(self) -> Sequence[tuple[UserId, DeviceId]]:
        return [(row.user_id, row.device_id) for row in self.tables.identities.values() if row.ready]

    async def unfinished_identities(self) -> Sequence[UserId]:
        rows = [row for row in self.tables.identities.values() if not row.ready]
        return [row.user_id for row in sorted(rows, key=lambda row: row.created_at_ms)]

    async def forget_device(self, user_id: UserId) -> None:
        tables = self.tables
        own: tuple[dict[Any, Any], ...] = (
            tables.olm_sessions,
            tables.olm_messages,
            tables.unwedgings,
            tables.outbound,
            tables.shares,
            tables.requests,
            tables.key_requests,
        )
        for table in own:
            for key in [key for key, row in table.items() if row.user_id == user_id]:
                del table[key]

    async def olm_sessions(self, user_id: UserId, peer_keys: Collection[Curve25519Key]) -> Sequence[StoredOlmSession]:
        rows = [
            row for row in self.tables.olm_sessions.values() if row.user_id == user_id and row.peer_key in peer_keys
        ]
        return sorted(rows, key=lambda row: (row.used_at_ms, row.created_at_ms), reverse=True)

    async def put_olm_sessions(self, rows: Collection[StoredOlmSession]) -> None:
        self.tables.olm_sessions.update({(row.user_id, row.session_id): row for row in rows})

    async def delete_olm_sessions(self, user_id: UserId, session_ids: Collection[OlmSessionId]) -> None:
        for session_id in session_ids:
            self.tables.olm_sessions.pop((user_id, session_id), None)

    async def seen_olm_messages(self, user_id: UserId, digests: Collection[MessageDigest]) -> frozenset[MessageDigest]:
        return frozenset(digest for digest in digests if (user_id, digest) in self.tables.olm_messages)

    async def put_olm_messages(self, rows: Collection[StoredOlmMessage]) -> None:
        for row in rows:
            self.tables.olm_messages.setdefault((row.user_id, row.digest), row)

    async def unwedgings(self, user_id: UserId) -> Sequence[StoredUnwedging]:
        return [row for row in self.tables.unwedgings.values() if row.user_id == user_id]

    async def put_unwedging(self, row: StoredUnwedging) -> None:
        self.tables.unwedgings[row.user_id, row.peer_user, row.peer_device] = row

    async def inbound(self, room_id: RoomId, session_ids: Collection[MegolmSessionId]) -> Sequence[StoredInbound]:
        rows = [row for row in self.tables.inbound.values() if row.room_id == room_id and row.session_id in session_ids]
        return sorted(rows, key=lambda row: row.first_known_index)

    async def put_inbound(self, rows: Collection[StoredInbound]) -> None:
        self.tables.inbound.update({(row.user_id, row.room_id, row.session_id, row.sender_key): row for row in rows})

    async def withheld(self, room_id: RoomId, session_ids: Collection[MegolmSessionId]) -> Sequence[StoredWithheld]:
        return [
            row for row in self.tables.withheld.values() if row.room_id == room_id and row.session_id in session_ids
        ]

    async def put_withheld(self, row: StoredWithheld) -> None:
        self.tables.withheld[row.user_id, row.room_id, row.session_id, row.sender] = row

    async def claim_indexes(self, rows: Collection[StoredIndex]) -> Sequence[StoredIndex]:
        keys = [(row.session_id, row.sender, row.message_index) for row in rows]
        for key, row in zip(keys, rows, strict=True):
            self.tables.indexes.setdefault(key, row)
        return [self.tables.indexes[key] for key in dict.fromkeys(keys)]

    async def key_request(
        self, user_id: UserId, room_id: RoomId, session_id: MegolmSessionId
    ) -> StoredKeyRequest | None:
        return self.tables.key_requests.get((user_id, room_id, session_id))

    async def put_key_request(self, row: StoredKeyRequest) -> None:
        self.tables.key_requests[row.user_id, row.room_id, row.session_id] = row

    async def delete_key_request(self, user_id: UserId, room_id: RoomId, session_id: MegolmSessionId) -> None:
        self.tables.key_requests.pop((user_id, room_id, session_id), None)

    async def outbound(self, user_id: UserId, room_id: RoomId, *, lock: bool = False) -> StoredOutbound | None:
        return self.tables.outbound.get((user_id, room_id))

    async def put_outbound(self, row: StoredOutbound) -> None:
        self.tables.outbound[row.user_id, row.room_id] = row

    async def shares(self, user_id: UserId, session_id: MegolmSessionId) -> Sequence[StoredShare]:
        return [row for row in self.tables.shares.values() if row.user_id == user_id and row.session_id == session_id]

    async def put_shares(self, rows: Collection[StoredShare]) -> None:
        self.tables.shares.update({(row.user_id, row.session_id, row.peer_user, row.peer_device): row for row in rows})

    async def acknowledge_shares(self, request_id: RequestId) -> None:
        for key, row in self.tables.shares.items():
            if row.request_id == request_id and row.state is ShareState.PENDING:
                self.tables.shares[key] = replace(row, state=ShareState.SENT)

    async def requests(self, user_id: UserId) -> Sequence[StoredRequest]:
        return [row for row in self.tables.requests.values() if row.user_id == user_id]

    async def request(self, request_id: RequestId) -> StoredRequest | None:
        return self.tables.requests.get(request_id)

    async def put_requests(self, rows: Collection[StoredRequest]) -> None:
        self.tables.requests.update({row.request_id: row for row in rows})

    async def delete_request(self, request_id: RequestId) -> None:
        self.tables.requests.pop(request_id, None)

    async def request_owners(self, now_ms: int) -> Sequence[UserId]:
        rows = self.tables.requests.values()
        return list(dict.fromkeys(row.user_id for row in rows if row.leased_until_ms <= now_ms))

    async def device_lists(self, user_ids: Collection[UserId], *, lock: bool = False) -> Sequence[StoredDeviceList]:
        lists = self.tables.device_lists
        return [lists[user_id] for user_id in sorted(set(user_ids)) if user_id in lists]

    async def put_device_list(self, row: StoredDeviceList) -> None:
        kept = self.tables.device_lists.get(row.user_id, row)
        self.tables.device_lists[row.user_id] = replace(row, changed=kept.changed)

    async def track(self, user_ids: Collection[UserId]) -> None:
        for user_id in user_ids:
            fresh = StoredDeviceList(user_id, 1, 0, Pin.NONE, None, None, (), 0)
            self.tables.device_lists.setdefault(user_id, fresh)

    async def mark_changed(self, user_ids: Collection[UserId]) -> None:
        for user_id in set(user_ids) & self.tables.device_lists.keys():
            row = self.tables.device_lists[user_id]
            self.tables.device_lists[user_id] = replace(row, changed=row.changed + 1)

    async def stale_people(self, limit: int) -> Sequence[UserId]:
        stale = [row.user_id for row in self.tables.device_lists.values() if row.changed != row.fetched]
        return sorted(stale)[:limit]

    async def old_people(self, before_ms: int, limit: int) -> Sequence[UserId]:
        old = [row for row in self.tables.device_lists.values() if row.fetched_at_ms < before_ms]
        return [row.user_id for row in sorted(old, key=lambda row: row.fetched_at_ms)][:limit]

    async def verification(self, peer_user: UserId) -> StoredVerification | None:
        return self.tables.verifications.get(peer_user)

    async def verifications(self) -> Sequence[StoredVerification]:
        return sorted(self.tables.verifications.values(), key=lambda row: row.started_at_ms)

    async def put_verification(self, row: StoredVerification) -> None:
        self.tables.verifications[row.peer_user] = row

    async def delete_verification(self, peer_user: UserId) -> None:
        self.tables.verifications.pop(peer_user, None)

    async def master_keys(self, user_ids: Collection[UserId]) -> Sequence[StoredMasterKey]:
        return [row for row in self.tables.master_keys.values() if row.user_id in user_ids]

    async def put_master_key(self, row: StoredMasterKey) -> None:
        kept = self.tables.master_keys.get((row.user_id, row.key), row)
        self.tables.master_keys[row.user_id, row.key] = replace(row, seen_at_ms=kept.seen_at_ms)

    async def prune(self, before_ms: int) -> None:
        current = {row.session_id for row in self.tables.outbound.values()}
        self.tables.olm_messages = {key: row for key, row in self.tables.olm_messages.items() if row.at_ms >= before_ms}
        self.tables.shares = {
            key: row for key, row in self.tables.shares.items() if row.at_ms >= before_ms or row.session_id in current
        }
