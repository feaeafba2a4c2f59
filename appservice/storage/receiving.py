"""Hop one: what arrived is stored, whole, in one unit of work; nothing is decided or looked into.

A transaction's to-device messages come first, for the events behind them may need their keys. Each thing is an inbox
item under its own identity, so that whatever comes again is stored once. The homeserver's transaction ids are no
identity: they begin anew when it restarts.
"""

import hashlib
import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from typing import Any, Final, Protocol

from appservice.crypto.account import LOW_ONE_TIME_KEYS
from appservice.crypto.ids import UserId as CryptoUserId
from appservice.matrix.transaction import Transaction
from appservice.ports import ServiceWork
from appservice.reading import EVENT, TO_DEVICE
from policies.case import CaseId
from rooms.ids import RoomId
from rooms.lanes import case_lane
from rooms.ports import Rooms
from rooms.queue import Item, ItemId, Lane, Queue, item_id
from rooms.turns import counts_lane, keys_lane

KEY_COUNTS: Final = "matrix.key_counts"
"""The kind of an item that says: a device of ours runs out of one-time keys, or its fallback key was used.

Its body is `{"user_id", "device_id", "one_time_keys": int | null, "unused_fallback_types": [str] | null}`.
"""

BESIDE: Final = "matrix.beside"
"""The kind of an item from which nothing follows: receipts and typing, key counts and device lists, as they came.

Its body is an object of lists named after the fields of `Transaction`.
"""

_KEY_ALGORITHM: Final = "signed_curve25519"
_PUBLIC_KEY_LETTERS: Final = 43
"""Synapse lists a user's cross-signing keys among the devices, without any count: their names are keys in base64."""


class BulkQueue(Queue, Protocol):
    """A queue that takes many items in one statement."""

    async def put_all(self, items: Iterable[Item]) -> int:
        """Store those that are new, in this order; how many there were."""
        ...


class BulkRooms(Rooms, Protocol):
    """Rooms that are looked up together."""

    async def cases_of(self, rooms: Collection[RoomId]) -> Mapping[RoomId, CaseId]:
        """The cases of those of these Matrix rooms that serve one."""
        ...


class ReceivingWork(ServiceWork, Protocol):
    """The stores, where receiving needs more of them."""

    @property
    def inbox(self) -> BulkQueue: ...
    @property
    def rooms(self) -> BulkRooms: ...


class ReceivingDatabase(Protocol):
    """Where units of work come from."""

    def begin(self) -> AbstractAsyncContextManager[ReceivingWork]:
        """A unit of work: committed when the block ends, rolled back if it raises."""

    def read(self) -> AbstractAsyncContextManager[ReceivingWork]:
        """The stores, for questions only."""


def now() -> datetime:
    """The time."""
    return datetime.now(UTC)


class TransactionInbox:
    """Stores the homeserver's transactions: `appservice.web.ports.TransactionStore`."""

    def __init__(
        self,
        database: ReceivingDatabase,
        *,
        on_device_lists: Callable[[], None] = lambda: None,
        clock: Callable[[], datetime] = now,
    ) -> None:
        """`on_device_lists` is called after a commit that made device lists stale."""
        self._database, self._on_device_lists, self._clock = database, on_device_lists, clock
        self._beside: tuple[str, set[ItemId]] = ("", set())
        """What this process stored of that in a minute: it comes with nearly every transaction, mostly the same."""

    async def accept(self, transaction: Transaction) -> None:
        """Store it whole. Raises DatabaseUnavailable, and then nothing was stored."""
        at = self._clock()
        changed = sorted(CryptoUserId(user) for user in transaction.devices_changed)
        beside = [item for item in _beside(transaction, at) if item.id not in self._stored_beside(at)]
        async with self._database.begin() as work:
            cases = await work.rooms.cases_of({RoomId(event.room_id) for event in transaction.events})
            if changed:
                await work.crypto.mark_changed(changed)
            # Before anything is sent there again, whoever sends it looks at the room as it is now.
            await work.rooms.note_change({RoomId(e.room_id) for e in transaction.events if e.state_key is not None})
            await work.inbox.put_all(
                (
                    *_to_device(transaction, at),
                    *_key_counts(transaction, at),
                    *_events(transaction, cases, at),
                    *beside,
                )
            )
        self._stored_beside(at).update(item.id for item in beside)
        if changed:
            self._on_device_lists()

    def _stored_beside(self, at: datetime) -> set[ItemId]:
        if self._beside[0] != _minute(at):
            self._beside = (_minute(at), set())
        return self._beside[1]


