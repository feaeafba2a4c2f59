"""What goes along with each message to WhatsApp (`biz_opaque_callback_data`), and comes back with its reports."""

from __future__ import annotations

from policies.case import EndpointId, PersonId
from policies.frozen import frozen
from rooms.queue import ItemId


@frozen
class Ours:
    """What a report is about: a part of an item of the outbox, or the template that asked somebody to write for it."""

    item: ItemId
    part: int | None = None
    asked: PersonId | None = None
    channel: EndpointId | None = None
    """To which the part went. A report of what went to a former number says nothing of what goes to theirs now."""

    def __str__(self) -> str:
        """As it goes along with what is sent, and comes back."""
        if self.asked is not None:
            return f"{self.item}/to.{self.asked}"
        return f"{self.item}/{self.part}" + (f".{self.channel}" if self.channel else "")


def ours(opaque: str) -> Ours | None:
    """What came back with a report; None for what is none of ours."""
    item, _, rest = opaque.rpartition("/")
    if not item:
        return None
    if rest.startswith("to."):
        return Ours(ItemId(item), asked=PersonId(rest.removeprefix("to.")))
    part, _, channel = rest.partition(".")  # what left before a channel was named in it has none
    is_part = part.isdecimal() and len(part) < 6
    return Ours(ItemId(item), int(part), channel=EndpointId(channel) if channel else None) if is_part else None
