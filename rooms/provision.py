"""Make the rooms of a case what the plan says, and tell whether a room is fit to be sent to.

Everything here may be interrupted at any point and done again: a room's record stands before the room is asked for, and
a creation whose answer was lost is found by its marker.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Protocol

from policies.case import Case, CaseId, Conversation, Network, Person, PersonId
from policies.frozen import frozen
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


@frozen
class Report:
    """What the desk must be told, and what could not be done, in words."""

    tell: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()
    remade: tuple[Conversation, ...] = ()
    """Those whose room was made anew: its readers are to be told."""


class Telling(Protocol):
    """Has that told."""

    async def __call__(self, work: Work, report: Report, once: str) -> None:
        """As part of a unit of work, after which it may never be found again: so whoever is killed has told it, or
        finds it once more. The same of the same room (`once`) within the hour is told once."""


async def _nobody(work: Work, report: Report, once: str) -> None:
    raise LookupError("a mere look told something")


@frozen
class _Site:
    """A case under work: with the Matrix user of everyone in it, and the means to look and to build."""

    database: Database
    homeserver: Homeserver
    case: Case
    users: Mapping[PersonId, UserId]
    tell: Telling = _nobody
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
    tell: Telling,
    *,
    again: bool = False,
    leaving: frozenset[str] = frozenset(),
) -> tuple[str, ...]:
    """Create, repair and man every room of a case; what was done, in words. `again` and `leaving` are as in
    `policies.effects.Reconcile`.

    To do it `again` is a mediator's word: it confirms a case that came out of a backup. Until then, only what narrows
    is done.

    Raises a transient `Trouble` when the homeserver can't be reached; what it refuses for good is told.
    """
    async with database.begin() as work:
        if again and await work.epochs.unconfirmed(case_id):
            await work.epochs.confirm(case_id)
            await work.outbox.wake(confirm_wait_key(case_id))
        only_narrow = await work.epochs.unconfirmed(case_id)
    site = replace(await _survey(database, homeserver, case_id), tell=tell, leaving=leaving, only_narrow=only_narrow)
    for person in site.case.people:
        if person.endpoint.network is not Network.MATRIX:
            await homeserver.ensure_ghost(site.users[person.id], f"{person.name} ({person.endpoint.network.brand})")
    done: list[str] = []
    for wanted in plan(site.case):
        done += await _brought(site, wanted, again=again)
    return tuple(done)


async def reconcile_codes(
    database: Database, homeserver: Homeserver, case_id: CaseId, tell: Telling, person: PersonId
) -> tuple[str, ...]:
    """Create or repair one person's room for codes, and invite them there though they left it: they have just asked
    for a code. As long as a restored case is unconfirmed, only what narrows is done. Raises a transient `Trouble`."""
    async with database.begin() as work:
        only_narrow = await work.epochs.unconfirmed(case_id)
    site = replace(await _survey(database, homeserver, case_id), tell=tell, only_narrow=only_narrow)
    wanted = next((room for room in plan(site.case) if room.key == code_key(person)), None)
    return await _brought(site, wanted, again=True) if wanted else ()


async def _brought(site: _Site, wanted: WantedRoom, *, again: bool) -> tuple[str, ...]:
    """One room brought to the plan."""
    record = await _standing(site, wanted)
    if record is not None and not site.only_narrow:
        record = await _replaced_if_lost(site, wanted, record)
    return () if record is None else await _mend(site, wanted, record, again=again)


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


@frozen
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


async def _replaced_if_lost(site: _Site, wanted: WantedRoom, record: RoomRecord) -> RoomRecord | None:
    """The record of the room that takes the place of one that can't serve any more (R12); else the same one.

    What is still to be read of the former room belongs to the same conversation, so its record stays, under another
    key. Everybody is put out of it: nobody must go on writing where nobody listens.
    """
    if record.room_id is None:
        return record
    actual = await site.homeserver.state(record.room_id)
    lost = beyond_repair(await _desired(site, wanted), actual, site.homeserver.bot)
    if lost is None:
        return record
    failed: list[str] = []
    for user, membership in sorted(actual.members.items()) if actual else ():
        if membership in {Membership.JOINED, Membership.INVITED}:
            failed += await _put_out(site, wanted, record.room_id, Remove(user, membership))
    former = replace(record, key=former_key(record), standing=Standing.SUSPENDED, reason=lost)
    fresh = RoomRecord(site.case.id, wanted.key, Standing.CREATING, secrets.token_hex(16), reason=lost)
    async with site.database.begin() as work:
        await work.cases.load(site.case.id, lock=True)
        # The fresh one first: a Matrix room has one record.
        await work.rooms.save(fresh)
        await work.rooms.save(former)
        if failed:
            await site.tell(work, Report(failed=tuple(failed)), former.key)
    return await _standing(site, wanted)


async def _put_out(site: _Site, wanted: WantedRoom, room: RoomId, change: Remove) -> list[str]:
    try:
        await site.homeserver.change(room, change)
    except Trouble as trouble:
        if trouble.transient:
            raise
        return [f"{wanted.name}: could not {in_words(change)} in the former room: {trouble.why}"]
    return []


async def _mend(site: _Site, wanted: WantedRoom, record: RoomRecord, *, again: bool) -> tuple[str, ...]:
    """Bring one room to what is desired, and its record to how it then stands; what was done, in words."""
    desired = await _desired(site, wanted)
    actual = await site.homeserver.state(record.room_id) if record.room_id else None
    if record.room_id is None or actual is None:
        await _settle(site, record, wanted, "the bot is not in the room any more")
        return ()
    done: list[str] = []
    failed: list[str] = []
    async with site.database.begin() as work:
        written = await work.rooms.levels(record.room_id)
    changes = diff(desired, actual, again=again, only_narrow=site.only_narrow)
    await _alarm(site, wanted, tampering(desired, actual, written), changes)
    for change in changes:
        try:
            await _carry_out(site, record.room_id, change)
            done.append(f"{wanted.name}: {in_words(change)}")
        except Trouble as trouble:
            if trouble.transient:
                raise
            failed.append(f"{wanted.name}: could not {in_words(change)}: {trouble.why}")
    after = await site.homeserver.state(record.room_id)
    wrong = breach(desired, after, site.homeserver.bot) if after else "the bot is not in the room any more"
    await _settle(site, record, wanted, wrong, tuple(failed))
    return tuple(done)


async def _alarm(site: _Site, wanted: WantedRoom, tampered: str | None, changes: Collection[Change]) -> None:
    """What somebody other than us did to a room, before it is put right: afterwards nothing shows it any more."""
    strangers = (
        change.user
        for change in changes
        if isinstance(change, Remove) and change.was is Membership.JOINED and _is_stranger(site, change.user)
    )
    found = (
        *([f"ALARM: {wanted.name}: {tampered}. I am putting it back"] if tampered else []),
        *(f"{wanted.name}: {user} had joined and does not belong there" for user in strangers),
    )
    if found:
        async with site.database.begin() as work:
            await site.tell(work, Report(tell=found), wanted.key)


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


async def _settle(
    site: _Site, record: RoomRecord, wanted: WantedRoom, wrong: str | None, failed: tuple[str, ...] = ()
) -> None:
    """Store whether the room may be sent to, with what is to be told of it; and wake what waits for it if it may."""
    standing = Standing.SUSPENDED if wrong else Standing.MADE
    report = replace(_news(record, wanted, wrong), failed=failed)
    async with site.database.begin() as work:
        if report != Report():
            await work.cases.load(site.case.id, lock=True)
        await work.rooms.save(replace(record, standing=standing, reason=wrong))
        if report != Report():
            await site.tell(work, report, wanted.key)
        if not wrong:
            await work.outbox.wake(room_wait_key(site.case.id, record.key))


def _news(record: RoomRecord, wanted: WantedRoom, wrong: str | None) -> Report:
    """What is new of a room that is found so."""
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


def previewed(changes: tuple[str, ...]) -> tuple[str, ...]:
    """What a repair would change, as the desk is told it."""
    return ("\n".join(["A repair would:", *changes]),) if changes else ("Nothing needs repair.",)
