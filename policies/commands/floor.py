"""Who may speak in the joint room: its mode, turns, mutes, slow mode, cooling-off (M1).

Each changes the case's floor and nothing else: `policies.following` has rooms, announcements and endings follow.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from policies.case import DESK, Case, Person
from policies.commands.durations import HOW_LONG, duration, in_words
from policies.commands.form import Form
from policies.effects import Inform, Tell
from policies.frozen import frozen
from policies.moderation.floor import floor_text, is_muted, mute_text, others
from policies.moderation.mode import Mode, Spell
from policies.networks.way import CARRIED_BY
from policies.outcome import Done, Facts, Outcome, Refused, no_such_person
from policies.people.membership import caucuses_of
from policies.people.ways import kept_from_speaking
from policies.words.phrase import Phrase
from policies.words.text import moment

NEEDS_MODULE = (
    "To hold posts before anybody sees them, the homeserver needs a module that it doesn't have yet. Until then"
    " “moderated” does what “released” does."
)


@frozen
class SetMode:
    """How the joint room is run, for a time or until it is changed."""

    mode: Mode
    lasts: timedelta | None = None

    def perform(self, case: Case, facts: Facts) -> Outcome:
        """A turn and a cooling-off end with it: the mediator says how it is from now on."""
        floor = case.floor
        until = facts.at + self.lasts if self.lasts else None
        # Of what is for a time already, that comes back which was before.
        before = floor.then if floor.until else floor.mode
        then = before if until else Mode.RELEASED
        after = replace(case, floor=replace(floor, mode=self.mode, until=until, then=then, turn=None, cooling=None))
        note = f" {NEEDS_MODULE}" if self.mode is Mode.MODERATED else ""
        back = f" After that: {then}." if until else ""
        return Done(after, f"The joint room is {self.mode} now. {floor_text(after)}{back}{note}")


@frozen
class GiveTurn:
    """Somebody alone has the word, for a time or until it is taken back."""

    name: str
    lasts: timedelta | None = None

    def perform(self, case: Case, facts: Facts) -> Outcome:
        """Nobody else but mediators writes meanwhile, whatever the mode."""
        person = case.voice_named(self.name)
        if person is None:
            return no_such_person(case, self.name)
        if case.is_staff(person.id):
            return Refused(
                f"{person.name} is a mediator, and may always write", "!turn Alice 10m gives a party the word"
            )
        if case.floor.mode is Mode.CLOSED:
            return Refused("The joint room is closed", "!mode released opens it for you, then give the word")
        if is_muted(case, person.id):
            return Refused(f"{person.name} is muted", f"!unmute {person.name} first")
        if lacks := _not_agreed(case, person):
            said = f"!agreement accepted {case.channel_name(person)}: by telephone"
            return Refused(
                f"{lacks}, and could not write",
                f"!agreement send asks them; or, if they told you: {said}",
            )
        turn = Spell(case.voice(person.id), facts.at + self.lasts if self.lasts else None)
        after = replace(case, floor=replace(case.floor, turn=turn, cooling=None))
        end = "" if self.lasts else " !turn off takes it back."
        return Done(after, f"{floor_text(after)}{end}")


@frozen
class EndTurn:
    """Nobody has the word any more."""

    def perform(self, case: Case, facts: Facts) -> Outcome:
        """It is as the mode says."""
        if case.floor.turn is None:
            return Refused("It is nobody's turn", "!turn Alice 10m gives somebody the word")
        after = replace(case, floor=replace(case.floor, turn=None))
        return Done(after, f"The turn is over. {floor_text(after)}")


@frozen
class Mute:
    """Somebody may read in the joint room and not write, for a time or until it is taken back."""

    name: str
    lasts: timedelta | None = None

    def perform(self, case: Case, facts: Facts) -> Outcome:
        """They alone are told; the others aren't."""
        person = case.voice_named(self.name)
        if person is None:
            return no_such_person(case, self.name)
        if case.is_staff(person.id):
            return Refused(f"{person.name} is a mediator", "A mediator is taken off the case, not muted")
        until = facts.at + self.lasts if self.lasts else None
        floor = case.floor
        turn = None if floor.turn and case.same_voice(floor.turn.person, person.id) else floor.turn
        mute = Spell(case.voice(person.id), until)
        ending = f" until {moment(until, case.zone)}" if until else ""
        back = "" if until else f" !unmute {person.name} takes it back."
        return Done(
            replace(case, floor=replace(floor, turn=turn, muted=(*others(case, floor.muted, person.id), mute))),
            f"{person.name} may read in the joint room and not write{ending}.{back}",
            _privately(case, person, mute_text(mute, case.zone_of(person.id))),
        )


@frozen
class Unmute:
    """Somebody may write again as the others."""

    name: str

    def perform(self, case: Case, facts: Facts) -> Outcome:
        """They are told."""
        person = case.voice_named(self.name)
        if person is None:
            return no_such_person(case, self.name)
        if not is_muted(case, person.id):
            return Refused(f"{person.name} is not muted", f"!mute {person.name} 1h would do it for an hour")
        after = replace(case, floor=replace(case.floor, muted=others(case, case.floor.muted, person.id)))
        told = _privately(case, person, mute_text(None, case.zone))
        return Done(after, f"{person.name} may write again as the others.", told)


