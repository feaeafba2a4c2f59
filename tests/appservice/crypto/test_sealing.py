"""What is sealed opens for the same purpose and place only, under any configured master key."""

import pytest
from vodozemac import GroupSession

from appservice.crypto.sealing import Sealer, SealError

OLD, NEW = bytes(32), bytes(range(32))


def test_what_is_sealed_opens_again() -> None:
    sealer = Sealer([NEW])
    sealed = sealer.seal("journal", "case 1", b"Alice's words")
    assert b"words" not in sealed
    assert sealer.open("journal", "case 1", sealed) == b"Alice's words"
    assert sealer.open_text("journal", "x", sealer.seal_text("journal", "x", "“é”")) == "“é”"


def test_the_same_words_are_never_sealed_the_same() -> None:
    sealer = Sealer([NEW])
    assert sealer.seal("journal", "case 1", b"yes") != sealer.seal("journal", "case 1", b"yes")


@pytest.mark.parametrize(("purpose", "aad"), [("seeds", "case 1"), ("journal", "case 2")])
def test_a_value_moved_elsewhere_does_not_open(purpose: str, aad: str) -> None:
    sealer = Sealer([NEW])
    sealed = sealer.seal("journal", "case 1", b"words")
    with pytest.raises(SealError):
        sealer.open(purpose, aad, sealed)


def test_no_byte_can_be_changed() -> None:
    sealer = Sealer([NEW])
    sealed = sealer.seal("journal", "case 1", b"words")
    for position in range(len(sealed)):
        damaged = bytearray(sealed)
        damaged[position] ^= 1
        with pytest.raises(SealError):
            sealer.open("journal", "case 1", bytes(damaged))
    for length in range(len(sealed)):
        with pytest.raises(SealError):
            sealer.open("journal", "case 1", sealed[:length])


def test_after_a_rotation_the_new_key_seals_and_both_open() -> None:
    before, after = Sealer([OLD]), Sealer([NEW, OLD])
    sealed, pickle = before.seal("journal", "", b"words"), before.pickle(GroupSession())
    assert after.open("journal", "", sealed) == b"words"
    assert after.unpickle(GroupSession.from_pickle, pickle).message_index == 0
    assert after.key_id == Sealer([NEW]).key_id != before.key_id
    with pytest.raises(SealError):
        before.open("journal", "", after.seal("journal", "", b"words"))
    with pytest.raises(SealError):
        Sealer([NEW]).open("journal", "", sealed)
    with pytest.raises(SealError):
        Sealer([NEW]).unpickle(GroupSession.from_pickle, pickle)


@pytest.mark.parametrize("text", ["", "zz:", "nonsense", f"{Sealer([NEW]).key_id}:nonsense"])
def test_a_damaged_pickle_is_a_seal_error(text: str) -> None:
    with pytest.raises(SealError):
        Sealer([NEW]).unpickle(GroupSession.from_pickle, text)


@pytest.mark.parametrize("masters", [[], [b"short"], [NEW, b"short"]])
def test_a_master_key_of_another_length_is_refused(masters: list[bytes]) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        Sealer(masters)
