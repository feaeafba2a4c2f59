"""Cases, the rooms that serve them, and the ghosts in those."""

from collections import OrderedDict
from collections.abc import Collection, Mapping
from dataclasses import asdict, replace
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import Select, bindparam, delete, func, select, update

from appservice.crypto.sealing import Sealer
from appservice.storage import schema
from appservice.storage.connections import Connection
from appservice.storage.documents import Document, Pieces
from appservice.storage.errors import Conflict
from appservice.storage.lines import SqlLines
from appservice.storage.seals import Seals, make_case_seal, open_optional, row, seal_optional
from appservice.storage.statements import insert_new, upsert
from policies.board import urgency
from policies.case import DECLINED, Case, CaseId, Endpoint, Network, PersonId, address_key
from policies.people.joining import Funnel, funnel
from policies.plan import RoomKey
from rooms.ids import RoomId, UserId
from rooms.ports import RoomRecord, Standing

FIRST_CASE: Final = 1001
_CASE: Final[Document[Case]] = Document(Case)
_NO_CASE: Final = CaseId("")
OPEN_CASES: Final = 256
"""So many cases are kept open in memory, a few kB each."""
BUSY_CASES: Final = 16
"""Of so many is kept how their parts were written, which costs as much again: with each post little of one changes."""

# Built once: to build a statement anew costs more than to run it.
_SEALED: Final = select(schema.cases.c.sealed).where(schema.cases.c.id == bindparam("case"))
_LOCKED: Final = _SEALED.with_for_update()
_rooms = schema.rooms
_RECORDS: Final = select(_rooms).order_by(_rooms.c.ordinal)
_OF_KEY: Final = _RECORDS.where(_rooms.c.case_id == bindparam("case"), _rooms.c.key == bindparam("key"))
_OF_ROOM: Final = _RECORDS.where(_rooms.c.room_id == bindparam("room"))
_OF_CASE: Final = _RECORDS.where(_rooms.c.case_id == bindparam("case"))
_MADE: Final = _RECORDS.where(_rooms.c.room_id.is_not(None))
_CASES_OF: Final = select(_rooms.c.room_id, _rooms.c.case_id).where(
    _rooms.c.room_id.in_(bindparam("rooms", expanding=True)), _rooms.c.case_id != _NO_CASE
)
_CHANGES: Final = select(_rooms.c.changes).where(_rooms.c.room_id == bindparam("room"))
_addresses, _ghosts = schema.case_addresses, schema.ghosts
_OF_ADDRESS: Final = (
    select(schema.cases.c.id)
    .join(_addresses, _addresses.c.case_id == schema.cases.c.id)
    .where(_addresses.c.lookup == bindparam("lookup"))
    .order_by(schema.cases.c.ordinal)
)
_LOOKUPS: Final = select(_addresses.c.lookup).where(_addresses.c.case_id == bindparam("case"))
_FORGET_LOOKUP: Final = delete(_addresses).where(
    _addresses.c.case_id == bindparam("case"), _addresses.c.lookup == bindparam("gone")
)
_GHOST: Final = select(_ghosts.c.user_id).where(
    _ghosts.c.case_id == bindparam("case"), _ghosts.c.person == bindparam("who")
)


