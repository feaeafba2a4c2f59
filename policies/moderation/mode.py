"""How the joint room is run, as the mediator wants it: values only; `moderation.floor` has what each means (M1)."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from policies.frozen import frozen
from policies.names import PersonId


class Mode(StrEnum):
    """Who writes in the joint room when nothing else is said."""

    OPEN = "open"
    MODERATED = "moderated"
    RELEASED = "released"
    LOCKED = "locked"
    CLOSED = "closed"


@frozen
class Spell:
    """A time that one person has to speak, or to be silent; None: until the mediator ends it."""

    person: PersonId
    until: datetime | None


@frozen
class Floor:
    """Who may speak in the joint room. Whatever has an end, ends by itself (`schedule.Schedule`)."""

    mode: Mode = Mode.RELEASED
    until: datetime | None = None
    """When the mode gives way to `then`."""
    then: Mode = Mode.RELEASED
    turn: Spell | None = None
    """Who alone has the word."""
    muted: tuple[Spell, ...] = ()
    slow: int = 0
    """Minutes that a party waits after each post; 0: none."""
    resting: tuple[Spell, ...] = ()
    """Who has posted, and waits."""
    cooling: datetime | None = None
    """Until when nobody but mediators speaks, whatever the mode."""


AT_FIRST = Floor()
"""How a joint room begins: words cross by the mediator's act."""
