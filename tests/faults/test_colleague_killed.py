"""Killed at every boundary in turn, a colleague is in the mediators' room by one code, and what is said goes once each
way (I5)."""

import json
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from policies.case import DESK, Conversation
from policies.effects import Post
from policies.message import Message, MessageId, SignedDevice, Text
from policies.names import MEDIATORS
from policies.people.colleagues import ROOM
from policies.people.membership import readers
from rooms.queue import State
from tests.appservice.whatsapp.colleagues import MIA, NORA, NORA_PHONE, MediatorsHouse, mediators_house
from tests.bridges.whatsapp.builders import PRIVATE
from tests.faults.dying import dying, handled, survived

HERS, MIAS = "good morning", "shall we meet at nine?"
_FAR = 10_000


async def lived(at: int) -> tuple[MediatorsHouse, int]:
    """Nora is invited, says the code, writes, and is written to; each step is taken until it was."""
    there = await mediators_house()
    there.graph.write(there.noras_telephone(), PRIVATE)

    async def over(step: Callable[[], Awaitable[Any]]) -> None:
        await survived(step, there.restarted)

    async def mia(name: str, text: str, where: Conversation) -> None:
        said = Message(MessageId(name), MIA, where, Text(text), SignedDevice(), there.now, native=True)
        await handled(there.database, there.house, MEDIATORS, said)

    async def hears(wamid: str, words: str) -> None:
        payload = json.dumps(there.hook((NORA, NORA_PHONE), PRIVATE, wamid, inner={"body": words})).encode()
        await over(lambda: there.inbox.accept(payload))
        await over(there.read)
        await over(there.deliver_to_colleagues)

    with dying(at) as boundaries:
        await over(lambda: mia("mia1", f"!colleague add Nora {NORA_PHONE}", DESK))
        await hears("wamid.1", f"yes {there.room.asks[-1].code}")
        await hears("wamid.2", HERS)
        await over(lambda: mia("mia2", MIAS, ROOM))
        await over(there.deliver_to_colleagues)
    return there, boundaries.passed


def wrong(there: MediatorsHouse) -> list[str]:
    """What should not be as it is."""
    problems = [] if there.nora.id in readers(there.room, ROOM) else ["she is not in"]
    posted = [e.content for e in there.effects() if isinstance(e, Post)]
    if posted != [Text(HERS)]:
        problems.append(f"posted: {posted}")
    arrived = Counter(there.noras_telephone().texts)
    problems += [f"{times} times on the telephone: {text}" for text, times in arrived.items() if times > 1]
    unknown = sum(i.state is State.UNKNOWN for i in there.database.committed.outbox.items.values())
    if len(arrived) + unknown < 2 or unknown > 1:
        problems.append(f"lost, or unknown without need: {len(arrived)} arrived, {unknown} unknown")
    return problems


async def test_unharmed_everything_arrives_once() -> None:
    there, passed = await lived(_FAR)
    assert not wrong(there)
    assert len(there.noras_telephone().texts) == 2
    assert passed > 15


async def test_killed_anywhere_nothing_is_lost_and_nothing_comes_twice() -> None:
    _, passed = await lived(_FAR)
    for at in range(1, passed + 1):
        there, _ = await lived(at)
        assert not wrong(there), at


async def test_a_courier_that_forgets_what_it_began_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    _, passed = await lived(_FAR)

    async def nothing(*_: object) -> tuple[()]:
        return ()

    monkeypatch.setattr("tests.fakes.memory.MemoryWhatsAppLedger.of_item", nothing)
    # That its item is marked as on its way would keep it, too.
    monkeypatch.setattr("tests.fakes.memory.MemoryQueue.mark_sending", nothing)
    assert any([wrong((await lived(at))[0]) for at in range(1, passed + 1)])
