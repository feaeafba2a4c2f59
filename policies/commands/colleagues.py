"""Who is in the mediators' room without being in Matrix (R13)."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from policies.case import DESK, Case, Network, Person, Role
from policies.commands.form import Form
from policies.commands.people import AddPerson, channel_of
from policies.effects import CheckAddress, Effect
from policies.frozen import frozen
from policies.outcome import Done, Facts, Outcome, Refused, no_such_person
from policies.people.colleagues import ROOM, SIDE, without
from policies.questions.ask import Proving
from policies.questions.asking import put

MEDIATORS_ONLY: Final = Refused("That is said at the desk of the mediators' room", "!help lists what is said here")
CODE_LASTS: Final = timedelta(days=1)
"""So long the code of an invitation counts."""
_NUMBERS = "+34600123456"


@frozen
class AddColleague:
    """A mediator who is not in Matrix joins the mediators' room."""

    name: str
    network: Network
    contact: str

    @property
    def address(self) -> AddPerson:
        """The channel, as if somebody came into a case with it."""
        return AddPerson(self.name, self.network, self.contact, Role.COLLEAGUE, SIDE.name)

    def perform(self, case: Case, facts: Facts) -> Outcome:
        """In once the code has shown that the channel is theirs; until then nothing is sent there but that."""
        if self.network is Network.MATRIX:
            return Refused(
                "Mediators in Matrix are set up by your administrator", f"!colleague add {self.name} {_NUMBERS}"
            )
        there = (case.named(self.name), *(case.at_address(self.network, one) for one in (self.contact, *self._spelled)))
        if known := next(filter(None, there), None):
            again = f"!colleague remove {known.name} first, if they are to have another code"
            return Refused(f"{known.name} is here already, at {known.endpoint.address}", again)
        added = self.address.perform(case, facts)
        if isinstance(added, Refused):
            return Refused(added.problem, added.remedy.replace("!party add", "!colleague add"))
        return invited(added.case, added.case.people[-1], facts)

    @property
    def _spelled(self) -> frozenset[str]:
        return self.address.on_whatsapp


@frozen
class RemoveColleague:
    """Somebody is in the mediators' room no more."""

    name: str

    def perform(self, case: Case, facts: Facts) -> Outcome:
        """At once: they can be added again."""
        person = case.named(self.name)
        if person is None:
            return no_such_person(case, self.name)
        if not person.endpoint.is_bridged:
            return Refused(f"{person.name} is in Matrix, as your administrator has set it up", "Ask your administrator")
        answer = f"{person.name} reads nothing here from now on. What was read can't be unread."
        return Done(without(case, person.id), answer)


def invited(case: Case, person: Person, facts: Facts) -> Outcome:
    """A code is made which shows that a channel is that person's. On WhatsApp it comes from there, for nobody may be
    written to who has not written first; to a mailbox it goes, and comes back by telephone."""
    by_mail = person.endpoint.network is Network.EMAIL
    if by_mail and facts.by is None:
        return Refused(
            "The code is said at this desk by whoever adds them", "Say it at the desk of the mediators' room"
        )
    asked, where = (facts.by, DESK) if by_mail and facts.by else (person.id, ROOM)
    case, ask, alarm = put(case, Proving(person.id), asked, where, facts, lasts=CODE_LASTS)
    effects: tuple[Effect, ...] = (alarm,)
    answer = (
        f"From {person.name}'s telephone, on WhatsApp, write this to our private number within a day: yes {ask.code}\n"
        "Whoever has that telephone must know first that WhatsApp's owner, Meta, can read what goes that way; the code"
        " says that they do. Give it to nobody else. Until it comes, nothing is sent there, and what comes is held."
    )
    if by_mail:
        effects = (CheckAddress(asked, person.endpoint.address, ask.code, invites=True), alarm)
        answer = (
            f"A code is mailed to {person.name}. Have them tell it to you by telephone, tell them that mail is not"
            " end-to-end encrypted, and say “yes” and the code here within a day. Until then nothing else is sent."
        )
    return Done(case, answer, effects)


def _add(words: list[str]) -> AddColleague | str:
    at = next((i for i, word in enumerate(words) if "@" in word or word.startswith(("+", "00"))), None)
    if not at:
        return "It needs a name, and a number on WhatsApp or a mail address"
    return AddColleague(" ".join(words[:at]), *channel_of(" ".join(words[at:])))


ColleagueCommand = AddColleague | RemoveColleague

FORMS: tuple[Form[ColleagueCommand], ...] = (
    Form(
        "colleague add",
        "!colleague add NAME NUMBER-OR-ADDRESS",
        "a mediator who is not in Matrix joins the mediators' room, by WhatsApp or mail",
        f"!colleague add Nora {_NUMBERS}",
        _add,
        desk=False,
        mediators=True,
    ),
    Form(
        "colleague remove",
        "!colleague remove NAME",
        "somebody is in the mediators' room no more",
        "!colleague remove Nora",
        lambda words: RemoveColleague(" ".join(words)) if words else "A name is missing",
        desk=False,
        mediators=True,
    ),
)
