"""One number of ours and one name on WhatsApp are one conversation: whoever comes second is refused by the database."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from appservice.storage.cases import _CASE
from appservice.storage.database import SqlDatabase
from appservice.storage.errors import Conflict
from policies.case import Case, CaseId, Network
from tests.appservice.storage.conftest import opened
from tests.appservice.storage.postgresql import Postgresql
from tests.appservice.whatsapp.house import case_with_bea
from tests.bridges.whatsapp.builders import BEA_PHONE

ONE, OTHER = CaseId("1001"), CaseId("1002")


def hers(case: CaseId) -> Case:
    """A case with Bea in it."""
    return replace(case_with_bea(), id=case)


async def saved(database: SqlDatabase, case: Case, ready: asyncio.Barrier) -> bool:
    """Whether it could be stored, at the very moment at which the other was."""
    try:
        async with database.begin() as work:
            assert not await work.cases.of_address(Network.WHATSAPP, BEA_PHONE)
            await ready.wait()
            await work.cases.save(case)
    except Conflict:
        return False
    return True


async def test_of_two_processes_that_saw_nobody_there_one_is_refused(postgresql: Postgresql) -> None:
    url = postgresql.new_database()
    async with opened(url) as database, opened(url) as another:
        ready = asyncio.Barrier(2)
        went = await asyncio.gather(saved(database, hers(ONE), ready), saved(another, hers(OTHER), ready))
        assert sorted(went) == [False, True]
        async with database.read() as work:
            assert await work.cases.of_address(Network.WHATSAPP, BEA_PHONE) == ((ONE,) if went[0] else (OTHER,))


async def from_before(url: str) -> None:
    """Two cases with the same number, as they could be before there were lines, and a third."""
    third = case_with_bea().people[1]
    async with opened(url) as database:
        async with database.begin() as work:
            await work.cases.save(hers(ONE))
            await work.cases.save(replace(hers(CaseId("1003")), people=(third,)))
            await work.cases.save(replace(hers(OTHER), people=()))
        async with database._writer.begin() as connection:
            for table in ("whatsapp_lines", "counters"):
                await connection.execute(text(f"DELETE FROM {table}"))
            await connection.execute(
                text("INSERT INTO case_addresses SELECT '1002', lookup FROM case_addresses WHERE case_id = '1001'")
            )
            sealed = database._opened().sealer.seal("cases.sealed", OTHER, _CASE.dump(hers(OTHER)))
            await connection.execute(text("UPDATE cases SET sealed = :sealed WHERE id = '1002'"), {"sealed": sealed})


async def changed(database: SqlDatabase, case: CaseId, **changes: Any) -> None:
    """Load it, as whoever changes a case does, and store it otherwise."""
    async with database.begin() as work:
        found = await work.cases.load(case, lock=True)
        assert found is not None
        await work.cases.save(replace(found, **changes))


async def lines_of(database: SqlDatabase) -> list[tuple[str, str]]:
    async with database._reader.begin() as connection:
        found = await connection.execute(text("SELECT case_id, ours FROM whatsapp_lines ORDER BY case_id, ours"))
        return [(row.case_id, row.ours) for row in found]


@pytest.mark.parametrize("network", ["sqlite", "postgresql"])
async def test_cases_from_before_have_their_lines_once_the_service_starts(
    network: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """The oldest has the number; the other goes on, and whoever writes from there is in several, so nobody (ADR 24)."""
    sqlite = network == "sqlite"
    url = f"sqlite:///{tmp_path}/before.db" if sqlite else request.getfixturevalue("postgresql").new_database()
    await from_before(url)
    async with opened(url) as database:
        assert await lines_of(database) == [(ONE, "joint"), (ONE, "private")]
        async with database.begin() as work:
            assert await work.cases.of_address(Network.WHATSAPP, BEA_PHONE) == (ONE, OTHER)
        await changed(database, OTHER, title="it goes on")
        await changed(database, ONE, people=())
        await changed(database, OTHER, title="and is the only one, without a line: who is where did not change")
        assert await lines_of(database) == []
        async with database.read() as work:
            assert await work.cases.of_address(Network.WHATSAPP, BEA_PHONE) == (OTHER,)
        await changed(database, OTHER, people=hers(OTHER).people[::-1])  # any change of who is where will do
        assert await lines_of(database) == [(OTHER, "joint"), (OTHER, "private")]
