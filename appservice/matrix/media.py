"""Files at the homeserver, encrypted on our side (client-server API, 11.12.1.7, "Sending encrypted attachments").

What goes to the vault or comes from it goes from file to file, and is never in memory whole. Only what is posted as it
came, a voice message say, is small and comes out of a queue, and goes whole (`upload_encrypted`).
"""

import asyncio
import io
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from appservice.matrix.attachments import seal_pieces, unseal
from appservice.matrix.client import V1, Connection, expect_object
from appservice.matrix.errors import MatrixError, MediaError, MediaTamperedError, MediaTooLargeError
from appservice.matrix.ids import JsonObject, MediaUri, UserId
from appservice.matrix.nio_parts import Api
from appservice.matrix.path import path_of
from policies.frozen import frozen

MAX_SIZE: Final = 50 * 1024 * 1024
"""Bytes of what goes whole; Synapse's own `max_upload_size` default."""

TRANSFER_TIMEOUT: Final = 300.0
"""Seconds for one file. Whoever works on one has more (`worker.SENDING_MOST`)."""

MEDIA_V1: Final = "/_matrix/media/v1"
MEDIA_V3: Final = "/_matrix/media/v3"
ADMIN_V1: Final = "/_synapse/admin/v1"

_MXC: Final = re.compile(r"mxc://([A-Za-z0-9.:\[\]-]{1,255})/([A-Za-z0-9_-]{1,255})")


@frozen
class EncryptedFile:
    """Ciphertext, and all that a reader needs beside it: `info` is an `EncryptedFile` of the spec without its `url`."""

    ciphertext: bytes
    info: JsonObject


class Media:
    """Upload and download."""

    def __init__(self, connection: Connection, *, max_size: int = MAX_SIZE) -> None:
        self._http = connection
        self._max_size = max_size

    async def upload(self, data: bytes, *, as_user: UserId) -> MediaUri:
        """Store bytes, as octets and without a file name: both would tell the homeserver what an encrypted file is."""
        if len(data) > self._max_size:
            raise MediaTooLargeError(f"{len(data)} bytes are more than {self._max_size}")
        method, path = Api.upload("")
        answer = await self._http.exchange(
            method, path, data, "application/octet-stream", as_user=as_user, timeout=TRANSFER_TIMEOUT
        )
        return MediaUri(expect_object("POST upload", answer)["content_uri"])

    async def save(self, uri: MediaUri, into: Path, *, as_user: UserId, most: int) -> None:
        """Write the bytes behind a URI into a new file. Raises MediaError where it is none, MediaTooLargeError for more
        than `most` bytes, MatrixError, OSError."""
        path = path_of(V1, "media", "download", *_parts(uri))
        await self._http.save(path, into, as_user=as_user, limit=most, timeout=TRANSFER_TIMEOUT)

    async def reserve(self, *, as_user: UserId) -> MediaUri:
        """A URI for bytes that are still to come, so that it can be written down first (spec, "POST create")."""
        answer = await self._http.call("POST", f"{MEDIA_V1}/create", as_user=as_user)
        return MediaUri(answer["content_uri"])

    async def fill(self, uri: MediaUri, sealed: Path, *, as_user: UserId) -> None:
        """Store a file as the bytes of a reserved URI, as octets and without a name. Raises MatrixError, OSError."""
        path = path_of(MEDIA_V3, "upload", *_parts(uri))
        with sealed.open("rb") as file:
            await self._http.exchange(
                "PUT", path, file, "application/octet-stream", as_user=as_user, timeout=TRANSFER_TIMEOUT
            )

    async def delete(self, uri: MediaUri, *, of: UserId) -> None:
        """Delete what that user uploaded, for everybody, as a server administrator; what is gone is gone (Synapse's
        admin API, "Delete a specific local media"). Raises MediaError for what is another's: an event may name any URI.
        """
        path = path_of(ADMIN_V1, "media", *_parts(uri))
        try:
            found = await self._http.call("GET", path, as_user=None)
            info = found.get("media_info", found)
            if not isinstance(info, dict) or info.get("user_id") != of:
                raise MediaError("somebody else uploaded it")
            await self._http.call("DELETE", path, as_user=None)
        except MatrixError as error:
            if error.status != 404:
                raise

    async def upload_encrypted(self, plaintext: bytes, *, as_user: UserId) -> JsonObject:
        """Encrypt and store a file; the `EncryptedFile` object for an event's `file`."""
        sealed = encrypt_file(plaintext)
        return {**sealed.info, "url": await self.upload(sealed.ciphertext, as_user=as_user)}

    async def open_encrypted(self, file: Mapping[str, Any], into: Path, *, as_user: UserId, most: int) -> None:
        """Fetch what an event's `file` describes, check it and then decrypt it into a new file; what was fetched lies
        beside that meanwhile. Raises MediaTamperedError where it is not that, and as `save` does."""
        url = file.get("url")
        if not isinstance(url, str):
            raise MediaTamperedError("the file has no URL")
        sealed = into.with_name(f"{into.name}.sealed")
        try:
            await self.save(MediaUri(url), sealed, as_user=as_user, most=most)
            await asyncio.to_thread(unseal, sealed, into, file)
        finally:
            sealed.unlink(missing_ok=True)


def server_of(uri: object) -> str:
    """The name of the homeserver on which a file lies. Raises MediaError where that is no media URI."""
    return _parts(uri if isinstance(uri, str) else "")[0]


def _parts(uri: str) -> tuple[str, str]:
    """The server and the id. Raises MediaError."""
    found = _MXC.fullmatch(uri)
    if found is None:
        raise MediaError("not a media URI")
    return found[1], found[2]


def encrypt_file(plaintext: bytes) -> EncryptedFile:
    """Encrypt under a fresh key (AES-CTR, 256 bit)."""
    into = io.BytesIO()
    info = seal_pieces([plaintext], into)
    return EncryptedFile(into.getvalue(), info)
