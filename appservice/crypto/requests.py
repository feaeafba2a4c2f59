"""What the machine asks its caller to send, and what it is told of the answer. Nothing here sends anything."""

from collections.abc import Mapping
from dataclasses import field
from typing import TypeAlias
from urllib.parse import quote

from appservice.crypto.ids import DeviceId, RequestId, UserId
from appservice.crypto.rows import RequestKind, StoredIdentity, StoredRequest
from appservice.crypto.untrusted import JsonObject, parse
from policies.frozen import frozen

_API = "/_matrix/client/v3"


@frozen
class Http:
    """One call of the client-server API, with the appservice's token.

    `user_id` and `device_id` are the query parameters of masquerading (MSC4326, spec 1.17); None leaves
    the parameter out.
    """

    method: str
    path: str
    body: JsonObject
    user_id: UserId | None
    device_id: DeviceId | None


@frozen
class OutgoingRequest:
    """A request that is written down until its answer: sent again, with the same ids, after a crash."""

    request_id: RequestId
    kind: RequestKind
    http: Http


@frozen
class KeysQuery:
    """Asks for people's devices. Not written down: a list stays stale until an answer is taken in."""

    http: Http
    generations: Mapping[UserId, int]
    """How many changes of each list were known when the query left."""


@frozen
class KeysClaim:
    """Claims one-time keys to open Olm sessions with. Not written down: what is missing is asked for again."""

    http: Http
    devices: frozenset[tuple[UserId, DeviceId]]


Request: TypeAlias = OutgoingRequest | KeysQuery | KeysClaim


@frozen
class Answer:
    """The homeserver's answer. A call without any (a timeout, a broken connection) has no `Answer`."""

    status: int
    content: JsonObject

    @property
    def ok(self) -> bool:
        """Whether the homeserver did what was asked."""
        return 200 <= self.status < 300


@frozen
class Settled:
    """The answer was taken in."""

    replaced: frozenset[UserId] = field(default=frozenset())
    """People whose pinned identity was just found to be another: frozen until confirmed."""
    unreachable: frozenset[tuple[UserId, DeviceId]] = field(default=frozenset())
    """Devices for which no usable one-time key could be claimed."""


@frozen
class Postponed:
    """The homeserver refused or failed; a written request is handed out again after a while."""

    status: int
    errcode: str


Outcome: TypeAlias = Settled | Postponed


def http_of(row: StoredRequest, me: StoredIdentity) -> Http:
    """How a written request is sent."""
    user, device = me.user_id, me.device_id
    body = parse(row.body.encode())
    match row.kind:
        case RequestKind.REGISTER:
            return Http("POST", f"{_API}/register", body, None, None)
        case RequestKind.MAKE_DEVICE:
            return Http("PUT", f"{_API}/devices/{quote(device, safe='')}", body, user, None)
        case RequestKind.CROSS_SIGNING:
            return Http("POST", f"{_API}/keys/device_signing/upload", body, user, device)
        case RequestKind.FIRST_KEYS | RequestKind.KEYS_UPLOAD:
            return Http("POST", f"{_API}/keys/upload", body, user, device)
        case RequestKind.TO_DEVICE:
            path = f"{_API}/sendToDevice/{quote(row.event_type, safe='')}/{quote(row.request_id, safe='')}"
            return Http("PUT", path, body, user, device)


def query_of(generations: Mapping[UserId, int], me: StoredIdentity) -> KeysQuery:
    """A query for these people's devices."""
    body = {"device_keys": {user_id: [] for user_id in generations}, "timeout": 10_000}
    return KeysQuery(Http("POST", f"{_API}/keys/query", body, me.user_id, me.device_id), generations)


def claim_of(devices: frozenset[tuple[UserId, DeviceId]], me: StoredIdentity) -> KeysClaim:
    """A claim of one signed one-time key of each of these devices."""
    wanted: dict[UserId, dict[DeviceId, str]] = {}
    for user_id, device_id in sorted(devices):
        wanted.setdefault(user_id, {})[device_id] = "signed_curve25519"
    body = {"one_time_keys": wanted, "timeout": 10_000}
    return KeysClaim(Http("POST", f"{_API}/keys/claim", body, me.user_id, me.device_id), devices)
