"""The vault gives back what it was given, or nothing; and leaves nothing readable behind, whoever is killed."""

import asyncio
import hashlib
import io
import os
import sys
import tracemalloc
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest

from appservice import newfile
from appservice.documents import shelf
from appservice.documents.shelf import UNFINISHED_FOR, Folder
from appservice.documents.stream import decrypt, encrypt, new_key
from appservice.documents.vault import ORPHAN_FOR, Damaged, Missing, Vault
from appservice.documents.workroom import Workroom
from policies.case import CaseId
from policies.documents.document import BlobId, Kept
from rooms.vault import Blob
from tests.fakes.memory import MemoryDatabase

CASE, OTHER = CaseId("1001"), CaseId("1002")
CHUNK = 64 * 1024
SECRET = b"what nobody else may read "
PLAIN = SECRET * 10_000


def sealed(plain: bytes, key: bytes) -> bytes:
    return b"".join(encrypt(io.BytesIO(plain), key))


def opened(data: bytes, key: bytes) -> bytes:
    return b"".join(decrypt(io.BytesIO(data), key))


def opens(data: bytes, key: bytes) -> bool:
    try:
        opened(data, key)
    except Damaged:
        return False
    return True


@pytest.mark.parametrize("size", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 3 * CHUNK + 7])
def test_what_goes_in_comes_out(size: int) -> None:
    plain, key = os.urandom(size), new_key()
    assert opened(sealed(plain, key), key) == plain


def _changed(data: bytes) -> Iterator[tuple[str, bytes]]:
    """What somebody who has the folder could do to a file of three chunks."""
    head, size = len(b"mediatrix vault 1\n"), CHUNK + 16
    first, second, last = data[head : head + size], data[head + size : head + 2 * size], data[head + 2 * size :]
    start = data[:head]
    yield "a bit", data[:100] + bytes([data[100] ^ 1]) + data[101:]
    yield "the beginning", b"x" + data[1:]
    yield "cut off in a chunk", data[:-1]
    yield "cut off after a chunk", start + first + second
    yield "all but the last", start + first
    yield "nothing but a beginning", start
    yield "nothing", b""
    yield "moved", start + second + first + last
    yield "left out", start + first + last
    yield "twice", start + first + first + second + last
    yield "longer", data + b"x"
    yield "twice the end", data + last


def test_what_was_changed_does_not_open() -> None:
    key = new_key()
    data = sealed(os.urandom(2 * CHUNK + 5), key)
    changes = dict(_changed(data))
    for what, changed in changes.items():
        assert not opens(changed, key), what
    assert not opens(data, new_key())
    assert opens(data, key)
    assert len(changes) == 12


@pytest.fixture
def database() -> MemoryDatabase:
    return MemoryDatabase()


@pytest.fixture
def vault(tmp_path: Path, database: MemoryDatabase) -> Vault:
    return Vault(tmp_path / "documents", database, Folder(tmp_path / "documents" / "blobs"))


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    file = tmp_path / "plain"
    file.write_bytes(PLAIN)
    return file


async def kept(vault: Vault, database: MemoryDatabase, plain: Path) -> Kept:
    one = await vault.keep(CASE, plain)
    async with database.begin() as work:
        await work.vault.keep(one.blob)
    return one


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


async def test_a_document_is_kept_encrypted_and_given_back(
    vault: Vault, database: MemoryDatabase, plain: Path, tmp_path: Path
) -> None:
    one = await kept(vault, database, plain)
    assert (one.sha256, one.size) == (hashlib.sha256(PLAIN).hexdigest(), len(PLAIN))
    (file,) = files(tmp_path / "documents")
    assert SECRET not in file.read_bytes()
    assert file.stat().st_mode & 0o777 == 0o600
    await vault.copy_out(CASE, one, tmp_path / "out")
    assert (tmp_path / "out").read_bytes() == PLAIN


async def test_no_other_case_gets_it_nor_anybody_before_it_is_whole(
    vault: Vault, database: MemoryDatabase, plain: Path, tmp_path: Path
) -> None:
    begun = await vault.keep(CASE, plain)
    with pytest.raises(Missing):
        await vault.copy_out(CASE, begun, tmp_path / "out")
    one = await kept(vault, database, plain)
    with pytest.raises(Missing):
        await vault.copy_out(OTHER, one, tmp_path / "out")
    assert not (tmp_path / "out").exists()


async def test_what_is_damaged_leaves_no_half_of_itself(
    vault: Vault, database: MemoryDatabase, plain: Path, tmp_path: Path
) -> None:
    one = await kept(vault, database, plain)
    (file,) = files(tmp_path / "documents")
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(Damaged):
        await vault.copy_out(CASE, one, tmp_path / "out")
    file.unlink()
    with pytest.raises(Missing, match="backup"):
        await vault.copy_out(CASE, one, tmp_path / "out")
    assert not (tmp_path / "out").exists()


