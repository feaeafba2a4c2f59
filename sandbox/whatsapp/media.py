"""Files at the Cloud API, without a socket: what people sent, and what was uploaded (Graph v26.0, Media).

What it says of a file can be made a lie, as nobody promises that it is none.
"""

import base64
import hashlib
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from sandbox.whatsapp.rules import Json, error

URL_LIVES: Final = timedelta(minutes=5)
"""Media, retrieve media URL: a URL is valid for so long."""
RECEIVED_LIVES: Final = timedelta(days=7)
"""Webhooks, media: an id that came with a message is valid for so long."""


UPLOADED_LIVES: Final = timedelta(days=30)
"""Media, upload media: an id of an upload is valid for so long."""
_MEGABYTE: Final = 1024 * 1024
_OFFICE: Final = "application/vnd.openxmlformats-officedocument"
TAKEN: Final = {
    **dict.fromkeys(("audio/aac", "audio/amr", "audio/mpeg", "audio/mp4", "audio/ogg"), ("audio", 16 * _MEGABYTE)),
    **dict.fromkeys(
        (
            "text/plain",
            "application/pdf",
            "application/msword",
            "application/vnd.ms-excel",
            "application/vnd.ms-powerpoint",
            f"{_OFFICE}.wordprocessingml.document",
            f"{_OFFICE}.spreadsheetml.sheet",
            f"{_OFFICE}.presentationml.presentation",
        ),
        ("document", 100 * _MEGABYTE),
    ),
    **dict.fromkeys(("image/jpeg", "image/png"), ("image", 5 * _MEGABYTE)),
    **dict.fromkeys(("video/3gpp", "video/mp4"), ("video", 16 * _MEGABYTE)),
}
"""Media, supported media types: as what kind of message each goes, and the most bytes."""
_BEGINNINGS: Final = {
    "image/jpeg": (b"\xff\xd8\xff",),
    "image/png": (b"\x89PNG\r\n\x1a\n",),
    "application/pdf": (b"%PDF-",),
    "audio/ogg": (b"OggS",),
}
"""Error codes, 131053: a file whose content is not of the type that it was said to be."""


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

    def __init__(
        self, clock: Callable[[], datetime] = lambda: datetime.now(UTC), *, token: str, numbers: tuple[str, ...] = ()
    ) -> None:
        self._clock, self._token, self._numbers = clock, token, numbers
        self.stored: dict[str, Stored] = {}
        self._urls: dict[str, tuple[Stored, datetime]] = {}

    def receive(self, number: str, mime: str, data: bytes, said: Json | None = None) -> Stored:
        """Somebody sent a file to that number of ours."""
        return self._store(number, mime, data, RECEIVED_LIVES, said or {})

    def upload(self, number: str, authorization: str, form: Mapping[str, object], data: bytes) -> tuple[int, Json]:
        """One POST to /{number}/media (Media, upload media): the fields of its form, and the file in it."""
        if authorization != f"Bearer {self._token}":
            return error(401, 190)
        if number not in self._numbers:
            return error(400, 100)  # Media, upload media: the path names a phone number id of the business
        mime = form.get("type")
        if form.get("messaging_product") != "whatsapp" or not isinstance(mime, str) or not mime or not data:
            return error(400, 100)  # Media, upload media: messaging_product, type and file are required
        plain = mime.partition(";")[0].strip().lower()
        kind, most = TAKEN.get(plain, ("", 0))
        if not kind or len(data) > most:
            return error(400, 131053)  # Error codes: 131053, media upload error: unsupported type, or too large
        if not data.startswith(_BEGINNINGS.get(plain, (b"",))):
            return error(400, 131053)
        if plain == "audio/ogg" and b"OpusHead" not in data[:64]:
            return error(400, 131053)  # Supported media types: OGG with the OPUS codec only
        return 200, {"id": self._store(number, mime, data, UPLOADED_LIVES, {}).id}

    def sent(self, number: str, kind: str, medium: str) -> Stored | None:
        """The file of a message, if that number uploaded it, it still lives, and it is of that kind."""
        found = self.stored.get(medium)
        if found is None or found.number != number or found.until <= self._clock():
            return None
        return found if TAKEN[found.mime.partition(";")[0].strip().lower()][0] == kind else None

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
