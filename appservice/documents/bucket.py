"""A bucket of an S3-compatible storage as the vault's shelf, on obstore.

An object appears when its upload is complete, and not before: of an upload that was killed the storage keeps parts that
nobody sees, until the bucket's own rule takes them away (docs/administrator.md). Every object is ciphertext that checks
itself, so what the storage, or somebody on the way, could change is noticed as it would be in a folder.

Source: the S3 API (PutObject, CreateMultipartUpload, GetObject, ListObjectsV2, DeleteObject), Signature Version 4.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, BinaryIO, Final, cast

import obstore
from obstore.exceptions import BaseError
from obstore.store import S3Store

from policies.documents.document import BlobId
from policies.frozen import frozen

if TYPE_CHECKING:
    from typing_extensions import Buffer

_PART: Final = 5 * 1024 * 1024
"""Bytes: the least that S3 takes as a part of an upload. So much is in memory, `_AT_ONCE` times."""
_AT_ONCE: Final = 2
_READ: Final = 256 * 1024
_LISTED: Final = 500
_OURS: Final = re.compile(r"([0-9a-f]{2})/\1[0-9a-f]{30}")
"""The names that we give. What else lies in the bucket is not ours to take away."""
_RETRYING: Final = timedelta(seconds=20)


@frozen
class Address:
    """A bucket, and who we are there. `endpoint` is a URL; `prefix` stands before every name, and may be empty."""

    endpoint: str
    bucket: str
    region: str
    access_key_id: str
    secret_access_key: str = field(repr=False)
    prefix: str = ""


class BucketUnreachable(OSError):
    """The storage failed, refused us, or is not there. Its own words stay out: they may name what was asked for."""


class Bucket:
    """Keeps ciphertext in a bucket that several of our hosts share."""

    def __init__(self, address: Address) -> None:
        """Touches no network."""
        plain = address.endpoint.startswith("http:")
        self._store = S3Store(
            address.bucket,
            prefix=address.prefix or None,
            endpoint=address.endpoint,
            region=address.region,
            access_key_id=address.access_key_id,
            secret_access_key=address.secret_access_key,
            client_options={"allow_http": plain, "connect_timeout": "5 seconds", "timeout": "60 seconds"},
            retry_config={"max_retries": 4, "retry_timeout": _RETRYING},
        )

    def put(self, blob: BlobId, chunks: Iterator[bytes]) -> None:
        """Upload them, in parts where they are many."""
        with _told("keep a document"):
            obstore.put(self._store, _name(blob), _in_parts(chunks), chunk_size=_PART, max_concurrency=_AT_ONCE)

    def open(self, blob: BlobId) -> AbstractContextManager[BinaryIO]:
        """One download, read as it comes."""
        with _told("read a document"):
            chunks = obstore.get(self._store, _name(blob)).stream(min_chunk_size=_READ)
        return cast(AbstractContextManager[BinaryIO], io.BufferedReader(_Download(iter(chunks)), _READ))

    def older(self, than: datetime) -> Iterator[BlobId]:
        """By the storage's times."""
        with _told("list documents"):
            for some in obstore.list(self._store, chunk_size=_LISTED):
                for found in some:
                    if found["last_modified"] < than and _OURS.fullmatch(found["path"]):
                        yield BlobId(found["path"].rpartition("/")[2])

    def remove(self, blob: BlobId) -> None:
        """S3 says yes to what is gone already."""
        with _told("take away a document"):
            obstore.delete(self._store, _name(blob))

    def tidy(self) -> None:
        """Nothing unfinished shows here: the bucket's own rule takes away the parts of uploads that never ended."""

    def check(self) -> None:
        """Whether the storage lets us in and has the bucket."""
        with _told("be looked at"):
            next(iter(obstore.list(self._store, chunk_size=1)), None)


class _Download(io.RawIOBase):
    """Chunks as they come, as a file that is read once."""

    def __init__(self, chunks: Iterator[Buffer]) -> None:
        self._chunks, self._left = chunks, memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, into: Buffer, /) -> int:
        while not self._left:
            with _told("read a document"):
                following = next(self._chunks, None)
            if following is None:
                return 0
            self._left = memoryview(following)
        room = memoryview(into)
        some = self._left[: len(room)]
        room[: len(some)] = some
        self._left = self._left[len(some) :]
        return len(some)


def _name(blob: BlobId) -> str:
    return f"{blob[:2]}/{blob}"


def _in_parts(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Fewer and larger: each crosses into the library once."""
    part = bytearray()
    for chunk in chunks:
        part += chunk
        if len(part) >= _READ:
            yield bytes(part)
            part.clear()
    yield bytes(part)


@contextmanager
def _told(what: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise FileNotFoundError("the bucket does not have it") from None
    except (BaseError, OSError, ValueError) as error:
        reason = type(error).__name__.removesuffix("Error")
        raise BucketUnreachable(f"the bucket of documents could not {what}: {reason}") from None
