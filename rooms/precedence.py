"""What people said goes into rooms before what the bot tells of it.

A decision often has both follow: words for those who read along, and notices for the desk and for their author. All at
once, a homeserver works on them in turn, and whoever waits for the words waits for the notices, too.

A private room is told nothing by how long its notices take: they let pass what its people read, and nothing else.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from typing import Final

from policies.case import DESK, JOINT, CaseId
from policies.documents.carrying import Hand
from policies.effects import Post, Publish
from rooms.lanes import into_room
from rooms.outgoing import MATRIX, Outgoing
from rooms.queue import Item, Lane

AT_MOST: Final = timedelta(seconds=0.3)
"""So long a notice lets words pass, which is longer than most take: behind a large file, or should the homeserver hang
with them, it is late by no more."""


class Precedence:
    """Of the deliveries of this process. Nothing rests on it but how soon somebody reads something."""

    def __init__(self, at_most: timedelta = AT_MOST) -> None:
        """`at_most`: for so long a notice waits."""
        self._at_most = at_most
        self._under_way: dict[CaseId, dict[asyncio.Future[None], Lane]] = {}
        """The words that are just being delivered, by case, and into which room."""

    @asynccontextmanager
    async def turn(self, item: Item, outgoing: Outgoing) -> AsyncIterator[None]:
        """Deliver it inside: a notice once the words of its case are delivered that were under way when it came."""
        if item.kind != MATRIX or item.case is None:
            yield
        elif isinstance(outgoing, Post | Publish | Hand):
            with self._words(item.case, item.lane):
                yield
        else:
            await self._let_pass(item.case, item.lane)
            yield

    @contextmanager
    def _words(self, case: CaseId, lane: Lane) -> Iterator[None]:
        delivered = asyncio.get_running_loop().create_future()
        words = self._under_way.setdefault(case, {})
        words[delivered] = lane
        try:
            yield
        finally:
            delivered.set_result(None)
            del words[delivered]
            if not words:
                del self._under_way[case]

    async def _let_pass(self, case: CaseId, lane: Lane) -> None:
        # Others that come meanwhile are not waited for, or a flood of words would keep every notice back.
        words = [delivered for delivered, into in self._under_way.get(case, {}).items() if _reads(case, lane, into)]
        if words:
            await asyncio.wait(words, timeout=self._at_most.total_seconds())


def _reads(case: CaseId, lane: Lane, words: Lane) -> bool:
    """Whether whoever reads the room of one lane reads that of the other: at the desk, or what all read."""
    return words in {lane, into_room(case, JOINT)} or lane == into_room(case, DESK)
