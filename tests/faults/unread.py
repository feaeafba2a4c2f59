"""Something comes that can't be read: its key never comes, or we stumble over it each time; while something is cut off
(I5)."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from unittest.mock import patch

from appservice.reading import EventReader
from policies.case import DESK
from rooms.ids import UserId
from rooms.queue import State
from tests.fakes.synapse import Room
from tests.faults.audience import read_only_by
from tests.faults.clock import Clock
from tests.faults.house import PLAIN, House, Setting
from tests.faults.scenarios import Broken, Scenario
from tests.invariants.world import ALICE, BOT, CARL, MIA

_POISON = "poison"
_LATER = (*[timedelta(hours=8)] * 3, *[timedelta(days=4)] * 3)
"""Longer than anything waits for its key, in steps."""
_TRIES = 6
"""More than a process stumbles over something before it gives it up."""
_DESK_HEARS = {
    "I can't decrypt something that Alice wrote in PRIVATE": 1,
    "Held: something from Alice for PRIVATE": 1,
    "Something that arrived could not be read": 1,
    "Alice wrote in PRIVATE": 2,
}
_ALICE_HEARS = {"I can't decrypt what you wrote in PRIVATE": 1, "What you wrote was not passed on: I could not": 1}


@contextmanager
def stumbling(_: House) -> Iterator[None]:
    """Over certain words."""
    genuine = EventReader._message

    async def message(self: EventReader, reading: Any, *what: Any) -> None:
        if _POISON in str(what):
            raise ZeroDivisionError
        await genuine(self, reading, *what)

    with patch.object(EventReader, "_message", message):
        yield


async def alice_is_not_understood(house: House, word: str) -> None:
    """The key of the first never comes; we stumble over the third; the others are read."""
    private = await house.room(await house.caucus_of("Alice"))
    await _post_without_its_key(house, ALICE, private, f"{word} lost")
    await house.rotate()
    await house.drain()
    await house.post(ALICE, private, f"{word} after")
    await house.drain()
    for time in _LATER:
        Clock.ahead += time
        await house.rest()
    for text in (f"{word} {_POISON}", f"{word} last"):
        await house.post(ALICE, private, text)
    for _ in range(2 * _TRIES):  # whoever takes the place of one that was killed begins anew
        Clock.ahead += timedelta(minutes=6)
        await house.work_off()


async def _post_without_its_key(house: House, user: UserId, room: Room, text: str) -> None:
    """The homeserver loses the message to us in which its key is."""
    inbox = house.synapse.keys.inbox
    before = {device: len(waiting) for device, waiting in inbox.items()}
    await house.post(user, room, text)
    for device, waiting in inbox.items():
        if device[0] == BOT:
            del waiting[before.get(device, 0) :]


async def she_and_the_desk_heard_of_each_once(house: House, word: str) -> None:
    """It is held, or dead, and nothing behind it waits; nobody else hears anything."""
    desk, private = await house.room(DESK), await house.room(await house.caucus_of("Alice"))
    said = [f"{word} {text}" for text in ("lost", "after", _POISON, "last")]
    await read_only_by(house, word, [(MIA, private, said)])
    house.noticed += 1
    for user, room, wanted in ((MIA, desk, _DESK_HEARS), (ALICE, private, _ALICE_HEARS)):
        texts = await house.reads(user, room)
        for begin, times in wanted.items():
            heard = len([text for text in texts if text.startswith(begin)])
            if heard != times * house.noticed:
                raise Broken(f"{user} heard {heard} times, instead of {times * house.noticed}: {begin}")
    for room in (await house.room(), await house.room(await house.caucus_of("Bob"))):
        await _nobody_hears_of_it(house, room)
    if any(word in mail.text or "decrypt" in mail.text for mail in house.post_office.mailbox(CARL)):
        raise Broken("Carl was mailed something of it")
    async with house.calm(), house.database.begin() as work:
        dead = await work.inbox.in_state({State.DEAD})
        for item in dead:
            await work.inbox.stop(item.id, State.CANCELLED, "seen")
    if len(dead) != 1:
        raise Broken(f"{len(dead)} items are dead")


async def _nobody_hears_of_it(house: House, room: Room) -> None:
    for user in room.joined:
        if user in house.clients.people and any("decrypt" in text for text in await house.reads(user, room)):
            raise Broken(f"{user} heard of it in {room.id}")


UNREAD = Scenario(
    "something can't be read",
    alice_is_not_understood,
    she_and_the_desk_heard_of_each_once,
    Setting(PLAIN.configured, stumbling),
    fails="Something that arrived could not be read",
)
