"""After a rotation nothing needs the former master key, and nothing that was written meanwhile is lost."""

import asyncio
import base64
from typing import Any

import pytest
from sqlalchemy import select, update

from appservice.crypto.ids import Curve25519Key, OlmSessionId, RoomId, UserId
from appservice.crypto.machine import OlmMachine
from appservice.crypto.outbound import Audience, Encrypted, Prepared, Rotation
from appservice.crypto.rows import StoredOlmSession, StoredVerification
from appservice.crypto.sealing import Sealer
from appservice.e2ee.trust import VERIFICATION_PURPOSE
from appservice.storage import crypto_schema, resealing, schema
from appservice.storage.database import SqlDatabase
from appservice.storage.engines import engines
from appservice.storage.errors import UnusableDatabase
from appservice.storage.resealing import reseal
from appservice.storage.schema import metadata
from policies.message import MessageId, Text
from rooms.queue import ItemId, State
from tests.appservice.backup.filled import BOT, SECRET, fill, item
from tests.appservice.storage.master import MASTER

NEW = bytes(range(100, 132))
OLD_SEALER, BOTH, NEW_SEALER = Sealer([MASTER]), Sealer([NEW, MASTER]), Sealer([NEW])
ROOM = RoomId("!room")
AUDIENCE = Audience(ROOM, frozenset(), Rotation())


async def opened(url: str, sealer: Sealer) -> SqlDatabase:
    database = SqlDatabase(url, sealer)
    try:
        await database.open()
    except UnusableDatabase:
        await database.close()
        raise
    return database


async def rotate(url: str, sealer: Sealer = BOTH) -> dict[str, int]:
    """How many values of each column were sealed anew."""
    renewed: dict[str, int] = {}
    async for progress in reseal(url, sealer):
        renewed[progress.column] = max(renewed.get(progress.column, 0), progress.renewed)
    return renewed


@pytest.fixture
async def filled(url: str) -> str:
    """A database with a value in every sealed column."""
    database = await opened(url, OLD_SEALER)
    await fill(database, OLD_SEALER)
    async with database.begin() as work:
        await encrypt(work.crypto, OLD_SEALER)
        outbound = await work.crypto.outbound(UserId(BOT), ROOM)
        assert outbound is not None
        state = OLD_SEALER.seal_text(VERIFICATION_PURPOSE, "@alice:example.org", "{}")
        await work.crypto.put_verification(StoredVerification(UserId("@alice:example.org"), "4F", state, 1))
        await work.crypto.put_olm_sessions([olm_session()])
        await work.inbox.mark_sending(ItemId("undecided1001"), b"progress")
        await work.inbox.stop(ItemId("undecided1001"), State.DEAD, "a note")
    await database.close()
    return url


def olm_session() -> StoredOlmSession:
    from vodozemac import Account

    theirs, ours = Account(), Account()
    theirs.generate_one_time_keys(1)
    (key,) = theirs.one_time_keys.values()
    session = ours.create_outbound_session(theirs.curve25519_key, key)
    return StoredOlmSession(
        UserId(BOT), OlmSessionId(session.session_id), Curve25519Key("x"), OLD_SEALER.pickle(session), 1, 1
    )


async def encrypt(store: Any, sealer: Sealer) -> Encrypted:
    """One event, for nobody but ourselves."""
    machine = OlmMachine(UserId(BOT), sealer)
    assert isinstance(await machine.prepare(store, AUDIENCE, now_ms=1), Prepared)
    encrypted = await machine.encrypt_event(store, AUDIENCE, "m.room.message", {"body": "x"}, now_ms=1)
    assert isinstance(encrypted, Encrypted)
    return encrypted


async def values_under(url: str, sealer: Sealer) -> set[str]:
    """The columns in which something was sealed under that key."""
    header = b"\x01" + bytes.fromhex(sealer.key_id)
    found: set[str] = set()
    writer, _ = engines(url)
    async with writer.begin() as connection:
        for table in metadata.sorted_tables:
            for row in (await connection.execute(select(table))).mappings():
                found |= {f"{table.name}.{name}" for name, value in row.items() if _is_under(value, header)}
    await writer.dispose()
    return found


