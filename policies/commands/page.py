"""The page for whoever takes part over another channel than mail (D4): a link by command, and what opens it, which is a
code to that person alone, in Matrix, or a PIN by telephone.

There they look at documents page by page, hand some in, and mark what is to be black in their own; what is said and
answered stays on their own channel. Without documents they have no page.
"""

from __future__ import annotations

from typing import Final

from policies import showing
from policies.case import Case, Network
from policies.commands.form import Form
from policies.effects import Inform
from policies.frozen import frozen
from policies.outcome import Done, Facts, Outcome, Refused, no_such_person
from policies.people.codes import with_room
from policies.words.phrase import phrase

_ASK: Final = phrase("Ask your mediator")
_SET_UP: Final = "Your administrator can set up documents"


@frozen
class OpenPage:
    """A link to a party's own page, in its private room."""

    def perform(self, case: Case, facts: Facts) -> Outcome:
        """Whoever else reads that room sees the link, and opens nothing without the code or the PIN."""
        person = case.person(facts.by) if facts.by else None
        if person is None or case.is_staff(person.id):
            return Refused("A party asks for that, in its private room", "!page pin NAME gives it a PIN")
        if facts.page is None:
            return Refused(phrase("This service has no page"), _ASK)
        if person.endpoint.network is Network.EMAIL:
            text = phrase("You asked for a link to your page.")
            return Done(case, "", (Inform(person.id, facts.where, text, page=True, wished=True),))
        base = facts.page_elsewhere(person)
        if base is None:
            return Refused(phrase("Your page would show documents, and this service keeps none"), _ASK)
        now, made = with_room(case, person)
        return Done(now, "", (*made, showing.GiveLink(person.id, facts.where, base)))


@frozen
class GivePagePin:
    """A PIN for somebody's page; a former one stops working."""

    name: str

    def perform(self, case: Case, facts: Facts) -> Outcome:
        """The desk is shown it, once."""
        person = case.named(self.name)
        if person is None or case.is_staff(person.id):
            return no_such_person(case, self.name)
        if facts.page is None:
            return Refused("This service has no page", "Your administrator can set up documents, or mail")
        if person.endpoint.network is not Network.EMAIL and facts.page_elsewhere(person) is None:
            return Refused(f"{person.name}'s page would show documents, and this service keeps none", _SET_UP)
        return Done(case, "", (showing.GivePin(person.id),))


PageCommand = OpenPage | GivePagePin

FORMS: tuple[Form[PageCommand], ...] = (
    Form(
        "page",
        "!page",
        phrase("a link to your own page, to look at documents and hand them in; it opens with a code or your PIN"),
        "!page",
        lambda _: OpenPage(),
        desk=False,
        party=True,
    ),
    Form(
        "page pin",
        "!page pin NAME",
        "a PIN for the page of a party on any channel; tell it by telephone",
        "!page pin Alice",
        lambda words: GivePagePin(" ".join(words)) if words else "A name is missing",
    ),
)