class SqlCases:
    """`rooms.ports.Cases` within one database transaction."""

    def __init__(self, connection: Connection, seals: Seals) -> None:
        self._connection = connection
        self._seals = seals
        self._lines = SqlLines(connection, seals)
        self._locked: dict[CaseId, Case] = {}
        """Nobody else can change these before this transaction ends."""
        self._unwritten: set[CaseId] = set()
        """Those among them that were changed, and are written when this unit of work ends (`settle`): a case is written
        whole, and changes with each of many messages that are handled in one."""

    async def new_number(self) -> CaseId:
        counters = schema.counters
        first = {"name": "case", "value": FIRST_CASE - 1}
        await self._connection.execute(insert_new(self._connection.dialect, counters, "name"), first)
        next_one = update(counters).where(counters.c.name == "case").values(value=counters.c.value + 1)
        number = CaseId(str((await self._connection.execute(next_one.returning(counters.c.value))).scalar_one()))
        # From the beginning, so that no backup has anything of a case but under its key.
        await make_case_seal(self._connection, self._seals.sealer, number)
        return number

    async def begin(self, case: Case) -> Case:
        await make_case_seal(self._connection, self._seals.sealer, case.id)
        sealed = self._seals.sealer.seal("cases.sealed", case.id, _CASE.dump(case))
        statement = insert_new(self._connection.dialect, schema.cases, "id")
        await self._connection.execute(statement, _row(case, sealed))
        begun = await self.load(case.id, lock=True)
        assert begun is not None
        await self._put_addresses(begun)
        return begun

    async def load(self, case: CaseId, *, lock: bool = False) -> Case | None:
        if case in self._locked:
            return self._locked[case]
        found = await self._connection.execute(_LOCKED if lock else _SEALED, {"case": case})
        sealed = found.scalar_one_or_none()
        if sealed is None:
            return None
        loaded = _OPEN.opened(self._seals.sealer, case, sealed)
        if lock:
            self._locked[case] = loaded
        return loaded

    async def save(self, case: Case) -> None:
        before = self._locked.get(case.id)
        self._locked[case.id] = case
        self._unwritten.add(case.id)
        if before is None or _seats(before) != _seats(case):
            await self.settle()
            await self._put_addresses(case)

    async def settle(self) -> None:
        """Write down the cases that were changed."""
        statement = upsert(self._connection.dialect, schema.cases, "id", keep=("board",))
        for case in [self._locked[changed] for changed in sorted(self._unwritten)]:
            sealed = self._seals.sealer.seal("cases.sealed", case.id, _CASE.dump_again(case, _busy(case.id)))
            await self._connection.execute(statement, _row(case, sealed))
            _OPEN.keep(self._seals.sealer, case, sealed)
        self._unwritten.clear()

    async def _put_addresses(self, case: Case) -> None:
        """By what its people are found."""
        lookups = {self._lookup(p.endpoint.network, name) for p in case.people for name in p.endpoint.names}
        known = set((await self._connection.execute(_LOOKUPS, {"case": case.id})).scalars())
        if gone := known - lookups:
            await self._connection.execute(_FORGET_LOOKUP, [{"case": case.id, "gone": one} for one in sorted(gone)])
        if new := lookups - known:
            statement = insert_new(self._connection.dialect, schema.case_addresses, "case_id", "lookup")
            await self._connection.execute(statement, [{"case_id": case.id, "lookup": one} for one in sorted(new)])
        await self._lines.put(case, new, gone)

    async def fill_lines(self) -> None:
        """Once for all: the lines of the cases that were there before there were any. The oldest case comes first, and
        a name that takes part in a later one as well gets no other line there."""
        if await self._lines.are_filled():
            return
        for case_id in await self.all_ids():
            if case := await self.load(case_id, lock=True):
                await self._lines.put(case, (), ())

    async def all_ids(self) -> tuple[CaseId, ...]:
        found = await self._connection.execute(select(schema.cases.c.id).order_by(schema.cases.c.ordinal))
        return tuple(found.scalars())

    async def of_matrix_user(self, user: UserId) -> tuple[CaseId, ...]:
        return await self.of_address(Network.MATRIX, user)

    async def of_address(self, network: Network, address: str) -> tuple[CaseId, ...]:
        found = await self._connection.execute(_OF_ADDRESS, {"lookup": self._lookup(network, address)})
        return tuple(found.scalars())

    async def urgent(self, user: UserId, most: int) -> tuple[CaseId, ...]:
        await self.settle()
        addresses, at = schema.case_addresses, schema.cases.c.urgent_at
        statement = (
            select(schema.cases.c.id)
            .join(addresses, addresses.c.case_id == schema.cases.c.id)
            .where(addresses.c.lookup == self._lookup(Network.MATRIX, user), at.is_not(None))
            .order_by(at, schema.cases.c.ordinal)
            .limit(most)
        )
        return tuple((await self._connection.execute(statement)).scalars())

    async def board_shows(self, case: CaseId, text: str) -> bool:
        shown = select(schema.cases.c.board).where(schema.cases.c.id == case)
        seen: bytes | None = (await self._connection.execute(shown)).scalar()
        return seen == self._seals.lookup("board", case, text)

    async def note_board(self, case: CaseId, text: str) -> None:
        noted = update(schema.cases).where(schema.cases.c.id == case)
        await self._connection.execute(noted.values(board=self._seals.lookup("board", case, text)))

    async def funnel(self) -> Funnel:
        """Of all cases together."""
        await self.settle()
        sums = [func.coalesce(func.sum(schema.cases.c[step]), 0) for step in schema.FUNNEL]
        return Funnel(*map(int, (await self._connection.execute(select(*sums))).one()))

    def _lookup(self, network: Network, address: str) -> bytes:
        return self._seals.lookup("address", network, address_key(network, address))


