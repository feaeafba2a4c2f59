"""What becomes of a message on its way to somebody outside of Matrix, as it is shown where the message stands (B4).

Only in a private room: whether a message reached somebody tells when they have a telephone in their hand, and is nobody
else's affair in the joint room; there the desk alone learns it. That somebody has read it is the mediator's to ask for
(`!whatsapp status`), and is not shown to their side.
"""

from __future__ import annotations

from enum import StrEnum, unique

from policies.case import Case, Conversation, Kind, Person
from policies.delivery import CARRIED_BY
from policies.effects import Announce, Decision
from policies.membership import readers
from policies.phrase import phrase, stored, together


@unique
class MessageState(StrEnum):
    """How far a message has come to one of its readers."""

    SENT = "sent"
    """Their network took it."""
    DELIVERED = "delivered"
    FAILED = "failed"
    UNKNOWN = "unknown"
    """Their network gave no answer: it may have arrived."""


def is_shown(case: Case, conversation: Conversation, person: Person) -> bool:
    """Whether what became of a message to somebody is shown in that room."""
    return conversation.kind is Kind.CAUCUS and person.id in readers(case, conversation)


def decide_undelivered(
    case: Case, conversation: Conversation, person: Person, state: MessageState, why: str
) -> Decision:
    """A message in a private room did not reach one of its readers, or perhaps not: said there, with what to do."""
    to = together([person.name, CARRIED_BY[person.endpoint.network]])
    if state is MessageState.UNKNOWN:
        text = phrase("Perhaps not delivered to {to}: there was no answer. The mediator can have it sent again.", to=to)
    else:
        urgent = phrase("The mediator sees to it; if it is urgent, telephone.")
        what = phrase("Not delivered to {to}: {why}.", to=to, why=stored(why))
        text = together([what if why else phrase("Not delivered to {to}.", to=to), urgent])
    told = (Announce(conversation, text),) if is_shown(case, conversation, person) else ()
    return Decision(case, told, "undelivered", f"it is {state}")
