"""Killed at every boundary in turn, in both directions, WhatsApp loses nothing, posts nothing twice, and repeats no
message to a telephone: what left without an answer is unknown, and said so (I5)."""

import json
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import pytest

from policies.case import JOINT
from policies.effects import Post, Publish, Relay
from policies.message import Message, MessageId, Reaction, SignedDevice, Text, Unproven
from rooms.handle import Handler
from rooms.queue import ItemId, State
from tests.appservice.whatsapp.house import CODEC, WhatsAppHouse
from tests.bridges.whatsapp.builders import PRIVATE, Json, message, webhook
from tests.faults.dying import dying, survived
from tests.policies.builders import caucus_of, named

HERS, FOR_HER = "I can live with a date in June", "Alice says yes"
_FAR = 10_000


@dataclass
class Life:
    """Bea writes and chooses; Alice writes to everyone; and each step is taken again until it was."""

    there: WhatsAppHouse
    was_asked: bool = False
    """Whether the question came to her telephone, so that she could answer it."""

    async def live(self) -> None:
        """All of it."""
        await self.hook(webhook(message(inner={"body": HERS}, wamid="wamid.hers")))
        self.there.graph.write(self.there.phone, PRIVATE, wamid="wamid.hers")
        await self.over(self.there.deliver)
        everyone = next((b for b in self.there.phone.buttons if b["title"] == "Everyone"), None)
        if everyone:
            pressed = {"type": "button_reply", "button_reply": everyone}
            await self.hook(webhook(message("interactive", pressed, wamid="wamid.pressed")))
            self.was_asked = True
        await self.over(self.there.deliver)
        self.there.later(minutes=1)
        await self.over(self.there.alarms)
        await self.over(self.alice)
        await self.over(self.there.deliver)
        await self.over(self.mia)
        await self.over(self.there.deliver)

    async def hook(self, payload: Json) -> None:
        """Meta calls until it is answered, and what came is read."""
        await self.over(lambda: self.there.inbox.accept(json.dumps(payload).encode()))
        await self.over(self.there.read)

    async def alice(self) -> None:
        """She writes in the joint room."""
        there = self.there
        author = named(there.case, "Alice").id
        said = Message(MessageId("m1"), author, JOINT, Text(FOR_HER), SignedDevice(), there.now, native=True)
        async with there.database.begin() as work:
            await Handler(work, CODEC, there.house, ItemId("h1"), there.now).message(there.case.id, said, None, None)

    async def mia(self) -> None:
        """She reacts to what Bea wrote."""
        there = self.there
        hers = next(post.message for post in there.posts())
        said = Reaction(hers, "👍")
        own, by = caucus_of(there.case, "Jones"), named(there.case, "Mia").id
        reaction = Message(MessageId("r1"), by, own, said, Unproven("it is in clear", ""), there.now, native=True)
        async with there.database.begin() as work:
            handler = Handler(work, CODEC, there.house, ItemId("h2"), there.now)
            await handler.message(there.case.id, reaction, None, None)

    async def over(self, step: Callable[[], Awaitable[Any]]) -> None:
        """A step, whatever happens."""
        await survived(step, self.there.restarted)


async def lived(at: int) -> tuple[Life, int]:
    there = await WhatsAppHouse(two_numbers=False).begin()
    life = Life(there)
    with dying(at) as boundaries:
        await life.live()
    return life, boundaries.passed


def wrong(life: Life) -> list[str]:
    """What should not be as it is."""
    there, effects = life.there, life.there.effects()
    own = caucus_of(there.case, "Jones")
    posts = [(e.conversation, e.content) for e in effects if isinstance(e, Post)]
    shown = [e.words for e in effects if isinstance(e, Publish)]
    problems = [] if posts == [(own, Text(HERS))] else [f"posted: {posts}"]
    if shown != ([HERS] if life.was_asked else []):
        problems.append(f"shown to everyone: {shown}")
    arrived = Counter(there.phone.texts)
    problems += [f"{count} times on her telephone: {text}" for text, count in arrived.items() if count > 1]
    without_answer = [i for i in there.database.committed.outbox.items.values() if i.state is State.UNKNOWN]
    unknown = [item for item in without_answer if not _is_reaction(CODEC.load(item.body))]
    reacted = [body for _, body in there.graph.accepted if body["type"] == "reaction"]
    if len(reacted) > 1 or (not reacted and len(without_answer) == len(unknown)):
        problems.append(f"reacted {len(reacted)} times, {len(without_answer)} unknown")
    # The question, what she may take back, that it was shown, and Alice's words.
    missing = len(there.phone.texts) + len(unknown) < (4 if life.was_asked else 2)
    if missing or len(unknown) > 1:
        problems.append(f"lost, or unknown without need: {there.phone.texts}, {len(unknown)} unknown")
    return problems


def _is_reaction(effect: object) -> bool:
    return isinstance(effect, Relay) and isinstance(effect.content, Reaction)


async def all_boundaries() -> int:
    _, passed = await lived(_FAR)
    return passed


async def test_unharmed_everything_arrives_once() -> None:
    life, passed = await lived(_FAR)
    assert not wrong(life)
    assert list(life.there.phone.reacted.values()) == ["👍"]
    assert life.was_asked
    assert passed > 40
    assert not [i for i in life.there.database.committed.outbox.items.values() if i.state is State.UNKNOWN]


async def test_killed_anywhere_nothing_is_lost_and_nothing_comes_twice() -> None:
    for at in range(1, await all_boundaries() + 1):
        life, _ = await lived(at)
        assert not wrong(life), at


async def test_a_courier_that_forgets_what_it_began_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    async def nothing(*_: object) -> tuple[()]:
        return ()

    monkeypatch.setattr("tests.fakes.memory.MemoryWhatsAppLedger.of_item", nothing)
    # That its item is marked as on its way would keep it, too.
    monkeypatch.setattr("tests.fakes.memory.MemoryQueue.mark_sending", nothing)
    found = [wrong((await lived(at))[0]) for at in range(1, await all_boundaries() + 1)]
    assert any(found)
