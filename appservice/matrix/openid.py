"""Whose OpenID token that is, as the homeserver says (server-server API, "OpenID")."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Final

from aiohttp import ClientError, ClientSession, ClientTimeout, StreamReader

from appservice.matrix.errors import NO_ANSWER, MatrixError
from appservice.matrix.ids import UserId

USERINFO: Final = "/_matrix/federation/v1/openid/userinfo"
_TIMEOUT: Final = 10.0
_ANSWER_LIMIT: Final = 4096


class OpenId:
    """Asks our own homeserver, at the address where it is spoken to; it serves that with the resource `openid` (or
    `federation`) at that listener."""

    def __init__(self, url: str, server_name: str) -> None:
        """Opens nothing yet."""
        self._url, self._server = f"{url.rstrip('/')}{USERINFO}", server_name

    async def user(self, token: str, server: str) -> UserId | None:
        """The account, always one of this homeserver; None for a token that it does not know, or another server's.

        Raises MatrixError where it can't be asked, or answers something else.
        """
        if server != self._server:
            return None
        try:
            async with (
                ClientSession(timeout=ClientTimeout(total=_TIMEOUT)) as http,
                http.get(self._url, params={"access_token": token}, allow_redirects=False) as answer,
            ):
                if answer.status == HTTPStatus.UNAUTHORIZED:
                    return None
                found = json.loads(await _whole(answer.content) if answer.status == HTTPStatus.OK else b"")
        except (ClientError, TimeoutError, ValueError, RecursionError):
            found = None
        user = found.get("sub") if isinstance(found, dict) else None
        if not isinstance(user, str):
            raise MatrixError("openid", "M_UNKNOWN", NO_ANSWER, transient=True)
        return UserId(user) if user.startswith("@") and user.endswith(f":{self._server}") else None


async def _whole(content: StreamReader) -> bytes:
    """An answer to its end, in however many pieces it comes; of one that is too long, the beginning."""
    found = bytearray()
    while len(found) < _ANSWER_LIMIT and (piece := await content.read(_ANSWER_LIMIT - len(found))):
        found += piece
    return bytes(found)
