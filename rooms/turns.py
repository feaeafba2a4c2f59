"""How the lanes of a queue take turns.

A lane stands in line where its first READY item was stored. Whoever is leased goes behind all that wait at that moment,
so that each has a turn before any has a second one: a flood delays others by a turn, however long it lasts. What brings
keys is no exception, so it has a lane for each sender: somebody's keys are waited for by nobody else's words.
"""

from typing import Final

from rooms.queue import Lane

TURN_BYTES: Final = 4_000_000
"""A turn is over with the item whose body reaches that many."""
LEASES_AHEAD: Final = 2
"""A lease that ends more than so many leases from now is none: the clock that wrote it has been set back since."""


def counts_lane(user: str) -> Lane:
    """What the homeserver itself tells of the devices of a user of ours."""
    return Lane(f"crypto:{user}")


def keys_lane(user: str, sender: str) -> Lane:
    """What somebody sends to the devices of a user of ours.

    All who are on other homeservers, where accounts cost nothing, share one.
    """
    is_neighbour = sender.partition(":")[2] == user.partition(":")[2]
    return Lane(f"crypto:{user}:{sender if is_neighbour else 'elsewhere'}")
