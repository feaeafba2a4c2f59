"""How much of documents there may be: in a case, of one person in it, and of that person in a day."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from policies.case import Case, PersonId
from policies.documents.document import Document, Version
from policies.words.phrase import Phrase, phrase

MEGABYTE: Final = 1_000_000
_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Quota:
    """`case_bytes` of a case, `person_bytes` of one person in it, `day_files` of that person within 24 hours. What
    was sent counts, in quarantine, too."""

    case_bytes: int = 5_000 * MEGABYTE
    person_bytes: int = 1_000 * MEGABYTE
    day_files: int = 100


USUAL: Final = Quota()


_NO_ROOM: Final = phrase("There is no room for more documents here at the moment. Please talk to your mediator.")
"""The same whichever limit it is: a case that is full would tell one side how much another has shared (I1)."""
_TOMORROW: Final = phrase("That is more documents than one person may send in a day. Please send it tomorrow.")


@dataclass(frozen=True, slots=True)
class Full:
    """`limit`: which one is reached, for the mediators alone; `why` is a sentence for who sent the file."""

    limit: str
    why: Phrase


def full(case: Case, person: PersonId, size: int, at: datetime, quota: Quota) -> Full | None:
    """Whether one more file of so many bytes would be too much."""
    name = case.name_of(person)
    theirs = [version for document, version in _versions(case) if case.same_voice(document.owner, person)]
    if sum(v.original.size for _, v in _versions(case)) + size > quota.case_bytes:
        return Full(f"{quota.case_bytes // MEGABYTE} MB for the case", _NO_ROOM)
    if sum(v.original.size for v in theirs) + size > quota.person_bytes:
        return Full(f"{quota.person_bytes // MEGABYTE} MB for {name}", _NO_ROOM)
    if sum(v.at > at - _DAY for v in theirs) >= quota.day_files:
        return Full(f"{quota.day_files} files in a day for {name}, {at:%Y-%m-%d}", _TOMORROW)
    return None


def _versions(case: Case) -> list[tuple[Document, Version]]:
    return [(d, v) for d in case.documents if not d.into for v in d.versions]
