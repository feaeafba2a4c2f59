"""A backup holds all of one moment, opens only whole and only for its owner, and comes back on either database."""

import asyncio
import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Table, inspect, select, text, update

from appservice.backups.file import BackupError
from appservice.backups.lines import row_line
from appservice.backups.restore import adopt, restore
from appservice.backups.take import take
from appservice.crypto.ids import RoomId as CryptoRoomId
from appservice.crypto.ids import UserId as CryptoUserId
from appservice.crypto.machine import OlmMachine
from appservice.crypto.outbound import Audience, Encrypted, Rotation
from appservice.crypto.sealing import Sealer
from appservice.portal.store import Tried, Whose
from appservice.storage import (
    crypto_schema,
    epoch_schema,
    mail_schema,
    migrate,
    portal_schema,
    schema,
    vault_schema,
    whatsapp_schema,
)
from appservice.storage.crypto import SqlCryptoStore
from appservice.storage.database import SqlDatabase
from appservice.storage.engines import engines
from appservice.storage.errors import NewerSchema, UnusableDatabase
from appservice.storage.schema import metadata
from appservice.storage.transfer import Layout, layouts
from appservice.upkeep.epoch import Stage
from policies.case import CaseId, EndpointId, PersonId
from policies.message import MessageId, Text
from rooms.ids import EventId
from rooms.queue import Item, ItemId, Lane, State
from tests.appservice.backup.filled import AT, BOT, SECRET, fill, ghost_of, item, room_of
from tests.appservice.storage.conftest import opened
from tests.appservice.storage.master import MASTER
from tests.appservice.storage.postgresql import Postgresql

SEALER = Sealer([MASTER])
LATER = AT + timedelta(days=1)
AUDIENCE = Audience(CryptoRoomId("!room"), frozenset(), Rotation())

MADE_ANEW = {
    # The identities' devices begin anew, lanes and sequences are made, the queues are not gone on with.
    "crypto_identities",
    "crypto_requests",
    "crypto_device_lists",
    "inbox_lanes",
    "outbox_lanes",
    "outbox",
    "counters",
    # Whoever had a page open opens it again, by another link.
    "portal_sessions",
    "mail_tallies",
    "epochs",
    "unconfirmed_cases",
    "keys",
}


@dataclass(frozen=True)
class Backup:
    """A backup of a filled database."""

    file: Path
    keys: Path
    cases: tuple[CaseId, CaseId]
    rows: dict[str, set[tuple[Any, ...]]]


async def rows_of(url: str) -> dict[str, set[tuple[Any, ...]]]:
    """Everything that is stored."""
    writer, _ = engines(url)
    async with writer.begin() as connection:
        found = {
            table.name: {tuple(row) for row in await connection.execute(select(table))}
            for table in metadata.sorted_tables
        }
    await writer.dispose()
    return found


