"""The routes of documents. What is not that person's is answered like what there isn't, whatever the reason.

GET  /p/documents                              what may be looked at or downloaded
POST /p/documents                              a file is handed in to a private room, and examined
POST /p/documents/{document}/{version}/open    begins to look: on record, counted; GET alone opens nothing
GET  /p/documents/{document}/{version}?page=   one page of what is open
GET  /p/documents/{document}/{version}/pages/{page}    its picture
POST /p/documents/{document}/{version}/download        the file, where that was granted: on record before it leaves
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from http import HTTPStatus
from typing import Final
from urllib.parse import quote
from weakref import WeakValueDictionary

from aiohttp import web

from bridges.email.rate import RateCap
from bridges.portal import render
from bridges.portal.handing import put_down
from bridges.portal.papers import Download, Handed, NotNow, PageImage, Papers
from bridges.portal.requests import HEADERS, ended, form_of, is_ours, nothing, page, see, session_of
from bridges.portal.views import House
from policies.words.phrase import Phrase, phrase

SHOWN_MOST: Final = 60
SHOWN_WINDOW: Final = 60.0
"""So many pages may one session have drawn or downloaded in so many seconds."""
_HANDED_IN: Final = phrase("Your file has been examined and is kept. It stands here as soon as it has been filed.")
_DONE: Final[Mapping[str, Phrase]] = {
    "handed-in": _HANDED_IN,
    "redacted": phrase("The new version is being made. You are told when it is there; look at every page of it then."),
}
_NOT_KEPT: Final = phrase("Your file could not be kept at the moment. Please try again later.")
_CHUNK: Final = 1 << 16
_WITH_PICTURES: Final = HEADERS["Content-Security-Policy"] + "; img-src 'self'"
_FILE_POLICY: Final = "default-src 'none'; sandbox; frame-ancestors 'none'"


class DocumentPages:
    """The handlers. `shown` caps what a session has drawn."""

    def __init__(self, papers: Papers, house: House, shown: RateCap, *, most_bytes: int) -> None:
        """`most_bytes`: of a file that is handed in."""
        self._papers, self._house, self._shown, self._most_bytes = papers, house, shown, most_bytes
        self._turns = WeakValueDictionary[str, asyncio.Lock]()
        """Of one session one file at a time is put down: whoever sends many at once fills no disk with them."""

    def routes(self) -> list[web.RouteDef]:
        """What to add to an application, before the routes of links."""
        one = r"/p/documents/{document:D[0-9]{1,6}}/{version:[0-9]{1,6}}"
        return [
            web.get("/p/documents", self._list),
            web.post("/p/documents", self._hand_in),
            web.post(f"{one}/open", self._open),
            web.get(one, self._paper),
            web.get(one + "/pages/{page:[0-9]{1,6}}", self._page),
            web.post(f"{one}/download", self._download),
        ]

    async def _list(self, request: web.Request) -> web.Response:
        session = session_of(request)
        papers = await self._papers.papers(session) if session else None
        if papers is None:
            return ended(self._house)
        done = _DONE.get(request.query.get("done", ""))
        house = await self._to(session)
        shown = render.Papers(papers, await self._papers.places(session), await self._papers.has_rooms(session))
        return page(render.papers(house, shown, session, done=done))

    async def _hand_in(self, request: web.Request) -> web.Response:
        session = session_of(request)
        if not session or request.content_type != "multipart/form-data":
            return ended(self._house)
        if not await self._papers.places(session):
            return ended(self._house)  # before anything is written: whoever makes up a session can make up its mark
        if self._shown.is_full(session):
            return await self._too_fast(session)
        self._shown.count(session)
        turn = self._turns.setdefault(session, asyncio.Lock())
        try:
            async with turn, self._papers.desk() as folder:
                handed = await put_down(request, session, folder / "handed-in", self._most_bytes)
                match handed:
                    case None:
                        return ended(self._house)
                    case NotNow():
                        kept: NotNow | bool = handed
                    case Handed():
                        kept = await self._papers.hand_in(session, handed, folder / "handed-in")
        except OSError:
            return await self._plain(session, phrase("Not now"), _NOT_KEPT, HTTPStatus.SERVICE_UNAVAILABLE)
        if isinstance(kept, NotNow):
            return await self._plain(session, phrase("Not taken"), kept.why, HTTPStatus.BAD_REQUEST)
        return see("/p/documents?done=handed-in") if kept else await self._nothing(session)

    async def _open(self, request: web.Request) -> web.Response:
        session, form = session_of(request), await form_of(request)
        if not session or not is_ours(form, session):
            return ended(self._house)
        document, version = _named(request)
        if not await self._papers.open(session, document, version):
            return await self._nothing(session)
        return see(f"/p/documents/{document}/{version}?page=1")

    async def _paper(self, request: web.Request) -> web.Response:
        session, wanted = session_of(request), request.query.get("page", "1")
        paper = await self._papers.paper(session, *_named(request)) if session else None
        number = int(wanted) if wanted.isascii() and wanted.isdigit() and len(wanted) <= 6 else 0
        if paper is None or not 1 <= number <= paper.pages:
            return await self._nothing(session)
        html = render.paper(await self._to(session), paper, number, session)
        return page(html, policy=_WITH_PICTURES)

    async def _page(self, request: web.Request) -> web.Response:
        session = session_of(request)
        if not session:
            return await self._nothing(session)
        if self._shown.is_full(session):
            return await self._too_fast(session)
        self._shown.count(session)
        match await self._papers.page(session, *_named(request), int(request.match_info["page"])):
            case PageImage(jpeg):
                return web.Response(body=jpeg, content_type="image/jpeg", headers=HEADERS)
            case NotNow(why):
                return await self._plain(session, phrase("Not now"), why, HTTPStatus.SERVICE_UNAVAILABLE)
            case None:
                return await self._nothing(session)

    async def _download(self, request: web.Request) -> web.StreamResponse:
        session, form = session_of(request), await form_of(request)
        if not session or not is_ours(form, session):
            return ended(self._house)
        if self._shown.is_full(session):
            return await self._too_fast(session)
        self._shown.count(session)
        async with self._papers.download(session, *_named(request)) as file:
            match file:
                case Download():
                    return await _sent(request, file)
                case NotNow(why):
                    return await self._plain(session, phrase("Not now"), why, HTTPStatus.SERVICE_UNAVAILABLE)
                case None:
                    return await self._nothing(session)

    async def _nothing(self, session: str) -> web.Response:
        return nothing(await self._to(session))

    async def _too_fast(self, session: str) -> web.Response:
        text = phrase("Please wait a minute.")
        return await self._plain(session, phrase("Not so fast"), text, HTTPStatus.TOO_MANY_REQUESTS)

    async def _plain(self, session: str, title: Phrase, text: Phrase, status: HTTPStatus) -> web.Response:
        return page(render.plain(await self._to(session), title, text), status)

    async def _to(self, session: str) -> House:
        """The house, as it speaks to that session's person."""
        return self._house.speaking(await self._papers.language(session) if session else None)


async def _sent(request: web.Request, file: Download) -> web.StreamResponse:
    """The file, piece by piece, as something to be kept and never to be shown by the browser as a page of ours."""
    disposition = f"attachment; filename*=UTF-8''{quote(file.name, safe='')}"
    policy = {"Content-Security-Policy": _FILE_POLICY, "Content-Disposition": disposition}
    answer = web.StreamResponse(headers={**HEADERS, **policy, "Content-Type": file.mimetype})
    answer.content_length = file.size
    await answer.prepare(request)
    with file.path.open("rb") as source:
        while chunk := await asyncio.to_thread(source.read, _CHUNK):
            await answer.write(chunk)
    await answer.write_eof()
    return answer


def _named(request: web.Request) -> tuple[str, int]:
    return request.match_info["document"], int(request.match_info["version"])
