"""Secrets of the page: links, sessions, and the mark that ties a form to its session."""

import hashlib
import re
import secrets
from base64 import b32encode
from typing import Final

_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]{22,64}")


def new_token() -> str:
    """A fresh link or session: 192 random bits, fit for a URL and a cookie."""
    return secrets.token_urlsafe(24)


def is_token(text: str) -> bool:
    """Whether a text can be one of ours at all."""
    return _TOKEN.fullmatch(text) is not None


def form_mark(session: str) -> str:
    """What a form of that session carries: another site can't know it (CSRF)."""
    return hashlib.sha256(b"form\0" + session.encode()).hexdigest()[:32]


def viewing_mark(session: str) -> str:
    """What stands on every page that is shown in that session, and on record: to be read out by telephone."""
    return b32encode(hashlib.sha256(b"viewing\0" + session.encode()).digest())[:6].decode()


def new_copy_mark() -> str:
    """What stands on one copy of a document, and on record: as short as that of a session, and another each time."""
    return b32encode(secrets.token_bytes(5))[:8].decode()


def new_nonce() -> str:
    """What makes two presses of one button one act."""
    return secrets.token_urlsafe(12)
