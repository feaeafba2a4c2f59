"""Requests written down before they leave: handed out under a lease, until the answer settles them."""

import json
import secrets
from collections.abc import Collection, Sequence
from dataclasses import replace

from appservice.crypto.ids import RequestId
from appservice.crypto.requests import Answer, OutgoingRequest, http_of
from appservice.crypto.rows import RequestKind, StoredRequest
from appservice.crypto.untrusted import JsonObject, parse
from appservice.crypto.work import Work

LEASE_MS = 10_000
"""How long whoever was handed a request has to send it before somebody else may."""

_LONGEST_WAIT_MS = 300_000

CREATION = frozenset({RequestKind.REGISTER, RequestKind.MAKE_DEVICE, RequestKind.CROSS_SIGNING, RequestKind.FIRST_KEYS})
"""The steps of an identity's creation: one after another, and nothing else before they are done."""

_UPLOADS = frozenset({RequestKind.FIRST_KEYS, RequestKind.KEYS_UPLOAD})


def new_request(work: Work, kind: RequestKind, body: JsonObject, event_type: str = "") -> StoredRequest:
    """A request with a fresh id; not written down yet."""
    return StoredRequest(
        request_id=RequestId(secrets.token_hex(16)),
        user_id=work.me.user_id,
        kind=kind,
        event_type=event_type,
        body=json.dumps(body, separators=(",", ":"), ensure_ascii=False),
        attempts=0,
        leased_until_ms=0,
        created_at_ms=work.now_ms,
    )


async def due(work: Work) -> tuple[OutgoingRequest, ...]:
    """Lease and hand out what nobody is sending. An unfinished identity's are handed out one by one."""
    rows = await work.store.requests(work.me.user_id)
    if not work.me.ready:
        rows = [row for row in rows if row.kind in CREATION][:1]
    return await hand_out(work, rows)


async def hand_out(work: Work, rows: Sequence[StoredRequest]) -> tuple[OutgoingRequest, ...]:
    """Write these down as being sent now, leaving out those that somebody else is sending."""
    leased = [
        replace(
            _without_one_time_keys(row) if row.attempts and row.kind in _UPLOADS else row,
            attempts=row.attempts + 1,
            leased_until_ms=work.now_ms + LEASE_MS,
        )
        for row in rows
        if row.leased_until_ms <= work.now_ms
    ]
    await work.store.put_requests(leased)
    return tuple(OutgoingRequest(row.request_id, row.kind, http_of(row, work.me)) for row in leased)


async def postpone(work: Work, row: StoredRequest, answer: Answer | None) -> None:
    """End the lease of a request that failed, after a wait that doubles (or that the homeserver asked for)."""
    wait_ms = min(1_000 * 2 ** min(row.attempts, 10), _LONGEST_WAIT_MS)
    asked = answer.content.get("retry_after_ms") if answer else None
    if isinstance(asked, int):
        wait_ms = max(wait_ms, min(asked, _LONGEST_WAIT_MS))
    await work.store.put_requests([replace(row, leased_until_ms=work.now_ms + wait_ms)])


async def unacknowledged(work: Work, request_ids: Collection[RequestId]) -> frozenset[RequestId]:
    """Those of these requests whose answer is still to come."""
    rows = await work.store.requests(work.me.user_id)
    return frozenset(row.request_id for row in rows) & frozenset(request_ids)


def _without_one_time_keys(row: StoredRequest) -> StoredRequest:
    """What is sent again when an upload's fate is unknown.

    A one-time key leaves us once: had the first attempt arrived and the key been claimed since, a second one
    would have the homeserver hand it out twice. The answer tells how many to make anew.
    """
    body = {name: value for name, value in parse(row.body.encode()).items() if name != "one_time_keys"}
    return replace(row, body=json.dumps(body, separators=(",", ":"), ensure_ascii=False))
