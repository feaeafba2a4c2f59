"""The page's routes. GET shows nothing of anybody without a session; POST and the PIN open one.

    GET  /p/{link}         a field for the PIN, the same for every link that there is or isn't
    POST /p/{link}         link and PIN ─▶ a session of half an hour, in a cookie; a link opens one
    GET  /p/{link}/pause   a button for that
    POST /p/{link}/pause   no more mail (RFC 8058): no PIN, for it can only stop something
    GET  /p/rooms          what the session's person may see
    POST /p/act            say, answer, enrol, mine, digest, discreet, pause
    POST /p/leave          the session ends
    GET  /p/exit           the session ends, and the browser is elsewhere at once
    GET  /p/forget.css     the browser keeps nothing of ours, not even for its button “Back”

No script, no third party: the content security policy forbids both. Link scanners that follow a link find the field.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Final
from urllib.parse import urlencode

from aiohttp import web

from bridges.email.rate import RateCap
from bridges.portal import render
from bridges.portal.ids import is_token
from bridges.portal.requests import COOKIE, FORGET, HEADERS, ended, form_of, is_ours, left, page, see, session_of
from bridges.portal.views import Closed, House, Portal, View
from policies.words.phrase import Phrase, phrase

logger = logging.getLogger(__name__)

EXIT_WAITS: Final = 0.3
"""So many seconds does whoever leaves quickly wait for their session to be ended."""
_TEXT_LIMIT: Final = 20_000
PAGE_TRIES: Final = 20
PAGE_WINDOW: Final = 600.0
"""So many PINs may one caller try in so many seconds, whatever the link."""
_FIELDS: Final[Mapping[str, frozenset[str]]] = {
    "say": frozenset({"room", "text"}),
    "answer": frozenset({"code", "yes"}),
    "enrol": frozenset({"words"}),
    "mine": frozenset({"message"}),
    "digest": frozenset({"times"}),
    "discreet": frozenset({"on"}),
    "pause": frozenset(),
}
_DONE: Final[Mapping[str, Phrase]] = {
    "say": phrase("Sent. It stands here as soon as it has been passed on."),
    "answer": phrase("Your answer has been taken."),
    "enrol": phrase("Thank you. These are your rooms."),
    "mine": phrase("Thank you. It is passed on to your own side and the mediators."),
    "digest": phrase("Thank you. That is how you are mailed from now on."),
    "discreet": phrase("Thank you. That is how you are mailed from now on."),
    "pause": phrase("Nothing is mailed to you from now on."),
}


class PortalPages:
    """The handlers. `caller` tells a request's network address; `is_secure`: people reach the page by https."""

    def __init__(
        self, portal: Portal, house: House, caller: Callable[[web.Request], str], tries: RateCap, *, is_secure: bool
    ) -> None:
        self._portal, self._house, self._caller, self._tries = portal, house, caller, tries
        self._is_secure = is_secure
        self._leaving: set[asyncio.Future[None]] = set()

    def routes(self) -> list[web.RouteDef]:
        """What to add to an application."""
        return [
            web.get("/p/style.css", self._style),
            web.get("/p/rooms", self._rooms),
            web.post("/p/act", self._act),
            web.post("/p/leave", self._leave),
            web.get("/p/exit", self._exit),
            web.get("/p/forget.css", self._forget),
            web.get("/p/{link}", self._door),
            web.post("/p/{link}", self._open),
            web.get("/p/{link}/pause", self._ask_to_pause),
            web.post("/p/{link}/pause", self._pause),
        ]

    async def _style(self, _: web.Request) -> web.Response:
        return web.Response(
            text=render.STYLE, content_type="text/css", headers={**HEADERS, "Cache-Control": "max-age=3600"}
        )

    async def _shown_to(self, request: web.Request) -> House:
        """Who we are, as whoever comes with nothing but a link may learn it: who asked for discreet contact is not
        given away to those who see their mails."""
        link, asked = request.match_info["link"], request.url.host or ""
        if asked == self._house.discreet_host or (is_token(link) and not await self._portal.may_be_named(link)):
            return self._house.unnamed
        return self._house

    async def _door(self, request: web.Request) -> web.Response:
        return page(render.locked_door(await self._shown_to(request)))

    async def _open(self, request: web.Request) -> web.Response:
        # Another site could have somebody enter with a link and PIN of its own, and write where it reads.
        if request.headers.get("Sec-Fetch-Site", "same-origin") not in {"same-origin", "none"}:
            return page(render.locked_door(await self._shown_to(request)), HTTPStatus.FORBIDDEN)
        caller = self._caller(request)
        if self._tries.is_full(caller):
            problem = phrase("Too many tries from here. Please wait ten minutes, or call.")
            house = await self._shown_to(request)
            return page(render.locked_door(house, problem=problem), HTTPStatus.TOO_MANY_REQUESTS)
        self._tries.count(caller)
        link, form = request.match_info["link"], await form_of(request)
        pin = "".join(form.get("pin", "").split())
        opened = await self._portal.open(link, pin) if is_token(link) and pin else Closed.WRONG
        house = await self._shown_to(request)
        match opened:
            case Closed.LOCKED if not house.organisation:
                problem = phrase("Too many wrong tries. This is locked for half an hour.")
            case Closed.LOCKED:
                problem = phrase(
                    "Too many wrong PINs. This is locked for half an hour, and your mediator knows. Please call."
                )
            case Closed.WRONG:
                problem = phrase(
                    "This link and this PIN don't open anything. The link may be too old: one from a mail works for"
                    " three days, any other for an hour at most."
                )
            case Closed.USED:
                problem = phrase(
                    "This link opens no more: each opens once, and not for long. Another one is on its way to you,"
                    " unless you wanted no mail for now, or it is night where you are; please open the newest."
                )
            case _:
                answer = see("/p/rooms")
                answer.set_cookie(COOKIE, opened, path="/p", httponly=True, secure=self._is_secure, samesite="Strict")
                return answer
        return page(render.locked_door(house, problem=problem), HTTPStatus.FORBIDDEN)

    async def _rooms(self, request: web.Request) -> web.Response:
        session = session_of(request)
        view = await self._portal.view(session, request.query.get("before", "")) if session else None
        if view is None:
            return ended(self._house)
        if view.is_elsewhere:
            return see("/p/documents")
        return page(render.rooms(self._house, view, session, done=_done(view, request.query)))

    async def _act(self, request: web.Request) -> web.Response:
        session, form = session_of(request), await form_of(request)
        what = form.get("act", "")
        if not session or not is_ours(form, session):
            return ended(self._house)
        values = {name: form[name] for name in _FIELDS.get(what, ()) if name in form}
        if (
            what not in _FIELDS
            or len(values.get("text", "")) > _TEXT_LIMIT
            or (what == "say" and not values.get("text", "").strip())
        ):
            house = self._house.speaking(await self._portal.language(session))
            text = phrase("Please go back, and try again.")
            return page(render.plain(house, phrase("That did not work"), text), HTTPStatus.BAD_REQUEST)
        if not await self._portal.act(session, form.get("nonce", ""), what, values):
            return ended(self._house)
        query = urlencode({"done": what, **({"room": values["room"]} if values.get("room") else {})})
        return see(f"/p/rooms?{query}")

    async def _leave(self, request: web.Request) -> web.Response:
        session, form = session_of(request), await form_of(request)
        house = self._house
        if session and is_ours(form, session):
            house = house.speaking(await self._portal.language(session))
            await self._portal.leave(session)
        text = phrase("You have left. Close this window if others use this computer.")
        return left(page(render.goodbye(house.unnamed, phrase("Goodbye"), text)))

    async def _exit(self, request: web.Request) -> web.Response:
        """A link, so that one press is enough, without a form or script. It ends nothing but one's own session, and the
        cookie of that comes from no other site. Whoever is in a hurry waits for no database."""
        session = session_of(request)
        if session:
            leaving = asyncio.ensure_future(self._portal.leave(session))
            self._leaving.add(leaving)
            leaving.add_done_callback(self._has_left)
            await asyncio.wait({leaving}, timeout=EXIT_WAITS)
        answer = left(page(render.gone(self._house)))
        answer.headers["Refresh"] = f"0; url={self._house.leave_to}"
        return answer

    def _has_left(self, leaving: asyncio.Future[None]) -> None:
        self._leaving.discard(leaving)
        if not leaving.cancelled() and leaving.exception():
            logger.warning("a session that somebody left could not be ended, and ends by itself")

    async def _forget(self, _: web.Request) -> web.Response:
        return web.Response(text="", content_type="text/css", headers=FORGET)

    async def _ask_to_pause(self, request: web.Request) -> web.Response:
        return page(render.pause(await self._shown_to(request)))

    async def _pause(self, request: web.Request) -> web.Response:
        link = request.match_info["link"]
        if is_token(link):
            await self._portal.pause(link)
        house = await self._shown_to(request)
        text = phrase("If this was a link of yours, nothing is mailed to you from now on. Your mediator has been told.")
        if not house.organisation:
            text = phrase("If this was a link of yours, nothing is mailed to you from now on.")
        return page(render.plain(house, phrase("No more mail"), text))


def _done(view: View, query: Mapping[str, str]) -> Phrase | None:
    """What to say of the act that was just done. Words that are kept for the mediator are not called sent."""
    what = query.get("done", "")
    room = next((room for room in view.rooms if room.id == query.get("room")), None)
    if what == "say" and room and room.kept:
        return phrase(
            "Received. It is not shown to the others, because {why}. The mediator looks at it first.", why=room.kept
        )
    return _DONE.get(what)
