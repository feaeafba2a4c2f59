"""What comes at once is stored in one unit of work: whoever offers one thing waits for its own answer."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import field
from typing import Generic, TypeVar

from appservice.storage.errors import DatabaseUnavailable
from policies.frozen import frozen

Thing = TypeVar("Thing")
Answer = TypeVar("Answer")

MOST_AT_ONCE = 50
"""So many things at most are one unit of work: the answer to the first waits for the last."""


@frozen
class _Offered(Generic[Thing, Answer]):
    """What waits to be stored, and whoever waits for the answer."""

    thing: Thing
    answer: asyncio.Future[Answer] = field(repr=False)


class Together(Generic[Thing, Answer]):
    """Stores things in the order in which they were offered, those together that came while others were being stored.

    A commit waits for the disk, and takes as long for many as for one.
    """

    def __init__(self, store: Callable[[Sequence[Thing]], Awaitable[Sequence[Answer]]]) -> None:
        """`store` keeps things in one unit of work, all or none, and has an answer for each."""
        self._store = store
        self._offered: list[_Offered[Thing, Answer]] = []
        self._storing: asyncio.Task[None] | None = None

    async def keep(self, thing: Thing) -> Answer:
        """Store one thing; what `store` says of it, or raises. What fails with others is tried once more alone, unless
        the database is down: then all that came with it hear that."""
        offered: _Offered[Thing, Answer] = _Offered(thing, asyncio.get_running_loop().create_future())
        self._offered.append(offered)
        if self._storing is None:
            self._storing = asyncio.create_task(self._store_all())
        return await offered.answer

    async def _store_all(self) -> None:
        some: Sequence[_Offered[Thing, Answer]] = ()
        try:
            while self._offered:
                some = self._offered[:MOST_AT_ONCE]
                del self._offered[: len(some)]
                await self._answer(some)
        except BaseException as error:
            # Whatever ends this, nobody waits for an answer that will not come.
            _fail((*some, *self._offered), error)
            self._offered.clear()
            if isinstance(error, asyncio.CancelledError):
                raise
        finally:
            self._storing = None

    async def _answer(self, some: Sequence[_Offered[Thing, Answer]]) -> None:
        try:
            answers = await self._store([one.thing for one in some])
        except DatabaseUnavailable as error:
            _fail(some, error)
        except Exception as error:  # noqa: BLE001 - whoever offered it hears of it
            # One thing that can't be stored is no reason to refuse the others.
            if len(some) == 1:
                return _fail(some, error)
            for one in some:
                await self._answer([one])
        else:
            for one, answer in zip(some, answers, strict=True):
                if not one.answer.done():
                    one.answer.set_result(answer)
        return None


def _fail(some: Sequence[_Offered[Thing, Answer]], error: BaseException) -> None:
    for one in some:
        if not one.answer.done():
            one.answer.set_exception(error)
