"""No word of one side ever reaches the other, whatever happens; and whatever should arrive, does, once (I1, I2, I5)."""

from hypothesis import given
from hypothesis import strategies as st

from bridges.email.api import Accepted, SendResult
from tests.invariants.canaries import Fate
from tests.invariants.histories import (
    FAULTS,
    HISTORIES,
    SETTLED,
    VERDICTS,
    Enrol,
    Fault,
    Mail,
    Rest,
    Say,
    Smtp,
    Step,
    Vouched,
    play,
)
from tests.invariants.promises import kept
from tests.invariants.world import ALICE, CARL, opened


@given(HISTORIES)
async def test_nothing_crosses_and_everything_arrives(history: tuple[Step, ...]) -> None:
    with opened() as world:
        await play(world, history)
        kept(world)


async def test_what_waited_for_a_mailbox_to_be_confirmed_is_heard_then_in_private_alone() -> None:
    before = (*SETTLED, Vouched(CARL), Mail(CARL), Mail(CARL, pick=1), Rest())
    with opened() as world:
        await play(world, before)
        kept(world)
        assert [said.fate for said in world.said.values() if said.waits] == [Fate.HELD] * 2
    with opened() as world:
        await play(world, (*before, Enrol(CARL), Rest()))
        kept(world)
        assert {said.fate for said in world.said.values() if said.waits} == {Fate.CARRIED, Fate.ASIDE}


@given(st.sampled_from(FAULTS), st.integers(0, 90), st.sampled_from((Accepted("queued"), *VERDICTS)))
async def test_a_fault_between_any_two_steps_loses_and_repeats_nothing(kind: str, after: int, smtp: SendResult) -> None:
    words = (Smtp(smtp), Say(ALICE, 0), Say(ALICE, 1), Mail(CARL), Mail(CARL, pick=1))
    with opened() as world:
        await play(world, (*SETTLED, *words, Fault(kind, after), Rest()))
        kept(world)
