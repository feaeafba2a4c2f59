"""What we read of a webhook, pywa reads too: another program, by other people, asked about the same payloads.

It is an oracle of the tests and no part of the product. It refuses a contact without a business-scoped id, so those
that Meta's older examples lack are filled in, for both of us.
"""

import json
from typing import Any

import pytest

from bridges.whatsapp.convert_in import read_status
from bridges.whatsapp.incoming import Change, Incoming, Pressed, Reacted, Words
from bridges.whatsapp.webhook import PartKind
from tests.bridges.whatsapp.builders import BEA_PHONE, Json, contact, message, only, read, status, webhook
from tests.bridges.whatsapp.test_webhook import examples, needs_examples

pywa = pytest.importorskip("pywa", reason="pywa is not installed: make setup")
base_update = pytest.importorskip("pywa.types.base_update")
ORACLE: Any = pywa.WhatsApp(token="an oracle sends nothing")


def asked(payload: Json) -> Any:
    """What pywa makes of a payload with one update; None where it knows no such update."""
    update = base_update.RawUpdate(json.dumps(payload).encode(), hmac_header=None, update_hash="")
    kind = ORACLE._get_handler_type(update)
    return ORACLE._handlers_to_updates[kind].from_update(client=ORACLE, update=update) if kind else None


def differences(payload: Json) -> dict[str, tuple[object, object]]:
    """Where we read one thing and pywa another."""
    ours, theirs = read(payload), asked(payload)
    fields: dict[str, tuple[object, object]] = {
        "id": (ours.id, theirs.id),
        "number": (ours.number, theirs.metadata.phone_number_id),
        **_sender(ours, theirs),
        **_words(ours, theirs),
    }
    return {name: pair for name, pair in fields.items() if pair[0] != pair[1]}


def _sender(ours: Incoming, theirs: Any) -> dict[str, tuple[object, object]]:
    if isinstance(ours.said, Change):
        changed = {"old": (ours.sender.formerly, f"+{theirs.old_wa_id}")}
        return {**changed, "new": (ours.sender.phone, f"+{theirs.new_wa_id}")}
    quoted = theirs.reply_to_message.id if theirs.reply_to_message else None
    number = f"+{theirs.from_user.wa_id}" if theirs.from_user.wa_id else None
    return {
        "user": (ours.sender.user, theirs.from_user.bsuid),
        "phone": (ours.sender.phone, number),
        "key": (ours.sender.key, theirs.from_user.identity_key_hash),
        "quoted": (ours.quoted, quoted),
        "forwarded": (ours.forwarded, getattr(theirs, "forwarded", False)),
    }


def _words(ours: Incoming, theirs: Any) -> dict[str, tuple[object, object]]:
    match ours.said:
        case Words(text):
            return {"text": (text, theirs.text)}
        case Pressed(pressed, title):
            return {"button": (pressed, theirs.data), "title": (title, theirs.title)}
        case Reacted(emoji):
            return {"emoji": (emoji, theirs.reaction.emoji or "")}
        case _:
            caption = getattr(getattr(theirs, "media", None), "caption", None)
            return {"caption": (getattr(ours.said, "caption", "") or None, caption or None)}


def named(payload: Json) -> Json:
    """The payload with an id for everybody in it."""
    filled: Json = json.loads(json.dumps(payload))
    for change in filled["entry"][0]["changes"]:
        for one in change["value"].get("contacts", []):
            one.setdefault("user_id", "DE.123abc")
    return filled


@needs_examples
def test_both_read_every_documented_message_alike() -> None:
    compared = 0
    for name, payload in examples().items():
        if only(payload).kind is PartKind.MESSAGE:
            assert not differences(named(payload)), name
            compared += 1
        else:
            assert asked(payload) is None
    assert compared == 13


_INNER: dict[str, Json] = {
    "image": {"id": "1", "mime_type": "image/jpeg", "sha256": "eA==", "caption": "*look* 🙂"},
    "video": {"id": "1", "mime_type": "video/mp4", "sha256": "eA=="},
    "audio": {"id": "1", "mime_type": "audio/ogg", "sha256": "eA==", "voice": True},
    "document": {"id": "1", "mime_type": "application/pdf", "sha256": "eA==", "filename": "a.pdf", "caption": "this"},
    "sticker": {"id": "1", "mime_type": "image/webp", "sha256": "eA==", "animated": False},
    "reaction": {"message_id": "wamid.0", "emoji": "👍"},
    "interactive": {"type": "button_reply", "button_reply": {"id": "4F2A.yes", "title": "Everyone"}},
    "button": {"payload": "p", "text": "Stop"},
    "text": {"body": "Yes.\n\n*No!* 🙂 ü"},
}


@pytest.mark.parametrize("kind", _INNER)
@pytest.mark.parametrize("context", [{}, {"context": {"id": "wamid.q", "from": "15550001111"}}])
@pytest.mark.parametrize("key", [None, "k1"])
def test_both_read_every_kind_of_message_alike(kind: str, context: Json, key: str | None) -> None:
    payload = webhook(message(kind, _INNER[kind], **context), contacts=[contact(key=key)])
    assert not differences(payload)


@pytest.mark.parametrize("forwarded", ["forwarded", "frequently_forwarded"])
def test_both_see_that_something_was_forwarded(forwarded: str) -> None:
    payload = webhook(message(context={forwarded: True}))
    assert read(payload).forwarded
    assert not differences(payload)


@pytest.mark.parametrize(("state", "codes"), [("sent", ()), ("delivered", ()), ("read", ()), ("failed", (131047,))])
def test_both_read_a_report_alike(state: str, codes: tuple[int, ...]) -> None:
    payload = webhook(statuses=(status("wamid.1", state, ours="item/0", codes=codes),))
    reported = payload["entry"][0]["changes"][0]["value"]["statuses"][0]
    reported["recipient_user_id"] = "ES.4711aB"
    for one in reported.get("errors", []):
        one["message"] = one["title"]
    payload["entry"][0]["changes"][0]["value"]["contacts"] = [contact(phone=BEA_PHONE)]
    ours, theirs = read_status(only(payload).body), asked(payload)
    assert ours.progress is not None
    assert (ours.id, ours.number, ours.ours) == (theirs.id, theirs.metadata.phone_number_id, theirs.tracker)
    assert ours.progress.value == theirs.status.value
    assert ours.codes == ((theirs.error.code,) if theirs.error else ())


def test_a_word_that_is_read_otherwise_is_noticed() -> None:
    payload = webhook(message())
    assert not differences(payload)
    other = webhook(message(inner={"body": "another"}))
    assert _words(read(payload), asked(other))["text"] == ("hello", "another")
