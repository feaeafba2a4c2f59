"""What the service does now and then it goes on doing, whatever fails, unless its database has been replaced."""

import asyncio
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
