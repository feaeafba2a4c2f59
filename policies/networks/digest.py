"""Digests: what others say goes to somebody's mailbox at hours of their own, instead of at once (B6).

Clocks are put forward and back: a time that a day has twice comes once, the first time; one that a day lacks comes when
it would have been. What is due while it is quiet there goes when that is over.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, time, timedelta
from typing import Final

from policies.frozen import frozen
from policies.networks.quiet import Quiet, awake
from policies.words.phrase import Phrase, phrase
from policies.words.zones import zone_named

TIMES_MOST: Final = 6
"""A day: who wants more wants no digest."""
_TIME = re.compile(r"(\d{1,2}):(\d{2})")


@frozen
class Digest:
    """At these times of each day, in minutes after midnight there, in order. `zone` is a name of the IANA database."""

    times: tuple[int, ...]
    zone: str

    def __str__(self) -> str:
        return f"{', '.join(f'{at // 60:02}:{at % 60:02}' for at in self.times)} {self.zone}"


def read_times(text: str) -> tuple[int, ...] | str:
    """Times of the day as people write them, `18:00` or `08:00,18:00`, or what is wrong with them."""
    found = [_TIME.fullmatch(one.strip()) for one in text.split(",")]
    times = {int(one[1]) * 60 + int(one[2]) for one in found if one and int(one[1]) < 24 and int(one[2]) < 60}
    if not all(found) or len(times) != len(found):
        return phrase("Times are written like 18:00, or 08:00,18:00 for two a day, from 00:00 to 23:59")
    return (
        tuple(sorted(times)) if len(times) <= TIMES_MOST else phrase("At most {number} times a day", number=TIMES_MOST)
    )


def next_digest(digest: Digest, quiet: Quiet | None, after: datetime) -> datetime | None:
    """When the first digest goes after that moment, in UTC; None for a time zone that nobody knows any more."""
    zone = zone_named(digest.zone)
    if zone is None:
        return None
    today = after.astimezone(zone).date()
    # Of the day before, too: what was due in a quiet evening goes in the morning.
    days = (today + timedelta(days=days) for days in (-1, 0, 1, 2))
    clocks = (datetime.combine(day, time(at // 60, at % 60), zone) for day in days for at in digest.times)
    moments = (awake(quiet, clock.astimezone(UTC)) for clock in clocks)
    return min(moment for moment in moments if moment > after)


def digest_text(digest: Digest | None) -> Phrase:
    """What the person is told."""
    if digest is None:
        return phrase("What others say is mailed to you at once again.")
    return phrase(
        "What others say is mailed to you at {times}, and no more at once. What you are asked comes at once, with all"
        " that was said before it. !digest off ends that.",
        times=str(digest),
    )
