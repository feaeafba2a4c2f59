"""Answers of the Cloud API: read to their end, and taken for objects."""

import json
from collections.abc import Mapping
from typing import Any, Final

from aiohttp import StreamReader

_MOST: Final = 64 * 1024
"""Bytes of an answer."""


async def whole(content: StreamReader) -> bytes:
    """An answer to its end, in however many pieces it comes; of one that is too long, the beginning."""
    found = bytearray()
    while len(found) < _MOST and (piece := await content.read(_MOST - len(found))):
        found += piece
    return bytes(found)


def as_object(body: bytes) -> Mapping[str, Any]:
    """What an answer holds; empty for whatever is no JSON object."""
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return answer if isinstance(answer, dict) else {}


def error_code(answer: Mapping[str, Any]) -> int | None:
    """The code of the error that it reports; None where it was not the API that answered."""
    error = answer.get("error")
    code = error.get("code") if isinstance(error, Mapping) else None
    return code if type(code) is int else None


def is_hidden(answer: Mapping[str, Any]) -> bool:
    """Whether it may be the permission to look that is lacking, and not what was asked for (Graph API, error handling:
    10 and 200 to 299; 100 with 33 is both)."""
    code = error_code(answer)
    if code is None:
        return False
    return code == 10 or 200 <= code <= 299 or (code, answer["error"].get("error_subcode")) == (100, 33)
