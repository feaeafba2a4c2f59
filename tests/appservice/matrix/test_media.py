"""Files are encrypted on our side, and a file that is not the sender's is never opened."""

import tracemalloc
from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appservice.matrix.attachments import PIECE, seal, unseal
from appservice.matrix.errors import MediaTamperedError
from appservice.matrix.media import encrypt_file
from tests.fakes.synapse import decrypted

MEGABYTE = 1_000_000


def opened(sealed: bytes, info: Mapping[str, Any]) -> bytes:
    """A file as we open it. Raises MediaTamperedError; then nothing of it was written."""
    with TemporaryDirectory() as folder:
        source, into = Path(folder) / "sealed", Path(folder) / "plain"
        source.write_bytes(sealed)
        try:
            unseal(source, into, info)
        except MediaTamperedError:
            assert not into.exists()
            raise
        return into.read_bytes()


@given(st.binary(max_size=5000))
def test_what_was_encrypted_whole_is_decrypted(plaintext: bytes) -> None:
    sealed = encrypt_file(plaintext)
    assert opened(sealed.ciphertext, sealed.info) == plaintext
    assert len(plaintext) < 16 or plaintext not in sealed.ciphertext


@pytest.mark.parametrize("size", [0, 1, 16, PIECE - 1, PIECE, PIECE + 1, 2 * PIECE + 7])
def test_what_was_encrypted_piece_by_piece_is_what_every_client_reads(tmp_path: Path, size: int) -> None:
    plain = bytes(number % 251 for number in range(size))
    (tmp_path / "plain").write_bytes(plain)
    info = seal(tmp_path / "plain", tmp_path / "sealed")
    assert decrypted((tmp_path / "sealed").read_bytes(), info) == plain
    assert opened((tmp_path / "sealed").read_bytes(), info) == plain


def test_every_file_has_a_key_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "plain").write_bytes(b"a")
    sealed = [seal(tmp_path / "plain", tmp_path / name) for name in ("one", "two")]
    assert len({info["key"]["k"] for info in (*sealed, encrypt_file(b"a").info, encrypt_file(b"a").info)}) == 4


@pytest.mark.parametrize("work", ["seal", "unseal"])
def test_memory_does_not_grow_with_the_file(tmp_path: Path, work: str) -> None:
    def most(of: int) -> int:
        (tmp_path / "plain").write_bytes(bytes(of))
        info = seal(tmp_path / "plain", tmp_path / f"sealed{of}")
        acts: dict[str, Callable[[], object]] = {
            "seal": lambda: seal(tmp_path / "plain", tmp_path / f"again{of}"),
            "unseal": lambda: unseal(tmp_path / f"sealed{of}", tmp_path / f"opened{of}", info),
        }
        tracemalloc.start()
        try:
            acts[work]()
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    assert most(16 * MEGABYTE) < most(1 * MEGABYTE) + PIECE


@given(st.binary(min_size=1, max_size=200), st.data())
def test_a_file_with_a_changed_bit_is_not_opened(plaintext: bytes, data: st.DataObject) -> None:
    sealed = encrypt_file(plaintext)
    changed = bytearray(sealed.ciphertext)
    changed[data.draw(st.integers(0, len(changed) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(MediaTamperedError):
        opened(bytes(changed), sealed.info)


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
        plain = opened(sealed.ciphertext, info)
    except MediaTamperedError:
        return
    # A key or counter that is wrong but well-formed gives other bytes: only the hash is checked, as the spec says.
    assert name in {"k", "iv"}
    assert plain != b"a deed"
