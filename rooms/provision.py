"""Make the rooms of a case what the plan says, and tell whether a room is fit to be sent to.

Everything here may be interrupted at any point and done again: a room's record stands before the room is asked for, and
a creation whose answer was lost is found by its marker.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from policies.case import Case, CaseId, Conversation, Network, Person, PersonId
from policies.plan import RoomKey, WantedRoom, code_key, plan
from rooms.former import former_key
from rooms.homeserver import Homeserver, Trouble
from rooms.ids import RoomId, UserId
from rooms.lanes import confirm_wait_key
from rooms.ports import Database, RoomRecord, Standing, Work
from rooms.reconcile import (
    Change,
    Desired,
    Membership,
    Remove,
    SetState,
    beyond_repair,
    breach,
    desire,
    diff,
    in_words,
    levels_digest,
    tampering,
)


@dataclass(frozen=True, slots=True)
class Report:
    """What was done and could not be done, and what the desk must be told beside, in words."""

    done: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()
    tell: tuple[str, ...] = ()
    remade: tuple[Conversation, ...] = ()
    """Those whose room was made anew: its readers are to be told."""


@dataclass(frozen=True, slots=True)
class _Site:
    """A case under work: with the Matrix user of everyone in it, and the means to look and to build."""

    database: Database
    homeserver: Homeserver
    case: Case
    users: Mapping[PersonId, UserId]
    leaving: frozenset[str] = frozenset()
    only_narrow: bool = False
    """The case came out of a backup, and no mediator has looked at it since: nobody is let in, no room is made."""


def room_wait_key(case: CaseId, key: RoomKey) -> str:
    """What deliveries wait for until a room stands and is fit."""
    return f"room:{case}:{key}"


async def reconcile(
    database: Database,
    homeserver: Homeserver,
    case_id: CaseId,
    *,
    again: bool = False,
    leaving: frozenset[str] = frozenset(),
) -> Report:
    """Create, repair and man every room of a case; `again` and `leaving` are as in `policies.effects.Reconcile`.

    To do it `again` is a mediator's word: it confirms a case that came out of a backup. Until then, only what narrows
    is done.

    Raises a transient `Trouble` when the homeserver can't be reached; what it refuses for good is reported.
    """
    async with database.begin() as work:
        if again and await work.epochs.unconfirmed(case_id):
            await work.epochs.confirm(case_id)
            await work.outbox.wake(confirm_wait_key(case_id))
        only_narrow = await work.epochs.unconfirmed(case_id)
    site = replace(await _survey(database, homeserver, case_id), leaving=leaving, only_narrow=only_narrow)
    for person in site.case.people:
        if person.endpoint.network is not Network.MATRIX:
            await homeserver.ensure_ghost(site.users[person.id], f"{person.name} ({person.endpoint.network.brand})")
    report = Report()
    for wanted in plan(site.case):
        report = _joined(report, await _brought(site, wanted, again=again))
    return report


async def reconcile_codes(database: Database, homeserver: Homeserver, case_id: CaseId, person: PersonId) -> Report:
    """Create or repair one person's room for codes, and invite them there though they left it: they have just asked
    for a code. As long as a restored case is unconfirmed, only what narrows is done. Raises a transient `Trouble`."""
    async with database.begin() as work:
        only_narrow = await work.epochs.unconfirmed(case_id)
    site = replace(await _survey(database, homeserver, case_id), only_narrow=only_narrow)
    wanted = next((room for room in plan(site.case) if room.key == code_key(person)), None)
    return await _brought(site, wanted, again=True) if wanted else Report()


async def _brought(site: _Site, wanted: WantedRoom, *, again: bool) -> Report:
    """One room brought to the plan."""
    report, record = Report(), await _standing(site, wanted)
    if record is not None and not site.only_narrow:
        record, report = await _replaced_if_lost(site, wanted, record)
    return report if record is None else _joined(report, await _mend(site, wanted, record, again=again))


async def preview(database: Database, homeserver: Homeserver, case_id: CaseId) -> tuple[str, ...]:
    """What `reconcile` would change, in words; nothing is changed."""
    site = await _survey(database, homeserver, case_id)
    lines: list[str] = []
    for wanted in plan(site.case):
        async with database.begin() as work:
            record = await work.rooms.get(site.case.id, wanted.key)
        actual = await homeserver.state(record.room_id) if record and record.room_id else None
        desired = await _desired(site, wanted)
        if record is None or record.room_id is None:
            lines.append(f"{wanted.name}: make the room")
        elif actual is None or (lost := beyond_repair(desired, actual, homeserver.bot)):
            lines.append(f"{wanted.name}: make the room anew, for {lost if actual else 'it is gone'}")
        else:
            lines += [f"{wanted.name}: {in_words(change)}" for change in diff(desired, actual, again=True)]
    return tuple(lines)


@dataclass(frozen=True, slots=True)
class Fit:
    """A room that may be written to: for the wanted who have joined (I9), and for the awaited once they have."""

    audience: frozenset[UserId]
    awaited: frozenset[UserId]


async def fitness(database: Database, homeserver: Homeserver, case_id: CaseId, record: RoomRecord) -> str | Fit:
    """Why nothing may be sent to a room now; or, if it may, who is to be able to read it."""
    async with database.begin() as work:
        site = await _surveyed(work, database, homeserver, case_id)
        records = await work.rooms.of_case(case_id)
    wanted = next((w for w in plan(site.case) if w.key == record.key), None)
    if wanted is None:
        return "the case has no such room any more"
    desired = _desired_among(records, site, wanted)
    actual = await homeserver.state(record.room_id) if record.room_id else None
    if actual is None:
        return "the bot is not in the room"
    here = desired.members & actual.joined
    return breach(desired, actual, homeserver.bot) or Fit(here, desired.members - here)


async def _survey(database: Database, homeserver: Homeserver, case_id: CaseId) -> _Site:
    async with database.begin() as work:
        return await _surveyed(work, database, homeserver, case_id)


async def _surveyed(work: Work, database: Database, homeserver: Homeserver, case_id: CaseId) -> _Site:
    """The case as it stands now; a ghost is given its name before it is ever used."""
    case = await work.cases.load(case_id, lock=True)
    if case is None:
        raise Trouble(f"there is no case {case_id}", transient=False)
    users = {person.id: await _user(work, case, person, homeserver) for person in case.people}
    return _Site(database, homeserver, case, users)


async def _user(work: Work, case: Case, person: Person, homeserver: Homeserver) -> UserId:
    if person.endpoint.network is Network.MATRIX:
        return UserId(person.endpoint.address)
    ghost = await work.ghosts.of_person(case.id, person.id)
    if ghost is None:
        ghost = homeserver.new_ghost()
        await work.ghosts.save(case.id, person.id, ghost)
    return ghost


async def _desired(site: _Site, wanted: WantedRoom) -> Desired:
    async with site.database.begin() as work:
        records = await work.rooms.of_case(site.case.id)
    return _desired_among(records, site, wanted)


def _desired_among(records: Collection[RoomRecord], site: _Site, wanted: WantedRoom) -> Desired:
    made = {record.key: record.room_id for record in records if record.room_id}
    ghosts = frozenset(site.users[p.id] for p in site.case.people if p.endpoint.network is not Network.MATRIX)
    return desire(wanted, site.users, ghosts, made, site.homeserver.bot)


async def _standing(site: _Site, wanted: WantedRoom) -> RoomRecord | None:
    """The record of a room that exists: found, found again after an interruption, or made now if that may be."""
    async with site.database.begin() as work:
        known = await work.rooms.get(site.case.id, wanted.key)
        record = known or RoomRecord(site.case.id, wanted.key, Standing.CREATING, secrets.token_hex(16))
        if known is None:
            await work.rooms.save(record)
    if record.room_id is not None:
        return record
    room = await site.homeserver.find_room(record.marker) if known else None
    if room is None and site.only_narrow:
        return None
    written: frozenset[str] = frozenset()
    if room is None:
        desired = await _desired(site, wanted)
        room = await site.homeserver.create_room(desired, record.marker)
        written = frozenset({levels_digest(desired.power_levels)})
    made = replace(record, room_id=room, standing=Standing.MADE)
    async with site.database.begin() as work:
        await work.rooms.save(made)
        await work.rooms.note_levels(room, written)
    return made


async def _replaced_if_lost(site: _Site, wanted: WantedRoom, record: RoomRecord) -> tuple[RoomRecord | None, Report]:
    """The record of the room that takes the place of one that can't serve any more (R12); else the same one.

    What is still to be read of the former room belongs to the same conversation, so its record stays, under another
    key. Everybody is put out of it: nobody must go on writing where nobody listens.
    """
    if record.room_id is None:
        return record, Report()
    actual = await site.homeserver.state(record.room_id)
    lost = beyond_repair(await _desired(site, wanted), actual, site.homeserver.bot)
    if lost is None:
        return record, Report()
    failed: list[str] = []
    for user, membership in sorted(actual.members.items()) if actual else ():
        if membership in {Membership.JOINED, Membership.INVITED}:
            failed += await _put_out(site, wanted, record.room_id, Remove(user, membership))
    former = replace(record, key=former_key(record), standing=Standing.SUSPENDED, reason=lost)
    fresh = RoomRecord(site.case.id, wanted.key, Standing.CREATING, secrets.token_hex(16), reason=lost)
    async with site.database.begin() as work:
        # The fresh one first: a Matrix room has one record.
        await work.rooms.save(fresh)
        await work.rooms.save(former)
    return await _standing(site, wanted), Report(failed=tuple(failed))


async def _put_out(site: _Site, wanted: WantedRoom, room: RoomId, change: Remove) -> list[str]:
    try:
        await site.homeserver.change(room, change)
    except Trouble as trouble:
        if trouble.transient:
            raise
        return [f"{wanted.name}: could not {in_words(change)} in the former room: {trouble.why}"]
    return []


async def _mend(site: _Site, wanted: WantedRoom, record: RoomRecord, *, again: bool) -> Report:
    """Bring one room to what is desired, and its record to how it then stands."""
    desired = await _desired(site, wanted)
    actual = await site.homeserver.state(record.room_id) if record.room_id else None
    if record.room_id is None or actual is None:
        return await _settle(site, record, wanted, "the bot is not in the room any more")
    done: list[str] = []
    failed: list[str] = []
    tell: list[str] = []
    async with site.database.begin() as work:
        written = await work.rooms.levels(record.room_id)
    if found := tampering(desired, actual, written):
        tell.append(f"ALARM: {wanted.name}: {found}. I am putting it back")
    for change in diff(desired, actual, again=again, only_narrow=site.only_narrow):
        if isinstance(change, Remove) and change.was is Membership.JOINED and _is_stranger(site, change.user):
            tell.append(f"{wanted.name}: {change.user} had joined and does not belong there")
        try:
            await _carry_out(site, record.room_id, change)
            done.append(f"{wanted.name}: {in_words(change)}")
        except Trouble as trouble:
            if trouble.transient:
                raise
            failed.append(f"{wanted.name}: could not {in_words(change)}: {trouble.why}")
    after = await site.homeserver.state(record.room_id)
    wrong = breach(desired, after, site.homeserver.bot) if after else "the bot is not in the room any more"
    return _joined(Report(tuple(done), tuple(failed), tuple(tell)), await _settle(site, record, wanted, wrong))


async def _carry_out(site: _Site, room: RoomId, change: Change) -> None:
    """One change. What power levels we are about to write is known before, so that nobody takes them for another's."""
    if not (isinstance(change, SetState) and change.event_type == "m.room.power_levels"):
        await site.homeserver.change(room, change)
        return
    new = frozenset({levels_digest(change.content)})
    async with site.database.begin() as work:
        await work.rooms.note_levels(room, await work.rooms.levels(room) | new)
    await site.homeserver.change(room, change)
    async with site.database.begin() as work:
        await work.rooms.note_levels(room, new)


