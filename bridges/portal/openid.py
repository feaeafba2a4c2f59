"""The page for clients and widgets of people who have an account: a Matrix OpenID token for links to their own pages.

    POST /p/openid   {"access_token", "matrix_server_name"}, as the homeserver gave it ─▶ {"links": [{"room", "url"}]}

The token says whose account it is, and whoever runs the homeserver can make one: so it stands for the link alone. What
opens the link is told to that person's own devices, encrypted, or is a PIN that they have from their mediator.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import field
from http import HTTPStatus
from typing import Final, Protocol

from aiohttp import web

from bridges.email.rate import RateCap
from bridges.portal.requests import HEADERS
from policies.frozen import frozen

_BODY_LIMIT: Final = 4096
_TOKEN: Final = re.compile(r"[!-~]{1,512}")


@frozen
class Entrance:
    """A link to somebody's page of one case. `room` is the name of their private room."""

    room: str
    url: str = field(repr=False)


class Unreachable(Exception):
    """The homeserver can't be asked at the moment."""


class TooOften(Exception):
    """Links were given to that account just now, or asked for, more often than is of any use."""


class Accounts(Protocol):
    """What knows whose accounts there are."""

    async def entrances(self, token: str, server: str) -> Sequence[Entrance] | None:
        """Links for whoever the homeserver says that an OpenID token is of; None where it does not. Raises
        Unreachable, TooOften."""


class OpenIdDoor:
    """The handler. `tries` caps how often one caller may ask."""

    def __init__(self, accounts: Accounts | None, caller: Callable[[web.Request], str], tries: RateCap) -> None:
        """`accounts`: None where the page has nothing for those who have one."""
        self._accounts, self._caller, self._tries = accounts, caller, tries

    def routes(self) -> list[web.RouteDef]:
        """What to add to an application, before the routes of links."""
        return [web.post("/p/openid", self._enter)]

    async def _enter(self, request: web.Request) -> web.Response:
        # Only JSON: no form of another site can send it without asking us first (CORS).
        if self._accounts is None:
            return _failed(HTTPStatus.NOT_FOUND, "M_NOT_FOUND", "there is no page here for those who have an account")
        caller = self._caller(request)
        if self._tries.is_full(caller):
            return _failed(HTTPStatus.TOO_MANY_REQUESTS, "M_LIMIT_EXCEEDED", "too many tries from here")
        self._tries.count(caller)
        token, server = await _read(request)
        if not _TOKEN.fullmatch(token):
            return _failed(HTTPStatus.BAD_REQUEST, "M_BAD_JSON", "an OpenID token of the homeserver is expected")
        try:
            found = await self._accounts.entrances(token, server)
        except TooOften:
            return _failed(HTTPStatus.TOO_MANY_REQUESTS, "M_LIMIT_EXCEEDED", "too many links for this account")
        except Unreachable:
            return _failed(HTTPStatus.SERVICE_UNAVAILABLE, "M_UNKNOWN", "the homeserver can't be asked now")
        if found is None:
            return _failed(HTTPStatus.FORBIDDEN, "M_FORBIDDEN", "the homeserver does not know this token")
        links = [{"room": one.room, "url": one.url} for one in found]
        return web.json_response({"links": links}, headers=HEADERS)


async def _read(request: web.Request) -> tuple[str, str]:
    """The token and whose it says it is; empty for anything else."""
    if request.content_type != "application/json":
        return "", ""
    try:
        body = json.loads(await request.clone(client_max_size=_BODY_LIMIT).read())
    except (web.HTTPRequestEntityTooLarge, ValueError, RecursionError):
        return "", ""
    if not isinstance(body, dict):
        return "", ""
    token, server = body.get("access_token"), body.get("matrix_server_name")
    return (token, server) if isinstance(token, str) and isinstance(server, str) else ("", "")


def _failed(status: HTTPStatus, code: str, why: str) -> web.Response:
    return web.json_response({"errcode": code, "error": why}, status=status, headers=HEADERS)
