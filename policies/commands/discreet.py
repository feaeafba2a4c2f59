"""Discreet contact of somebody who takes part by mail or WhatsApp: set by a mediator, or by that person (B5)."""

from __future__ import annotations

from dataclasses import replace

from policies.case import Case, Network
from policies.commands.form import Form
from policies.effects import Inform, Resume
from policies.frozen import frozen
from policies.networks.delivery import channel_key
from policies.networks.discreet import Discreet, discreet_text
from policies.outcome import Done, Facts, Outcome, Refused, own_or_named
from policies.people.joining import first_words
from policies.people.membership import caucuses_of
from policies.words.phrase import phrase

_ALREADY = phrase("It is so already")


@frozen
class SetDiscreet:
    """Whether what is sent to somebody tells nothing to whoever sees it. No name: whoever says it."""

    name: str | None
    on: bool

    def perform(self, case: Case, facts: Facts) -> Outcome:
        """What waits goes the new way; the person is told. What they asked for themselves, they alone end."""
        person = own_or_named(case, self.name, facts, phrase("discreet contact"), "on")
        if isinstance(person, Refused):
            return person
        if not person.endpoint.is_bridged:
            remedy = phrase("What a locked screen shows is set in the Matrix app, and in the telephone")
            return Refused(phrase("{name} reads in Matrix", name=person.name), remedy)
        is_own = person.id == facts.by
        if person.discreet is Discreet.OWN and not is_own:
            why = f"{person.name} asked for that, and nobody else can end it"
            return Refused(why, f"{person.name} says !discreet off") if not self.on else Refused(why, "It stays so")
        wanted = (Discreet.OWN if is_own else Discreet.MEDIATOR) if self.on else None
        if person.discreet == wanted:
            return Refused(_ALREADY, "!discreet off" if self.on else "!discreet on")
        after = case.with_person(replace(person, discreet=wanted))
        told = discreet_text(person.endpoint.network, is_on=self.on)
        own = (Inform(person.id, where, told) for where in caucuses_of(case, person.id)[:1])
        pin = f" !mail pin {person.name} makes a PIN." if person.endpoint.network is Network.EMAIL else ""
        said = f"What is sent to {person.name} shows words, and who we are, as before."
        if self.on:
            said = f"What is sent to {person.name} tells nothing to whoever sees it there. They are told: {told}{pin}"
        return Done(after, said, (Resume(channel_key(case, person.endpoint.id)), *own, *first_words(person, after)))


def _read(words: list[str]) -> SetDiscreet | str:
    if not words or words[-1].lower() not in {"on", "off"}:
        return phrase("It ends with on or off")
    return SetDiscreet(" ".join(words[:-1]) or None, words[-1].lower() == "on")


DiscreetCommand = SetDiscreet

FORMS: tuple[Form[DiscreetCommand], ...] = (
    Form(
        "discreet",
        "!discreet [NAME] on|off",
        phrase("what is sent by mail or WhatsApp shows nothing, not even who we are. A party sets its own"),
        "!discreet Carl on",
        _read,
        party=True,
    ),
)
