"""Quiet hours: when nothing is sent to somebody's mailbox or telephone, by the clock where they live (B6).

Clocks are put forward and back: an hour that a day has twice is quiet both times, and quiet hours that would end in an
hour that a day lacks end right after it.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, time, timedelta

from policies.frozen import frozen
from policies.words.phrase import Phrase, phrase, when
from policies.words.zones import WRITTEN, zone_named

AT_MOST = timedelta(hours=16)
"""Of a day, so that there is always an hour at which everything arrives."""
_HOURS = re.compile(r"(\d{1,2}):(\d{2})[-–](\d{1,2}):(\d{2})")
_DAY = 24 * 60


@frozen
class Quiet:
    """From `start` to `end`, in minutes after midnight there; over midnight if it ends before it starts. `zone` is a
    name of the IANA time zone database."""

    start: int
    end: int
    zone: str

    def __str__(self) -> str:
        return f"{_clock(self.start)}–{_clock(self.end)} {self.zone}"


def read_quiet(hours: str, zone: str) -> Quiet | str:
    """Quiet hours as people write them, or what is wrong with them."""
    found = _HOURS.fullmatch(hours)
    if found is None:
        return phrase("Quiet hours are written like 20:00-08:00")
    numbers = [int(number) for number in found.groups()]
    if any(hour > 23 for hour in numbers[::2]) or any(minute > 59 for minute in numbers[1::2]):
        return phrase("The day has hours from 00:00 to 23:59")
    start, end = numbers[0] * 60 + numbers[1], numbers[2] * 60 + numbers[3]
    if not 0 < (end - start) % _DAY <= AT_MOST // timedelta(minutes=1):
        return phrase(
            "Quiet hours last at most {hours} hours a day; to stop mail altogether, say so",
            hours=AT_MOST // timedelta(hours=1),
        )
    if zone_named(zone) is None:
        return WRITTEN
    return Quiet(start, end, zone)


def quiet_until(quiet: Quiet | None, at: datetime) -> datetime | None:
    """When the quiet hours end in which that moment lies, in UTC; None: it lies in none."""
    zone = zone_named(quiet.zone) if quiet else None
    if quiet is None or zone is None:
        return None
    local = at.astimezone(zone)
    now, over_midnight = local.hour * 60 + local.minute, quiet.end < quiet.start
    inside = now >= quiet.start or now < quiet.end if over_midnight else quiet.start <= now < quiet.end
    if not inside:
        return None
    day = local.date() + timedelta(days=1 if now >= quiet.end else 0)
    end = datetime.combine(day, time(quiet.end // 60, quiet.end % 60), zone)
    # Of an hour that there is twice, the second; of one that there isn't, what the clock shows instead.
    return max(end.replace(fold=fold).astimezone(UTC) for fold in (0, 1))


def still_until(quiet: Quiet | None, rests: datetime | None, at: datetime) -> datetime | None:
    """When something may first be sent after that moment: after the time in which they want nothing at all, and after
    the quiet hours in which that ends. None: at that moment."""
    first = awake(quiet, rests if rests and rests > at else at)
    return first if first > at else None


def awake(quiet: Quiet | None, at: datetime) -> datetime:
    """That moment, or when the quiet hours end in which it lies."""
    return quiet_until(quiet, at) or at


def quiet_text(quiet: Quiet | None) -> Phrase:
    """What the person is told of their quiet hours."""
    if quiet is None:
        return phrase("You have no quiet hours any more. !quiet 20:00-08:00 Europe/Berlin would set some.")
    return phrase("Nothing is sent to you from {hours}; you get it afterwards. !quiet off ends that.", hours=str(quiet))


def rests_text(rests: datetime | None, zone: str) -> Phrase:
    """What the person is told of the time in which they want nothing; by the clock of that zone."""
    if rests is None:
        return phrase("What waited for you is sent now.")
    until = when(rests, zone)
    return phrase("Nothing is sent to you until {time}; you get it afterwards. !quiet off ends that.", time=until)


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"
