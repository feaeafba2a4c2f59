"""No word of one side ever reaches the other, whatever happens; and whatever should arrive, does, once (I1, I2, I5)."""

from hypothesis import given

from tests.invariants.histories import HISTORIES, Step, play
from tests.invariants.promises import kept
from tests.invariants.world import opened


@given(HISTORIES)
async def test_nothing_crosses_and_everything_arrives(history: tuple[Step, ...]) -> None:
    with opened() as world:
        await play(world, history)
        kept(world)
