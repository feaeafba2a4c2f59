"""What goes along with each message to WhatsApp (`biz_opaque_callback_data`), and comes back with its reports."""

from __future__ import annotations

from dataclasses import dataclass

from policies.case import PersonId
from rooms.queue import ItemId


@dataclass(frozen=True, slots=True)
class Ours:
    """What a report is about: a part of an item of the outbox, or the template that asked somebody to write for it."""

    item: ItemId
    part: int | None = None
    asked: PersonId | None = None

    def __str__(self) -> str:
        """As it goes along with what is sent, and comes back."""
        return f"{self.item}/{self.part}" if self.asked is None else f"{self.item}/to.{self.asked}"


def ours(opaque: str) -> Ours | None:
    """What came back with a report; None for what is none of ours."""
    item, _, rest = opaque.rpartition("/")
    if not item:
        return None
    if rest.startswith("to."):
        return Ours(ItemId(item), asked=PersonId(rest.removeprefix("to.")))
    return Ours(ItemId(item), int(rest)) if rest.isdecimal() and len(rest) < 6 else None
