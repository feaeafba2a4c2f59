"""Fetching a file that lies at WhatsApp: its URL by its id, then its bytes (Graph v26.0, media).

GET /{id}  ─▶  url, file_size  ─▶  GET url, with the token  ─▶  as many bytes as were said, with the signed hash

A URL lives five minutes, so it is asked for each time. The id lives a week. Nothing is believed of the file but what
the webhook's signature covers; what it is, its bytes have to show as well.
"""

import asyncio
import base64
import binascii
import hashlib
from collections.abc import Mapping
from dataclasses import field
from pathlib import Path
from typing import Final

from aiohttp import ClientError, ClientResponse, ClientSession, ClientTimeout
from yarl import URL

from bridges.whatsapp.answers import as_object, error_code, whole
from bridges.whatsapp.faults import Remedy, fault
from policies.frozen import frozen

SECONDS: Final = 240.0
"""For one file."""
_CHUNK: Final = 64 * 1024
_META: Final = (".facebook.com", ".fbcdn.net", ".fbsbx.com", ".whatsapp.net")
"""Hosts of Meta's: nobody else is shown the token."""


@frozen
class Medium:
    """A file, as a signed webhook names it. `number` is the one of ours that it came to."""

    id: str = field(repr=False)
    number: str
    mime: str
    sha256: str


@frozen
class Source:
    """Where files are asked for, and what opens it."""

    base_url: str
    version: str
    access_token: str = field(repr=False)


@frozen
class Fetched:
    """It is there, whole, and what it was said to be."""

    size: int


@frozen
class Wrong:
    """It will never be; `why` is a sentence for whoever sent it."""

    why: str


@frozen
class NotNow:
    """It may be, later; `why` is for the administrator."""

    why: str


Outcome = Fetched | Wrong | NotNow

GONE: Final = Wrong("WhatsApp does not hand it out any more. Please send it again.")
NOT_THE_FILE: Final = Wrong("What WhatsApp handed out is not the file that was sent. Please send it again.")
NOT_WHAT_IT_SAYS: Final = Wrong("It is not what it says it is. Please send it again, as a document if it is one.")


def too_large(most: int) -> Wrong:
    """For a file of more bytes than that."""
    return Wrong(f"It is larger than {most // 1_000_000} MB, which is the most that is taken.")


async def fetch(session: ClientSession, source: Source, medium: Medium, into: Path, most: int) -> Outcome:
    """Fetch one file, of at most that many bytes, into a new one. Raises OSError of the disk, and nothing else."""
    try:
        described = await _described(session, source, medium)
        if not isinstance(described, _Described):
            return described
        if described.size is not None and described.size > most:
            return too_large(most)
        opened = _Opened(session, described.url, _opens(source))
        return await _downloaded(opened, medium, described.size, into, most)
    except (TimeoutError, ClientError) as error:
        return NotNow(f"WhatsApp did not hand out a file ({type(error).__name__})")


def is_what_it_says(mime: str, head: bytes) -> bool:
    """Whether bytes begin as pictures, sound and films of their kind do (Cloud API, supported media types); of whatever
    else there is, the vault's pipeline finds out."""
    beginnings = _BEGINNINGS.get(mime.partition(";")[0].strip().lower())
    return beginnings is None or any(head[at : at + len(sign)] == sign for at, sign in beginnings)


@frozen
class _Described:
    url: URL = field(repr=False)
    size: int | None


async def _described(session: ClientSession, source: Source, medium: Medium) -> _Described | Wrong | NotNow:
    url = URL(f"{source.base_url}/{source.version}") / medium.id % {"phone_number_id": medium.number}
    async with session.get(url, headers=_opens(source), allow_redirects=False) as response:
        answer = as_object(await whole(response.content))
        if response.status != 200:
            return _refused(response.status, answer)
    place, size = _url(answer.get("url")), str(answer.get("file_size"))
    if place is None or not _is_metas(place, URL(source.base_url)):
        return NotNow("WhatsApp named a place for a file that is not its own")
    return _Described(place, int(size) if size.isdecimal() and len(size) < 16 else None)


