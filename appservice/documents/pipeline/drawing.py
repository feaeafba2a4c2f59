"""An image of a page, with who looks at it burned into its points."""

from __future__ import annotations

from typing import Any, BinaryIO, Final

import pypdfium2
from PIL import Image, ImageDraw, ImageFont

from appservice.documents.pipeline import limits
from appservice.documents.pipeline.kinds import images
from appservice.documents.pipeline.kinds.made import Reason, Unacceptable
from policies.documents.files import Kind
from policies.frozen import frozen

_QUALITY: Final = 80
_ANGLE: Final = 30
_DARK, _LIGHT = (70, 70, 70), (245, 245, 245)
_STRENGTH: Final = 76
"""Of 255: to be read on any ground, and the page through it."""


@frozen
class Order:
    """Which page, counted from 1, how many points wide, and the lines of its watermark."""

    kind: Kind
    page: int
    width: int
    lines: tuple[str, ...]

    @classmethod
    def of(cls, task: dict[str, Any]) -> Order:
        """As it came in a task."""
        return cls(Kind(task["kind"]), int(task["page"]), int(task["width"]), tuple(task["lines"]))


def draw(source: BinaryIO, result: BinaryIO, order: Order) -> tuple[int, int]:
    """Write the page as a JPEG; its width and height. Raises Unacceptable for a page that there is not."""
    page = _pdf_page(source, order) if order.kind is Kind.PDF else _picture(source, order)
    _mark(page, order.lines)
    page.save(result, "JPEG", quality=_QUALITY)
    return page.size


def _pdf_page(source: BinaryIO, order: Order) -> Image.Image:
    with pypdfium2.PdfDocument(source) as document:
        if not 1 <= order.page <= len(document):
            raise Unacceptable(Reason.NO_SUCH_PAGE)
        page = document[order.page - 1]
        width, height = page.get_size()
        if not (width > 0 and height > 0):
            raise Unacceptable(Reason.DAMAGED)
        scale = min(order.width / width, limits.SIDE / max(width, height))
        bitmap: pypdfium2.PdfBitmap = page.render(scale=scale, rev_byteorder=True)
        shown: Image.Image = bitmap.to_pil()  # of three channels, so it is a copy
        return shown


def _picture(source: BinaryIO, order: Order) -> Image.Image:
    if order.page != 1:
        raise Unacceptable(Reason.NO_SUCH_PAGE)
    return opened_picture(order.kind, source, order.width)


def opened_picture(kind: Kind, source: BinaryIO, width: int) -> Image.Image:
    """At most so many points wide, on white where it is transparent. Raises Unacceptable."""
    picture = images.opened(kind, source)
    scale = min(width / picture.width, limits.SIDE / max(picture.size), 1.0)
    size = max(1, round(picture.width * scale)), max(1, round(picture.height * scale))
    picture.draft("RGB", size)
    if "transparency" in picture.info or picture.mode in {"RGBA", "LA", "PA"}:
        seen = picture.convert("RGBA").resize(size)
        ground = Image.new("RGBA", size, "white")
        return Image.alpha_composite(ground, seen).convert("RGB")
    return picture.convert("RGB").resize(size)


def _mark(page: Image.Image, lines: tuple[str, ...]) -> None:
    """All over the page, aslant: a piece that is cut out still says whose it was."""
    size = max(12, page.width // 45)
    tile = _tile(lines, size)
    pieces = _pieces(tile, size)
    for row, top in enumerate(range(0, page.height, tile.height)):
        for left in range(-(row % 2) * tile.width // 2, page.width, tile.width):
            for x, y, piece, strength in pieces:
                page.paste(piece, (left + x, top + y), strength)


def _pieces(tile: Image.Image, size: int) -> list[tuple[int, int, Image.Image, Image.Image]]:
    """What of a tile is not empty, cut small: most of it is, and blending nothing takes as long as blending words."""
    words, strength = tile.convert("RGB"), tile.getchannel("A")
    corners = [(x, y) for y in range(0, tile.height, size) for x in range(0, tile.width, size)]
    boxes = [(x, y, min(x + size, tile.width), min(y + size, tile.height)) for x, y in corners]
    return [(*box[:2], words.crop(box), strength.crop(box)) for box in boxes if strength.crop(box).getbbox()]


def _tile(lines: tuple[str, ...], size: int) -> Image.Image:
    """The lines once: dark with a light edge, so that they show on any ground, and the page through them."""
    font, words = ImageFont.load_default(size), "\n".join(lines)
    left, top, right, bottom = ImageDraw.Draw(Image.new("L", (1, 1))).multiline_textbbox((0, 0), words, font=font)
    straight = Image.new("RGBA", (int(right - left) + 2 * size, int(bottom - top) + 2 * size), (*_LIGHT, 0))
    pen = ImageDraw.Draw(straight)
    for shift, colour in ((1, _LIGHT), (0, _DARK)):
        at = size - left + shift, size - top + shift
        pen.multiline_text(at, words, fill=(*colour, _STRENGTH), font=font, align="center")
    return straight.rotate(_ANGLE, expand=True, resample=Image.Resampling.BILINEAR)
