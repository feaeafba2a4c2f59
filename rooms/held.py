"""Held messages, by name and by number, and what of them stands somewhere all the same."""

from dataclasses import replace

from policies.case import CaseId, PersonId
from policies.effects import Decision, Post, Redact
from policies.message import File, Message, MessageId, Removal, Text
from policies.moderation.hold import AtHand
from rooms.ports import Entry, Held, Work
from rooms.queue import item_id


def mine_id(held: MessageId) -> MessageId:
    """The id of the message that a held one becomes when its author says, with proof, that it was theirs."""
    return MessageId(item_id(f"mine/{held}"))


def stands_elsewhere(case: CaseId, message: Message, decision: Decision) -> tuple[Entry, ...]:
    """What a decision posts under another name than that of the message it is about, for the journal."""
    return tuple(
        Entry(case, replace(message, id=post.message, conversation=post.conversation, content=post.content, files=()))
        for post in decision.effects
        if isinstance(post, Post) and post.message != message.id and not isinstance(post.content, File)
    )


async def waiting(work: Work, case: CaseId) -> tuple[Held, ...]:
    """What waits for a mediator, oldest first."""
    return tuple(held for held in await work.holds.of_case(case) if held.end is None)


async def claimable(work: Work, case: CaseId, author: PersonId, held: MessageId) -> Message | None:
    """What waits under that name and may be claimed: nobody claims what is another's, or twice."""
    entry = await work.journal.get(case, held)
    if entry is None or entry.message.author != author or await work.journal.get(case, mine_id(held)):
        return None
    return entry.message if held in {one.message for one in await waiting(work, case)} else None


async def at_hand(work: Work, case: CaseId, number: str) -> AtHand | None:
    """The held message of that number, with what was said; None if there is none."""
    held = await work.holds.of_case(case)
    place = int(number) if number.isdecimal() and number.isascii() and len(number) < 9 else 0
    if not 0 < place <= len(held):
        return None
    one = held[place - 1]
    entry = await work.journal.get(case, one.message)
    return AtHand(place, entry.message, one.why, one.audience, one.end) if entry else None


def gone(message: MessageId) -> MessageId:
    """Under which name the journal has that a message was removed: what is still being examined of it goes nowhere."""
    return MessageId(f"{message}/gone")


def taken_away(case: CaseId, message: Message, decision: Decision) -> tuple[Entry, ...]:
    """That what a message removes, or a command takes out of its room, is gone; by the words that did so."""
    match message.content:
        case Removal(target):
            others = [target] if target else []
        case Text():
            others = [one.message for one in decision.effects if isinstance(one, Redact) and one.message != message.id]
        case _:
            others = []
    return tuple(Entry(case, replace(message, id=gone(one), files=())) for one in dict.fromkeys(others))
