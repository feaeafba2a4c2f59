"""WhatsApp, as mediators have to do with it at the desk."""

from __future__ import annotations

from dataclasses import dataclass

from policies import effects
from policies.case import Case, Network
from policies.commands.form import Form
from policies.outcome import Done, Facts, Outcome, Refused, no_such_person


@dataclass(frozen=True, slots=True)
class ShowWhatsApp:
    """What became of the latest messages to a person."""

    name: str

    def perform(self, case: Case, facts: Facts) -> Outcome:
        """Changes nothing."""
        person = case.named(self.name)
        if person is None:
            return no_such_person(case, self.name)
        if person.endpoint.network is not Network.WHATSAPP:
            return Refused(f"{person.name} does not take part by WhatsApp", "!status shows everybody's channel")
        return Done(case, "", (effects.ShowMails(person.id),))


WhatsAppCommand = ShowWhatsApp

FORMS: tuple[Form[WhatsAppCommand], ...] = (
    Form(
        "whatsapp status",
        "!whatsapp status NAME",
        "what became of the latest WhatsApp messages to somebody",
        "!whatsapp status Bea",
        lambda words: ShowWhatsApp(" ".join(words)) if words else "A name is missing",
    ),
)
