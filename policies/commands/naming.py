"""A document as a command names it, and an answer about it that is fit for those who read there."""

from __future__ import annotations

import re
from typing import Final

from policies.case import DESK, Case, Conversation
from policies.documents.document import Action, Document, Version
from policies.documents.enclosing import may_be_named_to
from policies.documents.rights import Allowed, Wish, may
from policies.effects import Effect, Inform, Tell
from policies.outcome import Done, Facts, Refused
from policies.people.membership import readers
from policies.words.phrase import Phrase, phrase
from policies.words.text import one_line

NUMBER: Final = re.compile(r"D\d{1,6}(\.\d{1,4})?", re.IGNORECASE)
"""How a document is named: D1, or D1.2 for its second version."""
WHICH: Final = phrase("Name a document, such as D1")
_NOT_THEIRS = phrase("Only its owner can do that, or a mediator")


def find(case: Case, number: str, facts: Facts) -> tuple[Document, Version] | Refused:
    """The document and version of that number, for somebody who may see it: to all others there is none."""
    name, _, version = number.partition(".")
    document = case.document(name)
    chosen = (document.version(int(version)) if version else document.newest) if document else None
    if document is None or chosen is None or not sees(case, document, chosen, facts):
        return Refused(
            phrase("There is no document {number}", number=one_line(number, 12).upper()),
            phrase("!doc list shows what there is"),
        )
    return document, chosen


def find_managed(case: Case, number: str, facts: Facts) -> tuple[Document, Version] | Refused:
    """The same for its owner and the mediators."""
    found = find(case, number, facts)
    if (
        isinstance(found, Refused)
        or facts.by is None
        or case.is_staff(facts.by)
        or case.same_voice(found[0].owner, facts.by)
    ):
        return found
    return Refused(_NOT_THEIRS, phrase("!doc request {number} asks for it", number=found[0].id))


def sees(case: Case, document: Document, version: Version, facts: Facts) -> bool:
    """Through the API and the command line a document is as far away as its owner's words (A4)."""
    if facts.by is None:
        return False
    return isinstance(may(case, document, Wish(facts.by, Action.VIEW, version.number, facts.at)), Allowed)


def may_be_named(case: Case, document: Document, version: Version, facts: Facts) -> bool:
    """Whether everybody who reads the answer may see the document."""
    where, asking = place_of_answer(case, facts), case.person(facts.by) if facts.by else None
    away = asking is not None and asking.endpoint.is_bridged
    audience = frozenset({asking.id}) if asking and away else readers(case, where)
    return may_be_named_to(case, document, version, audience, facts.at)


def place_of_answer(case: Case, facts: Facts) -> Conversation:
    """Where the asking person is answered: a mediator at the desk, so that no party reads it."""
    return DESK if facts.by is None or case.is_staff(facts.by) else facts.where


def answered(case: Case, text: Phrase, facts: Facts, *more: Effect) -> Done:
    """An answer that is not put on record: it holds names of documents."""
    where = place_of_answer(case, facts)
    told = Tell(DESK, text) if where == DESK or facts.by is None else Inform(facts.by, where, text)
    return Done(case, "", (told, *more))


def done(case: Case, note: str, facts: Facts, *more: Effect, shown: Phrase) -> Done:
    """Something was changed: the desk is told, on record; a party is answered where it spoke."""
    where = place_of_answer(case, facts)
    told: Effect = Tell(DESK, shown) if where == DESK or facts.by is None else Inform(facts.by, where, shown)
    return Done(case, note, (*(() if shown == note and where == DESK else (told,)), *more))
