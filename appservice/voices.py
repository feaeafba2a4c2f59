"""Whose events wait in a lane, so that nobody overtakes themselves."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Self

from appservice.e2ee.patience import TELL
from rooms.ids import RoomId
from rooms.lanes import identity_wait_key
from rooms.ports import Work
from rooms.queue import Item


def behind_key(item: Item) -> str:
    """What an event waits for that came behind this one."""
    return f"behind:{item.id}"


class Voices:
    """Events of one lane that wait, by whose voice it is in which room: nobody overtakes themselves.

    At a desk what one says is about what one wrote elsewhere, so there none of it may overtake the other.

    Once people have been told of an event, or its author's identity has to be confirmed, it holds up nothing any more.
    """

    def __init__(self) -> None:
        self._waiting: dict[str, list[tuple[str, Item]]] = {}

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
        self._waiting.setdefault(event["sender"], []).append((event["room_id"], item))

    async def same_as(
        self, item: Item, event: Mapping[str, Any], desk: Callable[[], Awaitable[RoomId | None]]
    ) -> Item | None:
        """The last event before this one, by the same person, that still waits: in the same room, or in another, if
        one of the two is the desk. `desk` is asked only if that matters."""
        room, unconfirmed = event["room_id"], identity_wait_key(event["sender"])
        before = [
            (where, other)
            for where, other in self._waiting.get(event["sender"], ())
            if other.seq < item.seq and other.attempts <= TELL and other.wait_key != unconfirmed
        ]
        desks = {await desk()} if any(where != room for where, _ in before) else frozenset()
        near = [other for where, other in before if where == room or desks & {where, room}]
        return max(near, key=lambda other: other.seq, default=None)