async def test_a_file_exchanged_for_another_is_noticed(
    vault: Vault, database: MemoryDatabase, plain: Path, tmp_path: Path
) -> None:
    one = await kept(vault, database, plain)
    (tmp_path / "other").write_bytes(b"other")
    other = await kept(vault, database, tmp_path / "other")
    mixed = Kept(other.blob, one.sha256, one.size)
    with pytest.raises(Damaged):
        await vault.copy_out(CASE, mixed, tmp_path / "out")


async def test_a_sweep_takes_what_was_never_finished_and_nothing_else(
    vault: Vault, database: MemoryDatabase, plain: Path, tmp_path: Path
) -> None:
    one = await kept(vault, database, plain)
    young = await vault.keep(CASE, plain)
    long_ago = datetime.now(UTC) - 2 * UNFINISHED_FOR
    async with database.begin() as work:
        await work.vault.begin(Blob(BlobId("cdunfinished"), CASE, new_key(), long_ago))
    folder = tmp_path / "documents" / "blobs" / "cd"
    folder.mkdir()
    for name in ("cdunfinished", "cdnobodys", ".cdhalf.0a1b"):
        (folder / name).write_bytes(b"ciphertext")
    for path in files(tmp_path / "documents"):
        os.utime(path, (0, long_ago.timestamp() - (0 if path.name.startswith(".") else ORPHAN_FOR.total_seconds())))
    (folder / "cdyoung").write_bytes(b"ciphertext")
    (folder / ".cdyoung.0a1b").write_bytes(b"ciphertext")
    os.utime(folder / "cdyoung", (0, long_ago.timestamp()))
    await vault.sweep()
    assert {path.name for path in files(tmp_path / "documents")} == {
        one.blob,
        young.blob,
        "cdyoung",
        ".cdyoung.0a1b",
    }
    async with database.begin() as work:
        assert await work.vault.known([BlobId("cdunfinished")]) == frozenset()


async def test_what_is_kept_outlives_a_power_loss_with_the_folders_that_it_lies_in(
    vault: Vault, database: MemoryDatabase, plain: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[Path] = []
    for module in (newfile, shelf):
        monkeypatch.setattr(module, "sync_folder", synced.append)
    one = await kept(vault, database, plain)
    folder = tmp_path / "documents"
    assert synced == [folder / "blobs" / one.blob[:2], folder / "blobs", folder]


async def test_what_another_process_takes_away_meanwhile_does_not_stop_a_sweep(vault: Vault, tmp_path: Path) -> None:
    folder = tmp_path / "documents" / "blobs" / "cd"
    folder.mkdir(parents=True)
    for name in ("cd1", "cd2", "cd3"):
        (folder / name).write_bytes(b"ciphertext")
        os.utime(folder / name, (0, 0))
    looking = Folder(tmp_path / "documents" / "blobs").older(datetime.now(UTC))
    assert next(looking) in {"cd1", "cd2", "cd3"}
    for path in files(folder):
        path.unlink()
    assert list(looking) == []
    await vault.sweep()


async def test_a_process_that_is_killed_leaves_plaintext_only_until_the_next_sweep(tmp_path: Path) -> None:
    script = (
        "import asyncio, os, pathlib, sys\n"
        "from appservice.documents.workroom import Workroom\n"
        "async def go():\n"
        "    async with Workroom(pathlib.Path(sys.argv[1])).room() as room:\n"
        "        (room / 'plain').write_text('secret')\n"
        "        print('there', flush=True)\n"
        "        sys.stdin.read()\n"
        "asyncio.run(go())\n"
    )
    folder = tmp_path / "work"
    pipe = asyncio.subprocess.PIPE
    child = await asyncio.create_subprocess_exec(sys.executable, "-c", script, str(folder), stdin=pipe, stdout=pipe)
    assert child.stdout is not None
    await child.stdout.readline()
    Workroom(folder).sweep()
    assert files(folder)
    child.kill()
    await child.wait()
    Workroom(folder).sweep()
    assert not files(folder)


async def test_a_room_is_gone_with_its_work(tmp_path: Path) -> None:
    with suppress(LookupError):
        async with Workroom(tmp_path / "work").room() as room:
            (room / "plain").write_bytes(SECRET)
            assert (room.parent.stat().st_mode & 0o777, room.stat().st_mode & 0o777) == (0o700, 0o700)
            raise LookupError
    assert not list((tmp_path / "work").iterdir())


async def test_memory_does_not_grow_with_the_file(
    vault: Vault, database: MemoryDatabase, plain: Path, tmp_path: Path
) -> None:
    with plain.open("wb") as stream:
        stream.truncate(20 * 1024 * 1024)
    tracemalloc.start()
    try:
        one = await kept(vault, database, plain)
        await vault.copy_out(CASE, one, tmp_path / "out")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4 * 1024 * 1024
