"""From the raw bytes of a mail to an `IncomingMail`: everything found, nothing believed, nothing raised."""

import hashlib
import re
from typing import Any, Final

from bridges.email.authentication import parse_results, parse_seals
from bridges.email.fields import Fields, addresses_in, split_fields
from bridges.email.incoming import AutomaticKind, IncomingHead, IncomingMail
from bridges.email.mime import LIMITS, Limits, read_body
from policies.frozen import frozen

_AUTO_PRECEDENCE: Final = frozenset({"bulk", "auto_reply", "junk", "list"})
_MESSAGE_ID_LIMIT: Final = 998
_SEALS: Final = 50
"""The longest chain of ARC sets (RFC 8617, 5.1.1.1)."""
_AUTHORED: Final = ("from", "date", "subject", "to", "cc")
_LENGTH_TAG: Final = re.compile(r"(?:^|;)\s*l\s*=")


def read_mail(raw: bytes, *, null_sender: bool, limits: Limits = LIMITS) -> IncomingMail:
    """Read a mail as it came over the wire; `null_sender` says whether its envelope had the empty return path.

    Never raises. Takes time in proportion to the size, bounded by `limits`: parse off the event loop.
    """
    return IncomingMail(**_head(split_fields(raw), null_sender=null_sender), body=read_body(raw, limits))


def read_head(raw: bytes, *, null_sender: bool) -> IncomingHead:
    """Read its header alone: quick enough for the event loop. Never raises."""
    return IncomingHead(**_head(split_fields(raw), null_sender=null_sender))


def _head(head: Fields, *, null_sender: bool) -> dict[str, Any]:
    return {
        "senders": _addresses(head, "from"),
        "recipients": _addresses(head, "to") + _addresses(head, "cc"),
        "message_id": _message_id(head),
        "authentication": tuple(parse_results(value) for value in head.every("authentication-results")),
        "automatic": _automatic(head, null_sender=null_sender),
        "length_tag": any(_LENGTH_TAG.search(value) for value in head.every("dkim-signature")),
        "loop_marks": head.every("x-loop"),
        "seals": parse_seals(head.every("arc-seal")[:_SEALS], head.every("arc-authentication-results")[:_SEALS]),
        "malformed": head.malformed,
    }


@frozen
class Likeness:
    """By what two deliveries are known as one mail that its author sent: keys to compare, never shown.

    `name` is the Message-ID's, `sheet` that of author, date, subject and all of the body. The trace fields are in
    neither: they differ when one mail comes on two ways.
    """

    name: str
    sheet: str


def likeness(raw: bytes) -> Likeness:
    """What to compare; takes as long as reading the mail once."""
    head = split_fields(raw)
    authored = "\0".join(value for name in _AUTHORED for value in (name, *head.every(name)))
    sheet = hashlib.sha256(authored.encode(errors="surrogatepass") + b"\0" + (head.body or raw)).hexdigest()
    name = _message_id(head)
    return Likeness(hashlib.sha256(name.encode(errors="surrogatepass")).hexdigest() if name else sheet, sheet)


def mail_identity(token_hash: str, raw: bytes) -> tuple[str, str]:
    """The identity of one delivery, and the part of it that names (token, Message-ID) alone.

    The whole is the key of duplicates: token, Message-ID and body, and not the trace fields, which differ when a
    server upstream delivers again. The same second value with another first one is the same Message-ID with
    another body, which is to be held. A mail without Message-ID is identified by all its bytes.
    """
    head = split_fields(raw)
    found = _message_id(head)
    name = hashlib.sha256((found or hashlib.sha256(raw).hexdigest()).encode()).hexdigest()
    thread = f"mail:{token_hash}:{name}"
    return f"{thread}:{_body_hash(raw, head)}", thread


def _body_hash(raw: bytes, head: Fields) -> str:
    return hashlib.sha256(head.body or raw).hexdigest()


def _message_id(head: Fields) -> str:
    return head.first("message-id")[:_MESSAGE_ID_LIMIT]


def _addresses(head: Fields, name: str) -> tuple[str, ...]:
    return tuple(address for value in head.every(name) for address in addresses_in(value))


def _automatic(head: Fields, *, null_sender: bool) -> AutomaticKind | None:
    """Signs of mail that no person sent as an answer (RFC 3834, RFC 3464, RFC 2919)."""
    submitted = [re.split(r"[;\s(]", value.lower(), maxsplit=1)[0] for value in head.every("auto-submitted")]
    if any(value.lower().startswith("multipart/report") for value in head.every("content-type")):
        return AutomaticKind.DELIVERY_REPORT
    if any(value != "no" for value in submitted) or head.every("x-autoreply") or head.every("x-autorespond"):
        return AutomaticKind.AUTO_REPLY
    if head.every("list-id"):
        return AutomaticKind.MAILING_LIST
    if any(value.lower() in _AUTO_PRECEDENCE for value in head.every("precedence")):
        return AutomaticKind.AUTO_REPLY
    return AutomaticKind.NULL_SENDER if null_sender else None
