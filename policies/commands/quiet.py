"""When nothing is sent to somebody by mail or WhatsApp, by the clock or for some days (B5, B6).

Set by a mediator, or by that person in private.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from policies.case import Case, Person
from policies.commands.durations import HOW_LONG, duration
from policies.commands.form import Form
from policies.effects import Inform, Resume
from policies.frozen import frozen
from policies.networks.delivery import channel_key
from policies.networks.quiet import Quiet, quiet_text, read_quiet, rests_text
from policies.outcome import Done, Facts, Outcome, Refused, own_or_named
from policies.people.membership import caucuses_of
from policies.words.phrase import Phrase, phrase
from policies.words.text import moment


@frozen
class SetQuiet:
    """When nothing is sent to somebody; no hours: whenever something comes, from now on. No name: whoever says it."""

    name: str | None
    hours: Quiet | None

    def perform(self, case: Case, facts: Facts) -> Outcome:
        """What waits is sent when they end; the person is told."""
        person = _away_from_matrix(case, self.name, facts)
        if isinstance(person, Refused):
            return person
        said = f"{person.name} has no quiet hours any more; what waited is sent now."
        if self.hours:
            said = f"Nothing is sent to {person.name} from {self.hours}; what is said then is sent afterwards."
        legs = [
            replace(leg, quiet=self.hours, rests=leg.rests if self.hours else None) for leg in _disturbed(case, person)
        ]
        return _set(case, legs, said, quiet_text(self.hours), facts)


@frozen
class SetRest:
    """Nothing is sent to somebody for so long, whatever the hour. No name: whoever says it."""

    name: str | None
    lasts: timedelta

    def perform(self, case: Case, facts: Facts) -> Outcome:
        """It ends by itself, and what waited is sent then. Whoever did not say so themselves is told nothing: it could
        be sent to them only when it is over."""
        person = _away_from_matrix(case, self.name, facts)
        if isinstance(person, Refused):
            return person
        until = facts.at + self.lasts
        said = (
            f"Nothing is sent to {person.name} until {moment(until, case.zone)}; what is said meanwhile is sent"
            " afterwards."
        )
        told = rests_text(until, case.zone_of(person.id)) if case.same_voice(person.id, facts.by) else None
        told_later = "" if told else f" {person.name} is not told of this."
        legs = [replace(leg, rests=until) for leg in _disturbed(case, person)]
        return _set(case, legs, f"{said}{told_later}", told, facts)


def _away_from_matrix(case: Case, name: str | None, facts: Facts) -> Person | Refused:
    person = own_or_named(case, name, facts, phrase("quiet hours"), "20:00-08:00 Europe/Berlin", whole=True)
    if isinstance(person, Refused) or _disturbed(case, person):
        return person
    remedy = phrase("Quiet hours are for mail and WhatsApp; a Matrix app has its own")
    return Refused(phrase("{name} reads in Matrix", name=person.name), remedy)


def _disturbed(case: Case, person: Person) -> list[Person]:
    """All channels by which we could disturb them."""
    return [leg for leg in case.legs_of(person.id) if leg.endpoint.is_bridged or leg.noticed]


def _set(case: Case, legs: list[Person], said: str, told: Phrase | None, facts: Facts) -> Done:
    """It holds for each of them. Where it was said, that is answered at once."""
    own = (
        Inform(leg.id, where, told, at_once=leg.id == facts.by)
        for leg in legs
        for where in caucuses_of(case, leg.id)[:1]
        if told
    )
    return Done(case.with_people(*legs), said, (*(Resume(channel_key(case, leg.endpoint.id)) for leg in legs), *own))


def _read(words: list[str]) -> SetQuiet | SetRest | str:
    if words and words[-1].lower() == "off":
        return SetQuiet(" ".join(words[:-1]) or None, None)
    if len(words) < 2:
        return phrase("It needs hours and a time zone")
    if words[-2].lower() == "for":
        lasts = duration(words[-1])
        return SetRest(" ".join(words[:-2]) or None, lasts) if lasts else HOW_LONG
    hours = read_quiet(*words[-2:])
    return hours if isinstance(hours, str) else SetQuiet(" ".join(words[:-2]) or None, hours)


QuietCommand = SetQuiet | SetRest

FORMS: tuple[Form[QuietCommand], ...] = (
    Form(
        "quiet",
        "!quiet [NAME] 20:00-08:00 ZONE, !quiet [NAME] for 3d or !quiet [NAME] off",
        phrase("when nothing is sent by mail or WhatsApp; what is said then is sent afterwards. A party sets its own"),
        "!quiet Carl 20:00-08:00 Europe/Berlin",
        _read,
        party=True,
        mediators=True,
    ),
)
