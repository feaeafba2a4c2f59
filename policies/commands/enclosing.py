"""A document itself to one person's channel outside Matrix, by command (`policies.documents.enclosing`)."""

from __future__ import annotations

from policies.case import Case, Person
from policies.commands.form import Form
from policies.commands.naming import NUMBER, WHICH, done, find
from policies.documents import cards
from policies.documents.carrying import Enclose
from policies.documents.document import Action, Document, Version
from policies.documents.enclosing import endless, not_carried, not_enclosed
from policies.documents.rights import Denied, Wish, may
from policies.frozen import frozen
from policies.outcome import Facts, Outcome, Refused, no_such_person
from policies.people.membership import caucuses_of
from policies.words.phrase import phrase


@frozen
class SendDocument:
    """Send a version to somebody as a copy of their own."""

    number: str
    name: str | None = None

    def perform(self, case: Case, facts: Facts) -> Outcome:
        """A mediator names whom; a party gets its own copy alone, and learns of no other's channel."""
        found = find(case, self.number, facts)
        if isinstance(found, Refused):
            return found
        staff = facts.by is not None and case.is_staff(facts.by)
        to = _whom(case, self.name, facts, staff=staff)
        if isinstance(to, Refused):
            return to
        document, version = found
        why = _objection(case, document, version, to, facts)
        if why:
            return why
        own = caucuses_of(case, to.id)
        if len(own) != 1:
            return Refused(phrase("{name} has no private room, or several", name=to.name), f"!doc show {document.id}")
        number = cards.number_of(document, version)
        note = phrase("{number} is being sent to {name}, as a copy of their own.", number=number, name=to.name)
        kept = Enclose(document.id, version.number, version.served.sha256, own[0], to.id)
        return done(case, note, facts, kept, shown=note)


def _whom(case: Case, name: str | None, facts: Facts, *, staff: bool) -> Person | Refused:
    asking = case.person(facts.by) if facts.by else None
    if name is None and asking and not staff:
        return asking
    if not staff:
        return Refused(
            phrase("A document is sent to others by a mediator alone"), phrase("Without a name it is sent to you")
        )
    if name is None:
        return Refused("Name to whom", "!doc send D1 to Carl")
    return case.named(name) or no_such_person(case, name)


def _objection(case: Case, document: Document, version: Version, to: Person, facts: Facts) -> Refused | None:
    number = cards.number_of(document, version)
    access = may(case, document, Wish(to.id, Action.DOWNLOAD, version.number, facts.at))
    if isinstance(access, Denied):
        return Refused(
            phrase("{name} may not download {number}", name=to.name, number=number),
            phrase("!doc grant {number} download to NAME asks its owner", number=number),
        )
    why = endless(access) or not_carried(case, document, version, to) or not_enclosed(document, version, to)
    if why:
        return Refused(
            phrase("{number} can't be sent: {why}", number=number, why=why),
            phrase("It can be downloaded from the page behind a link"),
        )
    return None


EncloseCommand = SendDocument


def _send(words: list[str]) -> SendDocument | str:
    if not words or not NUMBER.fullmatch(words[0]):
        return WHICH
    name = " ".join(words[1:]).removeprefix("to ").strip()
    return SendDocument(words[0], name or None)


FORMS: tuple[Form[EncloseCommand], ...] = (
    Form(
        "doc send",
        "!doc send D1 [to NAME]",
        phrase("sends the document itself to somebody who may download it, as a copy that carries their name"),
        "!doc send D1 to Carl",
        _send,
        caucus=True,
        party=True,
    ),
)
