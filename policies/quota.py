"""How much of documents there may be: in a case, of one person in it, and of that person in a day."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from policies.case import Case, PersonId
from policies.document import Document, Version

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


@dataclass(frozen=True, slots=True)
class Full:
    """Which limit is reached: `key` tells it from others, `why` is a sentence for who sent the file."""

    key: str
    why: str


def full(case: Case, person: PersonId, size: int, at: datetime, quota: Quota) -> Full | None:
    """Whether one more file of so many bytes would be too much."""
    ask = "Please talk to your mediator."
    theirs = [(d, v) for d, v in _versions(case) if d.owner == person]
    if sum(v.original.size for _, v in _versions(case)) + size > quota.case_bytes:
        most = quota.case_bytes // MEGABYTE
        return Full(
            f"case/{most}", f"The documents of this case have reached {most} MB, which is all there may be. {ask}"
        )
    if sum(v.original.size for _, v in theirs) + size > quota.person_bytes:
        most = quota.person_bytes // MEGABYTE
        return Full(f"{person}/{most}", f"Your documents have reached {most} MB, which is all there may be. {ask}")
    if sum(v.at > at - _DAY for _, v in theirs) >= quota.day_files:
        why = f"That is more than {quota.day_files} documents in a day. Please send it tomorrow. {ask}"
        return Full(f"{person}/{at:%Y-%m-%d}", why)
    return None


def _versions(case: Case) -> list[tuple[Document, Version]]:
    return [(d, v) for d in case.documents if not d.into for v in d.versions]
