"""The board in a mediator's client: formatted, and up to date in its place (R8)."""

from __future__ import annotations

from tests.e2e.cases import Arrive, Staff, told

pytest_plugins = ["tests.e2e.cases"]


async def test_a_board_is_kept_up_to_date_in_its_place(mia: Staff, arrive: Arrive) -> None:
    desk = await mia.open_case()
    alice = await arrive("alice")
    await desk.add("Alice", alice.user_id)
    await desk.ask("!board", "Waiting for: nobody")
    board = await mia.client.wait_for(
        lambda e: e.room_id == desk.room and (e.body or "").startswith("Board · "), "the board"
    )
    await desk.ask("!pause", "The mediation is paused")
    newer = await mia.client.wait_for(
        lambda e: e.room_id == desk.room and "– paused" in (e.body or ""), "the board of a paused case", 30
    )
    assert newer.relates_to == {"rel_type": "m.replace", "event_id": board.event_id}
    assert newer.content["m.new_content"]["formatted_body"].startswith("<strong>Board")
    assert not newer.shield
    asked = await mia.client.text(mia.lobby, "!board")
    await told(mia.client, mia.lobby, "In the others: nobody is waited for", after=asked)
