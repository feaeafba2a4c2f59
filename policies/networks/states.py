"""What becomes of a message on its way to somebody outside of Matrix, as it is shown where the message stands (B4).

Only in a private room: whether a message reached somebody tells when they have a telephone in their hand, and is nobody
else's affair in the joint room; there the desk alone learns it. That somebody has read it, and why their network did
not take it, is the mediator's to ask for (`!whatsapp status`), and is not shown to their side.
"""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum, unique
from typing import Final

from policies.case import Case, Conversation, Kind, Person
from policies.effects import Announce, Decision
from policies.networks.delivery import by_link
from policies.networks.way import CARRIED_BY
from policies.people.membership import readers
from policies.words.phrase import phrase

SETTLES: Final = timedelta(seconds=20)
"""That a message has left is shown after this time, unless more is known of it by then: so one event is enough."""


@unique
class MessageState(StrEnum):
    """How far a message has come to one of its readers."""

    SENT = "sent"
    """Their network took it."""
    DELIVERED = "delivered"
    FAILED = "failed"
    UNKNOWN = "unknown"
    """Their network gave no answer: it may have arrived."""


def is_shown(case: Case, conversation: Conversation, person: Person, state: MessageState) -> bool:
    """Whether that of a message to somebody is shown in that room. To whom it lies ready for behind a link, nothing was
    sent."""
    if conversation.kind is not Kind.CAUCUS or person.id not in readers(case, conversation):
        return False
    return state is not MessageState.SENT or not by_link(person)


def decide_undelivered(case: Case, conversation: Conversation, person: Person, state: MessageState) -> Decision:
    """A message in a private room did not reach one of its readers, or perhaps not: said there, with what to do."""
    by = CARRIED_BY[person.endpoint.network]
    if state is MessageState.UNKNOWN:
        text = phrase(
            "Perhaps not delivered to {name} {by}: there was no answer. The mediator can have it sent again.",
            name=person.name,
            by=by,
        )
    else:
        text = phrase(
            "Not delivered to {name} {by}. The mediator knows why. If it is urgent, telephone.",
            name=person.name,
            by=by,
        )
    told = (Announce(conversation, text),) if is_shown(case, conversation, person, state) else ()
    return Decision(case, told, "undelivered", f"it is {state}")
