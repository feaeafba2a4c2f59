"""A full disk: what can't be stored is not acknowledged, nor does it leave; once there is room, all goes on."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from sqlalchemy import text as sql

from appservice.matrix.transaction import parse
from appservice.storage.errors import DatabaseUnavailable
from tests.faults.house import House, standing
from tests.faults.scenarios import everyone_reads, nothing_is_wrong
from tests.invariants.world import ALICE, CARL

FILLERS = (100_000, 10_000, 100)
"""Bytes of the events that take what room there is."""


@asynccontextmanager
async def full(house: House) -> AsyncIterator[None]:
    """No page more than there is, as SQLite itself says it when the disk is full; within the block."""
    async with house.calm(), house.database.begin() as work:
        pages = (await work.inbox._connection.execute(sql("PRAGMA page_count"))).scalar()
        await work.inbox._connection.execute(sql(f"PRAGMA max_page_count = {pages}"))
    try:
        yield
    finally:
        async with house.calm(), house.database.begin() as work:
            await work.inbox._connection.execute(sql("PRAGMA max_page_count = 1000000000"))


async def fill(house: House) -> None:
    """Store until nothing more can be, not even something small."""
    for size in FILLERS:
        for number in range(1000):
            ids = {"event_id": f"$filler{size}/{number}", "room_id": "!nowhere", "sender": ALICE}
            event = {**ids, "type": "m.room.message", "content": {"body": "x" * size}}
            try:
                await house.service.parts.arrivals.accept(parse("filler", {"events": [event]}))
            except DatabaseUnavailable:
                break
        else:
            raise AssertionError("the disk is never full")


async def said_of_the_service(house: House) -> str:
    """What `/ready` and `mediatrix status` say is wrong with it."""
    condition = house.service.parts.condition
    condition.now()
    async with house.calm():
        return ". ".join(await condition.problems())


async def test_what_can_not_be_stored_is_not_acknowledged_and_comes_when_there_is_room(tmp_path: Path) -> None:
    async with standing(tmp_path) as house:
        async with full(house):
            await fill(house)
            for text in ("full first", "full second"):
                await house.post(ALICE, await house.room(), text + " " * max(FILLERS))
            for _ in range(5):
                await house._step()
            assert house._again, "the homeserver was told that its events are stored"
            assert "no room left" in await said_of_the_service(house)
        await house.drain()
        assert not await said_of_the_service(house)
        mailed = [mail.text for mail in house.post_office.mailbox(CARL) if "| full" in mail.text]
        assert ["first" in text for text in mailed] == [True, False]
        await nothing_is_wrong(house)


async def test_what_was_accepted_before_is_sent_once_and_in_order_when_there_is_room(tmp_path: Path) -> None:
    async with standing(tmp_path) as house:
        await house.rotate()
        letter = house.letter(CARL, "EVERYONE")
        for text in ("full first", "full second"):
            await house.mail(letter, text)
        async with full(house):
            await fill(house)
            for _ in range(10):
                await house._step()
            assert await house.unfinished()
        await house.drain()
        await everyone_reads(house, "full")
        await nothing_is_wrong(house)
