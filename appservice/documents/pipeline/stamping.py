"""A copy of a file for one recipient: who it is for stands on every page of a PDF, or on the picture, and inside.

The words on a page can be taken off by whoever knows how, and so can the mark inside: both deter, and tell copies
apart as long as nobody did. A text or an office document is handed out as it is kept.
"""

from __future__ import annotations

import io
import zlib
from typing import Any, BinaryIO, Final

import pikepdf
from PIL import Image, ImageDraw, ImageFont, ImageSequence

from appservice.documents.pipeline.kinds import images
from appservice.documents.pipeline.kinds.made import Reason, Unacceptable
from policies.documents.files import Kind
from policies.frozen import frozen

_QUALITY: Final = 90
_POINTS: Final = 8
"""Height of the words on a page of a PDF."""
_SHARP: Final = 4
_MARGIN: Final = 6
_INSIDE: Final = "/Copy"
"""Where the mark stands in a PDF's notes."""


@frozen
class Order:
    """What the file is, what is to stand on it, and the short id that is to be inside."""

    kind: Kind
    line: str
    mark: str

    @classmethod
    def of(cls, task: dict[str, Any]) -> Order:
        """As it came in a task."""
        return cls(Kind(task["kind"]), str(task["line"]), str(task["mark"]))


def stamp(source: BinaryIO, result: BinaryIO, order: Order) -> None:
    """Write the copy. Raises Unacceptable for a kind that can't carry a mark."""
    match order.kind:
        case Kind.PDF:
            _pdf(source, result, order)
        case Kind.JPEG | Kind.PNG | Kind.WEBP:
            _picture(source, result, order)
        case _:
            raise Unacceptable(Reason.UNKNOWN)


def _pdf(source: BinaryIO, result: BinaryIO, order: Order) -> None:
    with pikepdf.open(source, suppress_warnings=True) as document, _strip(order.line) as strip:
        _, _, wide, high = (float(edge) for edge in strip.pages[0].mediabox)
        for page in document.pages:
            left, bottom, right, _ = (float(edge) for edge in page.cropbox)
            width = min(wide, max(right - left - 2 * _MARGIN, 1.0))
            at = left + _MARGIN, bottom + _MARGIN
            page.add_overlay(strip.pages[0], pikepdf.Rectangle(*at, at[0] + width, at[1] + high * width / wide))
        document.docinfo[_INSIDE] = order.mark
        document.save(result, object_stream_mode=pikepdf.ObjectStreamMode.generate, fix_metadata_version=False)


def _strip(line: str) -> pikepdf.Pdf:
    """A page with nothing but the words on it, as a picture: whatever script a name is in, it needs no font there."""
    words = _words(line, _POINTS * _SHARP)
    wide, high = words.width / _SHARP, words.height / _SHARP
    strip = pikepdf.new()
    strip.add_blank_page(page_size=(wide, high))
    shape: dict[str, Any] = {
        "/Type": pikepdf.Name.XObject,
        "/Subtype": pikepdf.Name.Image,
        "/Width": words.width,
        "/Height": words.height,
        "/BitsPerComponent": 8,
        "/ColorSpace": pikepdf.Name.DeviceGray,
        "/Filter": pikepdf.Name.FlateDecode,
    }
    strength = strip.make_stream(zlib.compress(words.tobytes()), dict(shape))
    drawn = strip.make_stream(zlib.compress(bytes([60]) * (words.width * words.height)), {**shape, "/SMask": strength})
    page = strip.pages[0]
    page.Resources = pikepdf.Dictionary(XObject=pikepdf.Dictionary(W=drawn))
    page.Contents = strip.make_stream(f"q {wide} 0 0 {high} 0 0 cm /W Do Q".encode())
    return strip


def _picture(source: BinaryIO, result: BinaryIO, order: Order) -> None:
    picture = images.opened(order.kind, source)
    frames = [_marked(frame, order.line) for frame in ImageSequence.Iterator(picture)]
    exif = Image.Exif()
    exif[_IMAGE_ID] = order.mark
    moving: dict[str, Any] = {
        "save_all": True,
        "append_images": frames[1:],
        "duration": int(picture.info.get("duration", 100)),
        "loop": picture.info.get("loop", 0),
    }
    made = io.BytesIO()
    frames[0].save(made, order.kind.name, quality=_QUALITY, exif=exif, **(moving if len(frames) > 1 else {}))
    result.write(made.getvalue())


def _marked(picture: Image.Image, line: str) -> Image.Image:
    seen = picture.convert("RGBA" if picture.mode in {"RGBA", "LA", "PA", "P"} else "RGB")
    words = _words(line, max(10, seen.width // 60))
    if words.width > seen.width:
        words = words.resize((seen.width, max(1, words.height * seen.width // words.width)))
    at = max(0, seen.width - words.width), max(0, seen.height - words.height)
    ground = Image.new("RGB", words.size, "white")
    seen.paste(ground, at, words.point(lambda strength: 160 if strength else 0))
    seen.paste(Image.new("RGB", words.size, "black"), at, words)
    return seen


def _words(line: str, size: int) -> Image.Image:
    """How strong each point of the words is, 0 to 255."""
    font = ImageFont.load_default(size)
    left, top, right, bottom = ImageDraw.Draw(Image.new("L", (1, 1))).textbbox((0, 0), line, font=font)
    drawn = Image.new("L", (int(right - left) + 2, int(bottom - top) + 2))
    ImageDraw.Draw(drawn).text((1 - left, 1 - top), line, fill=255, font=font)
    return drawn


_IMAGE_ID: Final = 0x010E
"""ImageDescription (Exif 2.3, 4.6.4)."""
