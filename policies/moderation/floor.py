"""Who may speak in the joint room now: the one answer that levels, mails and late posts all follow (M1).

    open        everybody
    moderated   as released, until the homeserver has the module that holds posts
    released    mediators; a party's words cross by the mediator's act, with the party's consent
    locked      mediators
    closed      nobody but the bot

Above the mode stand a cooling-off, a turn and a mute; below it slow mode. Nothing here knows the time: what has an end
is ended by `policies.due` when it is due, and `ended` says what is left then.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import assert_never

from policies.case import JOINT, Case, Conversation, PersonId, Phase, Role
from policies.moderation.course import course_text, resting
from policies.moderation.mode import Floor, Mode, Spell
from policies.networks.way import CARRIED_BY
from policies.people.ways import kept_from_speaking
from policies.words.phrase import Phrase, phrase, together, when


def everybody_may(case: Case) -> bool:
    """Whether parties may speak without being given the word."""
    floor = case.floor
    return floor.mode is Mode.OPEN and not floor.cooling and not floor.turn and not resting(case, JOINT)


def has_the_word(case: Case, person: PersonId) -> bool:
    """Whether it is that person's turn."""
    turn = case.floor.turn
    return (
        turn is not None
        and case.same_voice(turn.person, person)
        and not case.floor.cooling
        and not resting(case, JOINT)
    )


def silenced(case: Case, person: PersonId) -> bool:
    """Whether that person alone may not speak, by whichever channel: an observer, muted, or not agreed to the ways that
    it would go."""
    observes = any(p.role is Role.OBSERVER for p in case.roles(person))
    return observes or is_muted(case, person) or bool(kept_from_speaking(case, person))


def is_muted(case: Case, person: PersonId) -> bool:
    """Whether a mediator has muted that person."""
    return any(case.same_voice(spell.person, person) for spell in case.floor.muted)


def others(case: Case, spells: tuple[Spell, ...], person: PersonId) -> tuple[Spell, ...]:
    """Those of them that are not that person's, by whichever channel."""
    return tuple(spell for spell in spells if not case.same_voice(spell.person, person))


def rests(case: Case, person: PersonId) -> bool:
    """Whether that person has just spoken, in slow mode."""
    return any(case.same_voice(spell.person, person) for spell in case.floor.resting)


def objection(case: Case, person: PersonId, conversation: Conversation, *, said: bool = False) -> Phrase | None:
    """Why somebody may not speak in a conversation now, in words that fit the desk and the person's own room.

    `said`: it was said when it might be; then it doesn't count that its author has to wait since.
    """
    rest = resting(case, conversation)
    if rest and (case.phase is Phase.CLOSED or not case.is_staff(person)):
        return rest
    return _in_joint(case, person, said=said) if conversation == JOINT else None


def _in_joint(case: Case, person: PersonId, *, said: bool) -> Phrase | None:
    floor = case.floor
    if floor.mode is Mode.CLOSED:
        return phrase("the joint room is closed")
    if case.is_staff(person):
        return None
    if floor.cooling:
        return phrase("the joint room rests until {time}", time=when(floor.cooling, case.zone))
    if networks := kept_from_speaking(case, person):
        ways = together((CARRIED_BY[network] for network in sorted(networks)), by=", ")
        return phrase("its author has not agreed that it also goes {ways}", ways=ways)
    if silenced(case, person):
        return phrase("its author may read in the joint room, and not write")
    if has_the_word(case, person):
        return None
    if floor.turn:
        return phrase("it is somebody else's turn to speak in the joint room")
    if floor.mode is not Mode.OPEN:
        return phrase("in the joint room only the mediator writes")
    if rests(case, person) and not said:
        return phrase("everybody waits {minutes} minutes between two posts in the joint room", minutes=floor.slow)
    return None


def spoken(case: Case, person: PersonId, at: datetime) -> Case:
    """The case after somebody spoke in the joint room: in slow mode a party now waits."""
    floor = case.floor
    if not floor.slow or case.is_staff(person) or has_the_word(case, person):
        return case
    rest = Spell(case.voice(person), at + timedelta(minutes=floor.slow))
    return replace(case, floor=replace(floor, resting=(*others(case, floor.resting, person), rest)))


