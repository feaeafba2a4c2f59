"""What proves that a webhook is Meta's: the handshake of a subscription, and the signature over a body's raw bytes."""

import hashlib
import hmac
from collections.abc import Mapping
from typing import Final

_PREFIX: Final = "sha256="


def challenge(query: Mapping[str, str], verify_token: str) -> str | None:
    """What to answer to the request that confirms a subscription; None if whoever asks doesn't know our token."""
    if query.get("hub.mode") != "subscribe":
        return None
    known = hmac.compare_digest(query.get("hub.verify_token", "").encode(), verify_token.encode())
    return query.get("hub.challenge", "") if known else None


def is_signed(header: str | None, body: bytes, app_secret: str) -> bool:
    """Whether `X-Hub-Signature-256` is that of these very bytes. JSON that was read and written again has another."""
    if header is None or not header.startswith(_PREFIX):
        return False
    wanted = hmac.new(app_secret.encode(), body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(header.removeprefix(_PREFIX).encode(), wanted.encode())
