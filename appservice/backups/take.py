"""Take a backup: all rows into one sealed file, the random keys into another, both of the same moment.

A row that belongs to a case is sealed once more, under the case's own key, which is in the other file only. So whoever
destroys a case's key there, and in the database, has destroyed the case in every backup that was ever taken (A3). The
keys never change, only new ones come: the newest file of keys serves all older backups, and is the only one to keep.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from appservice.backups.file import BackupError, SealedWriter
from appservice.backups.lines import Head, KeyHead, Tail, row_line
from appservice.crypto.sealing import Sealer, SealError
from appservice.newfile import new_file
from appservice.storage.errors import UnusableDatabase
from appservice.storage.migrate import VERSION
from appservice.storage.seals import case_of_key, open_key
from appservice.storage.transfer import KEYS, Layout, Snapshot, Value, layouts, snapshot
from policies.frozen import frozen

KEYS_NAME: Final = "case-keys.mediatrix"
"""The file of keys where no other name is given, in the folder of the backup."""


@frozen
class Taken:
    """What is in a backup."""

    rows: int
    cases: int


async def take(url: str, sealer: Sealer, file: Path, keys: Path, at: datetime) -> Taken:
    """Back the database up, while the service runs or not. `at` is now.

    Raises BackupError, UnusableDatabase, DatabaseUnavailable or OSError; then there is no new backup. The file of keys
    is replaced first: of a backup without its keys nothing is left.
    """
    _require_new(file)
    async with snapshot(url) as source:
        opened = await _open_keys(source, sealer)
        database = fingerprint(await source.lookup_key(sealer))
        with new_file(keys) as stream:
            writer = SealedWriter(stream, sealer)
            writer.write(KeyHead(taken_at=at, database=database).model_dump(mode="json"))
            for name, key in sorted(opened.items()):
                writer.write([name, key.hex()])
            writer.close()
        with new_file(file) as stream:
            writer = SealedWriter(stream, sealer)
            tables = {layout.table: dict(layout.columns) for layout in layouts()}
            epoch = await source.epoch()
            head = Head(revision=VERSION, epoch=epoch, taken_at=at, database=database, tables=tables)
            writer.write(head.model_dump(mode="json"))
            tail = await _write_rows(source, writer, opened)
            writer.write(tail.model_dump(mode="json"))
            writer.close()
    return Taken(sum(tail.rows.values()), tail.rows["cases"])


def fingerprint(lookup_key: bytes) -> str:
    """What tells one installation's database from another's, in every one of its lives."""
    return hashlib.sha256(b"mediatrix database " + lookup_key).hexdigest()[:32]


def case_seals(keys: Mapping[str, bytes]) -> Mapping[str, Sealer]:
    """What seals the rows of each case."""
    return {case: Sealer([key]) for name, key in keys.items() if (case := case_of_key(name)) is not None}


def digest_of(line: Any) -> bytes:
    """What the tail's hash is made of."""
    return json.dumps(line, separators=(",", ":")).encode() + b"\n"


def _require_new(file: Path) -> None:
    if file.exists():
        raise BackupError(f"{file} is there already: choose another name, so that no backup is lost")


async def _open_keys(source: Snapshot, sealer: Sealer) -> Mapping[str, bytes]:
    try:
        return {str(name): open_key(sealer, str(name), _bytes(sealed)) async for name, sealed in source.rows(KEYS)}
    except SealError as error:
        raise UnusableDatabase("the database was sealed under another master key") from error


async def _write_rows(source: Snapshot, writer: SealedWriter, keys: Mapping[str, bytes]) -> Tail:
    seals = case_seals(keys)
    rooms, ghosts = await source.cases_of_rooms(), await source.cases_of_ghosts()
    count, digest = Counter(dict.fromkeys((layout.table for layout in layouts()), 0)), hashlib.sha256()
    for layout in layouts():
        async for row in source.rows(layout):
            case = _case_of(layout, row, rooms, ghosts)
            line = row_line(layout, row, case, seals.get(case or ""))
            writer.write(line)
            digest.update(digest_of(line))
            count[layout.table] += 1
    return Tail(rows=dict(count), sha256=digest.hexdigest())


def _case_of(layout: Layout, row: Sequence[Value], rooms: Mapping[str, str], ghosts: Mapping[str, str]) -> str | None:
    """The case that a row belongs to: by its number, or as a key of one of its rooms or ghosts."""
    values = dict(zip(layout.columns, row, strict=True))
    if layout.table == "cases":
        return str(values["id"])
    if values.get("case_id"):
        return str(values["case_id"])
    return rooms.get(str(values.get("room_id"))) or ghosts.get(str(values.get("user_id")))


def _bytes(value: Value) -> bytes:
    assert isinstance(value, bytes)
    return value