def _to_device(transaction: Transaction, at: datetime) -> Iterator[Item]:
    for message in transaction.to_device:
        body = {
            "type": message.type,
            "sender": message.sender,
            "to_user_id": message.to_user,
            "to_device_id": message.to_device,
            "content": message.content,
        }
        identity = item_identity(TO_DEVICE, message.to_user, message.to_device, message.fingerprint)
        yield Item(identity, keys_lane(message.to_user, message.sender), TO_DEVICE, None, _json(body), at)


def _events(transaction: Transaction, cases: Mapping[RoomId, CaseId], at: datetime) -> Iterator[Item]:
    for event in transaction.events:
        room = RoomId(event.room_id)
        case = cases.get(room)
        lane = Lane(f"room:{room}") if case is None else case_lane(case)
        yield Item(item_identity(EVENT, event.event_id), lane, EVENT, case, _json(event.raw), at)


def _key_counts(transaction: Transaction, at: datetime) -> Iterator[Item]:
    """Counts that call for something, each as an item: they come with nearly every transaction, for every user of ours
    in a room.

    Once a minute is often enough for each, and whoever acts on it asks the homeserver again: they are old news.
    """
    counts = {(one.user, one.device): one.one_time_keys.get(_KEY_ALGORITHM, 0) for one in transaction.key_counts}
    unused = {(one.user, one.device): one.unused for one in transaction.fallback_keys}
    for user, device in sorted(counts.keys() | unused.keys()):
        count, fallback = counts.get((user, device)), unused.get((user, device))
        enough = (count is None or count > LOW_ONE_TIME_KEYS) and (fallback is None or _KEY_ALGORITHM in fallback)
        if enough or len(device) == _PUBLIC_KEY_LETTERS:
            continue
        body = {
            "user_id": user,
            "device_id": device,
            "one_time_keys": count,
            "unused_fallback_types": None if fallback is None else sorted(fallback),
        }
        identity = item_identity(KEY_COUNTS, user, device, _minute(at))
        yield Item(identity, counts_lane(user), KEY_COUNTS, None, _json(body), at)


def _beside(transaction: Transaction, at: datetime) -> Iterator[Item]:
    """What came beside events and messages, in one item; the same again within the minute is stored once."""
    parts = {
        "ephemeral": transaction.ephemeral,
        "key_counts": [[one.user, one.device, one.one_time_keys] for one in transaction.key_counts],
        "fallback_keys": [[one.user, one.device, sorted(one.unused)] for one in transaction.fallback_keys],
        "devices_changed": sorted(transaction.devices_changed),
        "devices_left": sorted(transaction.devices_left),
    }
    if any(parts.values()):
        body = _json(parts)
        identity = item_identity(BESIDE, _minute(at), hashlib.sha256(body).hexdigest())
        yield Item(identity, Lane("beside"), BESIDE, None, body, at)


def _minute(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M}"


def item_identity(kind: str, *parts: str) -> ItemId:
    """The id of an inbox item: of its kind, and of what names the thing that came."""
    return item_id("\0".join((kind, *parts)))


def _json(value: Any) -> bytes:
    # ASCII: a text from the network may hold half of a surrogate pair, which UTF-8 can't.
    return json.dumps(value, separators=(",", ":")).encode()
