"""A webhook's payload: every part is found, once, and whatever it says is read."""

import functools
import json
import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from bridges.whatsapp.convert_in import read_message, read_status
from bridges.whatsapp.incoming import (
    Change,
    Described,
    Pressed,
    Progress,
    Reacted,
    Said,
    Sender,
    Shared,
    Shown,
    Words,
)
from bridges.whatsapp.webhook import Part, PartKind, parts
from tests.bridges.whatsapp.builders import BEA, BEA_PHONE, Json, contact, message, only, read, status, webhook


@functools.cache
def examples() -> dict[str, Json]:
    """The payloads that Meta's own description of the API shows; empty where the fixtures are not configured."""
    root = os.environ.get("MEDIATRIX_FIXTURES")
    if not root:
        return {}
    file = Path(root) / "whatsapp" / "business-messaging-api_v23.0.yaml"
    post = yaml.load(file.read_bytes(), yaml.CSafeLoader)["paths"]["/whatsapp/webhooks"]["post"]
    found = post["requestBody"]["content"]["application/json"]["examples"]
    return {name: example["value"] for name, example in found.items()}


ANY = "application/octet-stream"
needs_examples = pytest.mark.skipif(not examples(), reason="MEDIATRIX_FIXTURES names no folder of public webhooks")

SHOWN: dict[str, type[Said]] = {
    "Text Message": Words,
    "Text Message with Context (Product Inquiry)": Words,
    "Text Message from Click to WhatsApp Ad": Words,
    "Reaction Message": Reacted,
    "Image Message": Shared,
    "Location Message": Described,
    "Contact Sharing Message": Described,
    "Unsupported Message": Shown,
    "Button Message": Pressed,
    "Interactive List Reply Message": Pressed,
    "Interactive Button Reply Message": Pressed,
    "Order Message": Shown,
    "System Message": Change,
}


@needs_examples
@pytest.mark.parametrize("name", SHOWN)
def test_each_documented_message_is_read_as_what_it_is(name: str) -> None:
    (part,) = parts(examples()[name])
    incoming = read_message(part.body)
    assert part.kind is PartKind.MESSAGE
    assert isinstance(incoming.said, SHOWN[name])
    assert incoming.number
    assert incoming.sender.user or incoming.sender.phone


@needs_examples
def test_every_other_documented_payload_is_kept_whole() -> None:
    others = [payload for name, payload in examples().items() if name not in SHOWN]
    assert len(others) == 3
    for payload in others:
        assert {part.kind for part in parts(payload)} == {PartKind.OTHER}


def test_a_text_is_its_senders_exact_words() -> None:
    incoming = read(webhook(message(inner={"body": "Yes.\n\n*No!* 🙂"}), contacts=[contact(key="k1")]))
    assert incoming.said == Words("Yes.\n\n*No!* 🙂")
    assert incoming.sender == Sender(BEA, BEA_PHONE, "k1")


def test_every_message_and_status_of_every_change_of_every_entry_is_found_in_order() -> None:
    one = webhook(message(wamid="a"), message(wamid="b"))
    two = webhook(message(wamid="c"), statuses=(status("x"), status("x", "read")))
    one["entry"] += two["entry"]
    one["entry"][0]["changes"] += webhook(message(wamid="d"))["entry"][0]["changes"]
    found = [(part.kind, part.identity.split("\0")[1:]) for part in parts(one)]
    assert [ids[-1] for kind, ids in found if kind is PartKind.MESSAGE] == ["a", "b", "d", "c"]
    assert [ids[0] for kind, ids in found if kind is PartKind.STATUS] == ["x delivered", "x read"]


def test_the_same_thing_delivered_again_has_the_same_identity_and_nothing_else_has() -> None:
    again = only(webhook(message(wamid="a"), contacts=[]))
    assert only(webhook(message(wamid="a"))).identity == again.identity
    assert only(webhook(message(wamid="b"))).identity != again.identity
    assert only(webhook(message(wamid="a"), number="other")).identity != again.identity


def test_things_without_an_id_are_told_apart_by_all_that_they_say() -> None:
    one, two = (webhook(message(wamid="", inner={"body": body})) for body in ("one", "two"))
    assert only(one).identity == only(one).identity != only(two).identity


def test_whose_message_it_is_is_never_simply_the_first_contact() -> None:
    carl = contact("DE.9z9", "+4915112345678")
    assert read(webhook(message(), contacts=[carl, contact()])).sender == Sender(BEA, BEA_PHONE)
    assert read(webhook(message(), contacts=[carl])).sender == Sender(BEA, BEA_PHONE)


def test_a_person_with_a_user_name_has_no_number() -> None:
    hidden = message(**{"from": BEA})
    assert read(webhook(hidden, contacts=[contact(phone=None)])).sender == Sender(BEA, None)


