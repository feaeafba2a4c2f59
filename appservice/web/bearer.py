"""Who may call: one secret for each kind of caller, compared in constant time."""

import hmac
import logging
from hashlib import sha256
from http import HTTPStatus

from aiohttp import web

from appservice.web.errors import RequestRefused
from appservice.web.proxies import TrustedProxies

log = logging.getLogger(__name__)


class TokenGate:
    """Lets a request pass that carries the token, in the Authorization header or, for old homeservers, the query."""

    def __init__(self, token: str, proxies: TrustedProxies, *, in_query: bool = False) -> None:
        self._digest = _digest(token)
        self._proxies = proxies
        self._in_query = in_query

    def check(self, request: web.Request) -> None:
        """Raise RequestRefused where the token is missing (401) or wrong (403) (application service API, 2.3)."""
        given = self._given(request)
        if given is None:
            raise RequestRefused(HTTPStatus.UNAUTHORIZED, "M_UNAUTHORIZED", "a token is needed")
        if not hmac.compare_digest(_digest(given), self._digest):
            log.warning("refused a request with a wrong token from %s", self._proxies.caller(request))
            raise RequestRefused(HTTPStatus.FORBIDDEN, "M_FORBIDDEN", "the token is wrong")

    def _given(self, request: web.Request) -> str | None:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.casefold() == "bearer":
            return token.strip()
        return request.query.get("access_token") if self._in_query else None


def _digest(token: str) -> bytes:
    # Digests have one length, and "surrogatepass" takes any bytes a header can hold.
    return sha256(token.encode("utf-8", "surrogatepass")).digest()
