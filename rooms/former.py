"""Rooms that another has taken the place of: their records stay, for what is still to be read of them."""

from __future__ import annotations

from typing import Final

from policies.plan import RoomKey
from rooms.ports import RoomRecord

_FORMER: Final = "/former/"


def former_key(record: RoomRecord) -> RoomKey:
    """Where the record of a room is kept that another has taken the place of."""
    return RoomKey(f"{record.key}{_FORMER}{record.marker}")


def served_by(record: RoomRecord) -> tuple[RoomKey, bool]:
    """What a room serves, or has served; and whether it still does."""
    key, former, _ = record.key.partition(_FORMER)
    return RoomKey(key), not former
