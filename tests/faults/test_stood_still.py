"""A process that stood still for longer than its lease, or whose clock is ahead, finds that another has taken over:
what that one did is not done again, least of all after what came behind it."""

from pathlib import Path

import pytest

from policies.case import DESK
from rooms.queue import Item, State
from tests.faults.house import House, standing
from tests.invariants.world import CARL, MIA

pytestmark = pytest.mark.e2e


async def ready(house: House) -> tuple[Item, ...]:
    """What is to be read, as a process sees it that is about to stand still."""
    while await house._deliver():
        pass
    async with house.database.begin() as work:
        return await work.inbox.in_state({State.READY})


async def mode(house: House) -> object:
    """Who may speak in the joint room."""
    async with house.database.begin() as work:
        (case,) = [await work.cases.load(one) for one in await work.cases.all_ids()]
    assert case is not None
    return case.floor


async def test_a_command_is_not_carried_out_again_after_the_one_behind_it(tmp_path: Path) -> None:
    async with standing(tmp_path) as house:
        desk = await house.room(DESK)
        await house.post(MIA, desk, "!mode open")
        seen = await ready(house)
        await house.post(MIA, desk, "!mode locked")
        await house.drain()
        locked = await mode(house)
        for item in seen:
            await house.service.parts.inbox._one(item)
        assert await mode(house) == locked


async def test_a_mail_is_not_read_again(tmp_path: Path) -> None:
    async with standing(tmp_path) as house:
        await house.post(MIA, await house.room(), "hello")
        await house.drain()
        await house.mail(house.letter(CARL, "EVERYONE"), "an answer")
        seen = await ready(house)
        await house.drain()
        for item in seen:
            await house.service.parts.inbox._one(item)
        async with house.database.begin() as work:
            assert all([not await work.holds.of_case(case) for case in await work.cases.all_ids()])


async def test_a_letter_is_not_sent_again(tmp_path: Path) -> None:
    async with standing(tmp_path) as house:
        await house.post(MIA, await house.room(), "hello")
        seen: list[Item] = []
        while await house._step():
            async with house.database.begin() as work:
                seen += [one for one in await work.outbox.in_state({State.READY}) if one.kind == "people"]
        before = len(house.post_office.delivered)
        assert seen
        for item in seen:
            await house.service.parts.outbox._one(item)
        assert len(house.post_office.delivered) == before