def _is_under(value: object, header: bytes) -> bool:
    if isinstance(value, bytes):
        return value.startswith(header)
    if not isinstance(value, str):
        return False
    return value.startswith((f"{header[1:].hex()}:", base64.urlsafe_b64encode(header + b"0").decode()[:6]))


async def test_every_sealed_value_is_sealed_anew(filled: str) -> None:
    known = {f"{one.table.name}.{one.name}" for one in resealing._SEALED}
    assert await values_under(filled, OLD_SEALER) == known, "each column has a value, or the test shows nothing"
    renewed = await rotate(filled)
    assert await values_under(filled, OLD_SEALER) == set()
    assert await values_under(filled, NEW_SEALER) == known == {name for name, count in renewed.items() if count}


async def test_everything_opens_under_the_new_key_alone(filled: str) -> None:
    await rotate(filled)
    database = await opened(filled, NEW_SEALER)
    async with database.begin() as work:
        entry = await work.journal.get((await work.cases.all_ids())[0], MessageId("m1001"))
        assert entry is not None
        assert entry.message.content == Text(SECRET)
        assert {one.body for one in await work.outbox.in_state({State.READY})} == {SECRET.encode()}
        assert [one.note for one in await work.inbox.in_state({State.DEAD})] == ["a note"]
        assert (await encrypt(work.crypto, NEW_SEALER)).message_index == 1, "the ratchet went on where it was"
        await OlmMachine(UserId(BOT), NEW_SEALER).seeds(work.crypto)
    await database.close()
    with pytest.raises(UnusableDatabase):
        await opened(filled, OLD_SEALER)


async def test_a_second_rotation_finds_nothing_to_do(filled: str) -> None:
    await rotate(filled)
    assert set((await rotate(filled)).values()) == {0}
    assert set((await rotate(filled, NEW_SEALER)).values()) == {0}


async def test_a_missing_former_key_is_told(filled: str) -> None:
    with pytest.raises(UnusableDatabase, match="not in config"):
        await rotate(filled, NEW_SEALER)


async def test_the_service_goes_on_meanwhile_and_no_ratchet_is_turned_back(
    filled: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It writes in every gap that a rotation leaves, between each read and each write of ours on PostgreSQL."""
    monkeypatch.setattr(resealing, "_AT_ONCE", 2)
    database = await opened(filled, BOTH)
    indexes: list[int] = []

    async def write() -> None:
        for number in range(60):
            async with database.begin() as work:
                indexes.append((await encrypt(work.crypto, BOTH)).message_index)
                await work.inbox.put(item((await work.cases.all_ids())[0], f"meanwhile {number} "))
            await asyncio.sleep(0)

    await asyncio.gather(write(), rotate(filled))
    async with database.begin() as work:
        indexes.append((await encrypt(work.crypto, BOTH)).message_index)
    await database.close()
    assert indexes == list(range(1, 62))
    assert await values_under(filled, OLD_SEALER) == set()


async def test_without_the_comparison_a_ratchet_would_be_turned_back(
    filled: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The planted fault: what was written between the read and the write is overwritten."""
    (ratchets,) = (one for one in resealing._SEALED if one.table is crypto_schema.OUTBOUND.table)
    careful = resealing._replacement(ratchets)
    assert "old" in careful.compile().params
    database = await opened(filled, BOTH)
    writer, _ = engines(filled)
    async with writer.begin() as connection:
        columns = *ratchets.table.c, ratchets.table.c.pickle.label("value")
        (found,) = (await connection.execute(select(*columns))).mappings().all()
    stale = resealing._change(ratchets, found, ratchets.renew(BOTH, found))
    async with database.begin() as work:
        assert (await encrypt(work.crypto, BOTH)).message_index == 1
    async with writer.begin() as connection:
        await connection.execute(careful, [stale])
    async with database.begin() as work:
        assert (await encrypt(work.crypto, BOTH)).message_index == 2
    careless = update(ratchets.table).values(pickle=stale["new"])
    async with writer.begin() as connection:
        await connection.execute(careless)
    async with database.begin() as work:
        assert (await encrypt(work.crypto, BOTH)).message_index == 1, "the planted fault shows"
    await writer.dispose()
    await database.close()


async def test_there_must_be_a_database(tmp_path: Any) -> None:
    with pytest.raises(UnusableDatabase, match="no database"):
        await rotate(f"sqlite:///{tmp_path}/nothing.db")
    assert schema.keys is not None
