"""What is known of a message that is reacted to, or of which a reaction is taken back."""

from __future__ import annotations

from policies.case import Case
from policies.message import Message, Reaction, Removal
from policies.outcome import Reacted
from rooms.ports import Work


async def reacted_to(work: Work, case: Case, message: Message) -> Reacted | None:
    """None for whatever is no reaction, and for one on what nobody said there."""
    about, content = None, message.content
    if isinstance(content, Reaction):
        about = content.target
    elif isinstance(content, Removal) and content.target:
        removed = await work.journal.get(case.id, content.target)
        about = removed.message.content.target if removed and isinstance(removed.message.content, Reaction) else None
    entry = await work.journal.get(case.id, about) if about else None
    return Reacted(entry.message, await work.journal.reactions(case.id, entry.message.id)) if entry else None
