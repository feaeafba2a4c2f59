"""A webhook's payload taken apart: every entry, change, message and status, and nothing refused.

Each part stands by itself (`Part`), with all that came of it, to be stored before anything is made of it;
`convert_in` reads a part. What has an unknown shape is a part, too.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import field
from enum import StrEnum, unique
from typing import Any, Final

from policies.frozen import frozen

JsonObject = Mapping[str, Any]

_MOST: Final = 10_000
"""Parts of one payload. Meta sends at most a thousand."""


@unique
class PartKind(StrEnum):
    """What a part brings."""

    MESSAGE = "message"
    STATUS = "status"
    OTHER = "other"


@frozen
class Part:
    """One part. The same thing delivered again has the same `identity`. `body`: JSON, with a message's `contact`."""

    kind: PartKind
    identity: str = field(repr=False)
    body: JsonObject = field(repr=False)


def parts(payload: object) -> tuple[Part, ...]:
    """All parts, in order. Never raises; what it can't take apart is one part of its own."""
    found = tuple(part for part, _ in zip(_parts(payload), range(_MOST), strict=False))
    return found or (_other(payload),)


def _parts(payload: object) -> Iterator[Part]:
    for entry in _objects(_get(payload, "entry")):
        for change in _objects(entry.get("changes")):
            value = change.get("value")
            messages, statuses = _objects(_get(value, "messages")), _objects(_get(value, "statuses"))
            number = text(_get(_get(value, "metadata"), "phone_number_id"))
            contacts = tuple(_objects(_get(value, "contacts")))
            empty = True
            for message in messages:
                empty = False
                yield _message(number, message, contacts)
            for status in statuses:
                empty = False
                yield _status(number, status)
            if empty:
                yield _other(change)


def _message(number: str, message: JsonObject, contacts: tuple[JsonObject, ...]) -> Part:
    body = {"number": number, "message": message, "contact": _contact(message, contacts)}
    return Part(PartKind.MESSAGE, _identity("message", number, text(message.get("id")), fallback=body), body)


def _status(number: str, status: JsonObject) -> Part:
    body = {"number": number, "status": status}
    who = text(status.get("recipient_user_id")) or text(status.get("recipient_id"))
    wamid = text(status.get("id"))
    identity = _identity("status", wamid and f"{wamid} {text(status.get('status'))}", who, fallback=body)
    return Part(PartKind.STATUS, identity, body)


def _other(value: object) -> Part:
    return Part(PartKind.OTHER, _identity("other", "", "", fallback=value), {"other": value})


def _contact(message: JsonObject, contacts: tuple[JsonObject, ...]) -> JsonObject | None:
    """Whose message it is: of several contacts the one that is named in it, never simply the first."""
    names = {text(message.get("from")), text(message.get("from_user_id"))} - {""}
    return next((c for c in contacts if names & {text(c.get("wa_id")), text(c.get("user_id"))}), None)


def _identity(kind: str, first: str, second: str, *, fallback: object) -> str:
    if first and second:
        return "\0".join((kind, first, second))
    whole = json.dumps(fallback, sort_keys=True, default=str).encode()
    return "\0".join((kind, hashlib.sha256(whole).hexdigest()))


def text(value: object) -> str:
    """The text that a field should hold; empty for anything else."""
    return value if isinstance(value, str) else ""


def _get(value: object, key: str) -> object:
    return value.get(key) if isinstance(value, dict) else None


def _objects(value: object) -> Iterable[JsonObject]:
    return (one for one in value if isinstance(one, dict)) if isinstance(value, list) else ()
