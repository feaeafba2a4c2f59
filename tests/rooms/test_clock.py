"""What is scheduled rests in the inbox until it is due, and then is handled like everything else in its case."""

from datetime import timedelta

from policies.case import DESK
from policies.effects import Decision, Tell
from policies.schedule import Schedule
from rooms.clock import TIME, scheduled
from rooms.queue import Item
from tests.policies.builders import both_sides, done
from tests.rooms.builders import AT, Site, applier, handler

IN_AN_HOUR = Schedule(AT + timedelta(hours=1), "ask:4F2A")
LEASE = timedelta(minutes=1)


async def schedule(site: Site, *effects: Schedule, item: str = "item") -> None:
    async with site.database.begin() as work:
        await applier(work, item).apply(site.case, Decision(site.case, (*effects, Tell(DESK, "x")), "test", "a reason"))


async def due(site: Site, after: timedelta) -> tuple[Item, ...]:
    """What the inbox has to be done so much later."""
    async with site.database.begin() as work:
        await work.inbox.ripen(AT + after)
        return await work.inbox.claim("worker", AT + after, timedelta(0), 50)


async def test_it_comes_back_in_the_cases_lane_when_it_is_due_and_not_before() -> None:
    site = Site()
    await schedule(site, IN_AN_HOUR)
    assert await due(site, timedelta(minutes=59)) == ()
    [item] = await due(site, timedelta(hours=1))
    assert (item.lane, item.kind, item.case, scheduled(item)) == ("case:1042", TIME, "1042", IN_AN_HOUR)


async def test_it_does_not_hold_up_what_comes_meanwhile() -> None:
    site = Site()
    await schedule(site, IN_AN_HOUR)
    await schedule(site, Schedule(AT + timedelta(minutes=5), "ask:7H3C"), item="a later one")
    assert [scheduled(item).key for item in await due(site, timedelta(minutes=5))] == ["ask:7H3C"]


async def test_the_same_decision_twice_schedules_once_and_another_one_again() -> None:
    site = Site()
    for item in ("item", "item", "another"):
        await schedule(site, IN_AN_HOUR, item=item)
    waiting = [item for item in site.database.committed.inbox.items.values() if scheduled(item) == IN_AN_HOUR]
    assert len(waiting) == 2


async def test_a_question_that_was_not_answered_in_time_is_gone() -> None:
    asked = done(both_sides(), "!party remove Carl")
    site = Site(asked.case)
    await site.change(asked.case)
    async with site.database.begin() as work:
        late = handler(work, "time", AT + timedelta(minutes=15))
        await late.due(site.case.id, "ask:4F2A")
    assert site.database.committed.cases[site.case.id].asks == ()
