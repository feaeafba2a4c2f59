"""Whether bytes are a film that telephones play: MP4 (ISO/IEC 14496-12 and -14), H.264, at most one track of AAC.

By what stands in them, whatever their sender calls them (Cloud API, supported media types). Boxes are walked, and
nothing is decoded; what is not as it should be is no such film.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

_BOXES_MOST: Final = 4_096
"""Of one box: no honest film has as many tracks, or as much beside them."""
_H264: Final = frozenset({b"avc1", b"avc3"})
_AAC: Final = 0x40
"""The object type of MPEG-4 audio (ISO/IEC 14496-1, 7.2.6.6)."""
_SOUND_ENTRY: Final = 28
"""Bytes of what is said of sound before the boxes in it."""
_NOTHING: Final = memoryview(b"")


def is_film(data: bytes) -> bool:
    """Whether they are one."""
    whole = memoryview(data)
    first = next(_boxes(whole), None)
    if first is None or first[0] != b"ftyp" or bytes(first[1][:4]) == b"qt  ":
        return False
    tracks = [track for kind, track in _inside(whole, b"moov") if kind == b"trak"]
    seen = [_formats(track) for track in tracks]
    pictures = [formats for handler, formats in seen if handler == b"vide"]
    sound = [formats for handler, formats in seen if handler == b"soun"]
    is_seen = bool(pictures) and all(kind in _H264 for formats in pictures for kind, _ in formats)
    is_heard = len(sound) <= 1 and all(_is_aac(kind, entry) for formats in sound for kind, entry in formats)
    return is_seen and all(pictures) and all(sound) and is_heard


def _boxes(view: memoryview) -> Iterator[tuple[bytes, memoryview]]:
    """Of each box its kind and content; none after the first that does not fit."""
    at = 0
    for _ in range(_BOXES_MOST):
        size, begins = int.from_bytes(view[at : at + 4]), 8
        if size == 1:
            size, begins = int.from_bytes(view[at + 8 : at + 16]), 16
        size = size or len(view) - at  # to the end
        if size < begins or at + size > len(view):
            return
        yield bytes(view[at + 4 : at + 8]), view[at + begins : at + size]
        at += size


def _inside(view: memoryview, kind: bytes) -> Iterator[tuple[bytes, memoryview]]:
    """The boxes in the first of that kind."""
    return _boxes(next((inner for found, inner in _boxes(view) if found == kind), _NOTHING))


def _formats(track: memoryview) -> tuple[bytes, list[tuple[bytes, memoryview]]]:
    """What a track is for, and in which formats it is."""
    media = dict(_inside(track, b"mdia"))
    samples = dict(_inside(media.get(b"minf", _NOTHING), b"stbl"))
    handler, formats = media.get(b"hdlr", _NOTHING), samples.get(b"stsd", _NOTHING)
    return bytes(handler[8:12]), list(_boxes(formats[8:]))


def _is_aac(kind: bytes, entry: memoryview) -> bool:
    """Whether sound of that format is AAC: what decodes it stands in a descriptor of a descriptor."""
    described = dict(_boxes(entry[_SOUND_ENTRY:])).get(b"esds", _NOTHING)
    stream = _descriptor(described[4:], 0x03)
    decoder = _descriptor(stream[3:], 0x04)
    return kind == b"mp4a" and bytes(decoder[:1]) == bytes([_AAC])


def _descriptor(view: memoryview, tag: int) -> memoryview:
    """The content of the descriptor that begins there; empty if it is another one (ISO/IEC 14496-1, 8.3.3)."""
    if bytes(view[:1]) != bytes([tag]):
        return _NOTHING
    at = 1
    while at < 5 and view[at : at + 1] and view[at] & 0x80:
        at += 1
    return view[at + 1 :]
