"""What becomes of held messages, by name, and what of them stands somewhere all the same."""

from dataclasses import replace

from policies.case import CaseId
from policies.effects import Decision, Post
from policies.message import File, Message, MessageId
from rooms.ports import Entry, item_id


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
