"""What can be no document and stands as it came: with its bytes, so that it can be posted, and sent elsewhere."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from pathlib import Path
from typing import Final

from appservice.documents.pipeline.limits import MEGABYTE
from policies.effects import Post
from policies.message import File, FileRef, Message
from policies.networks.capabilities import VOICE

POSTED_MOST: Final = 16 * MEGABYTE
"""Bytes of what is posted as it came (Cloud API, the most of a recording or a film): it goes through the queues."""


def as_it_came(post: Post, source: Path) -> Post | None:
    """The same, with its bytes, so that it can be posted; None for what is too large for that."""
    file = post.content
    if not isinstance(file, File) or "data" in json.loads(file.ref):
        return post
    if source.stat().st_size > POSTED_MOST:
        return None
    data = source.read_bytes()
    ref = FileRef(json.dumps({"data": base64.b64encode(data).decode()}))
    return replace(post, content=replace(file, size=len(data), ref=ref))


def as_voice(message: Message, file: File, source: Path) -> Post | None:
    """A voice message with its bytes, if it is one, whatever its sender calls it."""
    with source.open("rb") as opened:
        head = opened.read(64)
    if source.stat().st_size > POSTED_MOST or not head.startswith(b"OggS") or b"OpusHead" not in head:
        return None
    post = Post(message.conversation, message.author, replace(file, mime=VOICE, ref=FileRef("{}")), message.id)
    return as_it_came(post, source)
