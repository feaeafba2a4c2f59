"""Killed at every boundary in turn, a copy of a document and a voice message come to a telephone once at most, and no
byte of a document leaves that is not on record (D5, I5)."""

import hashlib
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from policies.documents.filing import decide_filed
from rooms.handle import Handler
from rooms.queue import ItemId, State
from tests.appservice.whatsapp.house import CODEC, WhatsAppHouse, known
from tests.appservice.whatsapp.test_enclosing import Shared
from tests.appservice.whatsapp.test_voice import SOUND, filed, recording
from tests.faults.dying import dying, survived
from tests.policies.builders import caucus_of

_FAR = 10_000


class Day:
    """Mia shares a file with Bea's side, Bea asks for it, and Mia says something."""

    def __init__(self, shared: Shared) -> None:
        self.shared, self.there = shared, shared.there

    async def live(self) -> None:
        there = self.there
        await self.over(lambda: there.says(f"!doc send {self.shared.document.id}", wamid="wamid.send"))
        await self.over(there.read)
        await self.over(there.deliver)
        await self.over(self.speak)
        await self.over(there.deliver)

    async def speak(self) -> None:
        there = self.there
        filing = filed(there.case, "Mia", caucus_of(there.case, "Jones"), recording())
        async with there.database.begin() as work:
            handler = Handler(work, CODEC, there.house, ItemId("h1"), there.now)
            await handler.follow(there.case, decide_filed(there.case, filing, known(documents=True)))

    async def over(self, step: Callable[[], Awaitable[Any]]) -> None:
        await survived(step, self.there.restarted)


async def lived(at: int, folder: Path) -> tuple[Day, int]:
    there = await WhatsAppHouse(documents=True).begin()
    await there.says("hello")
    shared = Shared(there, folder / str(at))
    (folder / str(at)).mkdir()
    await shared.by("Mia", shared.caucus)
    await there.deliver()
    day = Day(shared)
    with dying(at) as boundaries:
        await day.live()
    return day, boundaries.passed


def wrong(day: Day) -> list[str]:
    """What should not be as it is."""
    there = day.there
    items = there.database.committed.outbox.items.values()
    unknown = sum(item.state is State.UNKNOWN for item in items)
    copies, sounds = len(day.shared.arrived()), sum(shown["type"] == "audio" for shown in there.phone.shows)
    recorded = {serving.sha256 for serving in day.shared.document.servings}
    left = [stored.data for stored in there.graph.files.stored.values() if stored.data != SOUND]
    problems = [f"{copies} copies, {sounds} sounds"] if max(copies, sounds) > 1 else []
    if copies + sounds + unknown < 2 or unknown > 1:
        problems.append(f"lost, or unknown without need: {copies} copies, {sounds} sounds, {unknown} unknown")
    if any(hashlib.sha256(data).hexdigest() not in recorded for data in left):
        problems.append("bytes left that are not on record")
    if any(item.state in {State.READY, State.DEAD} and item.kind == "people" for item in items):
        problems.append("something is left")
    return problems


async def test_unharmed_both_arrive_once(tmp_path: Path) -> None:
    day, passed = await lived(_FAR, tmp_path)
    assert not wrong(day)
    assert (len(day.shared.arrived()), passed > 25) == (1, True)


async def test_killed_anywhere_neither_comes_twice_and_nothing_leaves_off_record(tmp_path: Path) -> None:
    _, boundaries = await lived(_FAR, tmp_path)
    for at in range(1, boundaries + 1):
        day, _ = await lived(at, tmp_path)
        assert not wrong(day), at


async def test_a_copy_that_is_put_on_record_after_it_left_is_caught(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def nothing(*_: object) -> None:
        return None

    monkeypatch.setattr("appservice.documents.handout.Enclosures.noted", nothing)
    day, _ = await lived(_FAR, tmp_path)
    assert "bytes left that are not on record" in wrong(day)
