"""What becomes of held messages, by name."""

from policies.message import MessageId
from rooms.ports import item_id


def mine_id(held: MessageId) -> MessageId:
    """The id of the message that a held one becomes when its author says, with proof, that it was theirs."""
    return MessageId(item_id(f"mine/{held}"))
