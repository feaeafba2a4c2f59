"""Whose events wait in a lane, so that nobody overtakes themselves."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Self

from appservice.e2ee.patience import TELL
from rooms.lanes import identity_wait_key
from rooms.ports import Work
from rooms.queue import Item


def behind_key(item: Item) -> str:
    """What an event waits for that came behind this one."""
    return f"behind:{item.id}"


class Voices:
    """Events of one lane that wait, by whose voice it is in which room: nobody overtakes themselves.

    Once people have been told of an event, or its author's identity has to be confirmed, it holds up nothing any more.
    """

    def __init__(self) -> None:
        self._waiting: dict[tuple[str, str], list[Item]] = {}

    @classmethod
    async def ahead_of(cls, work: Work, items: Sequence[Item]) -> Self:
        """Those before the last of these items, these themselves left out."""
        voices = cls()
        for other in await work.inbox.ahead_of(items[-1], items[0]):
            if other.kind == items[-1].kind:
                voices.add(other)
        return voices

    def add(self, item: Item) -> None:
        """One more that waits."""
        event = json.loads(item.body)
        self._waiting.setdefault((event["room_id"], event["sender"]), []).append(item)

    def same_as(self, item: Item, event: Mapping[str, Any]) -> Item | None:
        """The last event before this one, by the same person in the same room, that still waits."""
        same = self._waiting.get((event["room_id"], event["sender"]), ())
        unconfirmed = identity_wait_key(event["sender"])
        before = [o for o in same if o.seq < item.seq and o.attempts <= TELL and o.wait_key != unconfirmed]
        return max(before, key=lambda other: other.seq, default=None)
