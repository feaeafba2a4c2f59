"""What the homeserver pushes to us: one transaction, read without trusting any of its shape.

    body (bytes) --read_json--> object --parse--> Transaction(events, to_device, counts, lists) + dropped

Nothing here raises for what is *inside* a transaction: an item that is no object, or lacks what its identity is
made of, is dropped and counted. A homeserver repeats a refused transaction for ever, so one hostile event must
not be able to refuse the ninety-nine beside it.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, NoReturn, TypeVar

from appservice.matrix.ids import DeviceId, EventId, JsonObject, RoomId, UserId, is_identifier
from policies.frozen import frozen

MAX_DEPTH: Final = 64
"""Deepest nesting of JSON kept; Matrix events need a dozen, and Python's own encoder fails near a thousand."""

LATEST_TIMESTAMP: Final = 2**53 - 1
"""Largest integer of canonical JSON (Matrix spec, appendices, 3.1)."""

_TO_DEVICE: Final = ("to_device", "de.sorunome.msc2409.to_device")
_EPHEMERAL: Final = ("ephemeral", "de.sorunome.msc2409.ephemeral")
_COUNTS: Final = (
    "device_one_time_keys_count",
    "device_one_time_key_counts",
    "org.matrix.msc3202.device_one_time_keys_count",
    "org.matrix.msc3202.device_one_time_key_counts",
)
_FALLBACK: Final = (
    "device_unused_fallback_key_types",
    "org.matrix.msc3202.device_unused_fallback_key_types",
)
_LISTS: Final = ("device_lists", "org.matrix.msc3202.device_lists")

Item = TypeVar("Item")


class UnreadableJsonError(ValueError):
    """A body that is not JSON, or is JSON that no store of ours could hold."""


@frozen
class RoomEvent:
    """One event of a room. `raw` is the event as it came; its times and senders are the homeserver's word."""

    event_id: EventId
    room_id: RoomId
    type: str
    sender: UserId
    state_key: str | None
    origin_server_ts: int
    """Milliseconds since the epoch as the sender's server claims, 0 where it claims nonsense."""
    raw: JsonObject

    @property
    def content(self) -> JsonObject:
        """The event's content."""
        return _object(self.raw.get("content"))


