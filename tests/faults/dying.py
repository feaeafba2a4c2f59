"""A process that dies at one boundary, in memory, and what whoever comes after it does: the step again."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

from bridges.whatsapp.api import SendResult, UploadResult
from policies.case import CaseId
from policies.message import Message
from rooms.handle import Handler
from rooms.house import House
from rooms.queue import Item, ItemId, Lane
from tests.appservice.whatsapp.house import CODEC
from tests.bridges.whatsapp.builders import Json
from tests.fakes.graph import FakeCloud
from tests.fakes.memory import MemoryDatabase, MemoryWork


class Killed(BaseException):
    """The process is gone."""


@dataclass
class Boundaries:
    """Everything before and after which the process may die: a unit of work, and a message to the network."""

    at: int
    passed: int = 0

    def boundary(self) -> None:
        self.passed += 1
        if self.passed == self.at:
            raise Killed


@contextmanager
def dying(at: int) -> Iterator[Boundaries]:
    """The process dies at that boundary, once."""
    boundaries, begin, send, upload = Boundaries(at), MemoryDatabase.begin, FakeCloud.send, FakeCloud.upload

    @asynccontextmanager
    async def cut(database: MemoryDatabase) -> AsyncIterator[MemoryWork]:
        boundaries.boundary()
        async with begin(database) as work:
            yield work
        boundaries.boundary()

    async def sent(cloud: FakeCloud, number: str, body: Json) -> SendResult:
        boundaries.boundary()
        result = await send(cloud, number, body)
        boundaries.boundary()
        return result

    async def uploaded(cloud: FakeCloud, number: str, file: Path | bytes, mimetype: str, name: str) -> UploadResult:
        boundaries.boundary()
        result = await upload(cloud, number, file, mimetype, name)
        boundaries.boundary()
        return result

    network = patch.multiple(FakeCloud, send=sent, upload=uploaded)
    with patch.object(MemoryDatabase, "begin", cut), network:
        yield boundaries


async def survived(step: Callable[[], Awaitable[Any]], restart: Callable[[], object], *, again: bool = True) -> None:
    """A step, and again in a new process if the one that took it died; or not, if nobody comes to that so soon."""
    try:
        await step()
    except Killed:
        restart()
        if again:
            await step()


async def handled(database: MemoryDatabase, house: House, case: CaseId, said: Message) -> None:
    """What somebody writes, with its item, or not at all."""
    async with database.begin() as work:
        item = Item(ItemId(said.id), Lane("writes"), "matrix.event", case, b"{}", said.at)
        if await work.inbox.put(item):
            await Handler(work, CODEC, house, item.id, said.at).message(case, said, None, None)
            await work.inbox.done(item.id)
