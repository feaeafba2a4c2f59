"""Whose copy of a document is made for them alone, and what stands on it (D5)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import Enum, auto
from types import MappingProxyType

from policies.case import Case, Person
from policies.documents.document import Document, Version
from policies.documents.files import Kind
from policies.documents.rights import Denied, Wish, served
from policies.frozen import frozen
from policies.words.phrase import Phrase, phrase, together
from policies.words.text import moment, one_line

MARKED = frozenset({Kind.PDF, Kind.JPEG, Kind.PNG, Kind.WEBP})
"""What can carry a mark. Whatever else is handed out is as it is kept, and on record so."""


class Way(Enum):
    """How a file leaves to its recipient."""

    PAGE = auto()
    MAIL = auto()
    WHATSAPP = auto()


_HOW: Mapping[Way, tuple[Phrase, Phrase]] = MappingProxyType(
    {
        Way.PAGE: (phrase("downloaded from the page"), phrase("downloaded from the page, as a copy")),
        Way.MAIL: (phrase("made to go by mail"), phrase("made to go by mail, as a copy")),
        Way.WHATSAPP: (phrase("made to go by WhatsApp"), phrase("made to go by WhatsApp, as a copy")),
    }
)
"""What stands on record of it: without a mark, and with one. It is written before the first byte leaves, and once for
each try: it says that it was made, not that it left."""


@frozen
class Stamp:
    """What a copy says: whose it is, since when, and the short id under which that stands on record."""

    person: str
    at: datetime
    mark: str

    @property
    def line(self) -> str:
        """As it stands on each page."""
        return f"Copy for {one_line(self.person, 40)}, {moment(self.at)}, {one_line(self.mark, 12)}"


def stamp_for(
    case: Case, document: Document, version: Version, person: Person, *, mark: str, at: datetime
) -> Stamp | None:
    """What is to stand on what somebody downloads; None: they get it as it is kept. Its owner needs no mark, and what
    can't carry one goes without."""
    is_own = case.same_voice(document.owner, person.id)
    return None if is_own or version.kind not in MARKED else Stamp(person.name, at, mark)


@frozen
class Leaving:
    """What is about to leave: the hash of the very bytes, whose copy they are, and which way."""

    sha256: str
    stamp: Stamp | None
    way: Way = Way.PAGE


def handed_out(case: Case, document: Document, wish: Wish, leaving: Leaving) -> Document | Denied:
    """The document with that written down before it leaves."""
    plain, marked = _HOW[leaving.way]
    how, mark = (marked, leaving.stamp.mark) if leaving.stamp else (plain, "")
    return served(case, document, wish, how, sha256=leaving.sha256, mark=mark)


def said_beside(number: str, stamp: Stamp | None, way: Way) -> Phrase:
    """What whoever is sent a copy reads beside it."""
    if way is Way.MAIL:
        copy = phrase("Attached is your own copy of {number}.", number=number)
        kept = phrase(
            "That it was sent to you is on record. A mail can be read by whoever carries it, and can't be taken back."
        )
    else:
        copy = phrase("This is your own copy of {number}.", number=number)
        kept = phrase(
            "That it was sent to you is on record. What WhatsApp carries, Meta can read, and can't be taken back."
        )
    whose = phrase("It carries your name, and the mark {mark}.", mark=stamp.mark) if stamp else ""
    return together([copy, whose, kept])
