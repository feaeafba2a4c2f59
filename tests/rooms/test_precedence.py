"""What people said goes into rooms before what the bot tells of it, and keeps nothing back for long."""

import asyncio
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta

import pytest

from policies.case import DESK, JOINT, CaseId, Conversation
from policies.effects import Post, Publish, Relay, Tell
from policies.message import MessageId, Text
from policies.names import ReleaseId
from policies.words.phrase import verbatim
from rooms.lanes import into_room
from rooms.outgoing import MATRIX, PEOPLE, Outgoing
from rooms.precedence import Precedence
from rooms.queue import Item, ItemId
from tests.policies.builders import both_sides, caucus_of, named

CASE = both_sides()
ALICE, CARL = named(CASE, "Alice").id, named(CASE, "Carl").id
SMITH, JONES = caucus_of(CASE, "Smith"), caucus_of(CASE, "Jones")
WORDS = Post(JOINT, ALICE, Text("words"), MessageId("m1"))
RELEASED = Publish(ReleaseId("R1"), JOINT, verbatim("Alice’s words:"), "words", frozenset({ALICE}))
NOTICE = Tell(DESK, "Alice wrote.")
LETTER = Relay(MessageId("m1"), JOINT, ALICE, Text("words"), CARL)
A_WHILE = 0.05  # seconds; too short only ever hides a failure


def item(kind: str = MATRIX, case: CaseId | None = CASE.id, where: Conversation = JOINT) -> Item:
    lane = into_room(case or CaseId("none"), where)
    return Item(ItemId("i1"), lane, kind, case, b"", datetime(2026, 1, 5, tzinfo=UTC))


async def deliver(precedence: Precedence, outgoing: Outgoing, one: Item) -> None:
    async with precedence.turn(one, outgoing):
        pass


@pytest.mark.parametrize("words", [WORDS, RELEASED])
async def test_a_notice_goes_once_the_words_are_delivered(words: Outgoing) -> None:
    precedence = Precedence(timedelta(days=1))
    async with precedence.turn(item(), words):
        notice = asyncio.create_task(deliver(precedence, NOTICE, item()))
        await asyncio.wait([notice], timeout=A_WHILE)
        assert not notice.done()
    await notice


async def test_words_that_could_not_be_delivered_keep_no_notice_back() -> None:
    precedence = Precedence()
    with pytest.raises(LookupError):
        async with precedence.turn(item(), WORDS):
            raise LookupError
    await deliver(precedence, NOTICE, item())


@pytest.mark.parametrize(
    ("outgoing", "one"),
    [
        (NOTICE, item(case=CaseId("7"))),
        (NOTICE, item(case=None)),
        (LETTER, item(PEOPLE)),
        (WORDS, item()),
    ],
)
async def test_only_notices_of_the_same_case_wait(outgoing: Outgoing, one: Item) -> None:
    precedence = Precedence(timedelta(days=1))
    async with precedence.turn(item(), WORDS):
        await deliver(precedence, outgoing, one)


@pytest.mark.parametrize(
    ("words", "notice", "waits"),
    [
        (SMITH, DESK, True),
        (JOINT, SMITH, True),
        (SMITH, SMITH, True),
        (SMITH, JONES, False),
        (SMITH, JOINT, False),
        (DESK, SMITH, False),
    ],
)
async def test_how_long_a_notice_takes_tells_nobody_of_words_that_they_do_not_read(
    words: Conversation, notice: Conversation, waits: bool
) -> None:
    precedence = Precedence(timedelta(days=1))
    async with precedence.turn(item(where=words), WORDS):
        told = asyncio.create_task(deliver(precedence, NOTICE, item(where=notice)))
        await asyncio.wait([told], timeout=A_WHILE)
        assert told.done() is not waits
    await told


async def test_words_that_come_later_are_not_waited_for() -> None:
    precedence = Precedence(timedelta(days=1))
    async with AsyncExitStack() as later:
        async with precedence.turn(item(), WORDS):
            notice = asyncio.create_task(deliver(precedence, NOTICE, item()))
            await asyncio.sleep(0)
            await later.enter_async_context(precedence.turn(item(), WORDS))
        await notice


async def test_words_that_hang_are_not_waited_for_long() -> None:
    precedence = Precedence(timedelta(seconds=0.01))
    async with precedence.turn(item(), WORDS):
        await deliver(precedence, NOTICE, item())
