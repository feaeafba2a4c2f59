"""What became of a message, beside the message itself: an event that clients draw as a tick, or as a warning."""

from __future__ import annotations

from dataclasses import dataclass

from policies.case import CaseId, Conversation, PersonId
from policies.message import MessageId
from policies.states import MessageState
from rooms.ports import ItemId, UserId, item_id


@dataclass(frozen=True, slots=True)
class Mark:
    """How far a message has come to one of its readers, for the room in which it stands. `why`: words of ours."""

    conversation: Conversation
    message: MessageId
    to: PersonId
    state: MessageState
    why: str = ""


@dataclass(frozen=True, slots=True)
class Marked:
    """The same, as it is posted: `reader` is whom its readers know in that room."""

    state: MessageState
    reader: UserId
    why: str = ""


def mark_item(case: CaseId, mark: Mark) -> ItemId:
    """The outbox item that posts it: each state of a message is shown once for a reader."""
    return item_id(f"mark/{case}/{mark.message}/{mark.to}/{mark.state}")
