"""A version of a document in which some places are black, and of which nothing can be brought out again (D8).

    !doc redact ─▶ Cover ─▶ made in the confined process, and looked at there ─▶ a new version, as strict as its source

Whoever may give the document to others may have one made. It is seen by whom its source is seen by at home, and by
nobody else before its owner has agreed to that version's very bytes, as with every version.
"""

from __future__ import annotations

from typing import assert_never

from policies.case import DESK, Case, Conversation, PersonId
from policies.documents import cards
from policies.documents.carrying import Cover
from policies.documents.document import Document, Version
from policies.documents.enclosing import may_be_named_to
from policies.documents.filing import Passed, Refused, Waits, announced
from policies.documents.rights import at_home
from policies.documents.versions import grown
from policies.effects import Decision, Effect, Inform, Tell
from policies.frozen import frozen
from policies.outcome import Facts
from policies.people.membership import caucuses_of
from policies.words.phrase import Phrase, phrase, together


@frozen
class Redaction:
    """What became of a wish for a redacted version. `places`: how many are black, on the pages `on`."""

    wished: Cover
    result: Passed | Refused | Waits
    places: int = 0
    on: tuple[int, ...] = ()


def decide_redacted(case: Case, made: Redaction, facts: Facts) -> Decision:
    """What follows once it was made, or could not be."""
    document = case.document(made.wished.document)
    source = document.version(made.wished.version) if document else None
    if document is None or source is None or document.into:
        return _lapsed(case, made.wished)
    match made.result:
        case Passed():
            return _kept(case, (document, source), made, made.result, facts)
        case Refused(why):
            return _not_made(case, (document, source), made.wished.by, phrase("could not be redacted."), why)
        case Waits(why):
            return _not_made(case, (document, source), made.wished.by, phrase("is not redacted yet."), why)
        case _:
            assert_never(made.result)


def _lapsed(case: Case, wish: Cover) -> Decision:
    """Its number ended while it was made."""
    text = phrase(
        "{number} is not redacted: it has ended, or is a version of another document now.", number=wish.document
    )
    return Decision(case, _to(case, wish.by, text), "redaction-lapsed", "the document is gone")


def decide_refused(case: Case, by: PersonId, why: str) -> Decision:
    """What was wished for on the page can't be done any more, as it is handled."""
    text = together([phrase("The redacted version that you wanted is not made."), why])
    return Decision(case, _to(case, by, text), "redaction-refused", "the wish for a redacted version can't be followed")


def _to(case: Case, by: PersonId, text: Phrase) -> tuple[Effect, ...]:
    """Whoever wished for it is told where they are, without its name."""
    own = DESK if case.is_staff(by) else next(iter(caucuses_of(case, by)), None)
    return (Tell(DESK, text),) if own == DESK else (Inform(by, own, text),) if own else ()


def _kept(case: Case, found: tuple[Document, Version], made: Redaction, passed: Passed, facts: Facts) -> Decision:
    document, source = found
    number = document.newest.number + 1
    version = Version(
        number, source.label, passed.kind, passed.mimetype, facts.at, passed.served, passed.original, passed.pages
    )
    longer = grown(case, document.owner, document.home, document.id, version) or document
    case, version = case.with_document(longer), longer.newest
    pages = ", ".join(map(str, made.on))
    note = phrase(
        "{number} was made of {source}: {places} places are black, on pages {pages}. Every page is a picture now, with"
        " no text or anything else behind it. Look at every page before it goes to anybody: what was not marked can"
        " still be read, and words in pictures, forms or comments are not found by themselves. Nobody else sees it"
        " before its owner has agreed to this version.",
        number=f"{document.id}.{number}",
        source=cards.number_of(document, source),
        places=made.places,
        pages=pages,
    )
    reason = f"{document.id}.{number}, SHA-256 {version.served.sha256}, was made of {document.id}.{source.number}"
    return Decision(case, _told(case, longer, version, note, facts), "redacted", reason)


def _not_made(case: Case, found: tuple[Document, Version], by: PersonId, what: Phrase, why: Phrase) -> Decision:
    """Whoever wished for it is told, where they may be told of the document."""
    document, source = found
    text, where = together([cards.number_of(document, source), what, why]), _where(case, document, by)
    told: Effect = Tell(DESK, text) if where == DESK else Inform(by, where, text)
    return Decision(
        case, (told,) if by in at_home(case, document, source.label) else (), "not-redacted", f"{what} {why}"
    )


def _where(case: Case, document: Document, by: PersonId) -> Conversation:
    return DESK if case.is_staff(by) else document.home


def _told(case: Case, document: Document, version: Version, note: Phrase, facts: Facts) -> tuple[Effect, ...]:
    """Its card, to those whose it is, over their own channels, and to the desk, by its name only to who may see it."""

    def text(audience: frozenset[PersonId]) -> Phrase:
        named = may_be_named_to(case, document, version, audience, facts.at)
        return together([note, cards.card(case, document, version, facts.at, named=named)], by="\n")

    return announced(case, document.home, text)
