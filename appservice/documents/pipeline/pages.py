"""Page images: what somebody without a client looks at instead of the document."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path
from typing import Final, Protocol

from appservice.documents.pipeline import limits, orders
from appservice.documents.pipeline.workshop import Answered, Died, Unstaffed, Workshop
from policies.documents.files import Kind
from policies.frozen import frozen
from policies.words.phrase import phrase
from policies.words.text import moment, one_line

_NARROWEST: Final = 200
NOT_DRAWN: Final = phrase("This page can't be shown.")
NOT_NOW: Final = phrase("Pages can't be shown right now. Please try again later.")


@frozen
class Watermark:
    """Who looks, when, and the short id under which that stands on record."""

    viewer: str
    at: datetime
    mark: str

    @property
    def lines(self) -> tuple[str, ...]:
        """As it stands on the page."""
        return one_line(self.viewer, 40), moment(self.at), one_line(self.mark, 40)


@frozen
class Page:
    """A JPEG, and its width and height in points."""

    jpeg: bytes
    width: int
    height: int


@frozen
class Unrendered:
    """There is no image. `why` is a whole sentence for who wanted to see it."""

    why: str


class Renderer(Protocol):
    """Makes page images."""

    async def render(self, source: Path, kind: Kind, page: int, width: int, watermark: Watermark) -> Page | Unrendered:
        """Page number `page`, counted from 1, about `width` points wide, of a file that was found clean."""


class Pages:
    """`Renderer`, in the confined process."""

    def __init__(self, workshop: Workshop) -> None:
        self._workshop = workshop

    async def render(self, source: Path, kind: Kind, page: int, width: int, watermark: Watermark) -> Page | Unrendered:
        """As the port says. The image never lies on a disk."""
        if not kind.has_pages:
            return Unrendered(NOT_DRAWN)
        task = {
            "task": orders.DRAW,
            "kind": kind.value,
            "page": page,
            "width": min(max(width, _NARROWEST), limits.SIDE),
            "lines": watermark.lines,
        }
        with source.open("rb") as file, os.fdopen(os.memfd_create("page"), "w+b") as image:
            match await self._workshop.do(task, file.fileno(), image.fileno()):
                case Answered({"width": int(wide), "height": int(high)}):
                    image.seek(0)
                    return Page(image.read(), wide, high)
                case Answered() | Died():
                    return Unrendered(NOT_DRAWN)
                case Unstaffed():
                    return Unrendered(NOT_NOW)