class SqlRooms:
    """`rooms.ports.Rooms` within one database transaction."""

    def __init__(self, connection: Connection, seals: Seals) -> None:
        self._connection = connection
        self._sealer = seals.sealer

    async def get(self, case: CaseId | None, key: RoomKey) -> RoomRecord | None:
        return next(iter(await self._records(_OF_KEY, case=case or _NO_CASE, key=key)), None)

    async def by_room_id(self, room: RoomId) -> RoomRecord | None:
        return next(iter(await self._records(_OF_ROOM, room=room)), None)

    async def cases_of(self, rooms: Collection[RoomId]) -> Mapping[RoomId, CaseId]:
        """The cases of those of these Matrix rooms that serve one."""
        found = await self._connection.execute(_CASES_OF, {"rooms": list(rooms)})
        return {row.room_id: row.case_id for row in found}

    async def of_case(self, case: CaseId) -> tuple[RoomRecord, ...]:
        return await self._records(_OF_CASE, case=case)

    async def made(self) -> tuple[RoomRecord, ...]:
        return await self._records(_MADE)

    async def levels(self, room: RoomId) -> frozenset[str]:
        table = schema.room_levels
        found = await self._connection.execute(select(table.c.digests).where(table.c.room_id == room))
        return frozenset((found.scalar_one_or_none() or "").split())

    async def note_levels(self, room: RoomId, digests: frozenset[str]) -> None:
        statement = upsert(self._connection.dialect, schema.room_levels, "room_id")
        await self._connection.execute(statement, {"room_id": room, "digests": " ".join(sorted(digests))})

    async def save(self, record: RoomRecord) -> None:
        case = record.case or _NO_CASE
        values = {
            "case_id": case,
            "key": record.key,
            "standing": record.standing,
            "marker": record.marker,
            "room_id": record.room_id,
            "reason": seal_optional(self._sealer, "rooms.reason", row(case, record.key), record.reason),
        }
        statement = upsert(self._connection.dialect, schema.rooms, "case_id", "key", keep=("changes",))
        await self._connection.execute(statement, values)

    async def note_change(self, rooms: Collection[RoomId]) -> None:
        if not rooms:
            return
        columns = schema.rooms.c
        # The inner select locks the rows in the order in which everybody else does.
        locked = select(columns.ordinal).where(columns.room_id.in_(set(rooms))).order_by(columns.ordinal)
        these = columns.ordinal.in_(locked.with_for_update().scalar_subquery())
        await self._connection.execute(update(schema.rooms).where(these).values(changes=columns.changes + 1))

    async def changes(self, room: RoomId) -> int | None:
        changes: int | None = (await self._connection.execute(_CHANGES, {"room": room})).scalar()
        return changes

    async def _records(self, statement: Select[*tuple[Any, ...]], **values: str) -> tuple[RoomRecord, ...]:
        return tuple(
            RoomRecord(
                case=found.case_id or None,
                key=found.key,
                standing=Standing(found.standing),
                marker=found.marker,
                room_id=found.room_id,
                reason=open_optional(self._sealer, "rooms.reason", row(found.case_id, found.key), found.reason),
            )
            for found in await self._connection.execute(statement, values)
        )


class SqlGhosts:
    """`rooms.ports.Ghosts` within one database transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def of_person(self, case: CaseId, person: PersonId) -> UserId | None:
        found = await self._connection.execute(_GHOST, {"case": case, "who": person})
        ghost: UserId | None = found.scalar_one_or_none()
        return ghost

    async def who(self, ghost: UserId) -> tuple[CaseId, PersonId] | None:
        statement = select(schema.ghosts.c.case_id, schema.ghosts.c.person).where(schema.ghosts.c.user_id == ghost)
        found = (await self._connection.execute(statement)).one_or_none()
        return None if found is None else (CaseId(found.case_id), PersonId(found.person))

    async def save(self, case: CaseId, person: PersonId, ghost: UserId) -> None:
        values = {"case_id": case, "person": person, "user_id": ghost}
        await self._connection.execute(insert_new(self._connection.dialect, schema.ghosts, "case_id", "person"), values)
        if await self.of_person(case, person) != ghost:
            raise Conflict


def _seats(case: Case) -> object:
    """By what its people are found, and where what they write belongs."""
    return case.people, case.participations, case.sides


def _row(case: Case, sealed: bytes) -> dict[str, object]:
    return {"id": case.id, "sealed": sealed, "urgent_at": urgency(case), **asdict(funnel(case))}


class _OpenCases:
    """What was in sealed cases. The very same bytes hold the very same case, whoever wrote them: that of a busy case is
    opened once, and not at all where it was sealed here."""

    def __init__(self) -> None:
        self._cases: OrderedDict[tuple[Sealer, CaseId], tuple[bytes, Case]] = OrderedDict()

    def opened(self, sealer: Sealer, case: CaseId, sealed: bytes) -> Case:
        """What these bytes hold."""
        known = self._cases.get((sealer, case))
        if known is not None and known[0] == sealed:
            self._cases.move_to_end((sealer, case))
            return known[1]
        return self.keep(sealer, _CASE.load(sealer.open("cases.sealed", case, sealed)), sealed)

    def keep(self, sealer: Sealer, written: Case, sealed: bytes) -> Case:
        """Remember what was written in these bytes, in place of others of the same case; the case as it is read."""
        case = _with_stops(written)
        self._cases[sealer, case.id] = sealed, case
        self._cases.move_to_end((sealer, case.id))
        if len(self._cases) > OPEN_CASES:
            self._cases.popitem(last=False)
        return case


_OPEN: Final = _OpenCases()


@lru_cache(maxsize=BUSY_CASES)
def _busy(_: CaseId) -> Pieces:
    """How the parts of that case were written last."""
    return {}


def _with_stops(case: Case) -> Case:
    """STOP was once written among the reasons of others. Sealed documents can't be rewritten by a migration, which has
    no key; this one is when its case next changes."""
    people = tuple(replace(person, endpoint=_with_stop(person.endpoint)) for person in case.people)
    return case if people == case.people else replace(case, people=people)


def _with_stop(endpoint: Endpoint) -> Endpoint:
    why = endpoint.stopped or ""
    if not why.endswith(DECLINED):
        return endpoint
    return replace(endpoint, stopped=why.removesuffix(DECLINED).removesuffix(", and ") or None, declined=True)
