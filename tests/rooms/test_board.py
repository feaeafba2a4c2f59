"""A board is posted to its desk, and kept up to date in its place; the direct chat shows all cases (R8)."""

from datetime import UTC, datetime, timedelta

from policies.case import DESK
from policies.message import SignedDevice, Text
from rooms.board import UPDATED_EVERY, board_item
from rooms.deliver import Deliverer
from rooms.ids import RoomId
from rooms.outcome import Cancelled, Sent
from rooms.outgoing import Board, Say
from rooms.queue import Item, State
from tests.policies.builders import message
from tests.rooms.builders import AT, CODEC, MIA, Site, chat, handler


async def says(site: Site, command: str, number: int = 0) -> None:
    case = site.database.committed.cases[site.case.id]
    async with site.database.begin() as work:
        at = AT + timedelta(seconds=number)
        said = message(case, "Mia", DESK, Text(command))
        await handler(work, f"{command} {number}", at).message(case.id, said, None, None)


def boards(site: Site) -> list[Item]:
    items = site.database.committed.outbox.items.values()
    return [item for item in items if item.body and isinstance(CODEC.load(item.body), Board)]


async def send(site: Site, item: Item) -> object:
    """Deliver an item, and store what came of it."""
    outcome, _ = await site.deliverer.deliver(item, CODEC.load(item.body))
    if isinstance(outcome, Sent):
        async with site.database.begin() as work:
            await work.outbox.done(item.id, outcome.result)
    return outcome


async def shown() -> Site:
    """A board stands at the desk."""
    site = await Site().begin()
    await says(site, "!board")
    [item] = boards(site)
    assert item.id == board_item(site.case.id, 1)
    assert isinstance(await send(site, item), Sent)
    return site


async def test_a_board_is_posted_to_the_desk_as_html_with_its_plain_words() -> None:
    site = await shown()
    posting = site.poster.posted[-1]
    assert posting.room == site.room(DESK).id
    assert isinstance(posting.content, Text)
    assert posting.content.body.startswith("Board · 1042: Smith and Jones – in session")
    assert posting.html
    assert posting.html.startswith("<strong>Board · 1042:</strong>")
    assert posting.replaces is None


async def test_what_changes_is_shown_in_its_place_once_for_some_seconds() -> None:
    site = await shown()
    stands = site.database.committed.outbox.items[board_item(site.case.id, 1)].result
    await says(site, "!pause")
    await says(site, "!status", 1)
    [update] = boards(site)
    assert update.state is State.PARKED, "it doesn't hold up what is said at the desk"
    assert update.due_at
    assert update.due_at - datetime.fromtimestamp(AT.timestamp(), UTC) <= timedelta(seconds=UPDATED_EVERY)
    assert isinstance(await send(site, update), Sent)
    posting = site.poster.posted[-1]
    assert posting.replaces == stands
    assert isinstance(posting.content, Text)
    assert "– paused" in posting.content.body


async def test_what_another_process_posted_meanwhile_is_brought_up_to_date() -> None:
    site = await shown()
    other = Deliverer(site.database, site.deliverer._homeserver, site.poster, {})
    for number, (command, deliverer) in enumerate((("!pause", other), ("!resume", site.deliverer))):
        mine, site.deliverer = site.deliverer, deliverer
        await says(site, command, number * 2 * UPDATED_EVERY)
        [update] = [item for item in boards(site) if item.state is State.PARKED]
        assert isinstance(await send(site, update), Sent), command
        site.deliverer = mine
    assert isinstance(site.poster.posted[-1].content, Text)
    assert "– in session" in site.poster.posted[-1].content.body


async def test_what_did_not_change_is_not_posted_again() -> None:
    site = await shown()
    await says(site, "!status")
    [update] = boards(site)
    posted = len(site.poster.posted)
    assert isinstance(await send(site, update), Cancelled)
    assert len(site.poster.posted) == posted


async def test_a_new_board_is_posted_below_and_the_old_one_rests() -> None:
    site = await shown()
    await says(site, "!pause")
    await says(site, "!board", 1)
    update, new = boards(site)
    assert isinstance(await send(site, update), Cancelled)
    assert isinstance(await send(site, new), Sent)
    assert site.poster.posted[-1].replaces is None


async def test_where_no_board_was_asked_for_none_is_kept() -> None:
    site = await Site().begin()
    await says(site, "!status")
    assert boards(site) == []


async def test_the_direct_chat_shows_the_cases_of_that_mediator() -> None:
    site = await Site().begin()
    await says(site, "!party remove Carl")
    room = RoomId("!lobby")
    async with site.database.begin() as work:
        await chat(work, "lobby").message(room, MIA, Text("!board"), SignedDevice(), AT)
    [said] = [out for out in site.outbox() if isinstance(out, Say)]
    assert said.text.startswith("1042: Smith and Jones – in session; Mia: confirm an act, since")
    assert said.html
