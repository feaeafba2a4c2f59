"""Restore a backup into an empty database, as a new epoch; or begin a new epoch in one that came back otherwise.

Nothing here talks to the homeserver. What a new epoch calls for there, the service does when it next starts
(`appservice.backups.aftermath`).
"""

import hashlib
import secrets
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from pathlib import Path
from typing import Any, Final, TypeVar

from appservice.backups.file import BackupError, read_sealed
from appservice.backups.lines import FORMAT, Head, KeyHead, Tail, row_of
from appservice.backups.take import case_seals, digest_of, fingerprint
from appservice.crypto.machine import OlmMachine, old_devices_changed
from appservice.crypto.sealing import Sealer, SealError
from appservice.storage.afresh import AfreshWork
from appservice.storage.seals import LOOKUP, seal_key
from appservice.storage.transfer import KEYS, Filling, Value, filling, in_place
from appservice.upkeep.epoch import Epoch, Stage
from policies.frozen import frozen

_EVERYBODY: Final = 2**31 - 1
_ROWS_AT_ONCE: Final = 500

H = TypeVar("H", Head, KeyHead)


@frozen
class Restored:
    """What was restored. `erased`: the cases whose key is gone, and that stay gone with it."""

    taken_at: datetime
    epoch: int
    cases: int
    erased: frozenset[str]


async def restore(url: str, sealer: Sealer, file: Path, keys: Path, at: datetime) -> Restored:
    """Fill an empty database from a backup and the file of keys, and begin a new epoch in it. `at` is now.

    All of it or nothing. Raises BackupError (with what is wrong), UnusableDatabase, NewerSchema, DatabaseUnavailable or
    OSError.
    """
    lines = read_sealed(file, sealer)
    head = _head(Head, next(lines), file)
    opened = _read_keys(keys, sealer, head)
    async with filling(url, head.revision) as target:
        await target.insert(KEYS, [(name, seal_key(sealer, name, key)) for name, key in opened.items()])
        erased = await _fill(target, lines, head, opened)
        work = await target.migrated(sealer)
        epoch = await _begin(work, sealer, head.epoch + 1, head.taken_at, at)
        cases = len(await work.cases.all_ids())
    return Restored(head.taken_at, epoch.number, cases, erased)


async def adopt(url: str, sealer: Sealer, at: datetime) -> Epoch:
    """Begin a new epoch in a database that came back otherwise (a snapshot, pg_dump, a copy of the file), or that is
    new. The service must not be running on it. How old it is, it tells by what was stored last."""
    async with in_place(url, sealer) as work:
        before = await work.epochs.current()
        return await _begin(work, sealer, before.number + 1, await work.newest() or at, at)


async def _begin(work: AfreshWork, sealer: Sealer, number: int, backup_at: datetime, at: datetime) -> Epoch:
    """A new life: fresh devices, nothing half sent, every case to be looked at."""
    now_ms = int(at.timestamp() * 1000)
    await old_devices_changed(work.crypto, before_ms=now_ms + 1, limit=_EVERYBODY)
    for user in await work.all_identities():
        await OlmMachine(user, sealer).renew(work.crypto, display_name="Mediatrix", now_ms=now_ms)
    for verification in await work.crypto.verifications():
        await work.crypto.delete_verification(verification.peer_user)
    searched, oldest = await work.last_search(), await work.oldest_unfinished()
    still_waits = searched is not None and oldest is not None and oldest <= searched
    await work.forget_sendings()
    await work.close_pages(at)
    await work.make_ready()
    search_from = searched if still_waits else backup_at
    epoch = Epoch(number, secrets.token_hex(8), 0, Stage.RESTORED, backup_at, search_from, doubt_until=at)
    await work.epochs.begin(epoch)
    return epoch


# --- the files ----------------------------------------------------------------------------------------------------


def _read_keys(file: Path, sealer: Sealer, backup: Head) -> Mapping[str, bytes]:
    lines = read_sealed(file, sealer)
    head = _head(KeyHead, next(lines), file)
    keys = {str(name): bytes.fromhex(key) for name, key in lines}
    if head.database != backup.database or fingerprint(keys[LOOKUP]) != backup.database:
        raise BackupError(f"{file} holds the keys of another database")
    if head.taken_at < backup.taken_at:
        raise BackupError(
            f"{file} is older ({head.taken_at:%Y-%m-%d %H:%M} UTC) than the backup: take the newest file of keys, in"
            " which a key is missing only if its case was destroyed"
        )
    return keys


@dataclass
class _Check:
    """What the tail is compared with."""

    count: Counter[str]
    digest: Any = field(default_factory=hashlib.sha256)
    erased: set[str] = field(default_factory=set)
    tail: Tail | None = None


async def _fill(target: Filling, lines: Iterator[Any], head: Head, keys: Mapping[str, bytes]) -> frozenset[str]:
    """Put all rows in but those of erased cases, whose numbers are returned."""
    seals = case_seals(keys)
    check = _Check(Counter(dict.fromkeys(head.tables, 0)))
    layouts = head.layouts()
    for table, found in groupby(_rows(lines, seals, check), key=lambda row: row[0]):
        rows: list[tuple[Value, ...]] = []
        for _, row in found:
            rows.append(tuple(row))
            if len(rows) == _ROWS_AT_ONCE:
                await target.insert(layouts[table], rows)
                rows = []
        await target.insert(layouts[table], rows)
    if check.tail != Tail(rows=dict(check.count), sha256=check.digest.hexdigest()):
        raise BackupError("its end does not fit the rest: take another copy of it, or an older backup")
    return frozenset(check.erased)


def _rows(lines: Iterator[Any], seals: Mapping[str, Sealer], check: _Check) -> Iterator[tuple[str, Any]]:
    for line in lines:
        if isinstance(line, dict):
            check.tail = Tail.model_validate(line)
            continue
        check.digest.update(digest_of(line))
        check.count[line[0]] += 1
        try:
            row = row_of(line, seals)
        except SealError:
            raise BackupError("a row does not open under its case's key: the keys are another database's") from None
        if row is None:
            check.erased.add(line[1])
        else:
            yield row


def _head(of: type[H], line: Any, file: Path) -> H:
    """The first line, as it must be."""
    if line.get("what") != of.model_fields["what"].default:
        raise BackupError(f"{file} is the other file: a backup and its file of keys are two")
    if line.get("format") != FORMAT:
        raise BackupError(f"{file} was made by a newer version of this program")
    return of.model_validate(line)
