"""Numbers that are counted up and taken: of what was not kept, that it was."""

from __future__ import annotations

from typing import Final

from sqlalchemy import delete, select

from appservice.storage import schema
from appservice.storage.connections import Connection
from appservice.storage.statements import insert_new

_PREFIX: Final = "tally."
"""They stand in the table of counters, among the numbers of cases."""


class SqlTallies:
    """`appservice.ports.Tallies` within one database transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def add(self, name: str) -> None:
        counters, key = schema.counters, _PREFIX + name
        first = {"name": key, "value": 0}
        await self._connection.execute(insert_new(self._connection.dialect, counters, "name"), first)
        this = counters.update().where(counters.c.name == key)
        await self._connection.execute(this.values(value=counters.c.value + 1))

    async def take(self, name: str) -> int:
        counters, key = schema.counters, _PREFIX + name
        locked = select(counters.c.value).where(counters.c.name == key).with_for_update()
        value: int | None = (await self._connection.execute(locked)).scalar_one_or_none()
        await self._connection.execute(delete(counters).where(counters.c.name == key))
        return value or 0
