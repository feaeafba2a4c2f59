"""How long an event is waited for whose key has not come: a ladder, one rung each time it is looked at again.

    at once     the key may be on its way           … wait 2 s
    then        Synapse may have lost it            … sweep the bot's device, wait 10 s
    then        its sender's device may still have it   … ask for it, wait 30 s
    then        people are told, once               … and the event rests, longer and longer, for days
    at the end  it is held as unreadable

What is done on a rung is done once more on the next. Whatever brings the key at any time wakes the event, and it is
read in its place.
"""

from __future__ import annotations

from datetime import timedelta

SWEEP, ASK, TELL = 1, 2, 3
"""Rungs: the number of times an event was looked at in vain before."""

RESTS = (
    timedelta(seconds=2),
    timedelta(seconds=10),
    timedelta(seconds=30),
    timedelta(minutes=10),
    timedelta(hours=1),
    timedelta(hours=6),
    timedelta(days=1),
    timedelta(days=3),
)


def rest(attempts: int) -> timedelta | None:
    """How long an event rests that was looked at so often in vain before; None when it is given up."""
    return RESTS[attempts] if attempts < len(RESTS) else None
