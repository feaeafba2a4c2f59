"""What became of a message, beside the message itself: an event that clients draw as a tick, or as a warning.

At most one is waiting for each message and reader: what is known later takes the place of what was not posted yet.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from policies.case import Case, CaseId, Conversation, PersonId
from policies.effects import Decision
from policies.message import MessageId
from policies.states import SETTLES, MessageState, decide_undelivered, is_shown
from rooms.ports import Item, ItemId, Lane, State, UserId, Work, item_id


@dataclass(frozen=True, slots=True)
class Mark:
    """How far a message has come to one of its readers, for the room in which it stands."""

    conversation: Conversation
    message: MessageId
    to: PersonId
    state: MessageState


@dataclass(frozen=True, slots=True)
class Marked:
    """The same, as it is posted: `reader` is whom its readers know in that room."""

    state: MessageState
    reader: UserId


class _Codec(Protocol):
    """Between marks and the bytes that the outbox keeps."""

    def dump(self, outgoing: Mark, /) -> bytes: ...

    def load(self, body: bytes, /) -> object: ...


def marks_lane(case: CaseId, conversation: Conversation) -> Lane:
    """Nothing that is said waits for marks."""
    return Lane(f"marks:{case}:{conversation.id}")


def is_mark(lane: Lane) -> bool:
    """Whether what lies in that lane only shows what became of something else."""
    return lane.startswith("marks:")


async def show(work: Work, codec: _Codec, case: Case, mark: Mark, *, by: ItemId, at: datetime) -> Decision | None:
    """Have it shown, instead of what still waits to be shown of the same message, if it is shown in that room at all;
    what is said in words besides, for it did not arrive. `by` is what brought the news, which is shown once."""
    person = case.person(mark.to)
    if person is None or not is_shown(case, mark.conversation, person):
        return None
    lane = marks_lane(case.id, mark.conversation)
    name = item_id(f"mark/{case.id}/{mark.message}/{mark.to}/{mark.state}/{by}")
    if await work.outbox.get(name):
        return None
    for item in await work.outbox.in_lane(lane):
        known = codec.load(item.body)
        if isinstance(known, Mark) and (known.message, known.to) == (mark.message, mark.to) and not item.sending:
            await work.outbox.stop(item.id, State.CANCELLED, "more is known by now")
    news = Item(name, lane, "matrix", case.id, codec.dump(mark), at)
    if mark.state is MessageState.SENT:
        news = replace(news, state=State.PARKED, wait_key=lane, due_at=at + SETTLES)
    await work.outbox.put(news)
    if mark.state in {MessageState.FAILED, MessageState.UNKNOWN}:
        return decide_undelivered(case, mark.conversation, person, mark.state)
    return None
