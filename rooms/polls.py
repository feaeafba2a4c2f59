"""The polls of questions in Matrix: which item posts one, below which words, and whose question a poll asks."""

from __future__ import annotations

from collections.abc import Collection

from policies.case import Case, CaseId, Conversation, PersonId
from policies.frozen import frozen
from policies.plan import room_key
from policies.questions.ask import Ask
from policies.questions.asking import read_answer_id
from policies.questions.poll import Ballot
from rooms.ids import EventId
from rooms.outcome import Cancelled, Parked
from rooms.ports import Work
from rooms.provision import room_wait_key
from rooms.queue import ItemId, State, item_id


@frozen
class Poll:
    """The poll of a question, below its words, which the item `words` posts."""

    to: PersonId
    conversation: Conversation
    ballot: Ballot
    words: ItemId


@frozen
class PollEnd:
    """The question is open no more: its poll, which the item `poll` posts, takes no votes."""

    conversation: Conversation
    code: str
    poll: ItemId


def poll_item(case: CaseId, ask: Ask) -> ItemId:
    """The outbox item that posts the poll of a question. A code may come again, but not in the same moment."""
    return item_id(f"poll/{case}/{ask.asked}/{ask.code}/{ask.at.isoformat()}")


async def stands_by(work: Work, case: CaseId, outgoing: Poll | PollEnd) -> EventId | Parked | Cancelled:
    """The event that it belongs to: the question's words, or the poll. Without that it is of no use."""
    above = outgoing.words if isinstance(outgoing, Poll) else outgoing.poll
    item = await work.outbox.get(above)
    if item and item.result:
        return EventId(item.result)
    if item and isinstance(outgoing, Poll) and item.state in {State.READY, State.PARKED}:
        key = room_wait_key(case, room_key(outgoing.conversation))
        return Parked(key, "the words of the question do not stand yet")
    return Cancelled("what it belongs to does not stand")


async def asked_in(work: Work, case: Case, event: EventId | None) -> str | None:
    """The code of the open question of which that event is the poll."""
    for ask in case.asks if event else ():
        item = await work.outbox.get(poll_item(case.id, ask))
        if item and item.result == event:
            return ask.code
    return None


async def being_posted(work: Work, case: Case, answers: Collection[str]) -> ItemId | None:
    """The item that posts a poll at this very moment in which these may be votes: they came before its event's id."""
    codes = {pressed.code for one in answers if (pressed := read_answer_id(one))}
    for ask in (a for a in case.asks if a.code in codes):
        item = await work.outbox.get(poll_item(case.id, ask))
        if item and item.sending and item.state is State.READY:
            return item.id
    return None
