"""Marking places on the pages of one's own document, to have a version made in which they are black (D8).

    GET  /p/documents/{document}/{version}/mark?page=   the page as a picture: two presses, on two corners, mark a place
    POST /p/documents/{document}/{version}/redact       has the version made, for its own side alone until a yes to it

No script: a picture that is a button tells where it was pressed (HTML, "Image Button"). Who presses nothing types the
place in percent. What is marked so far stands in the address, as it would in the command `!doc redact`.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

from aiohttp import web

from bridges.portal import render
from bridges.portal.papers import Papers, Wished
from bridges.portal.requests import HEADERS, ended, form_of, is_ours, nothing, page, see, session_of
from bridges.portal.views import House
from policies.commands.redacting import MARKED_MOST, TOO_MUCH, area_from, area_text, fits
from policies.documents.document import Area
from policies.frozen import frozen
from policies.words.phrase import Phrase, phrase

WIDE, HIGH = 340, 480
"""Points of the picture on every screen, a telephone's as well: where it is pressed is told in these."""
_WHOLE: Final = 1000
_WITH_PICTURES: Final = HEADERS["Content-Security-Policy"] + "; img-src 'self'"
_NO_PLACE: Final = phrase("That is no place: press two corners of it, or type four numbers from 0 to 100.")
_NOTHING: Final = phrase("Please mark at least one place, or write at least one word.")
_CORNER: Final = phrase("That is one corner. Now press the opposite one.")


@frozen
class Marked:
    """What is marked so far. `corner`: the first of the two, in thousandths of the page."""

    page: int
    areas: tuple[Area, ...]
    corner: tuple[int, int] | None = None
    said: Phrase | None = None

    @property
    def text(self) -> str:
        """As the command has it."""
        return " ".join(area_text(area) for area in self.areas)

    def without(self, number: int) -> str:
        """The same but for one."""
        return " ".join(area_text(area) for at, area in enumerate(self.areas) if at != number)


class MarkingPages:
    """The handlers."""

    def __init__(self, papers: Papers, house: House) -> None:
        self._papers, self._house = papers, house

    def routes(self) -> list[web.RouteDef]:
        """What to add to an application, before the routes of links."""
        one = r"/p/documents/{document:D[0-9]{1,6}}/{version:[0-9]{1,6}}"
        return [web.get(f"{one}/mark", self._mark), web.post(f"{one}/redact", self._redact)]

    async def _mark(self, request: web.Request) -> web.Response:
        session, document, version = session_of(request), *_named(request)
        paper = await self._papers.paper(session, document, version) if session else None
        marked = marked_by(request.query)
        if paper is None or not paper.is_own or not 1 <= marked.page <= paper.pages:
            return ended(self._house)
        html = render.marking(await self._to(session), paper, marked, session, (WIDE, HIGH))
        return page(html, policy=_WITH_PICTURES)

    async def _redact(self, request: web.Request) -> web.Response:
        session, form = session_of(request), await form_of(request)
        if not session or not is_ours(form, session):
            return ended(self._house)
        language = await self._papers.language(session)
        if language is None:
            return ended(self._house)
        house, areas, words = self._house.speaking(language), _areas(form.get("areas", "")), form.get("words", "")
        lines = tuple(dict.fromkeys(" ".join(line.split()) for line in words.splitlines() if line.strip()))
        if not (areas or lines) or not fits(areas, lines):
            text = TOO_MUCH if areas or lines else _NOTHING
            return page(render.plain(house, phrase("That did not work"), text), HTTPStatus.BAD_REQUEST)
        if await self._papers.redact(session, *_named(request), Wished(areas, lines, form.get("nonce", ""))):
            return see("/p/documents?done=redacted")
        return nothing(house)

    async def _to(self, session: str) -> House:
        return self._house.speaking(await self._papers.language(session) if session else None)


def marked_by(query: Mapping[str, str]) -> Marked:
    """What is marked, after what was pressed or typed last."""
    number, areas = _number(query.get("page", "1"), 10**6) or 0, _areas(query.get("areas", ""))
    typed = [query.get(side, "").strip().replace(",", ".") for side in ("left", "top", "right", "bottom")]
    if any(typed):
        area = area_from(f"{number}:{typed[0]},{typed[1]}-{typed[2]},{typed[3]}")
        return _with(number, areas, area)
    pressed = _pressed(query)
    if pressed is None:
        return Marked(number, areas)
    first = query.get("corner", "").split(",")
    corner = (_number(first[0], _WHOLE), _number(first[1], _WHOLE)) if len(first) == 2 else (None, None)
    if corner[0] is None or corner[1] is None:
        return Marked(number, areas, pressed, _CORNER)
    (left, right), (top, bottom) = sorted((corner[0], pressed[0])), sorted((corner[1], pressed[1]))
    is_one = left < right and top < bottom
    # Each press tells the upper left of a point, and the place holds the whole of its last one.
    right, bottom = min(_WHOLE, right - -_WHOLE // WIDE), min(_WHOLE, bottom - -_WHOLE // HIGH)
    return _with(number, areas, Area(number, left, top, right, bottom) if is_one else None)


def _with(number: int, areas: tuple[Area, ...], area: Area | None) -> Marked:
    if area is None or len(areas) >= MARKED_MOST:
        return Marked(number, areas, said=_NO_PLACE if area is None else TOO_MUCH)
    return Marked(number, (*areas, area))


def _pressed(query: Mapping[str, str]) -> tuple[int, int] | None:
    """Where the picture was pressed, in thousandths of it."""
    across, down = _number(query.get("at.x", ""), WIDE), _number(query.get("at.y", ""), HIGH)
    return None if across is None or down is None else (across * _WHOLE // WIDE, down * _WHOLE // HIGH)


def _areas(text: str) -> tuple[Area, ...]:
    found = (area_from(one) for one in text.split()[:MARKED_MOST])
    return tuple(area for area in found if area)


def _number(text: str, most: int) -> int | None:
    return min(int(text), most) if text.isascii() and text.isdigit() and len(text) <= 7 else None


def _named(request: web.Request) -> tuple[str, int]:
    return request.match_info["document"], int(request.match_info["version"])
