"""Plain text: words and nothing else, in UTF-8."""

from __future__ import annotations

from typing import BinaryIO, Final

from appservice.documents.pipeline import limits
from appservice.documents.pipeline.kinds.made import Change, Made, Reason, Unacceptable
from policies.documents.files import Kind
from policies.words.text import clean

_MARKS: Final = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))


def make(source: BinaryIO, result: BinaryIO) -> Made:
    """The same words as UTF-8, without control characters and such that change the direction of reading."""
    raw = source.read(limits.TEXT + 1)
    if len(raw) > limits.TEXT:
        raise Unacceptable(Reason.LONG_TEXT)
    words = _decoded(raw).replace("\r\n", "\n").replace("\r", "\n").replace("\f", "\n")
    cleaned = clean(words)
    result.write(cleaned.encode())
    return Made(Kind.TEXT, changes=(Change.INVISIBLE,) if cleaned != words else ())


def _decoded(raw: bytes) -> str:
    encodings = [encoding for mark, encoding in _MARKS if raw.startswith(mark)] or ["utf-8", "cp1252"]
    for encoding in encodings:
        try:
            words = raw.decode(encoding)
        except UnicodeDecodeError:
            continue
        if sum(c < " " and c not in "\t\n\r\f" for c in words) <= len(words) // 1000:
            return words
    raise Unacceptable(Reason.UNKNOWN)
