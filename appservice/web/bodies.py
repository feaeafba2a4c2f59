"""Request bodies: read with a limit on size and time, as a JSON object or not at all."""

import asyncio
from http import HTTPStatus
from typing import Final

from aiohttp import web

from appservice.matrix.ids import JsonObject
from appservice.matrix.transaction import UnreadableJsonError, read_json
from appservice.web.errors import RequestRefused

READ_TIMEOUT: Final = 60.0
"""Seconds to send a body in."""


async def json_object(request: web.Request, limit: int) -> JsonObject:
    """The body as a JSON object of at most `limit` bytes, even after decompression. Raises RequestRefused."""
    try:
        async with asyncio.timeout(READ_TIMEOUT):
            body = await request.clone(client_max_size=limit).read()
        found = read_json(body)
    except (UnreadableJsonError, web.RequestPayloadError):
        raise RequestRefused(HTTPStatus.BAD_REQUEST, "M_NOT_JSON", "the body is not JSON") from None
    if not isinstance(found, dict):
        raise RequestRefused(HTTPStatus.BAD_REQUEST, "M_BAD_JSON", "the body is not a JSON object")
    return found
