"""What the service does now and then it goes on doing, whatever fails, unless its database has been replaced."""

import asyncio
import contextlib
from collections.abc import Callable
from datetime import timedelta

import pytest

from appservice.service import every
from appservice.upkeep.epoch import OlderDatabase
from rooms.homeserver import Trouble

NOW = timedelta()


class Enough(BaseException):
    """The test has seen enough."""


def failing(*errors: BaseException) -> Callable[[], asyncio.Future[None]]:
    """An act that fails in one way after another."""
    left = list(errors)

    def act() -> asyncio.Future[None]:
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        done.set_exception(left.pop(0))
        return done

    return act


async def test_an_answer_that_nobody_foresaw_does_not_end_the_service() -> None:
    with pytest.raises(Enough):
        await every(NOW, failing(KeyError("next_batch"), Trouble("away", transient=True), Enough()))


async def test_an_older_database_does() -> None:
    with pytest.raises(OlderDatabase):
        await every(NOW, failing(OlderDatabase("another has taken its place"), Enough()))


async def test_it_ends_when_it_is_told_to_though_what_it_did_just_then_kept_that_to_itself() -> None:
    begun = asyncio.Event()

    async def act() -> None:
        begun.set()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()

    task = asyncio.create_task(every(timedelta(days=1), act))
    await begun.wait()
    task.cancel()
    await asyncio.wait_for(asyncio.wait([task]), 60)
