"""Which number of ours and which name on WhatsApp are which conversation: a second one is refused by the key (I2)."""

from collections.abc import Collection
from typing import Final, NamedTuple

from sqlalchemy import Executable, bindparam, delete, insert, select, update

from appservice.storage.connections import Connection
from appservice.storage.schema import counters
from appservice.storage.seals import Seals
from appservice.storage.statements import insert_new
from appservice.storage.whatsapp_schema import LINES
from policies.case import Case, CaseId, Network, address_key
from policies.networks.lines import lines

FILLED: Final = "whatsapp lines"
"""The counter that says that those of all cases from before are there."""
_columns = LINES.c
_OF_CASE: Final = select(_columns.ours, _columns.lookup, _columns.conversation).where(
    _columns.case_id == bindparam("case")
)
_PLACE: Final = (
    _columns.ours == bindparam("at_ours"),
    _columns.lookup == bindparam("at_lookup"),
    _columns.case_id == bindparam("of_case"),
)
_FORGET: Final = delete(LINES).where(*_PLACE)
_MOVE: Final = update(LINES).where(*_PLACE).values(conversation=bindparam("to"))
_ADD: Final = insert(LINES)


class _Row(NamedTuple):
    ours: str
    lookup: bytes
    conversation: str

    @property
    def place(self) -> tuple[str, bytes]:
        """What only one row can have."""
        return self.ours, self.lookup


class SqlLines:
    """The lines of cases, within one database transaction."""

    def __init__(self, connection: Connection, seals: Seals) -> None:
        self._connection, self._seals = connection, seals

    async def put(self, case: Case, added: Collection[bytes], gone: Collection[bytes]) -> None:
        """Those of the case as it is now. `added`, `gone`: the lookups of addresses that it has, or had, only now.

        A name that comes in is inserted, and the database refuses it if it has a line already: raises Conflict, and
        all of the unit of work is undone. One that was in the case, and in another, before there were lines, gets none.
        """
        wanted = self._rows(case)
        if not wanted and not gone:
            return
        found = await self._connection.execute(_OF_CASE, {"case": case.id})
        known = {row.place: row for row in (_Row(*one) for one in found)}
        places = {row.place for row in wanted}
        gone_rows = [row for row in known.values() if row.place not in places]
        moved = [row for row in wanted if row.place in known and row != known[row.place]]
        await self._each(_FORGET, [_at(case.id, row) for row in gone_rows])
        await self._each(_MOVE, [_at(case.id, row) | {"to": row.conversation} for row in moved])
        fresh = [row for row in wanted if row.place not in known]
        if len(places) < len(wanted):  # two conversations of this very case
            await self._each(_ADD, [_values(case.id, row) for row in wanted])
        await self._each(_ADD, [_values(case.id, row) for row in fresh if row.lookup in added])
        lenient = insert_new(self._connection.dialect, LINES, "ours", "lookup")
        await self._each(lenient, [_values(case.id, row) for row in fresh if row.lookup not in added])

    async def are_filled(self) -> bool:
        """Whether every case from before has its lines; says so from now on."""
        new = insert_new(self._connection.dialect, counters, "name")
        return (await self._connection.execute(new, {"name": FILLED, "value": 1})).rowcount == 0

    def _rows(self, case: Case) -> list[_Row]:
        """In the order in which everybody takes them."""

        def lookup(name: str) -> bytes:
            return self._seals.lookup("address", Network.WHATSAPP, address_key(Network.WHATSAPP, name))

        return sorted({_Row(line.ours, lookup(line.name), line.conversation.id) for line in lines(case)})

    async def _each(self, statement: Executable, values: list[dict[str, str | bytes]]) -> None:
        if values:
            await self._connection.execute(statement, values)


def _at(case: CaseId, row: _Row) -> dict[str, str | bytes]:
    return {"of_case": case, "at_ours": row.ours, "at_lookup": row.lookup}


def _values(case: CaseId, row: _Row) -> dict[str, str | bytes]:
    return {"ours": row.ours, "lookup": row.lookup, "case_id": case, "conversation": row.conversation}
