"""How long something lasts, as people write it: `10m`, `2h`, `1h30m`, `3d`."""

from __future__ import annotations

import re
from datetime import timedelta

from policies.words.phrase import phrase

_PARTS = re.compile(r"(?:(?P<d>\d{1,3})d)?(?:(?P<h>\d{1,3})h)?(?:(?P<m>\d{1,4})m(?:in)?)?", re.IGNORECASE)
HOW_LONG = phrase("How long is written like 10m, 2h or 3d, at most a year")


def duration(word: str) -> timedelta | None:
    """The time that a word says; None if it says none, or more than a year."""
    found = _PARTS.fullmatch(word)
    if not found:
        return None
    days, hours, minutes = (int(found[unit] or 0) for unit in "dhm")
    length = timedelta(days=days, hours=hours, minutes=minutes)
    return length if timedelta(0) < length <= timedelta(days=366) else None


def in_words(length: timedelta) -> str:
    """The same for people: `10 minutes`, `2 hours`."""
    minutes = length // timedelta(minutes=1)
    for size, unit in ((24 * 60, "day"), (60, "hour"), (1, "minute")):
        if minutes % size == 0 and minutes >= size:
            return f"{minutes // size} {unit}{'' if minutes == size else 's'}"
    return "no time"
