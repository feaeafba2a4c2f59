"""Files are encrypted on our side, and a file that is not the sender's is never opened."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appservice.matrix.errors import MediaTamperedError
from appservice.matrix.media import decrypt_file, encrypt_file


@given(st.binary(max_size=5000))
def test_what_was_encrypted_is_decrypted(plaintext: bytes) -> None:
    sealed = encrypt_file(plaintext)
    assert decrypt_file(sealed.ciphertext, sealed.info) == plaintext
    assert len(plaintext) < 16 or plaintext not in sealed.ciphertext


def test_every_file_has_a_key_of_its_own() -> None:
    assert encrypt_file(b"a").info["key"]["k"] != encrypt_file(b"a").info["key"]["k"]


@given(st.binary(min_size=1, max_size=200), st.data())
def test_a_file_with_a_changed_bit_is_not_opened(plaintext: bytes, data: st.DataObject) -> None:
    sealed = encrypt_file(plaintext)
    changed = bytearray(sealed.ciphertext)
    changed[data.draw(st.integers(0, len(changed) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(MediaTamperedError):
        decrypt_file(bytes(changed), sealed.info)


ODD: st.SearchStrategy[object] = (
    st.none() | st.integers() | st.text(max_size=60) | st.just({}) | st.just("AAAA") | st.just("é")
)


@given(st.sampled_from(["key", "k", "alg", "iv", "hashes", "sha256"]), ODD)
def test_a_malformed_description_is_refused_and_never_raises_otherwise(name: str, value: object) -> None:
    sealed = encrypt_file(b"a deed")
    info: dict[str, Any] = {**sealed.info, "key": dict(sealed.info["key"]), "hashes": dict(sealed.info["hashes"])}
    target = info["key"] if name in {"k", "alg"} else info["hashes"] if name == "sha256" else info
    target[name] = value
    try:
        opened = decrypt_file(sealed.ciphertext, info)
    except MediaTamperedError:
        return
    # A key or counter that is wrong but well-formed gives other bytes: only the hash is checked, as the spec says.
    assert name in {"k", "iv"}
    assert opened != b"a deed"
