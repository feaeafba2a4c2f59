"""Time zones, by their names in the IANA database, and a moment as clocks show it there (B6)."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

UNIVERSAL: Final = "UTC"
"""Where nobody has said which one it is."""
WRITTEN: Final = "A time zone is written like Europe/Berlin or America/New_York"


def zone_named(name: str) -> ZoneInfo | None:
    """None for names that nobody knows, which a system may forget, too."""
    if not re.fullmatch(r"[A-Za-z0-9_+-]+(?:/[A-Za-z0-9_+-]+)*", name):
        return None
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


def on_the_clock(at: datetime, zone: str, written: Callable[[datetime], str]) -> str:
    """A moment in that form, always with the place and its distance from UTC: an hour that a day has twice is told
    apart, and nobody takes another's clock for theirs."""
    place = zone_named(zone)
    if place is None or zone == UNIVERSAL:
        return f"{written(at.astimezone(UTC))} UTC"
    local = at.astimezone(place)
    city = zone.rpartition("/")[2].replace("_", " ")
    return f"{written(local)} ({city}, UTC{_offset(local.utcoffset() or timedelta(0))})"


def _offset(offset: timedelta) -> str:
    """`+1`, `-4`, `+5:30`; nothing where there is none."""
    minutes = abs(offset) // timedelta(minutes=1)
    if not minutes:
        return ""
    sign = "-" if offset < timedelta(0) else "+"
    return f"{sign}{minutes // 60}{f':{minutes % 60:02}' if minutes % 60 else ''}"
