"""What does not go after all, and what the desk is told of it."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TypeGuard

from policies.case import Case
from policies.documents.carrying import Enclose, Hand
from policies.effects import Publish, Relay
from policies.message import Reaction
from policies.networks.reactions import untold
from rooms.homeserver import Trouble
from rooms.letters import ToPerson
from rooms.outcome import Cancelled, Outcome, Parked
from rooms.postings import IntoRoom
from rooms.provision import Report


def withheld(effect: IntoRoom | ToPerson, outcome: Outcome) -> Report:
    """What was released and doesn't go after all is a mediator's matter."""
    if not isinstance(effect, Publish | Hand | Enclose) or not isinstance(outcome, Cancelled):
        return Report()
    what = effect.release if isinstance(effect, Publish) else effect.document
    return Report(tell=(f"{what} is NOT shown everywhere: {outcome.why}.",))


def is_reaction(effect: object) -> TypeGuard[Relay]:
    """Whether it is a mediator's reaction, or that one was taken back."""
    return isinstance(effect, Relay) and isinstance(effect.content, Reaction)


async def now_or_never(carrying: Awaitable[Outcome]) -> Outcome:
    """What becomes of a reaction: it waits for nothing, and holds up no words behind it (ADR 54). One that comes hours
    later would look like an answer to what was said since."""
    try:
        outcome = await carrying
    except Trouble as trouble:
        return Cancelled(trouble.why)
    return Cancelled(outcome.why) if isinstance(outcome, Parked) else outcome


def reaction_withheld(case: Case, effect: Relay, outcome: Outcome) -> Report:
    """A mediator's own reaction that is not shown, or not taken away, is theirs to know."""
    if not isinstance(outcome, Cancelled) or outcome.quietly:
        return Report()
    # Nobody is the author of what takes one away, or brings back the one before it.
    return Report(tell=(untold(outcome.why, case.name_of(effect.to), removed=effect.author is None),))