@pytest.mark.parametrize(
    ("kind", "inner", "said"),
    [
        (
            "image",
            {"id": "1", "mime_type": "image/jpeg", "sha256": "eA==", "caption": "look"},
            Shared("a picture", "1", "image/jpeg", "eA==", "", "look"),
        ),
        (
            "audio",
            {"id": "1", "voice": True, "mime_type": "audio/ogg; codecs=opus"},
            Shared("a voice message", "1", "audio/ogg; codecs=opus", ""),
        ),
        ("document", {"id": "1", "filename": "x.pdf"}, Shared("a document", "1", ANY, "", "x.pdf")),
        ("video", {"id": "1", "mime_type": "text/html\n<b>"}, Shared("a video", "1", ANY, "")),
        ("sticker", {"id": "../me/accounts"}, Shown("a sticker")),
        ("image", {"caption": "look"}, Shown("a picture", "look")),
        ("location", {"latitude": 52.5, "longitude": 13}, Described("📍 52.500000 13.000000")),
        (
            "location",
            {"latitude": 1, "longitude": -2.5, "name": "The\nmill", "address": "1 Road"},
            Described("📍 The mill, 1 Road, 1.000000 -2.500000"),
        ),
        ("location", {"latitude": 10**400, "longitude": 1}, Shown("a place on the map")),
        ("location", {"latitude": "x", "longitude": float("nan")}, Shown("a place on the map")),
        (
            "contacts",
            [{"name": {"formatted_name": "Ann"}, "phones": [{"phone": "+49 30 1"}], "emails": [{"email": "a@b.c"}]}],
            Described("👤 Ann, +49 30 1, a@b.c"),
        ),
        ("contacts", [{}, 7, {"name": 3, "phones": 4}], Shown("a contact card")),
        ("reaction", {"message_id": "w", "emoji": "👍"}, Reacted("👍", "w")),
        ("reaction", {"message_id": "w"}, Reacted("", "w")),
        ("interactive", {"type": "button_reply", "button_reply": {"id": "n", "title": "Yes"}}, Pressed("n", "Yes")),
        ("interactive", {"type": "nfm_reply", "nfm_reply": {}}, Shown("a filled-in form")),
        ("button", {"payload": "n", "text": "Yes"}, Pressed("n", "Yes")),
        ("system", {"type": "user_changed_number", "wa_id": "34600999999"}, Change.NUMBER),
        ("system", {"type": "user_changed_user_id"}, Change.USER),
        ("system", {"type": "customer_identity_changed"}, Change.IDENTITY),
        ("unsupported", None, Shown("something of the kind “unsupported”, which can't be shown")),
        ("hologram", {"x": 1}, Shown("something of the kind “hologram”, which can't be shown")),
        ("text", {"body": " "}, Shown("something of the kind “text”, which can't be shown")),
        ("text", {"body": 7}, Shown("something of the kind “text”, which can't be shown")),
    ],
)
def test_every_kind_is_read_as_what_it_is(kind: str, inner: object, said: Said) -> None:
    assert read(webhook(message(kind, inner))).said == said


@pytest.mark.parametrize("kind", ["unsupported", "itself"])
@pytest.mark.parametrize(
    ("change", "what"), [("edit", "changed version"), ("revoke", "deletion of an earlier message")]
)
def test_an_edit_or_a_deletion_is_called_one(kind: str, change: str, what: str) -> None:
    """Of a Coexistence number either may come as a type of its own, too."""
    came = message(change, {}) if kind == "itself" else message("unsupported", {"type": change})
    found = read(webhook(came)).said
    assert isinstance(found, Shown)
    assert what in found.what


def test_a_change_of_id_names_the_former_one() -> None:
    changed = message("system", {"type": "user_changed_user_id", "previous_user_id": "ES.old1"})
    assert read(webhook(changed, contacts=[])).sender.formerly == "ES.old1"


def test_a_status_says_which_message_and_why_it_failed() -> None:
    found = read_status(only(webhook(statuses=(status("w", "failed", ours="item/0", codes=(131047,)),))).body)
    assert (found.id, found.progress, found.ours, found.codes) == ("w", Progress.FAILED, "item/0", (131047,))


@pytest.mark.parametrize(("state", "progress"), [("played", Progress.READ), ("warning", None), ("", None)])
def test_a_status_that_is_not_known_changes_nothing(state: str, progress: Progress | None) -> None:
    assert read_status(only(webhook(statuses=(status("w", state),))).body).progress is progress


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=40)
@given(JSON)
def test_whatever_json_comes_it_is_taken_apart_and_read(payload: object) -> None:
    assert _all_read(parts(payload))


@given(data=st.data())
def test_a_damaged_payload_is_read_and_none_of_its_messages_is_lost(data: st.DataObject) -> None:
    payload = webhook(message(), message("image", {"id": "2"}, wamid="wamid.2"), statuses=(status("w"),))
    holder = data.draw(st.sampled_from(_objects(payload)))
    key = data.draw(st.sampled_from(sorted(holder)))
    holder[key] = data.draw(JSON)
    assert _all_read(parts(payload))
    kept = json.dumps([part.body for part in parts(payload)], sort_keys=True)
    for entry in _list(payload, "entry"):
        for change in _list(entry, "changes"):
            for one in _list(change.get("value"), "messages"):
                assert json.dumps(one, sort_keys=True) in kept


def _list(value: object, key: str) -> list[Json]:
    found = value.get(key) if isinstance(value, dict) else None
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def _all_read(found: tuple[Part, ...]) -> bool:
    for part in found:
        assert part.identity
        json.dumps(part.body)
        said = read_message(part.body).said
        assert not isinstance(said, Words) or said.text.encode()
        read_status(part.body)
    return bool(found)


def _objects(value: Any) -> list[Json]:
    match value:
        case dict():
            return [value, *(one for inner in value.values() for one in _objects(inner))]
        case list():
            return [one for inner in value for one in _objects(inner)]
        case _:
            return []
