"""What follows from a case being another than before: for its rooms, their readers, and who may speak."""

from __future__ import annotations

from policies.case import DESK, JOINT, Case, Network, PersonId
from policies.effects import Announce, Effect, Inform, Introduce, Reconcile, Resume
from policies.moderation.closing import ends_of
from policies.moderation.course import course_text
from policies.moderation.floor import ends, floor_text
from policies.networks.delivery import by_link, floor_key, ways_key
from policies.networks.way import Way
from policies.people.membership import caucuses_of, conversations, readers, zone_in
from policies.people.ways import answered, needed
from policies.plan import plan
from policies.schedule import Due, Schedule, due_key
from policies.status import readers_text
from policies.words.phrase import phrase
from policies.words.zones import UNIVERSAL


def what_follows(before: Case, after: Case) -> tuple[Effect, ...]:
    """All of it, in the order in which it should happen. Most of what is said changes nothing."""
    if before == after:
        return ()
    return (*_rooms(before, after), *_floor(before, after), *ends_of(before, after))


def _rooms(before: Case, after: Case) -> tuple[Effect, ...]:
    """Rooms follow the case; readers learn of new ones; bridged newcomers get an address."""
    if plan(before) == plan(after):
        return ()
    changed = [c for c in conversations(after) if readers(after, c) != readers(before, c)]
    return (
        Reconcile(leaving=frozenset(p.endpoint.address for p in before.people if after.person(p.id) is None)),
        *(Announce(c, readers_text(after, c)) for c in changed if c != DESK and c in conversations(before)),
        *(
            Introduce(person, c, by_link(p))
            for c in changed
            for person in sorted(readers(after, c) - readers(before, c))
            if (p := after.person(person)) and p.endpoint.network is not Network.MATRIX
        ),
    )


def _floor(before: Case, after: Case) -> tuple[Effect, ...]:
    """Who is in the joint room learns who may speak; what ends, is scheduled; what waited for the word, is tried."""
    stood = JOINT in conversations(before) and JOINT in conversations(after)
    # By one clock: that times are shown by another is no news of the room.
    other = floor_text(before, UNIVERSAL) != floor_text(after, UNIVERSAL)
    told = (Announce(JOINT, floor_text(after)),) if stood and other else ()
    alarms = tuple(Schedule(at, due_key(Due.FLOOR)) for at in sorted(ends(after.floor) - ends(before.floor)))
    known = {pause.until for pause in before.pauses}
    pauses = tuple(Schedule(p.until, due_key(Due.PAUSE)) for p in after.pauses if p.until and p.until not in known)
    now, then = (after.floor, after.phase, after.withdrawn), (before.floor, before.phase, before.withdrawn)
    ways = () if _carried(before) == _carried(after) else (Resume(ways_key(after)),)
    resumed = (Resume(floor_key(after)),) if now != then or ways else ()
    return (*told, *_course(before, after), *alarms, *pauses, *resumed, *ways)


def _carried(case: Case) -> frozenset[tuple[PersonId, Way, bool | None]]:
    """What each has answered to the ways that carry their words now."""
    ways = ((person.id, way) for person in case.people for way in needed(case, person.id))
    return frozenset((who, way, answered(case, who, way)) for who, way in ways)


def _course(before: Case, after: Case) -> tuple[Effect, ...]:
    """Everybody learns in private that the mediation rests or goes on, in the same words, whoever brought it about."""
    if course_text(before, UNIVERSAL) == course_text(after, UNIVERSAL):
        return ()
    text = course_text(after) or phrase("The mediation goes on.")
    people = [p for p in after.people if not after.is_staff(p.id) and not after.has_withdrawn(p.id)]
    native = [p for p in people if p.endpoint.network is Network.MATRIX]
    rooms = dict.fromkeys(own for p in native for own in caucuses_of(after, p.id)[:1])
    bridged = (
        Inform(p.id, own, course_text(after, after.zone_of(p.id)) or text)
        for p in people
        if p not in native
        for own in caucuses_of(after, p.id)[:1]
    )
    return (*(Announce(own, course_text(after, zone_in(after, own)) or text) for own in rooms), *bridged)
