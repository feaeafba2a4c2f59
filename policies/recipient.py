"""Whose copy of a document is made for them alone, and what stands on it (D5)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from policies.case import Case, Person
from policies.document import Document, Version
from policies.documents import Denied, Wish, served
from policies.files import Kind
from policies.phrase import phrase, together
from policies.text import moment, one_line

MARKED = frozenset({Kind.PDF, Kind.JPEG, Kind.PNG, Kind.WEBP})
"""What can carry a mark. Whatever else is handed out is as it is kept, and on record so."""


@dataclass(frozen=True, slots=True)
class Stamp:
    """What a copy says: whose it is, since when, and the short id under which that stands on record."""

    person: str
    at: datetime
    mark: str

    @property
    def line(self) -> str:
        """As it stands on each page."""
        return f"Copy for {one_line(self.person, 40)}, {moment(self.at)}, {one_line(self.mark, 12)}"


def stamp_for(document: Document, version: Version, person: Person, mark: str, at: datetime) -> Stamp | None:
    """What is to stand on what somebody downloads; None: they get it as it is kept. Its owner needs no mark, and what
    can't carry one goes without."""
    return None if document.owner == person.id or version.kind not in MARKED else Stamp(person.name, at, mark)


def handed_out(case: Case, document: Document, wish: Wish, stamp: Stamp | None, sha256: str) -> Document | Denied:
    """The document with that written down before it leaves: the very bytes, and whose copy they are."""
    how = (
        together([phrase("downloaded from the page, as a copy"), phrase("marked {mark}", mark=stamp.mark)])
        if stamp
        else phrase("downloaded from the page")
    )
    return served(case, document, wish, how, sha256)