def _is_stranger(site: _Site, user: UserId) -> bool:
    """Neither of this case nor of ours, nor just taken off it: someone removed from a side is no intruder."""
    return user not in {*site.users.values(), *site.leaving} and not site.homeserver.is_ours(user)


async def _settle(site: _Site, record: RoomRecord, wanted: WantedRoom, wrong: str | None) -> Report:
    """Store whether the room may be sent to, and wake what waits for it if it may."""
    standing = Standing.SUSPENDED if wrong else Standing.MADE
    async with site.database.begin() as work:
        await work.rooms.save(replace(record, standing=standing, reason=wrong))
        if not wrong:
            await work.outbox.wake(room_wait_key(site.case.id, record.key))
    if wrong and (record.standing, record.reason) != (Standing.SUSPENDED, wrong):
        return Report(tell=(f"{wanted.name}: nothing is sent there any more: {wrong}",))
    if not wrong and record.standing is Standing.MADE and record.reason:
        text = (
            f"{wanted.name} can't be used any more: {record.reason}. I made it anew, and whoever belongs there is"
            " invited. What was said in the former room stays there. Your homeserver's administrator may know how it"
            " happened."
        )
        return Report(tell=(text,), remade=(wanted.conversation,) if wanted.conversation else ())
    if not wrong and record.standing is Standing.SUSPENDED:
        return Report(tell=(f"{wanted.name}: the room is in order again, and what waited for it is sent",))
    return Report()


def _joined(one: Report, other: Report) -> Report:
    return Report(
        (*one.done, *other.done),
        (*one.failed, *other.failed),
        (*one.tell, *other.tell),
        (*one.remade, *other.remade),
    )


def previewed(changes: tuple[str, ...]) -> tuple[str, ...]:
    """What a repair would change, as the desk is told it."""
    return ("\n".join(["A repair would:", *changes]),) if changes else ("Nothing needs repair.",)
