"""A case goes from one mediator's client to another's: the successor is asked, and the former is out (M11)."""

from __future__ import annotations

import asyncio

from sandbox.client import Client
from tests.e2e.cases import Arrive, Staff, code_in, enter, enter_room, sits_in, told, until

pytest_plugins = ["tests.e2e.cases"]


async def test_a_case_is_taken_over_by_somebody_who_comes_in_for_it(mia: Staff, arrive: Arrive) -> None:
    desk, alice, successor = await asyncio.gather(mia.open_case(), arrive("alice"), arrive("max"))
    await desk.add("Alice", alice.user_id)
    hers = await desk.caucus(alice)
    await desk.ask(f"!handover Max {successor.user_id}", "do you take this case over")

    # Who comes in reads nothing older, so it is asked again.
    await enter(successor, f"Desk · {desk.number}")
    question = await told(successor, desk.room, "do you take this case over")
    await enter_room(successor, hers)
    await successor.text(desk.room, f"yes {code_in(question)}")

    await told(successor, desk.room, "Max has taken the case over")
    await told(alice, hers, "Max is your mediator from now on")
    await has_left(mia, successor, desk.room)
    await has_left(mia, alice, hers)
    asked = await successor.text(desk.room, "!status")
    await told(successor, desk.room, "Max: mediator", after=asked)
    await alice.text(hers, "To Max alone")
    await successor.wait_for_text(hers, "To Max alone")


async def has_left(mia: Staff, watcher: Client, room: str) -> None:
    """As the homeserver tells somebody who is still there."""

    async def gone() -> bool:
        return not await sits_in(mia.world, mia.client.user_id, room, watcher)

    await until(gone, "the former mediator out of the room")