@frozen
class Slow:
    """How long a party waits between two posts in the open joint room; None: no time."""

    pause: timedelta | None

    def perform(self, case: Case, facts: Facts) -> Outcome:
        """Whoever waits already, waits no longer when it ends."""
        minutes = self.pause // timedelta(minutes=1) if self.pause else 0
        resting = case.floor.resting if minutes else ()
        after = replace(case, floor=replace(case.floor, slow=minutes, resting=resting))
        if not self.pause:
            return Done(after, "Nobody has to wait between two posts any more.")
        note = (
            ""
            if case.floor.mode is Mode.OPEN
            else f" It shows when the joint room is open; now it is {case.floor.mode}."
        )
        return Done(after, f"Between two posts in the joint room a party waits {in_words(self.pause)}.{note}")


@frozen
class Cool:
    """Nobody but mediators writes in the joint room for a time; None: it ends now."""

    lasts: timedelta | None

    def perform(self, case: Case, facts: Facts) -> Outcome:
        """What was set before is there again afterwards."""
        if self.lasts is None and case.floor.cooling is None:
            return Refused("There is no cooling-off", "!cool 30m begins one")
        cooling = facts.at + self.lasts if self.lasts else None
        after = replace(case, floor=replace(case.floor, cooling=cooling))
        return Done(after, floor_text(after))


def without_idle_turn(case: Case) -> tuple[Case, tuple[Tell, ...]]:
    """A turn ends as with a mute when whoever has it may not write there any more, for somebody reads over a network to
    which they have not agreed: else nobody could write."""
    turn = case.floor.turn
    person = case.living(turn.person) if turn else None
    if person is None or not kept_from_speaking(case, person.id):
        return case, ()
    told = f"The turn of {person.name} is over, for they can't write: {_not_agreed(case, person)}."
    return replace(case, floor=replace(case.floor, turn=None)), (Tell(DESK, told),)


def _not_agreed(case: Case, person: Person) -> str:
    """What is missing for somebody to write in the joint room; "" if nothing is."""
    over = kept_from_speaking(case, person.id)
    ways = " and ".join(sorted(str(CARRIED_BY[network]) for network in over))
    return f"{person.name} has not agreed that what they say there also goes {ways}" if ways else ""


def _privately(case: Case, person: Person, text: Phrase) -> tuple[Inform, ...]:
    """By each of their channels."""
    return tuple(Inform(leg.id, own, text) for leg in case.legs_of(person.id) for own in caucuses_of(case, leg.id)[:1])


def _mode(words: list[str]) -> SetMode | str:
    match [word.lower() for word in words]:
        case [mode] if mode in set(Mode):
            return SetMode(Mode(mode))
        case [mode, "for", how_long] if mode in set(Mode):
            lasts = duration(how_long)
            return SetMode(Mode(mode), lasts) if lasts else HOW_LONG
        case _:
            return f"A mode is one of {', '.join(Mode)}"


def _turn(words: list[str]) -> GiveTurn | EndTurn | str:
    if [word.lower() for word in words] == ["off"]:
        return EndTurn()
    name, lasts = _name_and_time(words)
    return GiveTurn(name, lasts) if name else "A name is missing"


def _mute(words: list[str]) -> Mute | str:
    name, lasts = _name_and_time(words)
    return Mute(name, lasts) if name else "A name is missing"


def _unmute(words: list[str]) -> Unmute | str:
    return Unmute(" ".join(words)) if words else "A name is missing"


def _slow(words: list[str]) -> Slow | str:
    match words:
        case [word] if word.lower() == "off":
            return Slow(None)
        case [word] if pause := duration(word):
            return Slow(pause)
        case _:
            return HOW_LONG


def _cool(words: list[str]) -> Cool | str:
    match words:
        case [word] if word.lower() == "off":
            return Cool(None)
        case [word] if lasts := duration(word):
            return Cool(lasts)
        case _:
            return HOW_LONG


def _name_and_time(words: list[str]) -> tuple[str, timedelta | None]:
    lasts = duration(words[-1]) if len(words) > 1 else None
    return " ".join(words[:-1] if lasts else words), lasts


FloorCommand = SetMode | GiveTurn | EndTurn | Mute | Unmute | Slow | Cool

FORMS: tuple[Form[FloorCommand], ...] = (
    Form(
        "mode",
        "!mode open|released|locked|closed|moderated [for TIME]",
        "who writes in the joint room: everybody, or you alone with what you release, or you alone, or nobody",
        "!mode open for 2h",
        _mode,
    ),
    Form(
        "turn",
        "!turn NAME [TIME] or !turn off",
        "somebody alone has the word in the joint room",
        "!turn Alice 10m",
        _turn,
    ),
    Form("mute", "!mute NAME [TIME]", "somebody reads in the joint room and does not write", "!mute Carl 1h", _mute),
    Form("unmute", "!unmute NAME", "takes a mute back", "!unmute Carl", _unmute),
    Form("slow", "!slow TIME or !slow off", "how long a party waits between two joint posts", "!slow 10m", _slow),
    Form(
        "cool",
        "!cool TIME or !cool off",
        "a cooling-off: nobody but you writes in the joint room for a time",
        "!cool 30m",
        _cool,
    ),
)
