"""What is refused, but does no harm that we know of: it lies locked in the vault until a mediator keeps it as it is.

refused ──▶ locked: nobody gets it ──▶ kept as it was sent, by a mediator's word and reason, on record with its hash

Malware, programs, macros, and what only a trick needs, are never locked up, so nobody can let them out.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Final

from policies.case import Case, Conversation, PersonId
from policies.documents.document import Document, Kept, Label, Version
from policies.documents.files import Kind, file_name
from policies.documents.versions import another, same_file
from policies.frozen import frozen
from policies.names import Kind as RoomKind
from policies.words.phrase import Phrase, phrase

REASON_LIMIT: Final = 300


@frozen
class Locked:
    """A file that was refused: whose, for which room, called what, where it lies, and why."""

    owner: PersonId
    home: Conversation
    name: str
    kept: Kept
    why: Phrase


def locked(case: Case, file: Locked, at: datetime) -> Document | None:
    """The document that it would be; None if the very same file is there already."""
    owner, home, kept = file.owner, file.home, file.kept
    if same_file(case, owner, home, kept.sha256):
        return None
    label = Label.CAUCUS if home.kind is RoomKind.CAUCUS else Label.MEDIATORS
    version = Version(1, label, Kind.OTHER, Kind.OTHER.mimetype, at, kept, kept)
    document = another(case, owner, home, file_name(file.name, Kind.OTHER), version)
    return replace(document, quarantined=file.why)


def let_out(document: Document, mediator: str, reason: str) -> Document:
    """The document as it was sent, with who had it kept and why on its card."""
    note = phrase(
        "It was refused ({why}) {mediator} had it kept as it was sent, not made harmless: {reason}",
        why=document.quarantined or "",
        mediator=mediator,
        reason=reason,
    )
    version = replace(document.newest, changes=(note,))
    return replace(document.with_version(version), quarantined=None)
