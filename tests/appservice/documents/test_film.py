"""What is a film that telephones play is known by what stands in it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appservice.documents.film import is_film
from tests.appservice.documents.films import HEARD, SEEN, box, film, picture, sound, track


@pytest.mark.parametrize(
    "data",
    [
        film(),
        film([SEEN]),
        film([HEARD, SEEN, track(b"meta", box(b"mett", bytes(8)))], brand=b"mp42"),
        film([track(b"vide", picture(b"avc3"))]),
        film().replace(b"\x00\x00\x00\x0emdat", b"\x00\x00\x00\x01mdat" + (22).to_bytes(8)),
    ],
    ids=["both", "silent", "with more beside", "avc3", "a large box"],
)
def test_a_film_is_one(data: bytes) -> None:
    assert is_film(data)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"OggS" + bytes(99),
        film([track(b"vide", picture(b"hvc1"))]),
        film([SEEN, track(b"vide", picture(b"av01"))]),
        film([track(b"vide")]),
        film([HEARD]),
        film([SEEN, HEARD, HEARD]),
        film([SEEN, track(b"soun", sound(kind=b"ac-3"))]),
        film([SEEN, track(b"soun", sound(decoder=0x6B))]),
        film([SEEN, track(b"soun")]),
        film(brand=b"qt  "),
        film()[20:],
        film()[:-40],
        film()[: len(film()) // 2],
    ],
    ids=[
        *("nothing", "sound", "H.265", "AV1 beside", "no format", "nothing to see", "two voices", "AC-3", "MP3"),
        *("no format of sound", "QuickTime", "no beginning", "cut off", "half"),
    ],
)
def test_nothing_else_is(data: bytes) -> None:
    assert not is_film(data)


@given(st.integers(0, len(film())), st.binary(max_size=12))
def test_no_bytes_raise(at: int, other: bytes) -> None:
    whole = film()
    is_film(whole[:at] + other + whole[at + len(other) :])


@given(st.lists(st.sampled_from([b"ftyp", b"moov", b"trak", b"mdia", bytes(8), b"\0\0\0\1", b"\xff" * 8, SEEN])))
def test_no_boxes_raise(parts: list[bytes]) -> None:
    is_film(b"".join(parts))
    is_film(box(b"ftyp", b"isom") + box(b"moov", b"".join(parts)))
