"""What becomes of one delivery."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from policies.frozen import frozen
from policies.message import MessageId


@frozen
class Sent:
    """It was accepted; `result` is the network's own id for it, which stands for what `shows` names from now on."""

    result: str
    shows: MessageId | None = None


@frozen
class Parked:
    """Not now; it waits for `key`, or until then, and does not hold up what is behind it."""

    key: str
    why: str
    until: datetime | None = None


@frozen
class Cancelled:
    """Not any more, by policy. `quietly`: nobody misses it."""

    why: str
    quietly: bool = False


STOPPED: Final = "the service stopped while it was on its way"


ELSEWHERE: Final = "it was begun over another channel of theirs, and the rest is not sent over this one by itself"


@frozen
class Unanswered:
    """It left, and nobody said whether it arrived. Only a person may repeat it."""

    why: str


@frozen
class TakenOver:
    """Another process has it, for this one stood still for longer than its lease; that one says what becomes of it."""


Outcome = Sent | Parked | Cancelled | Unanswered | TakenOver
