"""A mediator keeps a file that was refused, as it was sent: with a reason, on record, and told to whose it is (D3)."""

from __future__ import annotations

from policies.case import Case, PersonId
from policies.commands.form import Form
from policies.commands.naming import NUMBER
from policies.documents import cards
from policies.documents.enclosing import may_be_named_to
from policies.documents.filing import announced
from policies.documents.quarantine import REASON_LIMIT, let_out
from policies.documents.rights import at_home
from policies.frozen import frozen
from policies.outcome import Done, Facts, Outcome, Refused
from policies.words.phrase import Phrase
from policies.words.text import one_line

_EXAMPLE = "!doc keep D3: it is the recording of our call"


@frozen
class KeepLocked:
    """Out of the quarantine, as it is."""

    number: str
    reason: str

    def perform(self, case: Case, facts: Facts) -> Outcome:
        """By a mediator who could see it were it a document; on record with its hash."""
        document = case.document(self.number)
        mediator = case.person(facts.by) if facts.by and case.is_staff(facts.by) else None
        if mediator is None:
            return Refused("Only a mediator can do that", "Say it at the desk")
        if document is None or mediator.id not in at_home(case, document, document.newest.label):
            return Refused(f"There is no document {one_line(self.number, 12).upper()}", "!doc list shows what there is")
        if document.quarantined is None:
            return Refused(f"{document.id} is not locked", f"!doc show {document.id}")
        reason = one_line(self.reason, REASON_LIMIT)
        document = let_out(document, mediator.name, reason)
        case, version = case.with_document(document), document.newest

        def shown(audience: frozenset[PersonId]) -> Phrase:
            named = may_be_named_to(case, document, version, audience, facts.at)
            return cards.card(case, document, version, facts.at, named=named)

        hash_ = version.original.sha256
        note = f"{document.id}, SHA-256 {hash_}, is kept as it was sent, by {mediator.name}. Reason: {reason}"
        return Done(case, note, announced(case, document.home, shown))


def _keep(words: list[str]) -> KeepLocked | str:
    number, reason = (words[0].removesuffix(":") if words else ""), " ".join(words[1:]).removeprefix(":").strip()
    if not NUMBER.fullmatch(number) or not reason:
        return "Name a locked document, and after a colon why it is to be kept"
    return KeepLocked(number, reason)


FORMS: tuple[Form[KeepLocked], ...] = (
    Form(
        "doc keep",
        "!doc keep D3: REASON",
        "keeps a refused file as it was sent; its sender is told, and your reason is on record",
        _EXAMPLE,
        _keep,
        caucus=True,
    ),
)
