"""The state of our identities' encryption, in the same transactions as everything else."""

from collections.abc import Collection, Sequence
from typing import Any, Final, TypeVar

from sqlalchemy import ColumnClause, ColumnElement, bindparam, delete, literal_column, select, tuple_, update

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
from appservice.storage.connections import Connection
from appservice.storage.crypto_schema import (
    DEVICE_LISTS,
    IDENTITIES,
    INBOUND,
    INDEXES,
    KEY_REQUESTS,
    MASTER_KEYS,
    OLM_MESSAGES,
    OLM_SESSIONS,
    OUTBOUND,
    REQUESTS,
    SHARES,
    UNWEDGINGS,
    VERIFICATIONS,
    WITHHELD,
    Kept,
)
from appservice.storage.statements import insert_new, upsert

R = TypeVar("R")

# Built once: to build a statement anew costs more than to run it.
_IDENTITY: Final = IDENTITIES.select().where(IDENTITIES.table.c.user_id == bindparam("user"))
_LOCKED_IDENTITY: Final = _IDENTITY.with_for_update()
_INBOUND: Final = (
    INBOUND.select()
    .where(
        INBOUND.table.c.room_id == bindparam("room"),
        INBOUND.table.c.session_id.in_(bindparam("sessions", expanding=True)),
    )
    .order_by(INBOUND.table.c.first_known_index)
)
_DEVICE_LISTS: Final = (
    DEVICE_LISTS.select()
    .where(DEVICE_LISTS.table.c.user_id.in_(bindparam("users", expanding=True)))
    .order_by(DEVICE_LISTS.table.c.user_id)
)
_LOCKED_DEVICE_LISTS: Final = _DEVICE_LISTS.with_for_update()
_OLM_SESSIONS: Final = (
    OLM_SESSIONS.select()
    .where(
        OLM_SESSIONS.table.c.user_id == bindparam("user"),
        OLM_SESSIONS.table.c.peer_key.in_(bindparam("peer_keys", expanding=True)),
    )
    .order_by(OLM_SESSIONS.table.c.used_at_ms.desc(), OLM_SESSIONS.table.c.created_at_ms.desc())
)
_OUTBOUND: Final = OUTBOUND.select().where(
    OUTBOUND.table.c.user_id == bindparam("user"), OUTBOUND.table.c.room_id == bindparam("room")
)
_LOCKED_OUTBOUND: Final = _OUTBOUND.with_for_update()
_SHARES: Final = SHARES.select().where(
    SHARES.table.c.user_id == bindparam("user"), SHARES.table.c.session_id == bindparam("session")
)

# A literal, not a parameter: only then does the partial index apply.
_PENDING: Final[ColumnClause[str]] = literal_column(f"'{ShareState.PENDING}'")


