"""From a stored part of a webhook to what somebody said, or to what became of a message. Never raises."""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from bridges.whatsapp.incoming import (
    Change,
    Described,
    Incoming,
    Pressed,
    Progress,
    Reacted,
    Said,
    Sender,
    Shared,
    Shown,
    Status,
    Words,
)
from bridges.whatsapp.webhook import JsonObject, text
from policies.people.telephone import normalised, user_id
from policies.words.text import clean, one_line, technical

WORDS_MOST: Final = 65_536
"""Characters; WhatsApp takes 4,096 of a person, and may one day take more."""

_MEDIA: Final[Mapping[str, str]] = MappingProxyType(
    {"image": "a picture", "video": "a video", "audio": "a recording", "document": "a document", "sticker": "a sticker"}
)
_MEDIUM: Final = re.compile(r"[A-Za-z0-9_-]{1,200}")
"""An id of Meta's: it becomes part of a path."""
_MIME: Final = re.compile(r"[A-Za-z0-9.+-]{1,60}/[A-Za-z0-9.+-]{1,100}(; ?[A-Za-z0-9-]{1,30}=[A-Za-z0-9.-]{1,60})?")
_CARDS_MOST: Final = 20
_CHANGES: Final = MappingProxyType(
    {
        "user_changed_number": Change.NUMBER,
        "user_changed_user_id": Change.USER,
        "customer_changed_number": Change.NUMBER,
        "customer_identity_changed": Change.IDENTITY,
    }
)
_EDITED: Final = "a changed version of an earlier message, which WhatsApp does not hand out"
_DELETED: Final = "the deletion of an earlier message; what was passed on before stays"


def read_message(body: JsonObject) -> Incoming:
    """A message, from the body of its `Part`."""
    message, contact = _object(body.get("message")), _object(body.get("contact"))
    context = _object(message.get("context"))
    return Incoming(
        id=text(message.get("id")),
        number=text(body.get("number")),
        sender=_sender(message, contact),
        said=_said(message),
        quoted=text(context.get("id")) or None,
        forwarded=bool(context.get("forwarded") or context.get("frequently_forwarded")),
    )


def read_status(body: JsonObject) -> Status:
    """A report, from the body of its `Part`."""
    status = _object(body.get("status"))
    state = text(status.get("status"))
    errors = status.get("errors")
    codes = (_object(one).get("code") for one in errors) if isinstance(errors, list) else ()
    return Status(
        id=text(status.get("id")),
        number=text(body.get("number")),
        # A voice message that was played was read.
        progress=Progress.READ if state == "played" else Progress(state) if state in set(Progress) else None,
        ours=text(status.get("biz_opaque_callback_data")),
        codes=tuple(code for code in codes if type(code) is int),
    )


def _sender(message: JsonObject, contact: JsonObject) -> Sender:
    written_as = text(message.get("from"))
    system, identity = _object(message.get("system")), _object(message.get("identity"))
    named = (text(contact.get("user_id")), text(message.get("from_user_id")), written_as)
    changed = text(system.get("wa_id")) or text(system.get("new_wa_id"))
    phones = (changed, text(contact.get("wa_id")), written_as)
    return Sender(
        user=next(filter(None, map(user_id, named)), None),
        phone=next(filter(None, map(_phone, phones)), None),
        key=text(contact.get("identity_key_hash")) or text(identity.get("hash")) or None,
        formerly=(user_id(text(system.get("previous_user_id"))) or _phone(written_as)) if system else None,
    )


def _phone(digits: str) -> str | None:
    return normalised(f"+{digits.removeprefix('+')}")


def _said(message: JsonObject) -> Said:
    kind = text(message.get("type"))
    inner = _object(message.get(kind))
    match kind:
        case "text" if text(inner.get("body")).strip():
            return Words(_words(inner.get("body")))
        case "interactive":
            return _chosen(inner)
        case "button":
            return Pressed(text(inner.get("payload")), _words(inner.get("text")))
        case "image" | "video" | "audio" | "document" | "sticker":
            return _shared(kind, inner)
        case "reaction":
            return Reacted(_words(inner.get("emoji"))[:20], text(inner.get("message_id")) or None)
        case "location":
            return _place(inner)
        case "contacts":
            return _cards(message.get("contacts"))
        case "order":
            return Shown("an order from a catalogue", _words(inner.get("text")))
        case "system":
            return _CHANGES.get(text(inner.get("type"))) or Shown(
                f"a notice of WhatsApp ({technical(text(inner.get('type')))})"
            )
        case _:
            return _unsupported(kind, inner)


def _shared(kind: str, inner: JsonObject) -> Shared | Shown:
    """A file; what has no id can't be fetched."""
    what = "a voice message" if kind == "audio" and inner.get("voice") is True else _MEDIA[kind]
    medium, caption = text(inner.get("id")), _words(inner.get("caption"))
    if not _MEDIUM.fullmatch(medium):
        return Shown(what, caption)
    named = text(inner.get("mime_type"))
    mime = named if _MIME.fullmatch(named) else "application/octet-stream"
    return Shared(what, medium, mime, text(inner.get("sha256")), _words(inner.get("filename"))[:300], caption)


def _place(inner: JsonObject) -> Described | Shown:
    """A place as words: what it is called, and where it is (decimal degrees)."""
    north, east = inner.get("latitude"), inner.get("longitude")
    if not (_is_degrees(north) and _is_degrees(east)):
        return Shown("a place on the map")
    named = [one_line(_words(inner.get(key)), 200) for key in ("name", "address")]
    return Described(f"📍 {', '.join([*filter(None, named), f'{north:.6f} {east:.6f}'])}")


def _is_degrees(value: object) -> bool:
    return isinstance(value, int | float) and -180 <= value <= 180


def _cards(value: object) -> Described | Shown:
    """People's cards as words: the name, and the numbers and addresses on each."""
    cards = [_card(_object(one)) for one in value[:_CARDS_MOST]] if isinstance(value, list) else []
    lines = [f"👤 {line}" for line in filter(None, cards)]
    return Described("\n".join(lines)) if lines else Shown("a contact card")


def _card(card: JsonObject) -> str:
    reached = [
        text(_object(one).get(key))
        for kind, key in (("phones", "phone"), ("emails", "email"))
        if isinstance(card.get(kind), list)
        for one in card[kind][:_CARDS_MOST]
    ]
    name = text(_object(card.get("name")).get("formatted_name"))
    return one_line(_words(", ".join(filter(None, (name, *reached)))), 500)


def _unsupported(kind: str, inner: JsonObject) -> Said:
    """What WhatsApp itself can't hand out, or what came after this was written."""
    match text(inner.get("type")) or kind:
        case "edit":
            return Shown(_EDITED)
        case "revoke":
            return Shown(_DELETED)
        case name:
            return Shown(f"something of the kind {technical(name or 'unknown')}, which can't be shown")


def _chosen(inner: JsonObject) -> Said:
    for kind in ("button_reply", "list_reply"):
        if inner.get("type") == kind and isinstance(inner.get(kind), dict):
            chosen = _object(inner[kind])
            return Pressed(text(chosen.get("id")), _words(chosen.get("title")))
    return Shown("a filled-in form")


def _words(value: object) -> str:
    """A person's words, as they are, but for what steers a display; half of a surrogate pair becomes `?`."""
    whole = text(value)[:WORDS_MOST].encode("utf-8", "replace").decode()
    return clean(whole)


def _object(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
