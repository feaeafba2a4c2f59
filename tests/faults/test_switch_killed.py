"""Killed at every boundary while somebody is moved between mail and WhatsApp: nothing comes twice, by whichever way,
nothing is lost, and nothing goes to a channel that is not theirs any more."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from appservice.whatsapp.courier import WhatsAppCourier
from policies.case import Network
from rooms.letters import Letter
from rooms.outcome import Outcome
from rooms.queue import Item, State
from tests.appservice.whatsapp.both import TO_MAIL, TO_TELEPHONE, Both
from tests.faults.dying import dying, survived

WORDS = ("the first.", "the second.", "the third.")
_FAR = 10_000


async def lived(at: int) -> tuple[Both, int]:
    """Words come by WhatsApp and then by mail; and while one is on its way by mail, she is moved back."""
    there = Both()
    await there.begin()
    with there.open():
        await there.says("it is me")
        await there.writes(WORDS[0])
        await there.goes_out()
        await there.moves(TO_MAIL)
        await there.agrees()
        await there.goes_out()
        await there.writes(WORDS[1])
        with dying(at) as boundaries:

            async def smtp(_: str) -> None:
                boundaries.boundary()

            there.post.hazard = smtp
            # What dies here is taken up by nobody before she is somewhere else.
            await survived(there.goes_out, there.restarted, again=False)
            await _over(there, lambda: there.moves(TO_TELEPHONE, name="back"))
            await _over(there, lambda: there.agrees(name="consent"))
            await _over(there, lambda: there.says("it is me again", wamid="wamid.again"))
            await _over(there, lambda: there.writes(WORDS[2], name="w2"))
            await _over(there, there.goes_out)
        await there.goes_out()
    return there, boundaries.passed


async def _over(there: Both, step: Callable[[], Awaitable[Any]]) -> None:
    """A step, and again in a new process if the one that took it died."""
    await survived(step, there.restarted)


def wrong(there: Both) -> list[str]:
    """What should not be as it is."""
    problems = [] if there.bea.endpoint.network is Network.WHATSAPP else ["she was not moved"]
    unknown = sum(item.state is State.UNKNOWN for item in there.for_bea())
    missing = 0
    for words in WORDS:
        arrived = there.arrived(words)
        problems += [f"“{words}” came so often: {arrived}"] if sum(arrived.values()) > 1 else []
        missing += not sum(arrived.values())
    if missing > unknown:
        problems.append(f"{missing} did not come, and {unknown} are unknown")
    if len(there.as_hers()) != 2:
        problems.append(f"{len(there.as_hers())} of her words were posted")
    return problems


async def test_unharmed_each_comes_over_the_channel_of_its_time() -> None:
    there, passed = await lived(_FAR)
    assert wrong(there) == []
    assert [dict(+there.arrived(words)) for words in WORDS] == [{"telephone": 1}, {"mailbox": 1}, {"telephone": 1}]
    assert passed > 20


async def test_killed_anywhere_nothing_comes_twice_and_nothing_is_lost() -> None:
    _, passed = await lived(_FAR)
    for at in range(1, passed + 1):
        there, _ = await lived(at)
        assert wrong(there) == [], at


async def test_a_way_out_that_forgets_what_was_begun_elsewhere_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if what leaves by WhatsApp did not ask whether it was on its way by mail before."""
    carry = WhatsAppCourier.carry

    async def anew(courier: WhatsAppCourier, item: Item, letter: Letter) -> Outcome:
        async with courier._database.begin() as work:
            if not await work.whatsapp.of_item(item.id):
                await work.outbox.revive(item.id)
                item = replace(item, sending=False)
                there = courier._database.committed.outbox.items  # type: ignore[attr-defined]
                there[item.id] = replace(there[item.id], sending=False)
        return await carry(courier, item, letter)

    monkeypatch.setattr(WhatsAppCourier, "carry", anew)
    _, passed = await lived(_FAR)
    for at in range(1, passed + 1):
        if wrong((await lived(at))[0]):
            return
    pytest.fail("no death showed it")