class SqlCryptoStore:
    """`appservice.crypto.store.CryptoStore` within one database transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    # --- identities and Olm

    async def identity(self, user_id: UserId, *, lock: bool = False) -> StoredIdentity | None:
        found = await self._connection.execute(_LOCKED_IDENTITY if lock else _IDENTITY, {"user": user_id})
        return _first(IDENTITIES.read(found.all()))

    async def put_identity(self, row: StoredIdentity) -> None:
        await self._put(IDENTITIES, [row])

    async def identities(self) -> Sequence[tuple[UserId, DeviceId]]:
        columns = IDENTITIES.table.c
        found = await self._connection.execute(select(columns.user_id, columns.device_id).where(columns.ready))
        return [(user, device) for user, device in found]

    async def unfinished_identities(self) -> Sequence[UserId]:
        columns = IDENTITIES.table.c
        found = await self._connection.execute(
            select(columns.user_id).where(~columns.ready).order_by(columns.created_at_ms)
        )
        return found.scalars().all()

    async def forget_device(self, user_id: UserId) -> None:
        for kept in (OLM_SESSIONS, OLM_MESSAGES, UNWEDGINGS, OUTBOUND, SHARES, REQUESTS, KEY_REQUESTS):
            await self._delete(kept, kept.table.c.user_id == user_id)

    async def olm_sessions(self, user_id: UserId, peer_keys: Collection[Curve25519Key]) -> Sequence[StoredOlmSession]:
        values = {"user": user_id, "peer_keys": list(peer_keys)}
        return OLM_SESSIONS.read((await self._connection.execute(_OLM_SESSIONS, values)).all())

    async def put_olm_sessions(self, rows: Collection[StoredOlmSession]) -> None:
        await self._put(OLM_SESSIONS, rows)

    async def delete_olm_sessions(self, user_id: UserId, session_ids: Collection[OlmSessionId]) -> None:
        columns = OLM_SESSIONS.table.c
        await self._delete(OLM_SESSIONS, columns.user_id == user_id, columns.session_id.in_(session_ids))

    async def seen_olm_messages(self, user_id: UserId, digests: Collection[MessageDigest]) -> frozenset[MessageDigest]:
        columns = OLM_MESSAGES.table.c
        statement = select(columns.digest).where(columns.user_id == user_id, columns.digest.in_(digests))
        return frozenset((await self._connection.execute(statement)).scalars())

    async def put_olm_messages(self, rows: Collection[StoredOlmMessage]) -> None:
        await self._put_new(OLM_MESSAGES, rows)

    async def unwedgings(self, user_id: UserId) -> Sequence[StoredUnwedging]:
        return await self._find(UNWEDGINGS, UNWEDGINGS.table.c.user_id == user_id)

    async def put_unwedging(self, row: StoredUnwedging) -> None:
        await self._put(UNWEDGINGS, [row])

    # --- Megolm, inbound

    async def inbound(self, room_id: RoomId, session_ids: Collection[MegolmSessionId]) -> Sequence[StoredInbound]:
        values = {"room": room_id, "sessions": list(session_ids)}
        return INBOUND.read((await self._connection.execute(_INBOUND, values)).all())

    async def put_inbound(self, rows: Collection[StoredInbound]) -> None:
        await self._put(INBOUND, rows)

    async def withheld(self, room_id: RoomId, session_ids: Collection[MegolmSessionId]) -> Sequence[StoredWithheld]:
        columns = WITHHELD.table.c
        return await self._find(WITHHELD, columns.room_id == room_id, columns.session_id.in_(session_ids))

    async def put_withheld(self, row: StoredWithheld) -> None:
        await self._put(WITHHELD, [row])

    async def claim_indexes(self, rows: Collection[StoredIndex]) -> Sequence[StoredIndex]:
        # In one order, so that two parallel claims of the same keys can't wait for each other.
        in_order = sorted(rows, key=lambda row: (row.session_id, row.sender, row.message_index))
        if await self._put_new(INDEXES, in_order) == len(in_order):
            return in_order
        keys = {(row.session_id, row.sender, row.message_index) for row in rows}
        columns = INDEXES.table.c
        return await self._find(INDEXES, tuple_(columns.session_id, columns.sender, columns.message_index).in_(keys))

    async def key_request(
        self, user_id: UserId, room_id: RoomId, session_id: MegolmSessionId
    ) -> StoredKeyRequest | None:
        return _first(await self._find(KEY_REQUESTS, *_of_session(user_id, room_id, session_id)))

    async def put_key_request(self, row: StoredKeyRequest) -> None:
        await self._put(KEY_REQUESTS, [row])

    async def delete_key_request(self, user_id: UserId, room_id: RoomId, session_id: MegolmSessionId) -> None:
        await self._delete(KEY_REQUESTS, *_of_session(user_id, room_id, session_id))

    # --- Megolm, outbound

    async def outbound(self, user_id: UserId, room_id: RoomId, *, lock: bool = False) -> StoredOutbound | None:
        statement, values = _LOCKED_OUTBOUND if lock else _OUTBOUND, {"user": user_id, "room": room_id}
        return _first(OUTBOUND.read((await self._connection.execute(statement, values)).all()))

    async def put_outbound(self, row: StoredOutbound) -> None:
        await self._put(OUTBOUND, [row])

    async def shares(self, user_id: UserId, session_id: MegolmSessionId) -> Sequence[StoredShare]:
        values = {"user": user_id, "session": session_id}
        return SHARES.read((await self._connection.execute(_SHARES, values)).all())

    async def put_shares(self, rows: Collection[StoredShare]) -> None:
        await self._put(SHARES, rows)

    async def acknowledge_shares(self, request_id: RequestId) -> None:
        columns = SHARES.table.c
        carried = columns.request_id == request_id, columns.state == _PENDING
        await self._connection.execute(update(SHARES.table).where(*carried).values(state=ShareState.SENT))

    # --- requests

    async def requests(self, user_id: UserId) -> Sequence[StoredRequest]:
        columns = REQUESTS.table.c
        return await self._find(REQUESTS, columns.user_id == user_id, order=(columns.ordinal,))

    async def request(self, request_id: RequestId) -> StoredRequest | None:
        return _first(await self._find(REQUESTS, REQUESTS.table.c.request_id == request_id))

    async def put_requests(self, rows: Collection[StoredRequest]) -> None:
        await self._put(REQUESTS, rows)

    async def delete_request(self, request_id: RequestId) -> None:
        await self._delete(REQUESTS, REQUESTS.table.c.request_id == request_id)

    async def request_owners(self, now_ms: int) -> Sequence[UserId]:
        columns = REQUESTS.table.c
        statement = select(columns.user_id).where(columns.leased_until_ms <= now_ms).distinct()
        return (await self._connection.execute(statement)).scalars().all()

    # --- device lists

    async def device_lists(self, user_ids: Collection[UserId], *, lock: bool = False) -> Sequence[StoredDeviceList]:
        statement, values = _LOCKED_DEVICE_LISTS if lock else _DEVICE_LISTS, {"users": list(user_ids)}
        return DEVICE_LISTS.read((await self._connection.execute(statement, values)).all())

    async def put_device_list(self, row: StoredDeviceList) -> None:
        await self._put(DEVICE_LISTS, [row], keep=("changed",))

    async def track(self, user_ids: Collection[UserId]) -> None:
        fresh = [StoredDeviceList(user_id, 1, 0, Pin.NONE, None, None, (), 0) for user_id in sorted(user_ids)]
        await self._put_new(DEVICE_LISTS, fresh)

    async def mark_changed(self, user_ids: Collection[UserId]) -> None:
        lists = DEVICE_LISTS.table
        if not user_ids:
            return
        # The inner select locks the rows in the order in which everybody else does.
        locked = select(lists.c.user_id).where(lists.c.user_id.in_(set(user_ids))).order_by(lists.c.user_id)
        these = lists.c.user_id.in_(locked.with_for_update().scalar_subquery())
        await self._connection.execute(update(lists).where(these).values(changed=lists.c.changed + 1))

    async def stale_people(self, limit: int) -> Sequence[UserId]:
        columns = DEVICE_LISTS.table.c
        stale = select(columns.user_id).where(columns.changed != columns.fetched).order_by(columns.user_id)
        return (await self._connection.execute(stale.limit(limit))).scalars().all()

    async def old_people(self, before_ms: int, limit: int) -> Sequence[UserId]:
        columns = DEVICE_LISTS.table.c
        old = select(columns.user_id).where(columns.fetched_at_ms < before_ms).order_by(columns.fetched_at_ms)
        return (await self._connection.execute(old.limit(limit))).scalars().all()

    # --- trust

    async def verification(self, peer_user: UserId) -> StoredVerification | None:
        return _first(await self._find(VERIFICATIONS, VERIFICATIONS.table.c.peer_user == peer_user))

    async def verifications(self) -> Sequence[StoredVerification]:
        return await self._find(VERIFICATIONS, order=(VERIFICATIONS.table.c.started_at_ms,))

    async def put_verification(self, row: StoredVerification) -> None:
        await self._put(VERIFICATIONS, [row])

    async def delete_verification(self, peer_user: UserId) -> None:
        await self._delete(VERIFICATIONS, VERIFICATIONS.table.c.peer_user == peer_user)

    async def master_keys(self, user_ids: Collection[UserId]) -> Sequence[StoredMasterKey]:
        return await self._find(MASTER_KEYS, MASTER_KEYS.table.c.user_id.in_(user_ids))

    async def put_master_key(self, row: StoredMasterKey) -> None:
        await self._put(MASTER_KEYS, [row], keep=("seen_at_ms",))

    # --- housekeeping

    async def prune(self, before_ms: int) -> None:
        await self._delete(OLM_MESSAGES, OLM_MESSAGES.table.c.at_ms < before_ms)
        current = select(OUTBOUND.table.c.session_id).where(OUTBOUND.table.c.session_id == SHARES.table.c.session_id)
        await self._delete(SHARES, SHARES.table.c.at_ms < before_ms, ~current.exists())

    # --- rows of any kind

    async def _find(
        self,
        kept: Kept[R],
        *conditions: ColumnElement[bool],
        order: tuple[ColumnElement[Any], ...] = (),
    ) -> list[R]:
        found = await self._connection.execute(kept.select().where(*conditions).order_by(*order))
        return kept.read(found.all())

    async def _put(self, kept: Kept[R], rows: Collection[R], keep: Collection[str] = ()) -> None:
        if rows:
            statement = upsert(self._connection.dialect, kept.table, *kept.key, keep=keep)
            await self._connection.execute(statement, [kept.written(row) for row in rows])

    async def _put_new(self, kept: Kept[R], rows: Collection[R]) -> int:
        """How many were new; -1 where the database does not tell."""
        if not rows:
            return 0
        statement = insert_new(self._connection.dialect, kept.table, *kept.key)
        values = [kept.written(row) for row in rows]
        return (await self._connection.execute(statement, values if len(values) > 1 else values[0])).rowcount

    async def _delete(self, kept: Kept[Any], *conditions: ColumnElement[bool]) -> None:
        await self._connection.execute(delete(kept.table).where(*conditions))


def _first(rows: list[R]) -> R | None:
    return rows[0] if rows else None


def _of_session(
    user_id: UserId, room_id: RoomId, session_id: MegolmSessionId
) -> tuple[ColumnElement[bool], ColumnElement[bool], ColumnElement[bool]]:
    columns = KEY_REQUESTS.table.c
    return columns.user_id == user_id, columns.room_id == room_id, columns.session_id == session_id
