"""What all routes of the page share: whose request it is, what its form says, and how an answer is sent."""

import hmac
from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

from aiohttp import web

from bridges.portal import render
from bridges.portal.ids import form_mark, is_token
from bridges.portal.views import House
from policies.words.phrase import phrase

COOKIE: Final = "mediatrix"
_POLICY: Final = "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
HEADERS: Final = {
    "Content-Security-Policy": _POLICY,
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex, nofollow",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}
FORGET: Final = {**HEADERS, "Clear-Site-Data": '"cache"'}
"""What is `no-store` some browsers keep in their memory all the same, as it was shown, until they are told to clear it
(Clear Site Data, section 3.1). It is in there only once another page is shown: so that page asks for this."""
_BODY_LIMIT: Final = 128 * 1024


def page(html: str, status: HTTPStatus = HTTPStatus.OK, *, policy: str = _POLICY) -> web.Response:
    """An answer that a browser neither keeps nor lets others frame."""
    headers = {**HEADERS, "Content-Security-Policy": policy}
    return web.Response(text=html, content_type="text/html", status=status, headers=headers)


def see(where: str) -> web.Response:
    """Go on there."""
    return web.Response(status=HTTPStatus.SEE_OTHER, headers={**HEADERS, "Location": where})


def left(answer: web.Response) -> web.Response:
    """The answer to whoever leaves."""
    answer.del_cookie(COOKIE, path="/p")
    return answer


def ended(house: House) -> web.Response:
    """There is no session, or none any more. Whose it was is not known, nor whether they wanted us to be named."""
    text = phrase("Please open the link in the last mail that you got from us, and enter your PIN.")
    return page(render.plain(house.unnamed, phrase("Please open your link again"), text), HTTPStatus.FORBIDDEN)


def nothing(house: House) -> web.Response:
    """What is not that person's is answered like what there isn't, whatever the reason."""
    text = phrase("There is nothing here for you, or not any more. Your documents are listed under “Your documents”.")
    return page(render.plain(house, phrase("Nothing here"), text), HTTPStatus.NOT_FOUND)


def session_of(request: web.Request) -> str:
    """The session that a request says it is of; "" for none."""
    found = request.cookies.get(COOKIE, "")
    return found if is_token(found) else ""


def is_ours(form: Mapping[str, str], session: str) -> bool:
    """Whether a form was made for that session: another site can't make one."""
    return hmac.compare_digest(form.get("mark", "").encode(), form_mark(session).encode())


async def form_of(request: web.Request) -> Mapping[str, str]:
    """The fields of a form, each once, as texts."""
    if request.content_type != "application/x-www-form-urlencoded":
        return {}
    fields = await request.clone(client_max_size=_BODY_LIMIT).post()
    return {name: value for name, value in fields.items() if isinstance(value, str)}
