"""What can be no document and stands as it came: with its bytes, so that it can be posted, and sent elsewhere."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from pathlib import Path
from typing import Final

from appservice.documents.film import is_film
from appservice.documents.pipeline.limits import MEGABYTE
from policies.effects import Post
from policies.message import File, FileRef, Message
from policies.networks.capabilities import FILM, VOICE

POSTED_MOST: Final = 16 * MEGABYTE
"""Bytes of what is posted as it came (Cloud API, the most of a recording or a film): it goes through the queues."""


def as_it_came(post: Post, source: Path) -> Post | None:
    """The same, with its bytes, so that it can be posted; None for what is too large for that."""
    file = post.content
    if not isinstance(file, File):
        return post
    has_bytes = "data" in json.loads(file.ref)
    if source.stat().st_size > POSTED_MOST:
        return post if has_bytes else None
    data = source.read_bytes()
    ref = file.ref if has_bytes else FileRef(json.dumps({"data": base64.b64encode(data).decode()}))
    mime = FILM if is_film(data) else file.mime
    return replace(post, content=replace(file, mime=mime, size=len(data), ref=ref))


def as_recording(message: Message, file: File, source: Path) -> Post | None:
    """A voice message or a film with its bytes, if it is one, whatever its sender calls it."""
    if source.stat().st_size > POSTED_MOST:
        return None
    data = source.read_bytes()
    is_voice = data.startswith(b"OggS") and b"OpusHead" in data[:64]
    mime = VOICE if is_voice else FILM if is_film(data) else None
    if mime is None:
        return None
    ref = FileRef(json.dumps({"data": base64.b64encode(data).decode()}))
    said = replace(file, mime=mime, size=len(data), ref=ref)
    return Post(message.conversation, message.author, said, message.id)
