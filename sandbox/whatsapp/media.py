"""Files at the Cloud API, without a socket: what people sent (Graph v26.0, Media).

What it says of a file can be made a lie, as nobody promises that it is none.
"""

import base64
import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from sandbox.whatsapp.rules import Json, error

URL_LIVES: Final = timedelta(minutes=5)
"""Media, retrieve media URL: a URL is valid for so long."""
RECEIVED_LIVES: Final = timedelta(days=7)
"""Webhooks, media: an id that came with a message is valid for so long."""


@dataclass
class Stored:
    """A file. `said` is what is said of it, wherever that is not true."""

    id: str
    number: str
    mime: str
    data: bytes = field(repr=False)
    until: datetime
    said: Json = field(default_factory=dict)

    @property
    def sha256(self) -> str:
        """Its hash, as webhooks have it."""
        return base64.b64encode(hashlib.sha256(self.data).digest()).decode()


class Files:
    """All files, and the URLs that were handed out."""

    def __init__(self, clock: Callable[[], datetime] = lambda: datetime.now(UTC), *, token: str) -> None:
        self._clock, self._token = clock, token
        self.stored: dict[str, Stored] = {}
        self._urls: dict[str, tuple[Stored, datetime]] = {}

    def receive(self, number: str, mime: str, data: bytes, said: Json | None = None) -> Stored:
        """Somebody sent a file to that number of ours."""
        return self._store(number, mime, data, RECEIVED_LIVES, said or {})

    def describe(self, medium: str, number: str | None, authorization: str, base_url: str) -> tuple[int, Json]:
        """One GET of /{medium}."""
        if authorization != f"Bearer {self._token}":
            return error(401, 190)
        found = self.stored.get(medium)
        if found is None or found.until <= self._clock() or number not in {None, found.number}:
            return error(400, 100)  # Error codes: 100; the object does not exist
        key = secrets.token_hex(8)
        self._urls[key] = found, self._clock() + URL_LIVES
        described = {
            "messaging_product": "whatsapp",
            "url": f"{base_url}/attachments/{key}",
            "mime_type": found.mime,
            "sha256": hashlib.sha256(found.data).hexdigest(),
            "file_size": len(found.data),
            "id": found.id,
        }
        return 200, described | {key: value for key, value in found.said.items() if key != "data"}

    def hand_out(self, key: str, authorization: str) -> tuple[int, bytes]:
        """One GET of a URL (Media, download media): with the token, and in time."""
        found, until = self._urls.get(key, (None, self._clock()))
        if authorization != f"Bearer {self._token}":
            return 401, b""
        if found is None or until <= self._clock():
            return 404, b""
        return 200, found.said.get("data", found.data)

    def _store(self, number: str, mime: str, data: bytes, lives: timedelta, said: Json) -> Stored:
        found = Stored(str(secrets.randbits(50)), number, mime, data, self._clock() + lives, said)
        self.stored[found.id] = found
        return found
