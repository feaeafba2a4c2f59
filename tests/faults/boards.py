"""The board stands at the desk, and is brought up to date in its place, while something is cut off (R8)."""

from datetime import UTC
from itertools import pairwise

from policies.case import DESK
from rooms.board import board_of
from tests.faults.clock import Clock
from tests.faults.house import CASE, PEOPLE, House, in_session
from tests.faults.scenarios import Broken
from tests.invariants.world import MIA

_BEGINS = "Board · "
_AGAIN = f"* {_BEGINS}"
"""As clients show it that know of no changes."""


async def with_a_board(house: House) -> None:
    """A case in session, whose mediator has asked for its board."""
    await in_session(house)
    await house.post(MIA, await house.room(DESK), "!board")
    await house.drain()


async def the_board_is_up_to_date(house: House) -> None:
    """One stands, at the desk alone; it was never sent again unchanged, and shows what is so now."""
    desk = await house.room(DESK)
    for user in PEOPLE:
        for room in house.synapse.all_rooms.values():
            texts = [text for text in await house.reads(user, room) if text.startswith((_BEGINS, _AGAIN))]
            if (user, room) != (MIA, desk) and texts:
                raise Broken(f"{user} reads a board in {room.id}")
    shown = [text for text in await house.reads(MIA, desk) if text.startswith((_BEGINS, _AGAIN))]
    if [text.startswith(_AGAIN) for text in shown] != [False, *[True] * (len(shown) - 1)]:
        raise Broken(f"more than one board stands: {shown}")
    bare = [text.removeprefix("* ") for text in shown]
    if any(before == after for before, after in pairwise(bare)):
        raise Broken(f"a board was sent again unchanged: {bare}")
    async with house.calm(), house.database.begin() as work:
        now, _ = await board_of(work, CASE, 1, {}, Clock.now(UTC), update=True)
    if now is None or bare[-1] != now.text:
        raise Broken(f"the board shows {bare[-1]!r} instead of {now.text if now else None!r}")
