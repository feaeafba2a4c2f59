"""Files as people see them: what kinds there are, and what a file may be called."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection
from enum import StrEnum
from itertools import count
from typing import Final

from policies.words.text import clean

FILE_NAME_LIMIT: Final = 100
"""Characters of a name, its ending included."""


class Kind(StrEnum):
    """What a file really is, by its content. Everything else is refused. The value is what is stored."""

    PDF = "pdf"
    JPEG = "jpeg"
    PNG = "png"
    GIF = "gif"
    WEBP = "webp"
    TEXT = "text"
    DOCX = "docx"
    XLSX = "xlsx"
    PPTX = "pptx"
    ODT = "odt"
    ODS = "ods"
    ODP = "odp"
    OTHER = "other"
    """Not examined: what a mediator had kept as it was sent."""

    @property
    def mimetype(self) -> str:
        """What it is served as."""
        return _MIMETYPES[self]

    @property
    def suffix(self) -> str:
        """How its name ends, with the dot."""
        return _SUFFIXES.get(self, f".{self.value}")

    @property
    def has_pages(self) -> bool:
        """Whether it can be shown as page images."""
        return self in _PAGED


def file_name(raw: str, kind: Kind | None = None) -> str:
    """A name that says nothing but a name: no path, nothing invisible or direction-changing, an end that is true.

    `kind`: what the file was found to be; without it, the end stays as it came.
    """
    base = raw.replace("\\", "/").rsplit("/", 1)[-1]
    shown = "".join(c for c in clean(base) if not _is_hidden(c) and c not in _UNFIT)
    line = " ".join(shown.split()).strip(". ")
    if kind is None:
        return _short(line, FILE_NAME_LIMIT) or _UNNAMED
    if kind is Kind.OTHER and line.lower().endswith(_ENDS_AS_SENT):
        stem, _, end = line.rpartition(".")
        return f"{_short(stem, FILE_NAME_LIMIT - len(end) - 1) or _UNNAMED}.{end}"
    stem = _without_end(line, kind)
    return (_short(stem, FILE_NAME_LIMIT - len(kind.suffix)) or _UNNAMED) + kind.suffix


def another_name(name: str, taken: Collection[str]) -> str:
    """The name if it is free, else with the first number that makes it so: "contract (2).pdf"."""
    stem, dot, end = name.rpartition(".") if "." in name else (name, "", "")
    numbered = (f"{_short(stem, FILE_NAME_LIMIT - len(end) - 8)} ({number}){dot}{end}" for number in count(2))
    return name if name not in taken else next(one for one in numbered if one not in taken)


def _without_end(line: str, kind: Kind) -> str:
    """The name without the end it should have; another end stays, and the true one follows it."""
    for end in (kind.suffix, *_OTHER_ENDS.get(kind, ())):
        if line.lower().endswith(end):
            return line[: -len(end)].rstrip(". ")
    return line


def _short(name: str, limit: int) -> str:
    return name if len(name) <= limit else f"{name[: limit - 1].rstrip('. ')}…"


def _is_hidden(char: str) -> bool:
    return unicodedata.category(char) in {"Cf", "Cn"} or char in _BLANKS


_UNNAMED: Final = "document"
_UNFIT: Final = frozenset('<>:"|?*`')
"""What file systems, shells and markup take for something else."""
_BLANKS: Final = frozenset("\u115f\u1160\u3164\uffa0\u2800")
_PAGED: Final = frozenset({Kind.PDF, Kind.JPEG, Kind.PNG, Kind.GIF, Kind.WEBP})
_OPEN_XML: Final = "application/vnd.openxmlformats-officedocument"
_MIMETYPES: Final = {
    Kind.OTHER: "application/octet-stream",
    Kind.PDF: "application/pdf",
    Kind.JPEG: "image/jpeg",
    Kind.PNG: "image/png",
    Kind.GIF: "image/gif",
    Kind.WEBP: "image/webp",
    Kind.TEXT: "text/plain",
    Kind.DOCX: f"{_OPEN_XML}.wordprocessingml.document",
    Kind.XLSX: f"{_OPEN_XML}.spreadsheetml.sheet",
    Kind.PPTX: f"{_OPEN_XML}.presentationml.presentation",
    Kind.ODT: "application/vnd.oasis.opendocument.text",
    Kind.ODS: "application/vnd.oasis.opendocument.spreadsheet",
    Kind.ODP: "application/vnd.oasis.opendocument.presentation",
}
_ENDS_AS_SENT: Final = (
    *(".mp4", ".mov", ".webm", ".m4a", ".mp3", ".ogg", ".opus", ".wav", ".aac", ".amr", ".heic", ".tif", ".tiff"),
    *(".zip", ".7z", ".rar", ".pdf", ".docx", ".xlsx", ".pptx", ".txt"),
)
"""Of what was not examined: such that no machine runs. Another end is made one that none opens by itself."""
_SUFFIXES: Final = {Kind.OTHER: ".bin", Kind.JPEG: ".jpg", Kind.TEXT: ".txt"}
_OTHER_ENDS: Final = {Kind.JPEG: (".jpeg", ".jpe"), Kind.TEXT: (".text",)}
