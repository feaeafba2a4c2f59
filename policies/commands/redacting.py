"""A redacted version of a document, by command: words, or places on its pages (D8)."""

from __future__ import annotations

import re
from typing import Final

from policies.case import Case
from policies.commands.form import Form
from policies.commands.naming import NUMBER, WHICH, done, find_managed
from policies.documents import cards
from policies.documents.carrying import Cover
from policies.documents.document import Area
from policies.frozen import frozen
from policies.outcome import Facts, Outcome, Refused
from policies.words.phrase import phrase, together

MARKED_MOST: Final = 50
"""Places and words in one command."""
_LONGEST: Final = 100
_EXAMPLE: Final = "!doc redact D3 “Alice Smith” 2:10,20-60,28"
_HOW: Final = phrase(
    "Name a document, and words in quotation marks, or places as page:left,top-right,bottom in percent of the page"
)
TOO_MUCH: Final = phrase(
    "At most {most} places and words at once, each of at most {longest} characters", most=MARKED_MOST, longest=_LONGEST
)
_PERCENT: Final = r"(\d{1,3}(?:\.\d)?)"
_PLACE: Final = re.compile(rf"(\d{{1,4}}):{_PERCENT},{_PERCENT}-{_PERCENT},{_PERCENT}")
_WORDS: Final = re.compile(r"[“„«\"]([^“”„«»\"]+)[”“»\"]")


@frozen
class RedactDocument:
    """Have a version made in which that is black."""

    number: str
    areas: tuple[Area, ...]
    words: tuple[str, ...]

    @property
    def places(self) -> str:
        """The places as they are written."""
        return " ".join(area_text(area) for area in self.areas)

    def perform(self, case: Case, facts: Facts) -> Outcome:
        """Its owner, and the mediators where they may see it. The words stand on no record."""
        found = find_managed(case, self.number, facts)
        if isinstance(found, Refused):
            return found
        document, version = found
        if facts.by is None:
            return Refused("Only somebody who may see it can do that", "!doc list shows what there is")
        if not version.kind.has_pages:
            return Refused(phrase("Only PDF and pictures can be redacted"), phrase("Save it as PDF, and share that"))
        wish = Cover(document.id, version.number, version.served.sha256, self.areas, self.words, facts.by)
        number = cards.number_of(document, version)
        note = phrase("A redacted version of {number} is being made.", number=number)
        return done(case, note, facts, wish, shown=together([note, phrase("Its card comes here.")]))


def wished(number: str, areas: tuple[Area, ...], words: tuple[str, ...]) -> RedactDocument | None:
    """The command, unless there is nothing in it, or too much."""
    is_one = (areas or words) and fits(areas, words) and NUMBER.fullmatch(number)
    return RedactDocument(number, areas, words) if is_one else None


def fits(areas: tuple[Area, ...], words: tuple[str, ...]) -> bool:
    """Whether that is not too much for one command."""
    return len(areas) + len(words) <= MARKED_MOST and all(len(one) <= _LONGEST for one in words)


def _redact(words: list[str]) -> RedactDocument | str:
    if not words or not NUMBER.fullmatch(words[0]):
        return WHICH
    rest = " ".join(words[1:])
    quoted = tuple(dict.fromkeys(" ".join(one.split()) for one in _WORDS.findall(rest)))
    places = _WORDS.sub(" ", rest).split()
    areas = tuple(area_from(place) for place in places)
    known = tuple(area for area in areas if area)
    if len(known) < len(areas) or not (known or quoted) or "" in quoted:
        return _HOW
    return RedactDocument(words[0], known, quoted) if fits(known, quoted) else TOO_MUCH


def area_from(place: str) -> Area | None:
    """The place that is written so, as `2:10,20-60,28.5`; None for what is none."""
    match = _PLACE.fullmatch(place)
    if not match:
        return None
    page, *sides = match.groups()
    left, top, right, bottom = (round(float(side) * 10) for side in sides)
    is_one = int(page) >= 1 and left < right <= 1000 and top < bottom <= 1000
    return Area(int(page), left, top, right, bottom) if is_one else None


def area_text(area: Area) -> str:
    """How a place is written."""
    left, top, right, bottom = (f"{side // 10}.{side % 10}" for side in (area.left, area.top, area.right, area.bottom))
    return f"{area.page}:{left},{top}-{right},{bottom}"


FORMS: tuple[Form[RedactDocument], ...] = (
    Form(
        "doc redact",
        "!doc redact D1 “WORDS” PAGE:LEFT,TOP-RIGHT,BOTTOM …",
        phrase("makes a version in which words, or places in percent of a page, are black for good"),
        _EXAMPLE,
        _redact,
        caucus=True,
        party=True,
    ),
)
