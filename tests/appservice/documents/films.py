"""Films as telephones record them, box by box: as much of them as says what they are."""

from collections.abc import Sequence


def box(kind: bytes, *inner: bytes) -> bytes:
    """One box with its content."""
    content = b"".join(inner)
    return (len(content) + 8).to_bytes(4) + kind + content


def descriptor(tag: int, content: bytes) -> bytes:
    """With its length in four bytes, as most write it."""
    return bytes([tag, 0x80, 0x80, 0x80, len(content)]) + content


def sound(decoder: int = 0x40, kind: bytes = b"mp4a") -> bytes:
    """A sample entry of sound."""
    stream = b"\0\1\0" + descriptor(0x04, bytes([decoder]) + bytes(12))
    return box(kind, bytes(28), box(b"esds", bytes(4), descriptor(0x03, stream)))


def picture(kind: bytes = b"avc1") -> bytes:
    """A sample entry of moving pictures."""
    return box(kind, bytes(78), box(b"avcC", bytes(8)))


def track(handler: bytes, *formats: bytes) -> bytes:
    """A track in those formats."""
    described = box(b"stsd", bytes(4), len(formats).to_bytes(4), *formats)
    samples = box(b"minf", box(b"stbl", described, box(b"stts", bytes(8))))
    return box(b"trak", box(b"tkhd", bytes(84)), box(b"mdia", box(b"hdlr", bytes(8), handler, bytes(13)), samples))


SEEN, HEARD = track(b"vide", picture()), track(b"soun", sound())


def film(tracks: Sequence[bytes] = (SEEN, HEARD), brand: bytes = b"isom", data: bytes = b"moving") -> bytes:
    """A film with these tracks; what is seen and heard stands before what says how, as telephones write it."""
    begins = box(b"ftyp", brand, bytes(4), b"mp42")
    return begins + box(b"mdat", data) + box(b"moov", box(b"mvhd", bytes(100)), *tracks)
