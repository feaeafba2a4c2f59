"""What became of a send that no server has answered for: the same in every network."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class NotSent:
    """It certainly did not leave; trying again is safe. `reason` is for the operator, without addresses or numbers."""

    reason: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """It was sent and the answer was lost: it may arrive or not. Never repeated but by a person."""

    reason: str
