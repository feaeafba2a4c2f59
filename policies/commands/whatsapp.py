"""WhatsApp, as mediators have to do with it at the desk."""

from __future__ import annotations

from dataclasses import replace

from policies import showing
from policies.case import Case, Endpoint, EndpointId, Network, Role
from policies.commands.form import Form
from policies.commands.people import AddPerson, address_problem, somebody_elses
from policies.effects import Resume
from policies.frozen import frozen
from policies.networks.delivery import channel_key
from policies.outcome import Done, Facts, Outcome, Refused, reached_by
from policies.people.joining import introductions
from policies.people.telephone import contact


@frozen
class ShowWhatsApp:
    """What became of the latest messages to a person."""

    name: str

    def perform(self, case: Case, facts: Facts) -> Outcome:
        """Changes nothing."""
        person = reached_by(case, self.name, Network.WHATSAPP)
        return person if isinstance(person, Refused) else Done(case, "", (showing.ShowMails(person.id),))


@frozen
class ChangeNumber:
    """The person is reached at another number from now on."""

    name: str
    number: str

    @property
    def address(self) -> AddPerson:
        """The new number, as if somebody came in with it."""
        return AddPerson(self.name, Network.WHATSAPP, contact(self.number) or self.number)

    def perform(self, case: Case, facts: Facts) -> Outcome:
        """A new channel, with no consent yet: that was about the old number. What comes from there is nobody's."""
        person = reached_by(case, self.name, Network.WHATSAPP)
        if isinstance(person, Refused):
            return person
        wanted = self.address
        roles = case.roles(person.id)
        problem = address_problem(replace(wanted, role=roles[0].role if roles else Role.PARTY), facts)
        problem = problem or somebody_elses(case, wanted, "number")
        if problem:
            return problem
        number = case.made + 1
        endpoint = Endpoint(EndpointId(f"e{number}"), Network.WHATSAPP, wanted.address)
        moved = replace(case.with_person(replace(person, endpoint=endpoint)), made=number)
        answer = (
            f"{person.name} is reached at {wanted.address} from now on; what comes from the old number is nobody's."
            " What was sent there, was sent. The consent was given for the old number: until there is another, nothing"
            f" is sent: !consent {person.name}: agreed by telephone to take part by WhatsApp, which Meta can read"
        )
        return Done(moved, answer, (Resume(channel_key(case, person.endpoint.id)), *introductions(moved, person)))


def _number(words: list[str]) -> ChangeNumber | str:
    at = next((i for i, word in enumerate(words) if word.startswith(("+", "00"))), None)
    return ChangeNumber(" ".join(words[:at]), " ".join(words[at:])) if at else "It needs a name, and the new number"


WhatsAppCommand = ShowWhatsApp | ChangeNumber

FORMS: tuple[Form[WhatsAppCommand], ...] = (
    Form(
        "whatsapp status",
        "!whatsapp status NAME",
        "what became of the latest WhatsApp messages to somebody",
        "!whatsapp status Bea",
        lambda words: ShowWhatsApp(" ".join(words)) if words else "A name is missing",
        mediators=True,
    ),
    Form(
        "whatsapp number",
        "!whatsapp number NAME NEW-NUMBER",
        "somebody is reached at another number from now on",
        "!whatsapp number Bea +34600123457",
        _number,
    ),
)
