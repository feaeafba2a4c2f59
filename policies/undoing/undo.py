"""Taking back what a mediator did last, where that is possible (M8, M11).

Whatever a mediator does leaves a `Deed` in the case (`undoing.deeds`). Taking back is an act like any other, with an
entry of its own on record that names the former. It happens only if all is still as that left it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import assert_never

from policies.case import DESK, Case
from policies.documents.carrying import Recall
from policies.documents.document import is_stricter
from policies.documents.rights import relabelled
from policies.effects import Effect, Inform, Resume, ResumeHold
from policies.moderation.floor import ended, floor_text, mute_text, without
from policies.moderation.mode import Floor
from policies.networks.delivery import channel_key
from policies.networks.digest import digest_text
from policies.networks.discreet import discreet_text
from policies.networks.quiet import quiet_text, rests_text
from policies.outcome import Done, Facts, Refused
from policies.people.joining import first_words
from policies.people.membership import caucuses_of
from policies.plan import desk_label
from policies.questions.ask import Consenting
from policies.releases.releasing import not_passed
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
    FloorSet,
    LabelSet,
    LanguageSet,
    OfPerson,
    PutAside,
    QuietSet,
    ReleaseBegun,
    RestSet,
    RulesSet,
    ZoneSet,
)
from policies.words.phrase import Phrase, phrase
from policies.words.text import moment


def taken_back(case: Case, deed: Deed, facts: Facts) -> Done | Refused:
    """The case without that. Whatever of it has changed since forbids all of it."""
    if deed.final:
        return Refused(f"“{deed.what}” can't be taken back, for {deed.final.why}", deed.final.instead)
    effects: list[Effect] = []
    for change in deed.changes:
        found = _put_back(case, change, facts)
        if found is None:
            overtaken = f"“{deed.what}” can't be taken back any more: something came of it, or has changed since"
            return Refused(overtaken, "!status and !log show how it stands; say what should hold now")
        case, told = found
        effects += told
    return Done(case, " ".join([f"Taken back: {described(case, deed)}.", *_notes(case, deed)]), tuple(effects))


def described(case: Case, deed: Deed) -> str:
    """An act as the desk and the record name it."""
    who = case.name_of(deed.by) if deed.by else "The organisation"
    where = desk_label(deed.where, case)
    return f"entry {deed.entry} of {where}, {moment(deed.at, case.zone)}, {who}: “{deed.what}”"


def _notes(case: Case, deed: Deed) -> Iterator[str]:
    if any(isinstance(change, FloorSet | CourseSet) for change in deed.changes):
        yield floor_text(case)
    if any(isinstance(change, LabelSet) and change.revoked for change in deed.changes):
        yield "What was granted before stays taken back."
    if any(isinstance(change, QuietSet | RestSet | DiscreetSet | ChannelStopped) for change in deed.changes):
        yield "What was sent meanwhile, stays sent."
    if not any(isinstance(change, Asked | ReleaseBegun | PutAside) for change in deed.changes):
        yield "!undo again brings it back."


def _put_back(case: Case, change: Change, facts: Facts) -> tuple[Case, tuple[Effect, ...]] | None:  # noqa: C901 (one arm a kind)
    """The case without one change, and who is told; None where it isn't as that left it."""
    match change:
        case FloorSet(before, after):
            return _floor(case, before, after, facts)
        case CourseSet(before, pauses, after, pauses_after):
            same = (case.phase, case.pauses) == (after, pauses_after)
            lasting = tuple(p for p in pauses if p.until is None or p.until > facts.at)
            over = bool(pauses) and not lasting
            return (replace(case, phase=before, pauses=lasting), ()) if same and not over else None
        case RulesSet(rules, now):
            return (replace(case, rules=rules), ()) if case.rules == now else None
        case DeskZoneSet(zone, now_zone):
            return (replace(case, zone=zone), ()) if case.zone == now_zone else None
        case CaseLanguageSet(spoken, now_spoken):
            return (replace(case, language=spoken), ()) if case.language == now_spoken else None
        case QuietSet() | RestSet() | DiscreetSet() | DigestSet() | LanguageSet() | ChannelStopped() | ZoneSet():
            return _of_person(case, change, facts)
        case LabelSet(number, version_number, before, after):
            document = case.document(number)
            version = document.version(version_number) if document else None
            if document is None or version is None or version.label != after:
                return None
            narrower = is_stricter(before, after)
            back = (
                relabelled(document, version_number, before, facts.at)
                if narrower
                else document.with_version(replace(version, label=before))
            )
            return case.with_document(back), (Recall(document.id),)
        case Asked(code):
            return _withdrawn_question(case, code)
        case ReleaseBegun(number, standing):
            release = case.release(number)
            return (not_passed(case, number), ()) if release and release.standing is standing else None
        case PutAside(message):
            return case, (ResumeHold(message),)
        case _:
            assert_never(change)


