"""How the lanes of a queue take turns.

A lane stands in line where its first READY item was stored. Whoever is leased goes behind all that wait at that moment,
so that each has a turn before any has a second one: a flood delays others by a turn, however long it lasts. Only a lane
that brings keys keeps its place, for what they open was stored after them.
"""

from typing import Final

from rooms.ports import Lane

TURN_BYTES: Final = 4_000_000
"""A turn is over with the item whose body reaches that many."""
LEASES_AHEAD: Final = 2
"""A lease that ends more than so many leases from now is none: the clock that wrote it has been set back since."""

_KEYS: Final = "crypto:"


def keys_lane(user: str) -> Lane:
    """What the homeserver brings to the devices of a user of ours."""
    return Lane(f"{_KEYS}{user}")


def brings_keys(lane: Lane) -> bool:
    """Whether it is such a lane."""
    return lane.startswith(_KEYS)
