"""From a failure to the right HTTP answer: every request gets an id, every error the shape of a Matrix error."""

import logging
import secrets
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any, Final

from aiohttp import web

from appservice.logs import log_context

log = logging.getLogger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_OF_STATUS: Final = {
    HTTPStatus.NOT_FOUND: ("M_UNRECOGNIZED", "there is no such endpoint"),
    HTTPStatus.METHOD_NOT_ALLOWED: ("M_UNRECOGNIZED", "the endpoint has no such method"),
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: ("M_TOO_LARGE", "the body is too large"),
}
"""Matrix errors for what aiohttp itself refuses (Matrix spec, client-server API, 4)."""


class RequestRefused(Exception):
    """Ends a request with a Matrix error. `error` and `details` go to the caller, and never quote the request."""

    def __init__(self, status: int, errcode: str, error: str, details: Mapping[str, Any] | None = None) -> None:
        super().__init__(f"{status} {errcode}")
        self.status = status
        self.errcode = errcode
        self.error = error
        self.details = details or {}


@web.middleware
async def answer_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Run a request under an id of its own; turn whatever is raised into a Matrix error. Never shows a traceback."""
    request_id = f"req-{secrets.token_hex(4)}"
    with log_context(request_id):
        try:
            response = await handler(request)
        except RequestRefused as refused:
            response = _error(refused.status, refused.errcode, refused.error, refused.details)
        except web.HTTPException as refused:
            errcode, error = _OF_STATUS.get(HTTPStatus(refused.status), ("M_UNKNOWN", "the request cannot be answered"))
            response = _error(refused.status, errcode, error, {})
        except TimeoutError:
            response = _error(HTTPStatus.REQUEST_TIMEOUT, "M_UNKNOWN", "the request took too long", {})
        except Exception:
            log.exception("a request failed; the caller was told to come again")
            response = _error(HTTPStatus.INTERNAL_SERVER_ERROR, "M_UNKNOWN", "our fault; try again later", {})
        response.headers["X-Request-Id"] = request_id
        return response


def _error(status: int, errcode: str, error: str, details: Mapping[str, Any]) -> web.Response:
    return web.json_response({"errcode": errcode, "error": error, **details}, status=status)