def _refused(status: int, answer: Mapping[str, object]) -> Wrong | NotNow:
    code = error_code(answer)
    if code is None:
        return NotNow(f"WhatsApp answered {status} when it was asked for a file")
    wrong = fault(code)
    # 100 is not among them: it says that an id is unknown, or that our token lacks a permission, and not which.
    if wrong.remedy is Remedy.GIVE_UP and wrong.is_known:
        return GONE
    return NotNow(f"{wrong.words} ({code})")


@frozen
class _Opened:
    """Where the bytes are, and what opens it."""

    session: ClientSession
    url: URL = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)


async def _downloaded(opened: _Opened, medium: Medium, size: int | None, into: Path, most: int) -> Outcome:
    timeout, headers = ClientTimeout(total=SECONDS, sock_read=30.0), opened.headers
    async with opened.session.get(opened.url, headers=headers, allow_redirects=False, timeout=timeout) as response:
        if response.status != 200:
            # The URL may just have expired: the next try has another.
            return NotNow(f"WhatsApp answered {response.status} instead of a file")
        written = await _written(response, into, most)
    if written is None:
        return too_large(most)
    if written.sha256 != _digest(medium.sha256):
        # Without a length, a connection that broke ends like one that has handed out everything.
        is_whole = response.content_length is not None if size is None else written.size >= size
        return NOT_THE_FILE if is_whole else NotNow("WhatsApp handed out only a part of a file")
    if size is not None and written.size != size:
        return NOT_THE_FILE
    return Fetched(written.size) if is_what_it_says(medium.mime, written.head) else NOT_WHAT_IT_SAYS


@frozen
class _Written:
    size: int
    sha256: bytes
    head: bytes


async def _written(response: ClientResponse, into: Path, most: int) -> _Written | None:
    """All of it, on the disk; None if it is too much, and then nothing of it stays."""
    digest, size, head = hashlib.sha256(), 0, b""
    file = await asyncio.to_thread(into.open, "xb")
    with file:
        async for chunk in response.content.iter_chunked(_CHUNK):
            size += len(chunk)
            if size > most:
                file.truncate(0)
                return None
            head = head if len(head) >= _HEAD else (head + chunk)[:_HEAD]
            digest.update(chunk)
            file.write(chunk)
    return _Written(size, digest.digest(), head)


def _is_metas(url: URL, base: URL) -> bool:
    """Whether a URL may be shown our token: it is of the very server that named it, or of Meta's, and encrypted."""
    if url.host == base.host:
        return url.origin() == base.origin()
    return url.scheme == "https" and (url.host or "").endswith(_META)


def _url(value: object) -> URL | None:
    """A URL as it came, for it is signed; None for what is none."""
    try:
        url = URL(value, encoded=True) if isinstance(value, str) else None
    except ValueError:
        return None
    return url if url and url.host and url.user is None else None


def _opens(source: Source) -> Mapping[str, str]:
    return {"Authorization": f"Bearer {source.access_token}"}


def _digest(sha256: str) -> bytes | None:
    """The bytes of a hash; None for what is none, which no file has."""
    try:
        return base64.b64decode(sha256, validate=True)
    except (binascii.Error, ValueError):
        return None


_HEAD: Final = 64
_MP4: Final = ((4, b"ftyp"),)
_BEGINNINGS: Final[Mapping[str, tuple[tuple[int, bytes], ...]]] = {
    "image/jpeg": ((0, b"\xff\xd8\xff"),),
    "image/png": ((0, b"\x89PNG\r\n\x1a\n"),),
    "image/webp": ((8, b"WEBP"),),
    "audio/ogg": ((28, b"OpusHead"),),
    "audio/mpeg": ((0, b"ID3"), *((0, bytes([0xFF, second])) for second in (0xFB, 0xFA, 0xF3, 0xF2, 0xE3, 0xE2))),
    "audio/aac": ((0, b"\xff\xf1"), (0, b"\xff\xf9")),
    "audio/amr": ((0, b"#!AMR"),),
    "audio/mp4": _MP4,
    "video/mp4": _MP4,
    "video/3gpp": _MP4,
}
"""Where a kind has which bytes: those that WhatsApp carries."""
