"""Killed at every boundary in turn, a stranger's words are shown once, they are answered at most once, and the case
that is opened for them is opened once, with those words in it once (I5)."""

import json
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from policies.case import DESK
from policies.effects import Post, Tell
from policies.message import Message, MessageId, SignedDevice, Text
from policies.people.stranger import TRIAGE, Stands, Triage
from rooms.queue import State
from tests.appservice.whatsapp.triage import MIA, STRANGER, USER, house
from tests.appservice.whatsapp.triage import Triage as Desk
from tests.bridges.whatsapp.builders import PRIVATE, contact, message, webhook
from tests.faults.dying import dying, handled, survived

WORDS, ANSWER = "my neighbour owes me 4,000", "When may we telephone you?"
COMMANDS = (f"!intake answer S1: {ANSWER}", "!intake open S1 Nora: Nora and her neighbour")
_FAR = 10_000


async def lived(at: int) -> tuple[Desk, int]:
    """A stranger writes, is answered by itself and by Mia, and becomes a party; each step is taken until it was."""
    there = await house()
    there.graph.write(there.telephone(), PRIVATE)
    said = message(inner={"body": WORDS}, wamid="wamid.first", **{"from": STRANGER[1:], "from_user_id": USER})
    payload = json.dumps(webhook(said, contacts=[contact(USER, STRANGER)])).encode()

    async def over(step: Callable[[], Awaitable[Any]]) -> None:
        await survived(step, there.new_process)

    async def mia(name: str, command: str) -> None:
        given = Message(MessageId(name), MIA, DESK, Text(command), SignedDevice(), there.now, native=True)
        await handled(there.database, there.house, TRIAGE, given)

    with dying(at) as boundaries:
        await over(lambda: there.inbox.accept(payload))
        await over(there.read)
        await over(there.deliver_to_strangers)
        for number, command in enumerate(COMMANDS):
            await over(lambda number=number, command=command: mia(f"mia{number}", command))  # type: ignore[misc]
            await over(there.deliver_to_strangers)
    return there, boundaries.passed


def wrong(there: Desk) -> list[str]:
    """What should not be as it is."""
    effects = there.effects()
    shown = sum(isinstance(e, Tell) and f"> {WORDS}" in e.text for e in effects)
    posted = [e.content for e in effects if isinstance(e, Post)]
    problems = [] if (shown, posted) == (1, [Text(WORDS)]) else [f"shown {shown} times, posted {len(posted)} times"]
    if len(there.database.committed.cases) != 3 or there.stranger().stands is not Stands.OPENED:
        problems.append("not one case was opened")
    arrived = Counter(there.received())
    problems += [f"{times} times on the telephone: {text}" for text, times in arrived.items() if times > 1]
    items = there.database.committed.outbox.items.values()
    unknown = sum(i.state is State.UNKNOWN for i in items)
    if len(arrived) + unknown < 2 or unknown > 1:
        problems.append(f"lost, or unknown without need: {len(arrived)} arrived, {unknown} unknown")
    return problems


async def test_unharmed_everything_arrives_once() -> None:
    there, passed = await lived(_FAR)
    assert not wrong(there)
    assert len(there.received()) == 2
    assert passed > 15


async def test_killed_anywhere_nothing_is_lost_and_nothing_comes_twice() -> None:
    _, passed = await lived(_FAR)
    for at in range(1, passed + 1):
        there, _ = await lived(at)
        assert not wrong(there), at


async def test_a_courier_that_forgets_what_it_began_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    _, passed = await lived(_FAR)

    async def nothing(*_: object) -> None:
        return None

    monkeypatch.setattr("tests.fakes.memory_queue.MemoryQueue.mark_sending", nothing)
    found = [wrong((await lived(at))[0]) for at in range(1, passed + 1)]
    assert any(found)


async def test_a_stranger_who_is_forgotten_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Triage, "get", lambda *_: None)
    there, _ = await lived(_FAR)
    assert wrong(there)
