"""Quiet hours of somebody who takes part by mail or WhatsApp: set by a mediator, or by that person in private (B6)."""

from __future__ import annotations

from dataclasses import dataclass, replace

from policies.case import Case
from policies.commands.form import Form
from policies.delivery import channel_key
from policies.effects import Inform, Resume
from policies.membership import caucuses_of
from policies.outcome import Done, Facts, Outcome, Refused, own_or_named
from policies.phrase import phrase
from policies.quiet import Quiet, read_quiet


@dataclass(frozen=True, slots=True)
class SetQuiet:
    """When nothing is sent to somebody; no hours: none. No name: whoever says it."""

    name: str | None
    hours: Quiet | None

    def perform(self, case: Case, facts: Facts) -> Outcome:
        """What waits is sent when they end; the person is told, if it was not they who said so."""
        person = own_or_named(case, self.name, facts, phrase("quiet hours"), "20:00-08:00 Europe/Berlin")
        if isinstance(person, Refused):
            return person
        if not person.endpoint.is_bridged and person.noticed is None:
            remedy = phrase("Quiet hours are for mail and WhatsApp; a Matrix app has its own")
            return Refused(phrase("{name} reads in Matrix", name=person.name), remedy)
        after = case.with_person(replace(person, quiet=self.hours))
        if self.hours:
            said = f"Nothing is sent to {person.name} from {self.hours}; what is said then is sent afterwards."
            told = phrase(
                "Nothing is sent to you from {hours}; you get it afterwards. !quiet off ends that.",
                hours=str(self.hours),
            )
        else:
            said = f"{person.name} has no quiet hours any more; what waited is sent now."
            told = phrase("You have no quiet hours any more. !quiet 20:00-08:00 Europe/Berlin would set some.")
        own = (Inform(person.id, where, told) for where in caucuses_of(case, person.id)[:1])
        return Done(after, said, (Resume(channel_key(case, person.endpoint.id)), *own))


def _read(words: list[str]) -> SetQuiet | str:
    if words and words[-1].lower() == "off":
        return SetQuiet(" ".join(words[:-1]) or None, None)
    if len(words) < 2:
        return phrase("It needs hours and a time zone")
    hours = read_quiet(*words[-2:])
    return hours if isinstance(hours, str) else SetQuiet(" ".join(words[:-2]) or None, hours)


QuietCommand = SetQuiet

FORMS: tuple[Form[QuietCommand], ...] = (
    Form(
        "quiet",
        "!quiet [NAME] 20:00-08:00 ZONE or !quiet [NAME] off",
        phrase("when nothing is sent by mail or WhatsApp; what is said then is sent afterwards. A party sets its own"),
        "!quiet Carl 20:00-08:00 Europe/Berlin",
        _read,
        party=True,
        mediators=True,
    ),
)
