"""What a kind's module answers: what it made, or why it can't be taken.

A child says no words of its own: it may be in the hands of the file it reads. It gives the names of these.
"""

from __future__ import annotations

from enum import Enum
from typing import Final

from appservice.documents.pipeline import limits
from policies.documents.files import Kind
from policies.frozen import frozen
from policies.words.phrase import phrase


class Reason(Enum):
    """Why a file can't be taken: a sentence for who sent it, and what they can do."""

    EMPTY = phrase("This file is empty.")
    ENCRYPTED = phrase("This file is encrypted, or has a password. Please save or print it without one, and send that.")
    DAMAGED = phrase("This file is damaged, or is not what it seems to be, and could not be read.")
    TOO_MUCH = phrase(
        "This file needs far more memory or room than such a file should. Please send it in a simpler form."
    )
    TRICK = phrase("This file is built in a way that only a trick needs, and is not taken.")
    TWO_IN_ONE = phrase("This file is two kinds of file at once, which only a trick makes. Please send the plain one.")
    BEFORE = phrase(
        "There is something before the beginning of this PDF. Please print it into a new PDF, and send that."
    )
    AFTER = phrase("Something follows after the end of this PDF. Please print it into a new PDF, and send that.")
    CUT_OFF = phrase("This PDF is cut off, or something follows after its end. Please send it again, whole.")
    PAGES = phrase("A PDF has at least one page, and at most {pages}.", pages=limits.PAGES)
    PIXELS = phrase(
        "This picture has more than {millions} million points. Please send a smaller one.",
        millions=limits.PIXELS // limits.MEGABYTE,
    )
    LONG_TEXT = phrase("A plain text has at most {most} MB.", most=limits.TEXT // limits.MEGABYTE)
    MACROS = phrase(
        "This document can carry programs (macros), so it is not taken, whatever its name says. Please save it without "
        "macros, or as PDF."
    )
    HAS_FILES = phrase(
        "This document has other files, or links to data elsewhere, in it. Please save it as PDF, and send that."
    )
    OLD_OFFICE = phrase(
        "This is an Office file of the old form, or one with a password. Please save it as PDF, .docx or .odt, without "
        "a password."
    )
    RTF = phrase("RTF can carry programs and is not taken. Please save it as PDF, .docx or .odt.")
    PROGRAM = phrase("Programs are not taken.")
    PACKED = phrase("Packed files are not taken. Please send what is in it, one file at a time.")
    WEB_PAGE = phrase(
        "Web pages and drawings that can carry programs (HTML, SVG) are not taken. Please save it as PDF."
    )
    MOVING = phrase(
        "Videos, sound, and pictures in Apple's form (HEIC) are not taken as documents. Please send a JPEG or a PDF."
    )
    OTHER_PICTURE = phrase("Pictures of this kind are not taken. Please send a JPEG, a PNG or a PDF.")
    UNKNOWN = phrase(
        "Files of this kind are not taken. Please send a PDF, a picture (JPEG, PNG), plain text, or a document as "
        ".docx, .xlsx, .pptx, .odt, .ods or .odp."
    )
    NO_SUCH_PAGE = phrase("There is no such page.")
    NO_SUCH_WORDS = phrase(
        "Some of these words stand nowhere in it as text: perhaps the page is a picture, or they go over the end of a "
        "line. Please name the place instead."
    )
    LONG_TO_COVER = phrase(
        "Of a document of more than {pages} pages no redacted version is made. Please send the pages "
        "that are to be shared as a document of their own.",
        pages=limits.COVERED_PAGES,
    )
    NOT_COVERED = phrase("The redacted version was not as it should be, so nothing was kept of it.")


HARMFUL: Final = frozenset({Reason.MACROS, Reason.PROGRAM})
"""What could do something on the machine of whoever opens it."""


KEEPABLE: Final = frozenset(
    {
        *(Reason.ENCRYPTED, Reason.PACKED, Reason.MOVING, Reason.OTHER_PICTURE),
        *(Reason.UNKNOWN, Reason.LONG_TEXT, Reason.PAGES),
    }
)
"""What a mediator may have kept as it is: what may be honest, though we can't look into it. No trick is."""


class Change(Enum):
    """What the harmless version is without, or still has: a sentence for who sent the file."""

    ACTS = phrase("What would have run or opened something by itself (actions, scripts, launches) was removed.")
    FILES = phrase("Files, sound or video hidden inside it were removed.")
    WROTE = phrase("Notes on who wrote it, when and with what were removed.")
    FORM = phrase("An old kind of form in it (XFA) was removed.")
    SIGNED = phrase(
        "It carries a digital signature. The copy that others get is a changed one, in which that can't be verified; "
        "the original is kept."
    )
    PLACE = phrase("The notes inside the picture (such as place, time and camera) were removed.")
    INVISIBLE = phrase("Invisible characters, or such that change the direction of reading, were taken out.")
    TRACKED = phrase("Comments or tracked changes are in it, with the names of who made them. They stay.")


@frozen
class Made:
    """The harmless version was written. `pages` as in `outcome.Clean`."""

    kind: Kind
    pages: int | None = None
    changes: tuple[Change, ...] = ()


class Unacceptable(Exception):
    """The file can't be taken."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.name)
        self.reason = reason
