"""What a file may be called."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.documents.files import FILE_NAME_LIMIT, Kind, file_name


@pytest.mark.parametrize(
    ("raw", "name"),
    [
        ("offer.pdf", "offer.pdf"),
        ("../../etc/passwd", "passwd.pdf"),
        ("C:\\Users\\Alice\\offer.PDF", "offer.pdf"),
        ("offer\u202efdp.exe", "offerfdp.exe.pdf"),
        ("offer.pdf.exe", "offer.pdf.exe.pdf"),
        ("offer\x00.pdf\r\n\tX: y", "offer.pdf X y.pdf"),
        ("\u200b\u3164", "document.pdf"),
        ("...", "document.pdf"),
        ("", "document.pdf"),
        ("~/.ssh/", "document.pdf"),
        ("Müller & Söhne (2).pdf", "Müller & Söhne (2).pdf"),
        ("הצעה.pdf", "הצעה.pdf"),
    ],
)
def test_a_name_is_one_and_says_what_the_file_is(raw: str, name: str) -> None:
    assert file_name(raw, Kind.PDF) == name


def test_a_name_keeps_its_end_while_it_is_not_known_what_the_file_is() -> None:
    assert file_name("../photo.svg") == "photo.svg"
    assert file_name("photo.jpeg", Kind.JPEG) == "photo.jpg"


@given(st.text(max_size=300), st.sampled_from([None, *Kind]))
def test_whatever_a_file_is_called_its_name_is_short_and_plain(raw: str, kind: Kind | None) -> None:
    name = file_name(raw, kind)
    assert 0 < len(name) <= FILE_NAME_LIMIT
    assert not set(name) & set('/\\<>:"|?*`\n\r\t\0')
    assert not any(unicodedata.category(c) in {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"} for c in name)
    assert kind is None or name.endswith(kind.suffix)
    assert file_name(name, kind) == name
