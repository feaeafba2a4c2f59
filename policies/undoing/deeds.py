"""What a mediator has just done, found by comparing the case before and after, so that no command has to know.

What can be put back is listed here. Anything else is final, with the reason and what to do instead.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, replace

from policies.case import DESK, Case, Person, Phase, Sort
from policies.documents.document import Document
from policies.effects import Effect, EndHold, PostHeads, Resume, ResumeHold, Tell
from policies.moderation.course import PAUSABLE
from policies.moderation.hold import HoldEnd
from policies.outcome import Done, Facts
from policies.releases.release import Standing
from policies.schedule import Schedule
from policies.showing import DeadLetters, Preview, ShowBoard, ShowHeaders, ShowHeld, ShowLog, ShowMails
from policies.undoing.deed import (
    Asked,
    CaseLanguageSet,
    Change,
    ChannelStopped,
    CourseSet,
    Deed,
    DeskZoneSet,
    DigestSet,
    DiscreetSet,
    Final,
    FloorSet,
    LabelSet,
    LanguageSet,
    PutAside,
    QuietSet,
    ReleaseBegun,
    RestSet,
    RulesSet,
    ZoneSet,
)
from policies.words.text import one_line

_BEGUN = frozenset({Standing.PREVIEWED, Standing.ASKED})
_BOOKKEEPING = frozenset({"deed", "posted", "boards", "made", "closing"})
_LOOKING = (ShowBoard, ShowHeaders, ShowHeld, ShowLog, ShowMails, PostHeads, Preview, Schedule, Resume)


def deed_of(before: Case, done: Done, facts: Facts) -> Deed | None:
    """What a mediator, or the organisation, has just done; None if that was no act."""
    after = done.case
    changed = {f.name for f in fields(Case) if getattr(before, f.name) != getattr(after, f.name)} - _BOOKKEEPING
    if tuple(map(_come, before.people)) == tuple(map(_come, after.people)):
        changed.discard("people")
    changes = tuple(_changes(before, after, done.effects))
    # Of a question that was answered, something else must have come.
    if not changed - {"asks"} and not changes and not any(_acts(effect) for effect in done.effects):
        return None
    what = one_line(done.answer) or "what you were shown a preview of"
    deed = Deed(facts.by, facts.at, facts.where, facts.entry, what)
    if changes and changed <= _covered(before, after, changes):
        return replace(deed, changes=changes)
    return replace(deed, final=_final(before, after, changed, done.effects))


def _changes(before: Case, after: Case, effects: tuple[Effect, ...]) -> Iterator[Change]:
    if before.floor != after.floor:
        yield FloorSet(before.floor, after.floor)
    course = (before.phase, before.pauses), (after.phase, after.pauses)
    if course[0] != course[1] and {before.phase, after.phase} <= PAUSABLE:
        yield CourseSet(*course[0], *course[1])
    yield from [RulesSet(before.rules, after.rules)] if before.rules != after.rules else []
    yield from [DeskZoneSet(before.zone, after.zone)] if before.zone != after.zone else []
    if before.language != after.language:
        yield CaseLanguageSet(before.language, after.language)
    for person in after.people:
        yield from _of_person(before.person(person.id) or person, person)
    for document in after.documents:
        yield from _of_document(before.document(document.id) or document, document)
    known = {ask.code for ask in before.asks}
    yield from (Asked(ask.code) for ask in after.asks if ask.code not in known)
    begun = (r for r in after.releases if r.standing in _BEGUN and before.release(r.id) != r)
    yield from (ReleaseBegun(release.id, release.standing) for release in begun)
    ended = (effect for effect in effects if isinstance(effect, EndHold) and effect.how is HoldEnd.DISCARDED)
    yield from (PutAside(end.message) for end in ended)


def _of_person(then: Person, now: Person) -> Iterator[Change]:
    if then.quiet != now.quiet:
        yield QuietSet(now.id, then.quiet, now.quiet)
    if then.rests != now.rests:
        yield RestSet(now.id, then.rests, now.rests)
    if then.discreet != now.discreet:
        yield DiscreetSet(now.id, then.discreet, now.discreet)
    if then.digest != now.digest:
        yield DigestSet(now.id, then.digest, now.digest)
    if then.zone != now.zone:
        yield ZoneSet(now.id, then.zone, now.zone)
    if then.language != now.language:
        yield LanguageSet(now.id, then.language, now.language)
    if then.endpoint.stopped != now.endpoint.stopped:
        yield ChannelStopped(now.id, then.endpoint.stopped, now.endpoint.stopped)


def _of_document(then: Document, now: Document) -> Iterator[Change]:
    for version in now.versions:
        former = then.version(version.number)
        if former and former.label != version.label:
            yield LabelSet(now.id, version.number, former.label, version.label, now.grants != then.grants)


def _covered(before: Case, after: Case, changes: tuple[Change, ...]) -> frozenset[str]:
    """The fields of the case in which nothing changed but what can be put back."""
    kinds = {type(change) for change in changes}
    same_people = tuple(map(_plain, before.people)) == tuple(map(_plain, after.people))
    labels = {change.document for change in changes if isinstance(change, LabelSet)}
    others = [d for d in after.documents if before.document(d.id) != d and d.id not in labels]
    new = [r for r in after.releases if before.release(r.id) != r]
    begun = all(r.standing in _BEGUN for r in new)
    dropped = PutAside in kinds and all(r.standing is Standing.CLOSED for r in new)
    covered = {
        "floor": FloorSet in kinds,
        "rules": RulesSet in kinds,
        "zone": DeskZoneSet in kinds,
        "language": CaseLanguageSet in kinds,
        "phase": CourseSet in kinds,
        "pauses": CourseSet in kinds,
        "people": same_people,
        "documents": not others,
        "asks": Asked in kinds or PutAside in kinds or ReleaseBegun in kinds,
        "releases": begun or dropped,
    }
    return frozenset(name for name, is_covered in covered.items() if is_covered)


def _come(person: Person) -> Person:
    """Somebody, however far they have come in."""
    return replace(person, joining=None)


def _plain(person: Person) -> Person:
    """Somebody without what can be put back."""
    endpoint = replace(person.endpoint, stopped=None)
    alike = replace(_come(person), quiet=None, digest=None, zone=None, language=None, endpoint=endpoint)
    return replace(alike, rests=None, discreet=None)


def _acts(effect: Effect) -> bool:
    """Whether an effect is more than an answer at the desk."""
    if isinstance(effect, Tell | DeadLetters):
        return not (isinstance(effect, Tell) and effect.conversation == DESK) and getattr(effect, "act", "") != "list"
    return not isinstance(effect, _LOOKING)


def _final(before: Case, after: Case, changed: set[str], effects: tuple[Effect, ...]) -> Final:
    """Why that is final, and what to do instead: the gravest thing that happened decides."""
    released = any(r.standing is Standing.RELEASED and before.release(r.id) != r for r in after.releases)
    left = {p.id for p in before.people} - {p.id for p in after.people}
    new, gone = [p for p in after.people if before.person(p.id) is None], [p for p in before.people if p.id in left]
    second = [leg.of_network for leg in new if len(after.legs_of(leg.id)) > 1]
    came = [p.name for p in new]
    corrected = left and {p.name for p in gone} & set(came)
    who = "!colleague" if after.sort is Sort.MEDIATORS else "!party"
    over = after.phase in {Phase.SETTLED, Phase.CLOSED}
    table = (
        (released, _RELEASED),
        (corrected, Final("what was read there can't be unread", "!party side NAME on SIDE corrects it again")),
        (any(after.living(leg.id) for leg in gone), _ONE_LEFT),
        (second, Final("both channels were told", f"!channel leave {''.join(second[-1:])} ends it")),
        (left, Final("who was taken off reads nothing that is said meanwhile", f"{who} add NAME ADDRESS begins anew")),
        (came, Final("they were invited", f"{who} remove {''.join(came[-1:])} takes them off")),
        ("opened" in changed, _OPENED),
        ("withdrawn" in changed, Final("they were told", "!resume NAME has them take part again")),
        ("phase" in changed, Final("everybody was told", "!resume goes on with it" if over else "!settle or !close")),
        (changed & {"agreements", "acceptances", "carried"}, _AGREED),
        ("documents" in changed, Final("it may have been opened", "!doc revoke D1 takes back what was granted")),
        ("releases" in changed, Final("its author was told", "They can submit it again, or you reply !release to it")),
        ("people" in changed, _CHANNEL),
        ("sides" in changed, Final("a side stays, and an empty one harms nobody", "!side list shows them")),
        (any(isinstance(e, ResumeHold) for e in effects), Final("it waits again", "!held N discard puts it aside")),
    )
    return next((final for happened, final in table if happened), _SENT)


_RELEASED = Final(
    "it was posted and mailed, and who has read it, has read it",
    "Write what is right in that room; a document goes with !doc revoke D1",
)
_OPENED = Final("everybody was invited to the joint room", "!mode closed keeps all from writing there")
_AGREED = Final("it is on record what people accepted, and when", "!agreement new makes another version")
_ONE_LEFT = Final("what was on its way there is gone", "!channel add NAME ADDRESS gives them a second channel again")
_CHANNEL = Final(
    "it is on record what somebody agreed to, and whose a channel is",
    "!mail links NAME stops words by mail; !mail address NAME ADDRESS sets another mailbox",
)
_SENT = Final("what was sent, or told somebody, can't be called back", "Say what is right in the same way")
