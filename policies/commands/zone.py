"""In which time zone times are shown: the case's to its mediators, a person's own to that person (B6)."""

from __future__ import annotations

from dataclasses import replace

from policies.case import Case
from policies.commands.form import Form
from policies.effects import Inform
from policies.frozen import frozen
from policies.outcome import Done, Facts, Outcome, Refused, no_such_person
from policies.people.membership import caucuses_of
from policies.words.phrase import phrase, when
from policies.words.text import moment
from policies.words.zones import WRITTEN, zone_named


@frozen
class SetZone:
    """Times are shown so from now on. No name: at the desk the case's, of a party its own."""

    name: str | None
    zone: str

    def perform(self, case: Case, facts: Facts) -> Outcome:
        """Shows what it is there now, so that a mistake is seen."""
        if zone_named(self.zone) is None:
            return Refused(WRITTEN, phrase("For example: {example}", example="!timezone Europe/Berlin"))
        by = case.person(facts.by) if facts.by else None
        party = by if by and not case.is_staff(by.id) else None
        now = moment(facts.at, self.zone)
        if self.name is None and party is None:
            return Done(replace(case, zone=self.zone), f"Times are shown at this desk by the clock there: it is {now}.")
        if party and self.name and self.name.casefold() != party.name.casefold():
            return Refused(phrase("You can set your own time zone alone"), "!timezone Europe/Berlin")
        person = party or case.voice_named(self.name or "")
        if person is None:
            return no_such_person(case, self.name or "")
        told = phrase(
            "Times are shown to you by the clock there from now on: it is {time}. !timezone changes that.",
            time=when(facts.at, self.zone),
        )
        legs = case.legs_of(person.id)
        own = (Inform(leg.id, where, told) for leg in legs for where in caucuses_of(case, leg.id)[:1])
        after = case.with_people(*(replace(leg, zone=self.zone) for leg in legs))
        return Done(after, f"Times are shown to {person.name} by the clock there: it is {now}.", tuple(own))


def _read(words: list[str]) -> SetZone | str:
    return SetZone(" ".join(words[:-1]) or None, words[-1]) if words else "A time zone is missing"


FORMS: tuple[Form[SetZone], ...] = (
    Form(
        "timezone",
        "!timezone [NAME] ZONE",
        phrase("in which time zone times are shown: at this desk, or to somebody. A party sets its own"),
        "!timezone Carl Europe/Berlin",
        _read,
        party=True,
    ),
)