def _floor(case: Case, before: Floor, after: Floor, facts: Facts) -> tuple[Case, tuple[Effect, ...]] | None:
    if replace(case.floor, resting=()) != replace(after, resting=()):
        return None
    back = ended(replace(before, resting=case.floor.resting if before.slow else ()), facts.at)
    spells = (*back.muted, *([back.turn] if back.turn else []))
    for gone in {spell.person for spell in spells if case.living(spell.person) is None}:
        back = without(replace(case, floor=back), gone)
    muted, spoke = {s.person: s for s in back.muted}, {s.person: s for s in case.floor.muted}
    told: list[Effect] = []
    for who in sorted(muted.keys() | spoke.keys()):
        if muted.get(who) != spoke.get(who):
            told += [
                Inform(leg.id, room, mute_text(muted.get(who), case.zone_of(leg.id)))
                for leg in case.legs_of(who)
                for room in caucuses_of(case, leg.id)[:1]
            ]
    return replace(case, floor=back), tuple(told)


def _of_person(case: Case, change: OfPerson, facts: Facts) -> tuple[Case, tuple[Effect, ...]] | None:
    """When, how and where somebody is written to: what waits goes on as it is then, and they are told."""
    person = case.person(change.person)
    if person is None:
        return None
    now: object
    told: Phrase | None = None
    match change:
        case QuietSet(_, quiet):
            now, back, told = person.quiet, replace(person, quiet=quiet), quiet_text(quiet)
        case RestSet(_, rests):
            now, back = person.rests, replace(person, rests=rests)
            # Of a rest that holds again they could be told only after it.
            waits = person.rests is not None and person.rests > facts.at
            told = rests_text(None, case.zone_of(person.id)) if waits and not (rests and rests > facts.at) else None
        case DiscreetSet(_, discreet):
            told = discreet_text(person.endpoint.network, is_on=discreet is not None)
            now, back = person.discreet, replace(person, discreet=discreet)
        case DigestSet(_, digest):
            now, back, told = person.digest, replace(person, digest=digest), digest_text(digest)
        case ZoneSet(_, zone):
            now, back = person.zone, replace(person, zone=zone)
        case LanguageSet(_, language):
            now, back = person.language, replace(person, language=language)
        case ChannelStopped(_, why):
            now, back = person.endpoint.stopped, replace(person, endpoint=replace(person.endpoint, stopped=why))
        case _:
            assert_never(change)
    if now != change.after:
        return None
    own = tuple(Inform(person.id, room, told) for room in caucuses_of(case, person.id)[:1] if told)
    put_back = case.with_person(back)
    return put_back, (Resume(channel_key(case, person.endpoint.id)), *own, *first_words(person, put_back))


def _withdrawn_question(case: Case, code: str) -> tuple[Case, tuple[Effect, ...]] | None:
    """Whom it was put to learns in private that no answer is wanted any more."""
    ask = next((a for a in case.asks if a.code == code), None)
    if ask is None:
        return None
    text = phrase("The mediator takes the question with the code {code} back. You need not answer it.", code=code)
    if isinstance(ask.act, Consenting):
        text = phrase(
            "The mediator takes the question about {number} with the code {code} back. You need not answer it.",
            number=ask.act.release,
            code=code,
        )
    told = () if ask.where == DESK else (Inform(ask.asked, ask.where, text),)
    return replace(case, asks=tuple(a for a in case.asks if a != ask)), told
