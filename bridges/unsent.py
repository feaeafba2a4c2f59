"""What became of a send that no server has answered for: the same in every network."""

from policies.frozen import frozen


@frozen
class NotSent:
    """It certainly did not leave; trying again is safe. `reason` is for the operator, without addresses or numbers."""

    reason: str


@frozen
class Unknown:
    """It was sent and the answer was lost: it may arrive or not. Never repeated but by a person."""

    reason: str