def without(case: Case, person: PersonId) -> Floor:
    """The floor when somebody takes part no more."""
    floor = case.floor
    return replace(
        floor,
        turn=None if floor.turn and case.same_voice(floor.turn.person, person) else floor.turn,
        muted=others(case, floor.muted, person),
        resting=others(case, floor.resting, person),
    )


def moved(floor: Floor, old: frozenset[PersonId], new: PersonId) -> Floor:
    """The floor when somebody is another person of the case from now on."""

    def now(spell: Spell) -> Spell:
        return replace(spell, person=new) if spell.person in old else spell

    turn = now(floor.turn) if floor.turn else None
    return replace(floor, turn=turn, muted=tuple(map(now, floor.muted)), resting=tuple(map(now, floor.resting)))


def ends(floor: Floor) -> frozenset[datetime]:
    """When something of it ends by itself."""
    spells = (floor.turn, *floor.muted, *floor.resting)
    times = (floor.until, floor.cooling, *(spell.until for spell in spells if spell))
    return frozenset(time for time in times if time)


def ended(floor: Floor, at: datetime) -> Floor:
    """What is left of it at that time."""
    over = floor.until is not None and floor.until <= at
    return replace(
        floor,
        mode=floor.then if over else floor.mode,
        until=None if over else floor.until,
        turn=floor.turn if floor.turn and _lasts(floor.turn, at) else None,
        muted=tuple(spell for spell in floor.muted if _lasts(spell, at)),
        resting=tuple(spell for spell in floor.resting if _lasts(spell, at)),
        cooling=floor.cooling if floor.cooling and floor.cooling > at else None,
    )


def _lasts(spell: Spell, at: datetime) -> bool:
    return spell.until is None or spell.until > at


def floor_text(case: Case, zone: str | None = None) -> Phrase:
    """Who may write in the joint room, as all are told there. Mutes and waiting are told to whom they concern alone.
    `zone`: by which clock, if not by the case's."""
    clock = zone or case.zone
    floor, course = case.floor, course_text(case, clock)
    if course:
        return course
    if floor.mode is Mode.CLOSED:
        return _until(_mode_text(floor.mode), floor.until, clock)
    if floor.cooling:
        pausing = phrase("We pause here until {time}.", time=when(floor.cooling, clock))
        return together([pausing, phrase("You reach the mediator in your private room.")])
    if floor.turn and (speaker := case.living(floor.turn.person)):
        text = phrase("{name} has the word: nobody else writes here meanwhile.", name=speaker.name)
        return _until(text, floor.turn.until, clock)
    slow = phrase("Between two posts everybody waits {minutes} minutes.", minutes=floor.slow)
    waits = floor.slow and floor.mode is Mode.OPEN
    return _until(together([_mode_text(floor.mode), slow if waits else ""]), floor.until, clock)


def mute_text(muted: Spell | None, zone: str) -> Phrase:
    """What somebody is told of being muted, or muted no more, by the clock of their zone."""
    if muted is None:
        return phrase("In the joint room you may write again whenever the others may.")
    if muted.until is None:
        return phrase("The mediator asks you to read in the joint room and not to write there. Here you always may.")
    return phrase(
        "The mediator asks you to read in the joint room and not to write there until {time}. Here you always may.",
        time=when(muted.until, zone),
    )


def _mode_text(mode: Mode) -> Phrase:
    match mode:
        case Mode.OPEN:
            return phrase("Everybody may write here.")
        case Mode.RELEASED | Mode.MODERATED:
            return phrase(
                "Here only the mediator writes. Say what you have to say in your private room; the mediator can release"
                " words of yours here, if you agree."
            )
        case Mode.LOCKED:
            return phrase("Here only the mediator writes for now. You reach the mediator in your private room.")
        case Mode.CLOSED:
            return phrase("This room is closed: it can be read, and nobody writes here any more.")
        case _:
            assert_never(mode)


def _until(text: Phrase, until: datetime | None, zone: str) -> Phrase:
    return together([text, phrase("Until {time}.", time=when(until, zone))]) if until else text
