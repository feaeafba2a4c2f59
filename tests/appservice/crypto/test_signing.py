"""Signed JSON: what is signed verifies, and what was changed does not."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appservice.crypto.ids import Ed25519Key, UserId
from appservice.crypto.signing import (
    CrossSigningSeeds,
    canonical_json,
    is_signed,
    public_key,
    signer,
    with_signature,
)
from appservice.crypto.untrusted import MalformedError, curve25519, ed25519, parse, unpadded_base64

USER = UserId("@alice:example.org")
SEED = bytes(range(32))
KEY = public_key(SEED)

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


def test_canonical_json_is_that_of_the_specification() -> None:
    value = {"b": "日本", "a": [1, True, None], "本": {}, "": "\n\x7f/"}
    assert canonical_json(value) == '{"":"\\n\x7f/","a":[1,true,null],"b":"日本","本":{}}'.encode()


@pytest.mark.parametrize("value", [1.5, 2**53, -(2**53), {"a": [0.0]}, {1: 2}, "\ud800", b"bytes"])
def test_what_cannot_be_signed_is_refused(value: object) -> None:
    with pytest.raises(MalformedError):
        canonical_json(value)


def test_nesting_without_end_is_refused() -> None:
    value: Any = {}
    for _ in range(100_000):
        value = {"a": value}
    with pytest.raises(MalformedError):
        canonical_json(value)


@given(st.dictionaries(st.text(), json_values))
def test_what_is_signed_verifies_whatever_is_added_outside(value: dict[str, Any]) -> None:
    value = {key: inner for key, inner in value.items() if key not in {"signatures", "unsigned"}}
    signed = with_signature(value, USER, KEY, signer(SEED))
    assert is_signed({**signed, "unsigned": {"age": 1}}, USER, KEY, KEY)
    twice = with_signature(signed, USER, "OTHER", signer(bytes(32)))
    assert is_signed(twice, USER, KEY, KEY)
    assert is_signed(twice, USER, "OTHER", public_key(bytes(32)))


@given(st.dictionaries(st.text(), json_values), st.text(), json_values)
def test_what_was_changed_after_signing_does_not(value: dict[str, Any], key: str, other: Any) -> None:
    signed = with_signature(value, USER, KEY, signer(SEED))
    changed = {**signed, key: other}
    before = {name: v for name, v in signed.items() if name not in {"signatures", "unsigned"}}
    after = {name: v for name, v in changed.items() if name not in {"signatures", "unsigned"}}
    if canonical_json(before) != canonical_json(after):
        assert not is_signed(changed, USER, KEY, KEY)


@pytest.mark.parametrize("signature", [None, 5, "", "AAAA", "A" * 86, "é"])
def test_a_signature_of_any_shape_is_just_no_signature(signature: object) -> None:
    source = {"signatures": {USER: {f"ed25519:{KEY}": signature}}}
    assert not is_signed(source, USER, KEY, KEY)


def test_keys_are_compared_in_one_spelling() -> None:
    assert ed25519(KEY + "=") == KEY
    assert curve25519("A" * 43) == "A" * 43


@pytest.mark.parametrize("length", [0, 31, 33, 64])
def test_a_key_of_another_length_is_refused_before_vodozemac_sees_it(length: int) -> None:
    with pytest.raises(MalformedError):
        ed25519(unpadded_base64(bytes(length)))


@pytest.mark.parametrize("data", [b"", b"[]", b"{", b"\xff", b'{"a":' * 100_000])
def test_what_is_no_object_is_malformed(data: bytes) -> None:
    with pytest.raises(MalformedError):
        parse(data)


def test_seeds_survive_being_written_down_and_show_nothing() -> None:
    seeds = CrossSigningSeeds.generate()
    assert CrossSigningSeeds.from_text(seeds.to_text()) == seeds
    assert seeds.master.hex() not in f"{seeds!r} {seeds}"
    assert public_key(seeds.master) != Ed25519Key("")
