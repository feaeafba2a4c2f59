"""Posting what is of no use later: where the room isn't fit to be written to now, it is dropped."""

from __future__ import annotations

from policies.networks.states import is_shown
from policies.plan import room_key
from rooms.carriers import Poster, Posting
from rooms.homeserver import Homeserver, ReaderFrozen
from rooms.marks import Mark, Marked, is_overtaken
from rooms.outcome import Cancelled, Outcome, Sent
from rooms.outgoing import Signal
from rooms.ports import Database, Standing
from rooms.provision import Fit, fitness
from rooms.queue import Item


async def signal(database: Database, homeserver: Homeserver, poster: Poster, item: Item, sent: Signal) -> Outcome:
    """A step of a verification, to whoever reads that room. Raises Trouble."""
    async with database.begin() as work:
        record = await work.rooms.by_room_id(sent.room)
    if record and record.case:
        fit = await fitness(database, homeserver, record.case, record)
    else:
        actual = await homeserver.state(sent.room) if record else None
        alone = actual is not None and actual.encrypted and actual.joined == frozenset({sent.to})
        them = Fit(frozenset({sent.to}), frozenset())
        fit = them if alone else "the direct chat is not one between them and the bot"
    if isinstance(fit, str):
        return Cancelled(fit)
    posting = Posting(sent.room, homeserver.bot, fit.audience, sent, is_notice=True, awaited=fit.awaited)
    return await _posted(poster, item, posting)


async def mark(database: Database, homeserver: Homeserver, poster: Poster, item: Item, shown: Mark) -> Outcome:
    """What became of a message, beside it: in the room in which it stands, and only there. Raises Trouble."""
    if item.case is None:
        return Cancelled("it is about no case")
    async with database.begin() as work:
        case = await work.cases.load(item.case)
        record = await work.rooms.get(item.case, room_key(shown.conversation))
        entry = await work.journal.get(item.case, shown.message)
        reader = await work.ghosts.of_person(item.case, shown.to)
        overtaken = await is_overtaken(work, item.case, shown)
    person = case.person(shown.to) if case else None
    if overtaken:
        return Cancelled("more is known by now")
    if case is None or person is None or not is_shown(case, shown.conversation, person, shown.state):
        return Cancelled("it is not shown there any more")
    if entry is None or entry.event is None or entry.message.conversation != shown.conversation:
        return Cancelled("the message does not stand there")
    if record is None or record.standing is not Standing.MADE or record.room_id is None or reader is None:
        return Cancelled("the room does not stand")
    fit = await fitness(database, homeserver, item.case, record)
    if isinstance(fit, str):
        return Cancelled(fit)
    content, bot = Marked(shown.state, reader), homeserver.bot
    posting = Posting(
        record.room_id, bot, fit.audience, content, is_notice=True, awaited=fit.awaited, reply_to=entry.event
    )
    return await _posted(poster, item, posting)


async def _posted(poster: Poster, item: Item, posting: Posting) -> Outcome:
    try:
        return Sent(await poster.post(item, posting))
    except ReaderFrozen as frozen:
        return Cancelled(frozen.why)