@pytest.fixture(params=["sqlite", "postgresql"])
def target(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database to restore into."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/restored.db"
    server: Postgresql = request.getfixturevalue("postgresql")
    return server.new_database()


@pytest.fixture
async def backup(url: str, tmp_path: Path) -> Backup:
    """Of a database of each kind, in full swing."""
    async with opened(url) as database:
        cases = await fill(database, SEALER)
        await take(url, SEALER, tmp_path / "backup", tmp_path / "keys", AT)
    return Backup(tmp_path / "backup", tmp_path / "keys", cases, await rows_of(url))


@pytest.fixture
async def sqlite_backup(sqlite_url: str, tmp_path: Path) -> Backup:
    """Of a file."""
    async with opened(sqlite_url) as database:
        cases = await fill(database, SEALER)
        await take(sqlite_url, SEALER, tmp_path / "backup", tmp_path / "keys", AT)
    return Backup(tmp_path / "backup", tmp_path / "keys", cases, await rows_of(sqlite_url))


async def test_everything_comes_back_on_either_database(backup: Backup, target: str) -> None:
    restored = await restore(target, SEALER, backup.file, backup.keys, LATER)
    assert (restored.cases, restored.epoch, restored.erased) == (2, 2, frozenset())
    rows = await rows_of(target)
    assert {name: rows[name] for name in rows.keys() - MADE_ANEW} == {
        name: backup.rows[name] for name in rows.keys() - MADE_ANEW
    }
    async with opened(target) as database, database.begin() as work:
        entry = await work.journal.get(backup.cases[0], MessageId(f"m{backup.cases[0]}"))
        assert entry is not None
        assert entry.message.content == Text(SECRET)
        assert await work.journal.by_mail_id(backup.cases[1], f"<mail{backup.cases[1]}@example.org>") is not None
        assert (await work.epochs.current()).stage is Stage.RESTORED


async def test_no_link_and_no_code_of_before_opens_anything(sqlite_url: str, tmp_path: Path) -> None:
    whose, forever = Whose(CaseId("1001"), PersonId("p1")), LATER + timedelta(days=3)
    async with opened(sqlite_url) as database:
        await fill(database, SEALER)
        async with database.begin() as work:
            link = await work.shelf.new_link(whose.case, whose.person, EndpointId("e1"), AT, forever)
            code = await work.shelf.new_code(link, forever)
            pin = await work.shelf.new_pin(whose.case, whose.person)
        await take(sqlite_url, SEALER, tmp_path / "backup", tmp_path / "keys", AT)
    target = f"sqlite:///{tmp_path}/restored.db"
    await restore(target, SEALER, tmp_path / "backup", tmp_path / "keys", LATER)
    async with opened(target) as database, database.begin() as work:
        assert await work.shelf.try_key(link, whose, code, AT) is Tried.WRONG
        assert await work.shelf.try_key(link, whose, pin, AT) is Tried.RIGHT
        assert not await work.shelf.use_link(link, LATER)


async def test_what_is_put_in_after_a_restore_comes_behind_what_was_there(backup: Backup, target: str) -> None:
    await restore(target, SEALER, backup.file, backup.keys, LATER)
    async with opened(target) as database:
        async with database.begin() as work:
            for queue in (work.inbox, work.outbox):
                assert await queue.put(item(backup.cases[0], "new"))
        async with database.begin() as work:
            last = await work.inbox.get(ItemId(f"new{backup.cases[0]}"))
            assert last is not None
            others = [one for one in await work.inbox.in_state(set(State)) if one.id != last.id]
            assert last.seq > max(one.seq for one in others)
            claimed = await work.inbox.claim("me", LATER, timedelta(seconds=1), 50)
            assert [one.id for one in claimed] == [f"undecided{backup.cases[0]}", f"new{backup.cases[0]}"]
            assert int(await work.cases.new_number()) > int(backup.cases[1]) + 900


async def test_nothing_is_gone_on_with_that_was_being_sent(backup: Backup, target: str) -> None:
    await restore(target, SEALER, backup.file, backup.keys, LATER)
    async with opened(target) as database, database.begin() as work:
        states: dict[str, State] = {}
        for case in backup.cases:
            for one in await work.outbox.in_state(set(State), case):
                states[one.id.removesuffix(case)] = one.state
                assert one.progress is None
                assert not one.sending
                assert one.state is not State.READY or (one.note, one.attempts) == (None, 0)
    assert states == {
        "ready": State.READY,
        "sending": State.READY,
        "parked": State.READY,
        "sent": State.DONE,
        "dead": State.DEAD,
        "mail": State.READY,
        "mail-parked": State.READY,
        "mail-sent": State.DONE,
    }


async def test_every_identity_has_a_new_device_under_its_old_seeds_and_nothing_of_the_former(
    backup: Backup, target: str
) -> None:
    before = {row.user_id: row for row in map(_identity, backup.rows["crypto_identities"])}
    await restore(target, SEALER, backup.file, backup.keys, LATER)
    rows = await rows_of(target)
    after = {row.user_id: row for row in map(_identity, rows["crypto_identities"])}
    assert before.keys() == after.keys() == {BOT, *map(ghost_of, backup.cases)}
    for user, row in after.items():
        assert row.master_key == before[user].master_key
        assert row.device_id != before[user].device_id
        assert row.curve25519 != before[user].curve25519
        assert not row.ready
    requests = [dict(zip(_names(crypto_schema.REQUESTS.table), row, strict=True)) for row in rows["crypto_requests"]]
    assert sorted(one["kind"] for one in requests) == sorted(
        ["register", "make_device", "cross_signing", "first_keys"] * len(after)
    )
    assert rows["unconfirmed_cases"] == {(case,) for case in backup.cases}


def _names(table: Any) -> list[str]:
    return [column.name for column in table.columns]


def _identity(row: tuple[Any, ...]) -> Any:
    return crypto_schema.IDENTITIES.row(*row)


async def test_a_backup_taken_while_the_service_writes_holds_one_moment(url: str, target: str, tmp_path: Path) -> None:
    """Each unit of work puts one item into each queue; so many of the one as of the other are in every backup."""
    stop = False

    async def write(database: SqlDatabase) -> int:
        number = 0
        while not stop:
            async with database.begin() as work:
                for queue in (work.inbox, work.outbox):
                    await queue.put(Item(ItemId(f"n{number}"), Lane("x"), "matrix", None, b"x" * 500, AT))
            number += 1
            await asyncio.sleep(0)
        return number

    async with opened(url) as database:
        writing = asyncio.create_task(write(database))
        for number in range(4):
            await asyncio.sleep(0.05)
            await take(url, SEALER, tmp_path / f"backup{number}", tmp_path / "keys", AT)
        stop = True
        written = await writing
    await restore(target, SEALER, tmp_path / "backup3", tmp_path / "keys", LATER)
    rows = await rows_of(target)
    assert len(rows["inbox"]) == len(rows["outbox"])
    assert 0 < len(rows["inbox"]) <= written


async def test_nothing_secret_can_be_read_in_a_backup(sqlite_backup: Backup) -> None:
    for file in (sqlite_backup.file, sqlite_backup.keys):
        content = file.read_bytes()
        for secret in (SECRET, "Smith", ghost_of(sqlite_backup.cases[0]), "crypto_identities"):
            assert secret.encode() not in content
        assert MASTER not in content
        assert file.stat().st_mode & 0o077 == 0


async def test_a_case_whose_key_is_gone_is_gone_from_every_older_backup(
    sqlite_url: str, sqlite_backup: Backup, tmp_path: Path, target: str
) -> None:
    kept, destroyed = sqlite_backup.cases
    await _run(sqlite_url, schema.keys.delete().where(schema.keys.c.name == f"case:{destroyed}"))
    await take(sqlite_url, SEALER, tmp_path / "next", sqlite_backup.keys, AT + timedelta(hours=1))
    restored = await restore(target, SEALER, sqlite_backup.file, sqlite_backup.keys, LATER)
    assert restored.erased == {destroyed}
    rows = await rows_of(target)
    text_of_all = repr(rows)
    assert kept in text_of_all
    for trace in (ghost_of(destroyed), room_of(destroyed), f"'{destroyed}'"):
        assert trace not in text_of_all
        assert trace in repr(sqlite_backup.rows)


async def test_without_the_second_seal_a_destroyed_case_would_come_back(
    sqlite_url: str, tmp_path: Path, target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The planted fault: the test above can fail."""
    monkeypatch.setattr(
        "appservice.backups.take.row_line", lambda layout, row, _case, _seal: row_line(layout, row, None, None)
    )
    async with opened(sqlite_url) as database:
        _, destroyed = await fill(database, SEALER)
    await take(sqlite_url, SEALER, tmp_path / "backup", tmp_path / "keys", AT)
    await _run(sqlite_url, schema.keys.delete().where(schema.keys.c.name == f"case:{destroyed}"))
    await take(sqlite_url, SEALER, tmp_path / "next", tmp_path / "keys", AT + timedelta(hours=1))
    assert not (await restore(target, SEALER, tmp_path / "backup", tmp_path / "keys", LATER)).erased
    assert ghost_of(destroyed) in repr(await rows_of(target))


async def test_a_backup_is_never_overwritten_and_a_failed_one_leaves_nothing(
    sqlite_url: str, sqlite_backup: Backup, tmp_path: Path
) -> None:
    before = sqlite_backup.file.read_bytes()
    with pytest.raises(BackupError, match="there already"):
        await take(sqlite_url, SEALER, sqlite_backup.file, sqlite_backup.keys, AT)
    assert sqlite_backup.file.read_bytes() == before
    with pytest.raises(UnusableDatabase, match="another master key"):
        await take(sqlite_url, Sealer([bytes(32)]), tmp_path / "other", tmp_path / "other-keys", AT)
    with pytest.raises(UnusableDatabase, match="no database"):
        await take(f"sqlite:///{tmp_path}/nothing.db", SEALER, tmp_path / "other", tmp_path / "other-keys", AT)
    assert names_in(tmp_path) == {"backup", "keys", "mediatrix.db"}


async def test_a_database_of_another_version_is_not_touched(sqlite_url: str, tmp_path: Path) -> None:
    async with opened(sqlite_url):
        pass
    await _run(sqlite_url, text("UPDATE alembic_version SET version_num = '0001'"))
    with pytest.raises(UnusableDatabase, match=f"schema 0001, this program {migrate.VERSION}"):
        await take(sqlite_url, SEALER, tmp_path / "backup", tmp_path / "keys", AT)


# --- what is refused ----------------------------------------------------------------------------------------------


async def refused(backup: Backup, target: str, sealer: Sealer = SEALER) -> str:
    """Why it isn't restored; and nothing was."""
    with pytest.raises((BackupError, UnusableDatabase)) as caught:
        await restore(target, sealer, backup.file, backup.keys, LATER)
    writer, _ = engines(target)
    async with writer.begin() as connection:
        assert await connection.run_sync(lambda sync: inspect(sync).get_table_names()) == []
    await writer.dispose()
    return str(caught.value)


async def test_a_database_that_is_not_empty_is_left_alone(sqlite_backup: Backup, sqlite_url: str) -> None:
    before = await rows_of(sqlite_url)
    with pytest.raises(UnusableDatabase, match="not empty"):
        await restore(sqlite_url, SEALER, sqlite_backup.file, sqlite_backup.keys, LATER)
    assert await rows_of(sqlite_url) == before


async def test_another_master_key_is_named_as_the_reason(sqlite_backup: Backup, target: str) -> None:
    assert "another master key" in await refused(sqlite_backup, target, Sealer([bytes(32)]))


async def test_an_older_master_key_that_is_still_configured_opens_it(sqlite_backup: Backup, target: str) -> None:
    rotated = Sealer([bytes(32), MASTER])
    await restore(target, rotated, sqlite_backup.file, sqlite_backup.keys, LATER)


Damage = Callable[[bytes], bytes]


def spoil(file: Path, damage: Damage) -> None:
    file.write_bytes(damage(file.read_bytes()))


def names_in(folder: Path) -> set[str]:
    """Without what SQLite keeps beside an open file."""
    return {file.name for file in folder.iterdir() if not file.name.endswith(("-wal", "-shm"))}


@pytest.mark.parametrize("which", ["file", "keys"])
@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content[:-1],
        lambda content: content[: len(content) // 2],
        lambda content: content[:20],
        lambda content: b"",
        lambda content: content + b".",
        lambda content: content[:200] + bytes([content[200] ^ 1]) + content[201:],
        lambda content: content[:30] + bytes([content[30] ^ 1]) + content[31:],
        lambda content: b"PK" + content,
    ],
)
async def test_a_file_that_was_changed_or_cut_off_is_refused(
    sqlite_backup: Backup, tmp_path: Path, damage: Damage, which: str
) -> None:
    file: Path = getattr(sqlite_backup, which)
    spoil(file, damage)
    assert str(file) in await refused(sqlite_backup, f"sqlite:///{tmp_path}/target.db")


async def test_frames_of_two_backups_cannot_be_mixed(sqlite_url: str, sqlite_backup: Backup, tmp_path: Path) -> None:
    await take(sqlite_url, SEALER, tmp_path / "second", sqlite_backup.keys, AT)
    header = 40
    first, second = sqlite_backup.file.read_bytes(), (tmp_path / "second").read_bytes()
    sqlite_backup.file.write_bytes(first[:header] + second[header:])
    assert "changed" in await refused(sqlite_backup, f"sqlite:///{tmp_path}/target.db")


async def test_a_frame_too_few_is_noticed(sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("appservice.backups.file._FRAME", 1)
    async with opened(sqlite_url) as database:
        cases = await fill(database, SEALER)
    await take(sqlite_url, SEALER, tmp_path / "backup", tmp_path / "keys", AT)
    backup = Backup(tmp_path / "backup", tmp_path / "keys", cases, {})
    content = backup.file.read_bytes()
    frames = _frames(content)
    assert len(frames) > 20
    for changed in (frames[:5] + frames[6:], [*frames[:5], frames[6], frames[5], *frames[7:]], frames[:-1]):
        backup.file.write_bytes(content[:40] + b"".join(changed))
        assert "changed" in await refused(backup, f"sqlite:///{tmp_path}/{hashlib.sha256(changed[5]).hexdigest()}.db")


def _frames(content: bytes) -> list[bytes]:
    frames, at = [], 40
    while at < len(content):
        end = at + 5 + int.from_bytes(content[at + 1 : at + 5], "big")
        frames.append(content[at:end])
        at = end
    return frames


async def test_the_keys_must_be_of_the_same_database_and_not_older(
    sqlite_url: str, sqlite_backup: Backup, tmp_path: Path, postgresql_url: str
) -> None:
    async with opened(postgresql_url) as database:
        await fill(database, SEALER)
    target = f"sqlite:///{tmp_path}/target.db"
    await take(postgresql_url, SEALER, tmp_path / "foreign", tmp_path / "foreign-keys", AT)
    foreign = Backup(sqlite_backup.file, tmp_path / "foreign-keys", sqlite_backup.cases, {})
    assert "another database" in await refused(foreign, target)
    await take(sqlite_url, SEALER, tmp_path / "newer", tmp_path / "newer-keys", AT + timedelta(minutes=1))
    older = Backup(tmp_path / "newer", sqlite_backup.keys, sqlite_backup.cases, {})
    assert "older" in await refused(older, target)
    swapped = Backup(sqlite_backup.keys, sqlite_backup.file, sqlite_backup.cases, {})
    assert "the other file" in await refused(swapped, target)


async def test_a_backup_of_a_newer_schema_is_refused(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(sqlite_url) as database:
        await fill(database, SEALER)
    with monkeypatch.context() as patched:
        patched.setattr("appservice.backups.take.VERSION", "9999")
        await take(sqlite_url, SEALER, tmp_path / "backup", tmp_path / "keys", AT)
    with pytest.raises(NewerSchema, match="9999"):
        await restore(f"sqlite:///{tmp_path}/target.db", SEALER, tmp_path / "backup", tmp_path / "keys", LATER)


async def test_a_backup_of_an_older_schema_is_migrated(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, target: str
) -> None:
    """As an earlier version of the program would have made it: without the tables and columns that came later."""
    later = {crypto_schema.VERIFICATIONS.table.name, crypto_schema.MASTER_KEYS.table.name}
    for came_later in (epoch_schema, mail_schema, portal_schema, vault_schema, whatsapp_schema):
        later |= {table.name for table in vars(came_later).values() if isinstance(table, Table)}
    later |= {schema.record.name, schema.room_levels.name, schema.echoes.name}
    async with opened(sqlite_url) as database:
        cases = await fill(database, SEALER)
    with monkeypatch.context() as patched:
        patched.setattr("appservice.backups.take.VERSION", "0001")
        patched.setattr(
            "appservice.backups.take.layouts",
            lambda: tuple(
                _without(
                    one,
                    *(
                        "changes",
                        "failing_since",
                        "edits",
                        "about",
                        "urgent_at",
                        "board",
                        "audience",
                        "ended",
                        "ended_at",
                    ),
                    *schema.FUNNEL,
                )
                for one in layouts()
                if one.table not in later
            ),
        )
        await take(sqlite_url, SEALER, tmp_path / "backup", tmp_path / "keys", AT)
    await restore(target, SEALER, tmp_path / "backup", tmp_path / "keys", LATER)
    async with opened(target) as database, database.begin() as work:
        assert await work.cases.all_ids() == cases


def _without(layout: Layout, *columns: str) -> Layout:
    return Layout(layout.table, {name: kind for name, kind in layout.columns.items() if name not in columns})


async def test_a_disk_that_is_full_leaves_no_half_backup(
    sqlite_url: str, sqlite_backup: Backup, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    before = sqlite_backup.keys.read_bytes()
    with pytest.raises(OSError, match="No space"):
        await take(sqlite_url, SEALER, tmp_path / "second", sqlite_backup.keys, AT)
    assert sqlite_backup.keys.read_bytes() == before
    assert names_in(tmp_path) == {"backup", "keys", "mediatrix.db"}


# --- ratchets -----------------------------------------------------------------------------------------------------


async def indexes_across_a_restore(url: str, target: str, folder: Path) -> list[tuple[str, int]]:
    """Written before the backup, after it, and after the restore."""
    used: list[tuple[str, int]] = []

    async def write(database: SqlDatabase) -> None:
        machine = OlmMachine(CryptoUserId(BOT), SEALER)
        async with database.begin() as work:
            await machine.prepare(work.crypto, AUDIENCE, now_ms=1)
            made = await machine.encrypt_event(work.crypto, AUDIENCE, "m.room.message", {"body": "x"}, now_ms=1)
        assert isinstance(made, Encrypted)
        used.append((made.session_id, made.message_index))

    async with opened(url) as database:
        await fill(database, SEALER)
        await write(database)
        await take(url, SEALER, folder / "backup", folder / "keys", AT)
        await write(database)
        await write(database)
    await restore(target, SEALER, folder / "backup", folder / "keys", LATER)
    async with opened(target) as database:
        await write(database)
        await write(database)
    return used


async def test_no_index_is_used_again_after_a_restore(url: str, target: str, tmp_path: Path) -> None:
    used = await indexes_across_a_restore(url, target, tmp_path)
    assert len(used) == len(set(used)) == 5
    assert [index for _, index in used] == [0, 1, 2, 0, 1]


async def test_a_restore_that_kept_the_ratchets_would_use_indexes_again(
    url: str, target: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The planted fault: the test above can fail."""

    async def keep(self: SqlCryptoStore, user_id: CryptoUserId) -> None:
        """Forget nothing."""

    monkeypatch.setattr(SqlCryptoStore, "forget_device", keep)
    used = await indexes_across_a_restore(url, target, tmp_path)
    assert len(set(used)) == 3


# --- databases that came back otherwise ---------------------------------------------------------------------------


@pytest.fixture
async def filled(url: str) -> str:
    async with opened(url) as database:
        await fill(database, SEALER)
    return url


async def test_adopting_a_copy_begins_a_new_epoch_as_old_as_what_is_in_it(filled: str) -> None:
    before = {row.device_id for row in map(_identity, (await rows_of(filled))["crypto_identities"])}
    epoch = await adopt(filled, SEALER, LATER)
    assert (epoch.number, epoch.stage, epoch.backup_at, epoch.doubt_until) == (2, Stage.RESTORED, AT, LATER)
    rows = await rows_of(filled)
    assert before.isdisjoint(row.device_id for row in map(_identity, rows["crypto_identities"]))
    assert len(rows["unconfirmed_cases"]) == 2
    async with opened(filled) as database, database.begin() as work:
        claimed = await work.inbox.claim("me", LATER, timedelta(seconds=1), 50)
        assert len(claimed) == 1
        assert int(await work.cases.new_number()) == 2003


async def test_adopting_an_empty_database_lets_it_begin(url: str) -> None:
    async with opened(url):
        pass
    epoch = await adopt(url, SEALER, LATER)
    assert (epoch.number, epoch.backup_at) == (2, LATER)
    async with opened(url) as database, database.begin() as work:
        assert await work.cases.new_number() == "2001"


async def test_what_still_waits_since_an_earlier_restore_is_searched_for_from_there(filled: str) -> None:
    first = await adopt(filled, SEALER, LATER)
    assert first.search_from == AT
    await _run(filled, update(schema.INBOX.items).values(state=State.DONE, received_at=LATER))
    second = await adopt(filled, SEALER, LATER)
    assert (second.backup_at, second.search_from) == (LATER, AT), "the outbox waits since then"
    await _run(filled, update(schema.OUTBOX.items).values(state=State.DONE))
    third = await adopt(filled, SEALER, LATER)
    assert third.search_from == LATER


async def test_what_was_found_to_be_sent_stays_known_through_the_next_restore(filled: str) -> None:
    async with opened(filled) as database, database.begin() as work:
        marker = await work.epochs.marker(ItemId("one"))
    await adopt(filled, SEALER, LATER)
    await _run(filled, epoch_schema.SENT.insert().values(marker=marker, event_id="$e"))
    await adopt(filled, SEALER, LATER)
    async with opened(filled) as database, database.begin() as work:
        assert await work.epochs.sent(marker) == EventId("$e")
        assert await work.epochs.marker(ItemId("one")) == marker
        assert await work.crypto.identity(CryptoUserId(BOT)) is not None


async def _run(url: str, statement: Any) -> None:
    writer, _ = engines(url)
    async with writer.begin() as connection:
        await connection.execute(statement)
    await writer.dispose()
