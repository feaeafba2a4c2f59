"""A file that is handed in by a form: written down piece by piece, and for nobody but whose form it is."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping
from pathlib import Path
from typing import Final, TypeVar

from aiohttp import BodyPartReader, web

from bridges.portal.papers import Handed, NotNow
from bridges.portal.requests import is_ours
from policies.words.phrase import phrase

T = TypeVar("T")
_CHUNK: Final = 1 << 16
_FIELD_BYTES: Final = 1024
_FIELDS: Final = 8
SILENCE: Final = 30.0
"""Seconds within which more of a form comes: who hears nothing for longer is talking to a line that is dead."""


async def put_down(request: web.Request, session: str, target: Path, most: int) -> Handed | NotNow | None:
    """The form, with its file in `target`, of at most so many bytes. Raises OSError, also where no more of it comes.

    None for a form that is not ours: its mark comes before the file, so that nothing is written for a stranger.
    """
    fields: dict[str, str] = {}
    try:
        reader = await request.multipart()
        while (part := await _soon(reader.next())) is not None:
            if not isinstance(part, BodyPartReader) or len(fields) > _FIELDS:
                return None
            if part.name == "file":
                return await _written(part, fields, target, most) if is_ours(fields, session) else None
            fields[str(part.name)] = (await _soon(part.read_chunk(_FIELD_BYTES))).decode("utf-8", "replace")
    except ValueError:
        return None
    return None


async def _written(part: BodyPartReader, fields: Mapping[str, str], target: Path, most: int) -> Handed | NotNow:
    size = 0
    with target.open("wb") as file:
        while chunk := await _soon(part.read_chunk(_CHUNK)):
            size += len(chunk)
            if size > most:
                return NotNow(phrase("A file has at most {most} MB.", most=most // 1_000_000))
            await asyncio.to_thread(file.write, chunk)
    handed = Handed(fields.get("place", ""), part.filename or "", fields.get("nonce", ""), fields.get("former", ""))
    return handed if size else NotNow(phrase("Please choose a file first."))


async def _soon(more: Awaitable[T]) -> T:
    """The next of it. Raises TimeoutError, an OSError."""
    async with asyncio.timeout(SILENCE):
        return await more
