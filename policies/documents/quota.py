"""How much of documents there may be: in a private room, of one person in the case, and of that person in a day.

Nothing is counted over several rooms: whoever is refused knows how much is their own, and by trying sizes would learn
how much another side has shared (I1).
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from policies.case import Case, Conversation, PersonId
from policies.documents.document import Document, Version
from policies.frozen import frozen
from policies.plan import desk_label
from policies.words.phrase import Phrase, phrase

MEGABYTE: Final = 1_000_000
_DAY: Final = timedelta(days=1)


@frozen
class Quota:
    """`room_bytes` of one private room, `person_bytes` of one person in the case, `day_files` of that person within 24
    hours. What was sent counts, in quarantine, too."""

    room_bytes: int = 5_000 * MEGABYTE
    person_bytes: int = 1_000 * MEGABYTE
    day_files: int = 100


USUAL: Final = Quota()


_NO_ROOM: Final = phrase("There is no room for more documents here at the moment. Please talk to your mediator.")
"""The same whichever limit it is: a room that is full would tell one person how much another has shared."""
_TOMORROW: Final = phrase("That is more documents than one person may send in a day. Please send it tomorrow.")


@frozen
class Full:
    """`limit`: which one is reached, for the mediators alone; `why` is a sentence for who sent the file."""

    limit: str
    why: Phrase


def full(case: Case, person: PersonId, home: Conversation, size: int, at: datetime, *, quota: Quota) -> Full | None:
    """Whether one more file of so many bytes, of that person's and of that private room, would be too much."""
    name = case.name_of(person)
    theirs = [version for document, version in _versions(case) if case.same_voice(document.owner, person)]
    there = [version for document, version in _versions(case) if document.home == home]
    if sum(v.original.size for v in there) + size > quota.room_bytes:
        return Full(f"{quota.room_bytes // MEGABYTE} MB for {desk_label(home, case)}", _NO_ROOM)
    if sum(v.original.size for v in theirs) + size > quota.person_bytes:
        return Full(f"{quota.person_bytes // MEGABYTE} MB for {name}", _NO_ROOM)
    if sum(v.at > at - _DAY for v in theirs) >= quota.day_files:
        return Full(f"{quota.day_files} files in a day for {name}, {at:%Y-%m-%d}", _TOMORROW)
    return None


def _versions(case: Case) -> list[tuple[Document, Version]]:
    return [(d, v) for d in case.documents if not d.into for v in d.versions]
