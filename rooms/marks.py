"""What became of a message, beside the message itself: an event that clients draw as a tick, or as a warning.

At most one is waiting for each message and reader: what is known later takes the place of what was not posted yet.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Protocol

from policies.case import Case, CaseId, Conversation, PersonId
from policies.effects import Decision
from policies.frozen import frozen
from policies.message import MessageId
from policies.networks.states import SETTLES, MessageState, decide_undelivered, is_shown
from rooms.ids import UserId
from rooms.ports import Work
from rooms.queue import Item, ItemId, Lane, State, item_id


@frozen
class Mark:
    """How far a message has come to one of its readers, for the room in which it stands."""

    conversation: Conversation
    message: MessageId
    to: PersonId
    state: MessageState
    of: ItemId
    """The item of the outbox that carries the message there."""


@frozen
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


async def show(work: Work, codec: _Codec, case: Case, mark: Mark, *, by: str, at: datetime) -> Decision | None:
    """Have it shown, instead of what still waits to be shown of the same message, if it is shown in that room at all;
    what is said in words besides, for it did not arrive. `by` tells these news from all other news of it."""
    person = case.person(mark.to)
    if person is None or not is_shown(case, mark.conversation, person, mark.state):
        return None
    lane, name = marks_lane(case.id, mark.conversation), _named(case.id, mark, by)
    if await work.outbox.get(name):
        return None
    is_sent = mark.state is MessageState.SENT
    for item in await work.outbox.in_lane(lane):
        known = codec.load(item.body)
        if not isinstance(known, Mark) or (known.message, known.to) != (mark.message, mark.to):
            continue
        if is_sent and known.state in {MessageState.DELIVERED, MessageState.FAILED}:
            # A report can come before its network's answer.
            return None
        if not item.sending:
            await work.outbox.stop(item.id, State.CANCELLED, "more is known by now")
    shown = Item(name, lane, "matrix", case.id, codec.dump(mark), at)
    await work.outbox.put(replace(shown, state=State.PARKED, wait_key=lane, due_at=at + SETTLES) if is_sent else shown)
    if mark.state in {MessageState.FAILED, MessageState.UNKNOWN}:
        return decide_undelivered(case, mark.conversation, person, mark.state)
    return None


async def is_overtaken(work: Work, case: CaseId, mark: Mark) -> bool:
    """Whether it is to be shown as sent though it was shown as delivered: whoever put it there did not know yet."""
    arrived = replace(mark, state=MessageState.DELIVERED)
    return mark.state is MessageState.SENT and await work.outbox.get(_named(case, arrived, "")) is not None


def _named(case: CaseId, mark: Mark, by: str) -> ItemId:
    """What arrived, arrived once."""
    once = "" if mark.state is MessageState.DELIVERED else by
    return item_id(f"mark/{case}/{mark.message}/{mark.to}/{mark.state}/{mark.of}/{once}")
