"""WhatsApp is asked whether it lets us in, not more often than Meta bears; what keeps us out is said in words."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from appservice.whatsapp.access import RESTS, Access, Seen
from appservice.whatsapp.numbers import Numbers
from bridges.unsent import NotSent
from bridges.whatsapp.api import Hidden, Refused

AT = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)
PRIVATE, JOINT, INTAKE = "111111111", "222222222", "333333333"


class Cloud:
    """What WhatsApp answers, number by number."""

    def __init__(self) -> None:
        self.now = AT
        self.asked: list[str] = []
        self.keeps: Callable[[str], Refused | Hidden | NotSent | None] = lambda _: None
        self.access = Access(self, Numbers(PRIVATE, JOINT, INTAKE).by_setting, clock=lambda: self.now)

    async def look(self, number: str) -> Refused | Hidden | NotSent | None:
        self.asked.append(number)
        return self.keeps(number)

    async def later(self, by: timedelta) -> Seen:
        """What is seen then."""
        self.now += by
        return await self.access.look()


async def test_each_number_is_asked_for_and_no_more_often_than_meta_bears() -> None:
    cloud = Cloud()
    assert await cloud.access.look() == Seen(AT, None)
    assert cloud.asked == [PRIVATE, JOINT, INTAKE]
    cloud.keeps = lambda _: Refused(190)
    assert await cloud.later(RESTS / 2) == Seen(AT, None), "it says of when that is"
    assert len(cloud.asked) == 3
    assert "whatsapp.access_token" in str((await cloud.later(RESTS)).trouble)
    cloud.keeps = lambda _: None
    assert (await cloud.later(RESTS / 2)).trouble
    assert (await cloud.later(RESTS)).trouble is None


async def test_a_clock_that_was_set_back_makes_no_answer_last() -> None:
    cloud = Cloud()
    await cloud.access.look()
    cloud.keeps = lambda _: Refused(190)
    assert (await cloud.later(-timedelta(days=1))).trouble


async def test_a_number_that_was_taken_away_is_named_by_its_setting() -> None:
    cloud = Cloud()
    cloud.keeps = lambda number: Refused(100) if number == JOINT else None
    trouble = str((await cloud.access.look()).trouble)
    assert "whatsapp.joint_number (error 100)" in trouble
    assert JOINT not in trouble


async def test_whoever_does_not_answer_is_asked_every_time() -> None:
    cloud = Cloud()
    cloud.keeps = lambda _: NotSent("no answer of WhatsApp")
    assert (await cloud.access.look()).trouble == "no answer of WhatsApp"
    cloud.keeps = lambda _: None
    assert (await cloud.later(timedelta(seconds=1))).trouble is None


async def test_where_we_may_not_look_nothing_is_called_broken_but_for_what_is() -> None:
    cloud = Cloud()
    cloud.keeps = lambda number: Hidden(100) if number == PRIVATE else None
    seen = await cloud.access.look()
    assert seen == Seen(AT, None, "WhatsApp does not show us whatsapp.private_number (error 100)")
    cloud.keeps = lambda number: Hidden(200) if number == PRIVATE else Refused(190)
    assert await cloud.later(RESTS / 2) == seen, "an answer, too"
    seen = await cloud.later(RESTS)
    assert "whatsapp.access_token" in str(seen.trouble)
    assert seen.untold is None
