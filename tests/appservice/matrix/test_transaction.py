"""Transactions are read whatever their shape."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appservice.matrix.ids import MAX_ID_LENGTH, DeviceId, UserId
from appservice.matrix.transaction import MAX_DEPTH, UnreadableJsonError, parse, read_json

EVENT = {
    "event_id": "$one",
    "room_id": "!room",
    "type": "m.room.encrypted",
    "sender": "@alice:example.org",
    "origin_server_ts": 1700000000000,
    "content": {"algorithm": "m.megolm.v1.aes-sha2"},
}
TO_DEVICE = {
    "type": "m.room.encrypted",
    "sender": "@alice:example.org",
    "to_user_id": "@_mediatrix_bot:example.org",
    "to_device_id": "BOT",
    "content": {"ciphertext": {}},
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


def mutilated(item: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    """The item with one of its values replaced."""
    return st.builds(lambda key, value: {**item, key: value}, st.sampled_from(sorted(item)), JSON)


MUTILATED_EVENT, MUTILATED_MESSAGE = mutilated(EVENT), mutilated(TO_DEVICE)


def test_a_room_event_is_read_with_its_raw_form() -> None:
    [event] = parse("1", {"events": [EVENT]}).events
    assert (event.event_id, event.room_id, event.sender) == ("$one", "!room", "@alice:example.org")
    assert event.origin_server_ts == 1700000000000
    assert event.state_key is None
    assert event.raw == EVENT
    assert event.content == {"algorithm": "m.megolm.v1.aes-sha2"}


@pytest.mark.parametrize("name", ["to_device", "de.sorunome.msc2409.to_device"])
def test_to_device_messages_are_read_under_either_name(name: str) -> None:
    [message] = parse("1", {name: [TO_DEVICE]}).to_device
    assert (message.to_user, message.to_device) == ("@_mediatrix_bot:example.org", "BOT")


@pytest.mark.parametrize(
    "name",
    [
        "device_one_time_keys_count",
        "org.matrix.msc3202.device_one_time_keys_count",
        "org.matrix.msc3202.device_one_time_key_counts",
    ],
)
def test_key_counts_are_read_under_every_name_and_a_device_without_keys_is_not_left_out(name: str) -> None:
    counts = {"@g:x": {"DEV": {"signed_curve25519": 7}, "EMPTY": {}}}
    found = {count.device: count.one_time_keys for count in parse("1", {name: counts}).key_counts}
    assert found == {DeviceId("DEV"): {"signed_curve25519": 7}, DeviceId("EMPTY"): {}}


def test_fallback_keys_and_device_lists_are_read() -> None:
    found = parse(
        "1",
        {
            "org.matrix.msc3202.device_unused_fallback_key_types": {"@g:x": {"DEV": ["signed_curve25519"], "NEW": []}},
            "org.matrix.msc3202.device_lists": {"changed": ["@a:x"], "left": ["@b:x", 3]},
        },
    )
    assert {(f.device, f.unused) for f in found.fallback_keys} == {
        (DeviceId("DEV"), frozenset({"signed_curve25519"})),
        (DeviceId("NEW"), frozenset()),
    }
    assert found.devices_changed == {UserId("@a:x")}
    assert found.devices_left == {UserId("@b:x")}


@pytest.mark.parametrize("key", ["event_id", "room_id", "type", "sender", "content"])
def test_an_event_without_what_identifies_it_is_dropped_and_its_neighbour_kept(key: str) -> None:
    broken = {name: value for name, value in EVENT.items() if name != key}
    found = parse("1", {"events": [broken, EVENT, None, "text"]})
    assert [event.event_id for event in found.events] == ["$one"]
    assert found.dropped == 3


@pytest.mark.parametrize("bad", ["", "a\0b", "\ud800", "x" * (MAX_ID_LENGTH + 1), 5, None, ["$one"]])
def test_an_id_that_no_table_could_hold_is_none(bad: object) -> None:
    assert parse("1", {"events": [{**EVENT, "event_id": bad}]}).events == ()


@pytest.mark.parametrize("claimed", [-1, 2**64, True, "soon", 1.5, None])
def test_an_impossible_time_is_read_as_zero(claimed: object) -> None:
    [event] = parse("1", {"events": [{**EVENT, "origin_server_ts": claimed}]}).events
    assert event.origin_server_ts == 0


def test_an_event_nested_without_bottom_is_dropped() -> None:
    deep: Any = {}
    for _ in range(MAX_DEPTH + 1):
        deep = {"a": deep}
    assert parse("1", {"events": [{**EVENT, "content": deep}, EVENT]}).dropped == 1


def test_the_fingerprint_tells_contents_apart_and_ignores_the_order_of_keys() -> None:
    def fingerprint(content: dict[str, Any]) -> str:
        [message] = parse("1", {"to_device": [{**TO_DEVICE, "content": content}]}).to_device
        return message.fingerprint

    assert fingerprint({"a": 1, "b": 2}) == fingerprint({"b": 2, "a": 1})
    assert fingerprint({"a": 1}) != fingerprint({"a": 2})
    assert fingerprint({"a": "\ud800\0"})


@pytest.mark.parametrize("body", [b"", b"{", b"NaN", b'{"a": Infinity}', b"[" * 200_000, b"\xff", b"1" * 5000])
def test_what_is_not_json_is_refused(body: bytes) -> None:
    with pytest.raises(UnreadableJsonError):
        read_json(body)


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "events": st.lists(JSON | MUTILATED_EVENT, max_size=3) | JSON,
            "to_device": st.lists(JSON | MUTILATED_MESSAGE, max_size=3) | JSON,
            "ephemeral": JSON,
            "device_lists": JSON,
            "device_one_time_keys_count": JSON,
            "device_unused_fallback_key_types": JSON,
        },
    )
)
def test_no_shape_whatever_raises_or_goes_uncounted(body: dict[str, Any]) -> None:
    found = parse("1", body)
    lists = [body.get(name) for name in ("events", "to_device", "ephemeral")]
    offered = sum(len(items) for items in lists if isinstance(items, list))
    assert len(found.events) + len(found.to_device) + len(found.ephemeral) + found.dropped == offered
    json.dumps([event.raw for event in found.events]).encode()
    for message in found.to_device:
        assert len(message.fingerprint) == 64
