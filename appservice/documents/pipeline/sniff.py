"""What a file is, by what it begins with and how it is built. Its name has no say."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from typing import BinaryIO, Final

from appservice.documents.pipeline import packed
from appservice.documents.pipeline.kinds.made import Reason, Unacceptable
from policies.documents.files import Kind

_HEAD: Final = 4096


def kind_of(source: BinaryIO) -> Kind:
    """The one kind a file is of. Raises Unacceptable for what is none of ours, or two at once."""
    source.seek(0)
    head = source.read(_HEAD)
    if not head:
        raise Unacceptable(Reason.EMPTY)
    kind = _by_beginning(head)
    if kind is None:
        return packed.kind_of(source)
    if zipfile.is_zipfile(source) or (kind is not Kind.PDF and b"%PDF-" in head[:1024] and kind is not Kind.TEXT):
        raise Unacceptable(Reason.TWO_IN_ONE)
    return kind


def _by_beginning(head: bytes) -> Kind | None:
    """The kind; None for what is packed. Raises Unacceptable."""
    for begins, kind in _BEGINNINGS:
        if begins(head):
            return kind
    if head.startswith(b"PK\x03\x04"):
        return None
    for begins, reason in _REFUSED:
        if begins(head):
            raise Unacceptable(reason)
    return Kind.TEXT


def _starts(*beginnings: bytes) -> Callable[[bytes], bool]:
    return lambda head: head.startswith(beginnings)


def _is_web_page(head: bytes) -> bool:
    shown = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    return shown.startswith(_WEB) or any(tag in shown for tag in _WEB_ANYWHERE)


def _is_film_or_heic(head: bytes) -> bool:
    return head[4:8] == b"ftyp"


_WEB: Final = (b"<!doctype", b"<html", b"<svg", b"<?xml", b"<head", b"<body", b"<script", b"<!--", b"mime-version:")
_WEB_ANYWHERE: Final = (b"<script", b"<svg", b"<html", b"<iframe", b"javascript:")
_BEGINNINGS: Final = (
    (_starts(b"%PDF-"), Kind.PDF),
    (_starts(b"\xff\xd8\xff"), Kind.JPEG),
    (_starts(b"\x89PNG\r\n\x1a\n"), Kind.PNG),
    (_starts(b"GIF87a", b"GIF89a"), Kind.GIF),
    (lambda head: head.startswith(b"RIFF") and head[8:12] == b"WEBP", Kind.WEBP),
)
_REFUSED: Final = (
    (_starts(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"), Reason.OLD_OFFICE),
    (_starts(b"MZ", b"\x7fELF", b"#!", b"\xca\xfe\xba\xbe", b"\xcf\xfa\xed\xfe"), Reason.PROGRAM),
    (_starts(b"Rar!", b"7z\xbc\xaf\x27\x1c", b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"PK\x05\x06"), Reason.PACKED),
    (_starts(b"{\\rtf"), Reason.RTF),
    (_is_film_or_heic, Reason.MOVING),
    (_starts(b"OggS", b"ID3", b"fLaC", b"RIFF"), Reason.MOVING),
    (_starts(b"II*\x00", b"MM\x00*", b"BM"), Reason.OTHER_PICTURE),
    (_is_web_page, Reason.WEB_PAGE),
    (lambda head: b"%PDF-" in head[:1024], Reason.BEFORE),
)
