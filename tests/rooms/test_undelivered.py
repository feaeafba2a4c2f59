"""What was not delivered is what people said or were told; a mark that can't be posted is nobody's message."""

from policies.case import JOINT
from rooms.board import backlog_of
from rooms.lanes import person_lane
from rooms.marks import marks_lane
from rooms.queue import Item, ItemId, Lane, State
from rooms.shown import dead_text
from tests.rooms.builders import AT, Site


async def ended(site: Site, name: str, lane: Lane, state: State) -> None:
    async with site.database.begin() as work:
        await work.outbox.put(Item(ItemId(name), lane, "x", site.case.id, b"{}", AT))
        await work.outbox.stop(ItemId(name), state, f"{name} failed")


async def test_a_mark_that_ended_is_no_message_that_was_not_delivered() -> None:
    site = await Site().begin()
    await ended(site, "mark", marks_lane(site.case.id, JOINT), State.DEAD)
    async with site.database.begin() as work:
        assert (await backlog_of(work, site.case.id)).undelivered == 0
        assert "mark" not in await dead_text(work, site.case, "list", None)
    carl = next(person.id for person in site.case.people if person.name == "Carl")
    await ended(site, "mail", person_lane(site.case.id, carl), State.UNKNOWN)
    async with site.database.begin() as work:
        assert (await backlog_of(work, site.case.id)).undelivered == 1
        listed = await dead_text(work, site.case, "list", None)
        assert "1. mail failed" in listed
        assert "mark" not in listed
        await dead_text(work, site.case, "discard", "1")
    items = site.database.committed.outbox.items
    assert (items[ItemId("mail")].state, items[ItemId("mark")].state) == (State.CANCELLED, State.DEAD)
