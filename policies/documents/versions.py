"""Which document a file becomes: another one, or a new version of one, if its owner says so.

Names say nothing: a logo has the same in every mail, and two contracts may both be "contract.pdf". The same bytes are
the same document.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from policies.case import Case, Conversation, PersonId
from policies.documents.document import Document, DocumentId, Label, Version, strictest
from policies.documents.files import another_name
from policies.words.phrase import Phrase, phrase


def their_own(case: Case, owner: PersonId, home: Conversation) -> Iterator[Document]:
    """What somebody brought to a room: what may have a new version of theirs."""
    return (document for document in _brought(case, owner, home) if not document.quarantined)


def same_file(case: Case, owner: PersonId, home: Conversation, sha256: str) -> tuple[Document, Version] | None:
    """Where its owner has brought the very same bytes to that room before; `sha256`: of what was sent. What lies locked
    comes last."""
    for document in sorted(_brought(case, owner, home), key=lambda d: d.quarantined is not None):
        for version in document.versions:
            if version.original.sha256 == sha256:
                return document, version
    return None


def another(case: Case, owner: PersonId, home: Conversation, name: str, version: Version) -> Document:
    """A document of its own, by a name that none of theirs has there. It begins as strict as those that have it: it may
    be meant for one of them, and its owner can widen it."""
    theirs = list(_brought(case, owner, home))
    labels = [d.newest.label for d in theirs if name in {d.name, d.called}]
    label = strictest([version.label, *(one for one in labels if one in {Label.MEDIATORS, Label.PRIVILEGED})])
    free = another_name(name, {d.name for d in theirs})
    return Document(case.new_document_id(home), owner, home, free, (replace(version, label=label),), called=name)


def namesake(case: Case, document: Document) -> Document | None:
    """Which of theirs has the name that a new one would have had."""
    theirs = _brought(case, document.owner, document.home)
    return next((d for d in theirs if d.name == document.called != document.name), None)


def grown(case: Case, owner: PersonId, home: Conversation, document: DocumentId, version: Version) -> Document | None:
    """That document with one version more, if it is theirs and of that room."""
    found = next((d for d in their_own(case, owner, home) if d.id == document), None)
    return found.with_version(replace(version, number=found.newest.number + 1)) if found else None


def joined(case: Case, document: Document, into: Document) -> Case:
    """The case in which the one is a new version of the other, with what was served of it. Its number ends with it."""
    number = into.newest.number + 1
    moved = tuple(replace(serving, version=number) for serving in document.servings)
    longer = into.with_version(replace(document.newest, number=number))
    longer = replace(longer, servings=(*into.servings, *moved), exposed=into.exposed | document.exposed)
    return case.with_document(longer).with_document(replace(document, into=into.id))


def why_not(case: Case, document: Document, into: Document) -> Phrase | None:
    """Why the one can't become a version of the other; None if it can."""
    of_one = case.same_voice(document.owner, into.owner) and document.home == into.home
    if not of_one or document.id == into.id:
        return phrase("They are not two documents of one owner in one room")
    if len(document.versions) > 1 or document.grants:
        return phrase("{number} has versions, or was given to others, already", number=document.id)
    return None


def _brought(case: Case, owner: PersonId, home: Conversation) -> Iterator[Document]:
    there = (d for d in case.documents if (d.home, d.into) == (home, None))
    return (d for d in there if case.same_voice(d.owner, owner))
