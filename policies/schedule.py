"""Effect: time itself comes back to a case, and for what."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from policies.frozen import frozen


class Due(StrEnum):
    """What can be due in a case."""

    ASK = "ask"
    """A question may be answered no longer."""
    HEADS = "heads"
    """The heads of the record are to leave the machine."""
    JOINING = "joining"
    """Somebody was invited, and may not have come in."""
    PAUSE = "pause"
    """A pause ends."""
    DOCUMENT = "document"
    """A grant of a document ends."""
    SUCCESSION = "succession"
    """Nobody came back to the desk."""
    FLOOR = "floor"
    """Something about who may speak in the joint room ends."""
    CLOSING = "closing"
    """A closed case has kept something for its time."""


def due_key(what: Due, of: str = "") -> str:
    """The key of a Schedule: what is due, and of what."""
    return f"{what}:{of}"


@frozen
class Schedule:
    """Time itself comes back, as an item of the case's lane, as soon as it is `at`: `policies.due` decides what then
    happens. `key` says what is due; it is never content."""

    at: datetime
    key: str
