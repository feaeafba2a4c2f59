"""Webhooks as the Cloud API documents them, made from what a test wants to say."""

from typing import Any

from bridges.whatsapp.convert_in import read_message
from bridges.whatsapp.incoming import Incoming
from bridges.whatsapp.webhook import Part, PartKind, parts

Json = dict[str, Any]
PRIVATE, JOINT_NUMBER = "111111111", "222222222"
BEA, BEA_PHONE = "ES.4711aB", "+34600123456"


def message(kind: str = "text", inner: object = None, *, wamid: str = "wamid.1", **fields: object) -> Json:
    """One message."""
    said = {"body": "hello"} if inner is None and kind == "text" else inner
    return {
        "from": BEA_PHONE[1:],
        "from_user_id": BEA,
        "id": wamid,
        "timestamp": "1749416383",
        "type": kind,
        kind: said,
    } | fields


def contact(user: str | None = BEA, phone: str | None = BEA_PHONE, key: str | None = None) -> Json:
    """Who wrote."""
    found = {"wa_id": phone[1:] if phone else None, "user_id": user, "identity_key_hash": key}
    return {"profile": {"name": "🔒 PRIVATE"}} | {name: value for name, value in found.items() if value}


def status(wamid: str, state: str = "delivered", *, ours: str = "", codes: tuple[int, ...] = ()) -> Json:
    """One status."""
    errors = [{"code": code, "title": "…"} for code in codes]
    return {
        "id": wamid,
        "status": state,
        "timestamp": "1749416383",
        "recipient_id": BEA_PHONE[1:],
        **({"biz_opaque_callback_data": ours} if ours else {}),
        **({"errors": errors} if errors else {}),
    }


def webhook(*messages: Json, statuses: tuple[Json, ...] = (), contacts: object = None, number: str = PRIVATE) -> Json:
    """A whole payload."""
    value: Json = {
        "messaging_product": "whatsapp",
        "metadata": {"phone_number_id": number, "display_phone_number": "15550001111"},
    }
    if messages:
        value |= {"contacts": [contact()] if contacts is None else contacts, "messages": list(messages)}
    if statuses:
        value["statuses"] = list(statuses)
    changes = [{"field": "messages", "value": value}]
    return {"object": "whatsapp_business_account", "entry": [{"id": "WABA", "changes": changes}]}


def only(payload: Json) -> Part:
    """The one part of a payload."""
    (part,) = parts(payload)
    return part


def read(payload: Json) -> Incoming:
    """The one message of a payload."""
    part = only(payload)
    assert part.kind is PartKind.MESSAGE
    return read_message(part.body)
