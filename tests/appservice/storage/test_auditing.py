"""`mediatrix audit verify`, on a database: what was done to it behind our back is named."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Executable, delete, select, update

from appservice.crypto.sealing import Sealer
from appservice.storage import schema
from appservice.storage.engines import engines
from appservice.upkeep.auditing import Audit, verify
from policies.case import DESK, JOINT, CaseId
from policies.record import Part
from rooms.record import entry, heads_text, signable
from tests.appservice.storage.conftest import opened
from tests.appservice.storage.master import MASTER
from tests.appservice.storage.postgresql import Postgresql

AT = datetime(2026, 1, 5, 10, tzinfo=UTC)
CASE = CaseId("1001")
SEALER = Sealer([MASTER])
record = schema.record


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/mediatrix.db"


async def written(url: str) -> str:
    """A record of some entries in two chains; its heads, as the desk gets them."""
    async with opened(url) as database:
        for audience in (DESK, DESK, JOINT, DESK):
            async with database.begin() as work:
                head = await work.record.head(CASE, audience.id)
                part = Part(audience, ("Tell",), ("digest",))
                await work.record.append(entry(CASE, part, head, rule="rule", words="words", at=AT))
        async with database.begin() as work:
            heads = await work.record.heads(CASE)
            return heads_text(CASE, heads, "today", await work.record.sign(signable(heads)))


async def run(url: str, *statements: Executable) -> None:
    """What somebody with the database in hand does."""
    writer, reader = engines(url)
    async with writer.begin() as connection:
        for statement in statements:
            await connection.execute(statement)
    await writer.dispose()
    await reader.dispose()


async def audit(url: str, kept: str = "") -> Audit:
    return await verify(url, SEALER, kept)


async def test_a_record_that_was_left_alone_is_in_order(url: str) -> None:
    kept = await written(url)
    assert await audit(url, f"copied from the desk:\n{kept}\n") == Audit(1, 4, 0, ())


@pytest.mark.parametrize(
    "tampering",
    [
        delete(record).where(record.c.seq == 2),
        update(record).where(record.c.seq == 2).values(hash="0" * 64),
        update(record).where(record.c.audience == "joint").values(public="{}"),
        update(record).where(record.c.audience == "joint").values(audience="caucus-s1"),
        update(record).where(record.c.seq == 3).values(seq=4),
        update(record).where(record.c.audience == "joint").values(at=datetime(2026, 1, 6, tzinfo=UTC)),
    ],
)
async def test_tampering_is_found(url: str, tampering: Executable) -> None:
    await written(url)
    await run(url, tampering)
    assert (await audit(url)).faults


async def test_a_truncated_chain_is_found_by_the_head_that_was_posted(url: str) -> None:
    kept = await written(url)
    await run(url, delete(record).where(record.c.seq == 3))
    assert (await audit(url)).faults == ()
    assert [fault for fault in (await audit(url, kept)).faults if "missing" in fault]


async def test_a_head_that_we_did_not_sign_is_named(url: str) -> None:
    kept = await written(url)
    assert (await audit(url, kept.replace(" 3 ", " 4 "))).faults
    unsigned = "\n".join(line for line in kept.splitlines() if not line.startswith("key "))
    assert all("not signed" in fault for fault in (await audit(url, unsigned)).faults)
    assert (await audit(url, unsigned)).faults
    assert (await audit(url, "no head at all")).faults == ("there is no head in the file",)


async def test_where_the_key_of_a_case_was_destroyed_the_chain_is_counted_and_in_order(url: str) -> None:
    kept = await written(url)
    await run(url, delete(schema.keys).where(schema.keys.c.name == f"case:{CASE}"))
    assert await audit(url, kept) == Audit(1, 4, 4, ())


async def test_the_private_part_cannot_be_exchanged(url: str) -> None:
    await written(url)
    joint = select(record.c.sealed).where(record.c.audience == "joint").scalar_subquery()
    await run(url, update(record).where(record.c.seq == 3).values(sealed=joint))
    assert [fault for fault in (await audit(url)).faults if "private part" in fault]


async def test_it_is_the_same_on_postgresql(postgresql: Postgresql) -> None:
    url = postgresql.new_database()
    kept = await written(url)
    assert await audit(url, kept) == Audit(1, 4, 0, ())
    await run(url, delete(record).where(record.c.seq == 2))
    assert (await audit(url, kept)).faults
