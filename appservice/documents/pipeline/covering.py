"""A document in which some places are black: of every page a picture, and of the original nothing else.

No text, fonts, links, layers or notes are taken over, marked or not: what is not there can't be brought out again.
That it is so is looked up in the result before anybody gets it.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any, BinaryIO, Final

import pikepdf
import pypdfium2
from PIL import Image, ImageDraw

from appservice.documents.pipeline import limits
from appservice.documents.pipeline.drawing import opened_picture
from appservice.documents.pipeline.kinds.made import Reason, Unacceptable
from policies.documents.files import Kind
from policies.frozen import frozen

_SCALE: Final = 150 / 72
"""Points of a picture for each of a page: 150 dpi."""
_QUALITY: Final = 85
_BLACKEST: Final = 40
"""Of 255: how bright what was black is at most, after JPEG."""
_AROUND: Final = 0.15
"""Of the height of a line: letters reach beyond the place that a font names."""
_EDGE: Final = 2

Box = tuple[int, int, int, int]
"""Left, top, right, bottom: points of a picture."""


@frozen
class Order:
    """What is to be covered: areas in thousandths of the page as it is seen, and words wherever they stand."""

    kind: Kind
    areas: tuple[tuple[int, int, int, int, int], ...]
    """Page, left, top, right, bottom."""
    words: tuple[str, ...]

    @classmethod
    def of(cls, task: dict[str, Any]) -> Order:
        """As it came in a task."""
        areas = tuple((int(page), int(a), int(b), int(c), int(d)) for page, a, b, c, d in task["areas"])
        return cls(Kind(task["kind"]), areas, tuple(map(str, task["words"])))


@frozen
class Covered:
    """What was done: how many places on which pages, of how many."""

    pages: int
    places: int
    on: tuple[int, ...]


def cover(source: BinaryIO, result: BinaryIO, order: Order) -> Covered:
    """Write the PDF of pictures. Raises Unacceptable, also where the result is not what it should be."""
    boxes: dict[int, list[Box]] = {}
    found: set[str] = set()
    with pikepdf.new() as made:
        for number, (picture, size, words) in enumerate(_pages(source, order), start=1):
            areas = [_of_area(area, picture) for page, *area in order.areas if page == number]
            found |= words.keys()
            here = [*areas, *(box for some in words.values() for box in some)]
            pen = ImageDraw.Draw(picture)
            for box in here:
                pen.rectangle(box, fill="black")
            if here:
                boxes[number] = here
            _add(made, picture, size)
        count = len(made.pages)
        if any(page > count for page, *_ in order.areas):
            raise Unacceptable(Reason.NO_SUCH_PAGE)
        if set(order.words) - found:
            raise Unacceptable(Reason.NO_SUCH_WORDS)
        made.save(result, object_stream_mode=pikepdf.ObjectStreamMode.generate, deterministic_id=True)
    _prove(result, boxes, count)
    return Covered(count, sum(map(len, boxes.values())), tuple(sorted(boxes)))


def _pages(source: BinaryIO, order: Order) -> Iterator[tuple[Image.Image, tuple[float, float], dict[str, list[Box]]]]:
    """Each page as a picture, its size, and where the words stand on it."""
    if order.kind is not Kind.PDF:
        picture = opened_picture(order.kind, source, limits.SIDE)
        yield picture, (picture.width / _SCALE, picture.height / _SCALE), {}
        return
    with pypdfium2.PdfDocument(source) as document:
        if len(document) > limits.COVERED_PAGES:
            raise Unacceptable(Reason.LONG_TO_COVER)
        for page in document:
            width, height = page.get_size()
            if not (width > 0 and height > 0):
                raise Unacceptable(Reason.DAMAGED)
            bitmap = page.render(scale=min(_SCALE, limits.SIDE / max(width, height)), rev_byteorder=True)
            yield bitmap.to_pil().convert("RGB"), (width, height), _where(page, bitmap, order.words)


def _where(page: Any, bitmap: Any, words: tuple[str, ...]) -> dict[str, list[Box]]:
    text, place = page.get_textpage(), bitmap.get_posconv(page)
    found: dict[str, list[Box]] = {}
    for one in words:
        searcher = text.search(one, match_case=False)
        while hit := searcher.get_next():
            index, length = hit
            for number in range(text.count_rects(index, length)):
                left, bottom, right, top = text.get_rect(number)
                found.setdefault(one, []).append(_around(place.to_bitmap(left, top), place.to_bitmap(right, bottom)))
    return found


def _around(one: tuple[int, int], other: tuple[int, int]) -> Box:
    """What lies between two corners, whichever way the page is turned, and a little more."""
    left, right = sorted((one[0], other[0]))
    top, bottom = sorted((one[1], other[1]))
    more = _EDGE + round(_AROUND * min(bottom - top, right - left))
    return left - more, top - more, right + more, bottom + more


def _of_area(area: list[int], picture: Image.Image) -> Box:
    left, top, right, bottom = area
    across, down = picture.width / 1000, picture.height / 1000
    return round(left * across), round(top * down), round(right * across), round(bottom * down)


def _add(made: pikepdf.Pdf, picture: Image.Image, size: tuple[float, float]) -> None:
    jpeg = io.BytesIO()
    picture.save(jpeg, "JPEG", quality=_QUALITY)
    shown = pikepdf.Stream(made, jpeg.getvalue())
    shown.Type, shown.Subtype = pikepdf.Name.XObject, pikepdf.Name.Image
    shown.Width, shown.Height, shown.BitsPerComponent = picture.width, picture.height, 8
    shown.ColorSpace, shown.Filter = pikepdf.Name.DeviceRGB, pikepdf.Name.DCTDecode
    width, height = size
    page = made.add_blank_page(page_size=size)
    page.Resources = pikepdf.Dictionary(XObject=pikepdf.Dictionary(Page=made.make_indirect(shown)))
    page.Contents = pikepdf.Stream(made, f"q {width:.2f} 0 0 {height:.2f} 0 0 cm /Page Do Q".encode())


def _prove(result: BinaryIO, boxes: dict[int, list[Box]], pages: int) -> None:
    """Read the result as anybody could: no text on any page, and nothing but black where something was marked."""
    result.seek(0)
    with pypdfium2.PdfDocument(result) as document:
        if len(document) != pages:
            raise Unacceptable(Reason.NOT_COVERED)
        for number, page in enumerate(document, start=1):
            if page.get_textpage().count_chars() or any(thing.type != _IMAGE for thing in page.get_objects()):
                raise Unacceptable(Reason.NOT_COVERED)
            (image,) = page.get_objects()
            seen = image.get_bitmap().to_pil().convert("L")
            for box in boxes.get(number, ()):
                if not _is_black(seen, box):
                    raise Unacceptable(Reason.NOT_COVERED)


def _is_black(picture: Image.Image, box: Box) -> bool:
    left, top, right, bottom = box
    inner = (
        max(left + _EDGE, 0),
        max(top + _EDGE, 0),
        min(right - _EDGE, picture.width),
        min(bottom - _EDGE, picture.height),
    )
    if inner[0] >= inner[2] or inner[1] >= inner[3]:
        return True  # all of it lies outside of the page, or is a line
    brightest = picture.crop(inner).getextrema()[1]
    return isinstance(brightest, int | float) and brightest <= _BLACKEST


_IMAGE: Final = pypdfium2.raw.FPDF_PAGEOBJ_IMAGE
