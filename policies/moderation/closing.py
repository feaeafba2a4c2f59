"""What is kept for a while after a case was closed: the reply addresses of its people, and their mails as they came.

    closed ── addresses ──▶ mail to them is refused ── mails ──▶ destroyed, as they came: what they said stands in rooms
       └── gone on with: nothing ends; the next closing begins its time anew

What counts is what the organisation had set when the case was closed.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from policies.case import DESK, Case, Closing, Network, Phase
from policies.effects import Decision, Tell
from policies.frozen import frozen
from policies.schedule import Due, Schedule, due_key

CLOSING_RULE: Final = "after-closing"
_EXPIRED: Final = (
    "The reply addresses of this case have expired: mail to them is refused from now on. !resume goes on with the case;"
    " then the next mail to each brings a new one."
)
_DESTROYED: Final = (
    "The mails of this case are destroyed, as they came: !mail headers can't show them any more. What they said stands"
    " where it stood. A backup that was taken before has them until it is deleted."
)


@frozen
class Terms:
    """How long a case keeps that, once it is closed."""

    addresses: timedelta = timedelta(days=14)
    mails: timedelta = timedelta(days=90)


USUAL: Final = Terms()


def begun(terms: Terms, at: datetime) -> Closing:
    """A case is closed at that moment."""
    return Closing(at + terms.addresses, at + terms.mails)


def ends_of(before: Case, after: Case) -> tuple[Schedule, ...]:
    """What is scheduled when a case was closed."""
    now, then = after.closing, before.closing
    if now is None or (then and (then.addresses, then.mails) == (now.addresses, now.mails)):
        return ()
    return tuple(Schedule(at, due_key(Due.CLOSING)) for at in sorted({now.addresses, now.mails}))


def _at(closing: Closing, at: datetime) -> Closing:
    """What has ended stays so, by whatever clock."""
    expired, destroyed = closing.expired or closing.addresses <= at, closing.destroyed or closing.mails <= at
    return replace(closing, expired=expired, destroyed=destroyed)


def decide_closing(case: Case, at: datetime, terms: Terms) -> Decision:
    """What a closed case has kept for its time ends; one that was closed before there were such times has its own begin
    now. Of one that goes on, nothing ends."""
    if case.phase is not Phase.CLOSED:
        return Decision(case, (), "overtaken", "the case goes on")
    then = case.closing
    now = _at(then, at) if then else begun(terms, at)
    after = replace(case, closing=now)
    told = [
        Tell(DESK, text)
        for text, is_over, was_over in (
            (_EXPIRED, now.expired, then and then.expired),
            (_DESTROYED, now.destroyed, then and then.destroyed),
        )
        if is_over and not was_over and any(p.endpoint.network is Network.EMAIL for p in case.people)
    ]
    if then == now:
        return Decision(case, (), "overtaken", "its time has not come, or what it was about is gone")
    why = "what a closed case needs no more is kept for its time, and no longer"
    return Decision(after, (*told, *ends_of(case, after)), CLOSING_RULE, why)
