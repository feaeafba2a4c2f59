"""What was said where in a case, as keyed hashes."""

from collections.abc import Collection, Mapping
from typing import Final

from sqlalchemy import bindparam, select

from appservice.storage import schema
from appservice.storage.connections import Connection
from appservice.storage.seals import Seals
from appservice.storage.statements import insert_new
from policies.case import CaseId, ConversationId

_AT_ONCE: Final = 500
"""SQL variables in one statement: databases have limits."""
_echoes = schema.echoes
_WHERE: Final = select(_echoes.c.lookup, _echoes.c.conversation).where(
    _echoes.c.case_id == bindparam("case"), _echoes.c.lookup.in_(bindparam("lookups", expanding=True))
)


class SqlEchoes:
    """`rooms.ports.Echoes` within one database transaction."""

    def __init__(self, connection: Connection, seals: Seals) -> None:
        self._connection = connection
        self._seals = seals
        self._lookups: dict[tuple[CaseId, str], bytes] = {}
        """What was looked for is noted next."""

    async def note(self, case: CaseId, conversation: ConversationId, grams: Collection[str]) -> None:
        """Keep the hashes of these."""
        rows = [
            {"case_id": case, "lookup": self._lookup(case, gram), "conversation": conversation}
            for gram in sorted(grams)
        ]
        if rows:
            statement = insert_new(self._connection.dialect, _echoes, "case_id", "lookup", "conversation")
            await self._connection.execute(statement, rows)

    async def where(self, case: CaseId, grams: Collection[str]) -> Mapping[str, frozenset[ConversationId]]:
        """Look for these."""
        wanted = {self._lookup(case, gram): gram for gram in sorted(grams)}
        lookups = list(wanted)
        found: dict[str, frozenset[ConversationId]] = {}
        for start in range(0, len(lookups), _AT_ONCE):
            some = lookups[start : start + _AT_ONCE]
            for row in await self._connection.execute(_WHERE, {"case": case, "lookups": some}):
                gram = wanted[bytes(row.lookup)]
                found[gram] = found.get(gram, frozenset()) | {row.conversation}
        return found

    def _lookup(self, case: CaseId, gram: str) -> bytes:
        found = self._lookups.get((case, gram))
        if found is None:
            found = self._lookups[case, gram] = self._seals.lookup("echo", case, gram)[:16]
        return found
