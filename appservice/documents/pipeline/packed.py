"""Packed documents (ZIP): that every part lies where it says, once, and is no larger than can be borne."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from typing import BinaryIO, Final

from appservice.documents.pipeline import limits
from appservice.documents.pipeline.kinds.made import Reason, Unacceptable
from policies.documents.files import Kind

ODF: Final = {kind.mimetype: kind for kind in (Kind.ODT, Kind.ODS, Kind.ODP)}
MAIN_PARTS: Final = {f"{kind.mimetype}.main+xml": kind for kind in (Kind.DOCX, Kind.XLSX, Kind.PPTX)}
MIMETYPE: Final = "mimetype"
"""The part in which an OpenDocument says what it is; it lies there unpacked, so that others can look it up."""
CONTENT_TYPES: Final = "[Content_Types].xml"
_LOCAL_HEADER: Final = 30
_LISTED: Final = 46
_END_RECORD: Final = 22
_LARGE_RECORDS: Final = 76
"""What the form for large archives adds at the end; some programs always write it."""
_DATE: Final = (1980, 1, 1, 0, 0, 0)


def kind_of(source: BinaryIO) -> Kind:
    """What a packed document says it is: by its own list of contents, never by a name outside. Raises Unacceptable."""
    with opened(source) as archive:
        names = set(archive.namelist())
        if {MIMETYPE, CONTENT_TYPES} <= names:
            raise Unacceptable(Reason.TWO_IN_ONE)
        if MIMETYPE in names:
            kind = ODF.get(read(archive, MIMETYPE).decode("ascii", "replace").strip())
        elif CONTENT_TYPES in names:
            contents = read(archive, CONTENT_TYPES).decode("utf-8", "replace")
            if "macroEnabled" in contents or "vbaProject" in contents:
                raise Unacceptable(Reason.MACROS)
            kind = next((kind for main, kind in MAIN_PARTS.items() if f'"{main}"' in contents), None)
        else:
            kind = None
    if kind is None:
        raise Unacceptable(Reason.PACKED)
    return kind


def opened(source: BinaryIO) -> zipfile.ZipFile:
    """The archive, after all that can be said of it without unpacking. Raises Unacceptable."""
    size = source.seek(0, 2)
    source.seek(0)
    try:
        archive = zipfile.ZipFile(source)
    except (zipfile.BadZipFile, NotImplementedError, ValueError):
        raise Unacceptable(Reason.DAMAGED) from None
    parts = archive.infolist()
    if not 0 < len(parts) <= limits.PARTS or sum(part.file_size for part in parts) > limits.UNPACKED:
        raise Unacceptable(Reason.TOO_MUCH)
    if any(part.flag_bits & 0x1 for part in parts):
        raise Unacceptable(Reason.ENCRYPTED)
    if archive.comment or not (_named_well(parts) and _laid_out_well(parts, archive.start_dir, size)):
        raise Unacceptable(Reason.TRICK)
    return archive


def read(archive: zipfile.ZipFile, name: str) -> bytes:
    """A part that is small. Raises Unacceptable for one that is not."""
    if archive.getinfo(name).file_size > limits.SMALL_PART:
        raise Unacceptable(Reason.TOO_MUCH)
    return archive.read(name)


def write(archive: zipfile.ZipFile, result: BinaryIO, changed: Mapping[str, bytes | None], *, first: str) -> None:
    """Pack anew: the part `first` leads, unpacked; those in `changed` have other bytes, or are left out for None."""
    order = sorted(archive.infolist(), key=lambda part: part.filename != first)
    with zipfile.ZipFile(result, "w", zipfile.ZIP_DEFLATED) as made:
        for part in order:
            if part.is_dir() or changed.get(part.filename, b"") is None:
                continue
            entry = zipfile.ZipInfo(part.filename, _DATE)
            entry.compress_type = zipfile.ZIP_STORED if part.filename == MIMETYPE else zipfile.ZIP_DEFLATED
            entry.file_size = part.file_size
            with made.open(entry, "w") as target:
                data = changed.get(part.filename)
                if data is not None:
                    target.write(data)
                    continue
                with archive.open(part) as old:
                    while chunk := old.read(1 << 16):
                        target.write(chunk)


def _named_well(parts: list[zipfile.ZipInfo]) -> bool:
    names = [part.filename for part in parts]
    odd = any(
        name.startswith("/") or "\\" in name or ":" in name or ".." in name.split("/") or not name.isprintable()
        for name in names
    )
    return not odd and len({name.casefold() for name in names}) == len(names)


def _laid_out_well(parts: list[zipfile.ZipInfo], start: int, size: int) -> bool:
    """From the first byte on, no part over another, each packed in a common way, and nothing after the list."""
    end = 0
    for number, part in enumerate(sorted(parts, key=lambda part: part.header_offset)):
        if part.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED} or part.header_offset < end:
            return False
        if number == 0 and part.header_offset != 0:
            return False
        end = part.header_offset + _LOCAL_HEADER + _name_bytes(part) + part.compress_size
    listed = sum(_LISTED + _name_bytes(part) + len(part.extra) + len(part.comment) for part in parts)
    return end <= start and size - start - listed in {_END_RECORD, _END_RECORD + _LARGE_RECORDS}


def _name_bytes(part: zipfile.ZipInfo) -> int:
    return len(part.orig_filename.encode("utf-8" if part.flag_bits & 0x800 else "cp437"))
