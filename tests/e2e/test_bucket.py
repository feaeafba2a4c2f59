"""The vault on an S3-compatible storage, over HTTP (moto's server), which refuses who has not the right secret."""

import asyncio
import hashlib
import os
import socket
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import boto3
import pytest

from appservice.documents.bucket import Address, Bucket, BucketUnreachable
from appservice.documents.vault import Damaged, Missing, Vault
from policies.documents.document import BlobId
from tests.appservice.documents.test_vault import CASE, SECRET, kept
from tests.fakes.memory import MemoryDatabase

pytestmark = pytest.mark.e2e

PLAIN = SECRET * 500_000
"""13 MB: three parts of an upload."""
PREFIX = "our/own"
ALL = '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}'


@dataclass(frozen=True)
class Storage:
    """A storage with one bucket, and somebody who may use it."""

    address: Address
    raw: Any
    """The bucket, for who looks past us."""

    def names(self) -> list[str]:
        return sorted(found["Key"] for found in self.raw.list_objects_v2(Bucket="documents").get("Contents", ()))


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


@asynccontextmanager
async def running(url: str) -> AsyncIterator[None]:
    port = url.rpartition(":")[2]
    command = (sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", port)
    quiet = asyncio.subprocess.DEVNULL
    server = await asyncio.create_subprocess_exec(*command, stdout=quiet, stderr=quiet)
    try:
        async with aiohttp.ClientSession() as http:
            for _ in range(600):
                try:
                    async with http.get(f"{url}/moto-api/"):
                        break
                except aiohttp.ClientError:
                    await asyncio.sleep(0.1)
        yield
    finally:
        server.kill()
        await server.wait()


@pytest.fixture
async def storage() -> AsyncIterator[Storage]:
    url = f"http://127.0.0.1:{free_port()}"
    async with running(url):
        yield await asyncio.to_thread(prepared, url)


def prepared(url: str) -> Storage:
    root = {"aws_access_key_id": "root", "aws_secret_access_key": "root", "region_name": "us-east-1"}
    iam = boto3.client("iam", endpoint_url=url, **root)
    iam.create_user(UserName="mediatrix")
    iam.put_user_policy(UserName="mediatrix", PolicyName="all", PolicyDocument=ALL)
    key = iam.create_access_key(UserName="mediatrix")["AccessKey"]
    who = {"aws_access_key_id": key["AccessKeyId"], "aws_secret_access_key": key["SecretAccessKey"]}
    raw = boto3.client("s3", endpoint_url=url, region_name="us-east-1", **who)
    raw.create_bucket(Bucket="documents")
    address = Address(url, "documents", "us-east-1", key["AccessKeyId"], key["SecretAccessKey"], PREFIX)
    return Storage(address, raw)


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    file = tmp_path / "plain"
    file.write_bytes(PLAIN)
    return file


async def test_a_document_is_kept_encrypted_in_the_bucket_and_given_back(
    storage: Storage, plain: Path, tmp_path: Path
) -> None:
    database = MemoryDatabase()
    vault = Vault(tmp_path / "documents", database, Bucket(storage.address))
    one = await kept(vault, database, plain)
    assert storage.names() == [f"{PREFIX}/{one.blob[:2]}/{one.blob}"]
    there = storage.raw.get_object(Bucket="documents", Key=storage.names()[0])["Body"].read()
    assert SECRET not in there
    assert len(there) > len(PLAIN)
    await vault.copy_out(CASE, one, tmp_path / "out")
    assert hashlib.sha256((tmp_path / "out").read_bytes()).hexdigest() == one.sha256
    assert [path for path in (tmp_path / "documents").rglob("*") if path.is_file()] == []


async def test_what_the_storage_changed_or_lost_is_noticed_and_leaves_no_half_of_itself(
    storage: Storage, plain: Path, tmp_path: Path
) -> None:
    database = MemoryDatabase()
    vault = Vault(tmp_path / "documents", database, Bucket(storage.address))
    one = await kept(vault, database, plain)
    (name,) = storage.names()
    there = storage.raw.get_object(Bucket="documents", Key=name)["Body"].read()
    storage.raw.put_object(Bucket="documents", Key=name, Body=there[:-1])
    with pytest.raises(Damaged):
        await vault.copy_out(CASE, one, tmp_path / "out")
    storage.raw.delete_object(Bucket="documents", Key=name)
    with pytest.raises(Missing, match="backup"):
        await vault.copy_out(CASE, one, tmp_path / "out")
    assert not (tmp_path / "out").exists()


async def test_an_upload_that_fails_leaves_nothing(storage: Storage) -> None:
    def chunks() -> Iterator[bytes]:
        yield os.urandom(12 * 1024 * 1024)
        raise OSError("the disk of the sender is gone")

    bucket = Bucket(storage.address)
    with pytest.raises(OSError, match="could not keep"):
        await asyncio.to_thread(bucket.put, BlobId("ab" + "0" * 30), chunks())
    assert storage.names() == []
    await asyncio.to_thread(bucket.put, BlobId("ab" + "0" * 30), iter([b"once more"]))
    assert len(storage.names()) == 1


async def test_a_sweep_takes_orphans_of_ours_and_nothing_else(
    storage: Storage, plain: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database, bucket = MemoryDatabase(), Bucket(storage.address)
    vault = Vault(tmp_path / "documents", database, bucket)
    one = await kept(vault, database, plain)
    orphan = BlobId("cd" + "0" * 30)
    await asyncio.to_thread(bucket.put, orphan, iter([b"ciphertext"]))
    others = ("readme.txt", f"{PREFIX}/readme.txt", f"cd/{orphan}", f"{PREFIX}/ab/{orphan}")
    for name in others:
        storage.raw.put_object(Bucket="documents", Key=name, Body=b"somebody else's")
    await vault.sweep()
    assert f"{PREFIX}/cd/{orphan}" in storage.names()
    monkeypatch.setattr("appservice.documents.vault.ORPHAN_FOR", timedelta(days=-1))
    await vault.sweep()
    assert storage.names() == sorted([f"{PREFIX}/{one.blob[:2]}/{one.blob}", *others])
    assert one.blob in set(await asyncio.to_thread(lambda: list(bucket.older(datetime.now(UTC) + timedelta(days=1)))))


async def test_a_wrong_secret_or_a_storage_that_is_away_is_said_without_a_secret(storage: Storage) -> None:
    await asyncio.to_thread(Bucket(storage.address).check)
    async with aiohttp.ClientSession() as http, http.post(f"{storage.address.endpoint}/moto-api/reset-auth", data="0"):
        pass
    await asyncio.to_thread(Bucket(storage.address).check)
    wrong = replace(storage.address, secret_access_key="not the secret")
    away = replace(storage.address, endpoint=f"http://127.0.0.1:{free_port()}")
    for address in (wrong, away):
        with pytest.raises(BucketUnreachable) as told:
            await asyncio.to_thread(Bucket(address).check)
        for private in (address.secret_access_key, address.access_key_id, address.endpoint):
            assert private not in f"{told.value} {told.value!r}"
    assert storage.address.secret_access_key not in repr(storage.address)
