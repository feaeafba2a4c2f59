"""Make the rooms of a case what the plan says, and tell whether a room is fit to be sent to.

Everything here may be interrupted at any point and done again: a room's record stands before the room is asked for, and
a creation whose answer was lost is found by its marker.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace

from policies.case import Case, CaseId, Network, Person, PersonId
from policies.plan import RoomKey, WantedRoom, plan
from rooms.ports import Database, Homeserver, RoomId, RoomRecord, Standing, Trouble, UserId, Work
from rooms.reconcile import Desired, Membership, Remove, breach, desire, diff, in_words

GHOST_PREFIX = "_mediatrix_"


@dataclass(frozen=True, slots=True)
class Report:
    """What a reconciliation did and could not do, in words for the desk."""

    done: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()
    alarms: tuple[str, ...] = ()


def room_wait_key(case: CaseId, key: RoomKey) -> str:
    """What deliveries wait for until a room stands and is fit."""
    return f"room:{case}:{key}"


async def reconcile(database: Database, homeserver: Homeserver, case_id: CaseId, *, again: bool = False) -> Report:
    """Create, repair and man every room of a case.

    Raises a transient `Trouble` when the homeserver can't be reached; what it refuses for good is reported.
    """
    case, users = await _people(database, homeserver, case_id)
    await _ghosts(homeserver, case, users)
    report = Report()
    for wanted in plan(case):
        record = await _standing(database, homeserver, case, wanted, users)
        report = _joined(report, await _mend(database, homeserver, case, wanted, record, users, again=again))
    return report


async def preview(database: Database, homeserver: Homeserver, case_id: CaseId) -> tuple[str, ...]:
    """What `reconcile` would change, in words; nothing is changed."""
    case, users = await _people(database, homeserver, case_id)
    lines: list[str] = []
    for wanted in plan(case):
        async with database.begin() as work:
            record = await work.rooms.get(case.id, wanted.key)
        actual = await homeserver.state(record.room_id) if record and record.room_id else None
        if actual is None:
            lines.append(f"{wanted.name}: make the room")
            continue
        desired = await _desired(database, homeserver, case, wanted, users)
        lines += [f"{wanted.name}: {in_words(change)}" for change in diff(desired, actual, again=True)]
    return tuple(lines)


async def unfit(database: Database, homeserver: Homeserver, case: Case, key: RoomKey, room: RoomId) -> str | Desired:
    """Why nothing may be sent to a room now; or, if it may, the room as it is desired."""
    wanted = next((w for w in plan(case) if w.key == key), None)
    if wanted is None:
        return "the case has no such room any more"
    _, users = await _people(database, homeserver, case.id)
    desired = await _desired(database, homeserver, case, wanted, users)
    actual = await homeserver.state(room)
    if actual is None:
        return "the bot is not in the room"
    return breach(desired, actual, homeserver.bot) or desired


# --- people -------------------------------------------------------------------------------------------------------


async def _people(
    database: Database, homeserver: Homeserver, case_id: CaseId
) -> tuple[Case, Mapping[PersonId, UserId]]:
    """The case, and the Matrix user of everyone in it; a ghost is given its name before it is ever used."""
    async with database.begin() as work:
        case = await work.cases.load(case_id, lock=True)
        if case is None:
            raise Trouble(f"there is no case {case_id}", transient=False)
        return case, {p.id: await _user(work, case, p, homeserver.bot) for p in case.people}


async def _user(work: Work, case: Case, person: Person, bot: UserId) -> UserId:
    if person.endpoint.network is Network.MATRIX:
        return UserId(person.endpoint.address)
    ghost = await work.ghosts.of_person(case.id, person.id)
    if ghost is None:
        # Opaque and new for every case, so that repeat opponents can't be told to be the same person (R11).
        ghost = UserId(f"@{GHOST_PREFIX}{secrets.token_hex(10)}:{bot.partition(':')[2]}")
        await work.ghosts.save(case.id, person.id, ghost)
    return ghost


async def _ghosts(homeserver: Homeserver, case: Case, users: Mapping[PersonId, UserId]) -> None:
    for person in case.people:
        if person.endpoint.network is not Network.MATRIX:
            await homeserver.ensure_ghost(users[person.id], f"{person.name} ({person.endpoint.network})")


# --- rooms --------------------------------------------------------------------------------------------------------


async def _desired(
    database: Database, homeserver: Homeserver, case: Case, wanted: WantedRoom, users: Mapping[PersonId, UserId]
) -> Desired:
    async with database.begin() as work:
        records = await work.rooms.of_case(case.id)
    made = {record.key: record.room_id for record in records if record.room_id}
    ghosts = frozenset(users[p.id] for p in case.people if p.endpoint.network is not Network.MATRIX)
    return desire(wanted, users, ghosts, made, homeserver.bot)


async def _standing(
    database: Database, homeserver: Homeserver, case: Case, wanted: WantedRoom, users: Mapping[PersonId, UserId]
) -> RoomRecord:
    """The record of a room that exists: found, found again after an interruption, or made now."""
    async with database.begin() as work:
        record = await work.rooms.get(case.id, wanted.key)
        known = record
        if record is None:
            record = RoomRecord(case.id, wanted.key, Standing.CREATING, secrets.token_hex(16))
            await work.rooms.save(record)
    if record.room_id is not None:
        return record
    room = await homeserver.find_room(record.marker) if known else None
    if room is None:
        desired = await _desired(database, homeserver, case, wanted, users)
        room = await homeserver.create_room(desired, record.marker)
    made = replace(record, room_id=room, standing=Standing.MADE)
    async with database.begin() as work:
        await work.rooms.save(made)
    return made


async def _mend(
    database: Database,
    homeserver: Homeserver,
    case: Case,
    wanted: WantedRoom,
    record: RoomRecord,
    users: Mapping[PersonId, UserId],
    *,
    again: bool,
) -> Report:
    """Bring one room to what is desired, and its record to how it then stands."""
    desired = await _desired(database, homeserver, case, wanted, users)
    actual = await homeserver.state(record.room_id) if record.room_id else None
    if record.room_id is None or actual is None:
        return await _settle(database, record, wanted.name, "the bot is not in the room any more")
    done: list[str] = []
    failed: list[str] = []
    alarms: list[str] = []
    for change in diff(desired, actual, again=again):
        if isinstance(change, Remove) and change.was is Membership.JOINED and _stranger(change.user, users):
            alarms.append(f"{wanted.name}: {change.user} had joined and does not belong there")
        try:
            await homeserver.change(record.room_id, change)
            done.append(f"{wanted.name}: {in_words(change)}")
        except Trouble as trouble:
            if trouble.transient:
                raise
            failed.append(f"{wanted.name}: could not {in_words(change)}: {trouble.why}")
    after = await homeserver.state(record.room_id)
    wrong = breach(desired, after, homeserver.bot) if after else "the bot is not in the room any more"
    settled = await _settle(database, record, wanted.name, wrong)
    return _joined(Report(tuple(done), tuple(failed), tuple(alarms)), settled)


def _stranger(user: UserId, users: Mapping[PersonId, UserId]) -> bool:
    return user not in users.values() and not user.startswith(f"@{GHOST_PREFIX}")


async def _settle(database: Database, record: RoomRecord, name: str, wrong: str | None) -> Report:
    """Store whether the room may be sent to, and wake what waits for it if it may."""
    standing = Standing.SUSPENDED if wrong else Standing.MADE
    async with database.begin() as work:
        await work.rooms.save(replace(record, standing=standing, reason=wrong))
        if not wrong and record.case is not None:
            await work.outbox.wake(room_wait_key(record.case, record.key))
    if wrong and (record.standing, record.reason) != (Standing.SUSPENDED, wrong):
        return Report(alarms=(f"{name}: nothing is sent there any more: {wrong}",))
    return Report()


def _joined(one: Report, other: Report) -> Report:
    return Report((*one.done, *other.done), (*one.failed, *other.failed), (*one.alarms, *other.alarms))