@frozen
class ToDeviceMessage:
    """A message for one device of ours (MSC4203, before it MSC2409)."""

    type: str
    sender: UserId
    to_user: UserId
    to_device: DeviceId
    content: JsonObject

    @property
    def fingerprint(self) -> str:
        """SHA-256, in hex, of everything but the addressee: these messages have no id of their own."""
        whole = {"type": self.type, "sender": self.sender, "content": self.content}
        return hashlib.sha256(json.dumps(whole, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


@frozen
class DeviceKeyCounts:
    """What the homeserver still holds of one device's keys (MSC3202): a snapshot, already old when it comes.

    Synapse lists cross-signing keys as devices too, so `device` need not be one that we made.
    """

    user: UserId
    device: DeviceId
    one_time_keys: Mapping[str, int]
    """Unclaimed one-time keys by algorithm; an algorithm with none left is missing, and all may be."""


@frozen
class DeviceFallbackKeys:
    """The algorithms for which one device still has an unused fallback key (MSC3202)."""

    user: UserId
    device: DeviceId
    unused: frozenset[str]


@frozen
class Transaction:
    """One push of the homeserver (application service API, 2.3.1)."""

    txn_id: str
    events: tuple[RoomEvent, ...] = ()
    to_device: tuple[ToDeviceMessage, ...] = ()
    ephemeral: tuple[JsonObject, ...] = ()
    key_counts: tuple[DeviceKeyCounts, ...] = ()
    fallback_keys: tuple[DeviceFallbackKeys, ...] = ()
    devices_changed: frozenset[UserId] = frozenset()
    devices_left: frozenset[UserId] = frozenset()
    dropped: int = 0
    """Items that could not be read and are in none of the other fields."""


def read_json(body: bytes) -> object:
    """A body as JSON. Raises UnreadableJsonError for what is not: NaN, bottomless nesting, endless numbers too."""
    try:
        return json.loads(body, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise UnreadableJsonError("the body is not JSON") from error


def parse(txn_id: str, body: Mapping[str, Any]) -> Transaction:
    """Read a transaction under any of the names, stable or not, that homeservers give its parts. Never raises."""
    reader = _Reader()
    lists = _object(_first(body, _LISTS))
    return Transaction(
        txn_id=txn_id,
        events=tuple(reader.each(body.get("events"), _room_event)),
        to_device=tuple(reader.each(_first(body, _TO_DEVICE), _to_device)),
        ephemeral=tuple(reader.each(_first(body, _EPHEMERAL), _ephemeral)),
        key_counts=tuple(_key_counts(_first(body, _COUNTS))),
        fallback_keys=tuple(_fallback_keys(_first(body, _FALLBACK))),
        devices_changed=_users(lists.get("changed")),
        devices_left=_users(lists.get("left")),
        dropped=reader.dropped,
    )


class _Reader:
    """Reads lists item by item and counts what it could not read."""

    def __init__(self) -> None:
        self.dropped = 0

    def each(self, items: object, read: Callable[[JsonObject], Item | None]) -> Iterable[Item]:
        for item in items if isinstance(items, list) else ():
            made = read(item) if isinstance(item, dict) and _shallow(item, MAX_DEPTH) else None
            if made is None:
                self.dropped += 1
            else:
                yield made


def _room_event(item: JsonObject) -> RoomEvent | None:
    event_id, room_id, kind, sender = (item.get(key) for key in ("event_id", "room_id", "type", "sender"))
    if not (
        is_identifier(event_id)
        and is_identifier(room_id)
        and is_identifier(kind)
        and is_identifier(sender)
        and isinstance(item.get("content"), dict)
    ):
        return None
    state_key, sent = item.get("state_key"), item.get("origin_server_ts")
    if state_key is not None and not (state_key == "" or is_identifier(state_key)):
        return None
    return RoomEvent(
        event_id=EventId(event_id),
        room_id=RoomId(room_id),
        type=kind,
        sender=UserId(sender),
        state_key=state_key,
        origin_server_ts=sent if type(sent) is int and 0 <= sent <= LATEST_TIMESTAMP else 0,
        raw=item,
    )


def _to_device(item: JsonObject) -> ToDeviceMessage | None:
    kind, sender, user, device = (item.get(key) for key in ("type", "sender", "to_user_id", "to_device_id"))
    content = item.get("content")
    if not (
        is_identifier(kind)
        and is_identifier(sender)
        and is_identifier(user)
        and is_identifier(device)
        and isinstance(content, dict)
    ):
        return None
    return ToDeviceMessage(kind, UserId(sender), UserId(user), DeviceId(device), content)


def _ephemeral(item: JsonObject) -> JsonObject | None:
    return item if is_identifier(item.get("type")) and isinstance(item.get("content"), dict) else None


def _key_counts(value: object) -> Iterable[DeviceKeyCounts]:
    for user, device, counts in _per_device(value):
        if isinstance(counts, dict):
            known = {
                algorithm: count
                for algorithm, count in counts.items()
                if is_identifier(algorithm) and type(count) is int and 0 <= count <= LATEST_TIMESTAMP
            }
            yield DeviceKeyCounts(user, device, known)


def _fallback_keys(value: object) -> Iterable[DeviceFallbackKeys]:
    for user, device, algorithms in _per_device(value):
        if isinstance(algorithms, list):
            yield DeviceFallbackKeys(user, device, frozenset(filter(is_identifier, algorithms)))


def _per_device(value: object) -> Iterable[tuple[UserId, DeviceId, object]]:
    for user, devices in _object(value).items():
        for device, found in _object(devices).items():
            if is_identifier(user) and is_identifier(device):
                yield UserId(user), DeviceId(device), found


def _users(value: object) -> frozenset[UserId]:
    return frozenset(UserId(user) for user in value if is_identifier(user)) if isinstance(value, list) else frozenset()


def _object(value: object) -> JsonObject:
    return value if isinstance(value, dict) else {}


def _first(body: Mapping[str, Any], names: Iterable[str]) -> object:
    return next((body[name] for name in names if name in body), None)


def _shallow(value: object, depth: int) -> bool:
    """Whether nothing in a value lies deeper than `depth`."""
    children: Iterable[object]
    match value:
        case dict():
            children = value.values()
        case list():
            children = value
        case _:
            return True
    return depth > 0 and all(_shallow(child, depth - 1) for child in children)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
