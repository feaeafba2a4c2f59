"""What becomes of a sending is stored and, where a mediator must know, told at the desk without content."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from appservice.codec import JsonCodec
from appservice.sending import LETTERS_FOR, LOOK_AGAIN, OutboxWork
from appservice.worker import Done, End, Fate, Finished, Park, Worker
from policies.case import DESK, JOINT
from policies.effects import Explain, Introduce, Post, Reconcile, Relay, Tell
from policies.message import MessageId, Text
from policies.showing import Preview
from policies.words.phrase import verbatim
from rooms.apply import REST_AT_MOST
from rooms.homeserver import Trouble
from rooms.ids import RoomId
from rooms.outcome import Cancelled, Outcome, Parked, Sent, TakenOver, Unanswered
from rooms.outgoing import MATRIX, PEOPLE, Outgoing, Say
from rooms.ports import Entry, Work
from rooms.provision import Report
from rooms.queue import Item, ItemId, Lane, State
from tests.fakes.memory import MemoryDatabase
from tests.policies.builders import both_sides, caucus_of, message, named
from tests.rooms.builders import HOUSE, MIA

CODEC = JsonCodec()
CASE = both_sides()
CARL, ALICE = named(CASE, "Carl").id, named(CASE, "Alice").id
M1 = MessageId("m1")
SECRET = Text("secret words")
RELAY = Relay(M1, JOINT, ALICE, SECRET, CARL)


class Delivers:
    """Delivers as it is told to."""

    def __init__(self, outcome: Outcome | Trouble, report: Report) -> None:
        self.outcome, self.report = outcome, report

    async def deliver(self, item: Item, outgoing: Outgoing) -> tuple[Outcome, Report]:
        if isinstance(self.outcome, Trouble):
            raise self.outcome
        return self.outcome, self.report

    async def stopped(self, work: Work, item: Item, outgoing: Outgoing) -> Parked | None:
        return None


async def test_what_another_process_has_taken_over_is_that_ones_to_end(database: MemoryDatabase) -> None:
    assert await send(database, item_of(RELAY), TakenOver()) == (Finished(), [])
    assert database.committed.outbox.items[ItemId("i1")].state is State.READY


@pytest.fixture
async def database() -> MemoryDatabase:
    database = MemoryDatabase()
    async with database.begin() as work:
        await work.cases.save(CASE)
    return database


def item_of(outgoing: Outgoing, *, attempts: int = 0, lane: str = "lane") -> Item:
    case = None if isinstance(outgoing, Say) else CASE.id
    at = datetime(2026, 1, 5, tzinfo=UTC)
    return Item(ItemId("i1"), Lane(lane), MATRIX, case, CODEC.dump(outgoing), at, attempts=attempts)


def failing(item: Item, ago: timedelta) -> Item:
    """The item, tried in vain for so long."""
    return replace(item, attempts=3, failing_since=datetime.now(UTC) - ago)


async def send(
    database: MemoryDatabase, item: Item, outcome: Outcome | Trouble, report: Report | None = None
) -> tuple[Fate, list[str]]:
    """What became of an item, and what the desk was told."""
    async with database.begin() as work:
        await work.outbox.put(item)
    outbox = OutboxWork(database, Delivers(outcome, report or Report()), CODEC, HOUSE)
    fate = await outbox.one(item)
    await outbox.after(item, fate)
    return fate, told(database)


def told(database: MemoryDatabase) -> list[str]:
    items = database.committed.outbox.items.values()
    effects = [CODEC.load(item.body) for item in items if item.lane == "room:1042:desk" and item.id != "i1"]
    return [effect.text for effect in effects if isinstance(effect, Tell) and effect.conversation == DESK]


@pytest.mark.parametrize(
    ("outcome", "fate"),
    [
        (Sent("$event"), Done("$event")),
        (Parked("key", "not yet"), Park("key", "not yet", LOOK_AGAIN)),  # it has waited for long
        (Cancelled("not any more"), End(State.CANCELLED, "not any more")),
    ],
)
async def test_what_went_as_decided_is_stored_and_told_to_nobody(
    database: MemoryDatabase, outcome: Outcome, fate: Fate
) -> None:
    assert await send(database, item_of(RELAY), outcome) == (fate, [])


@pytest.mark.parametrize(("waited", "rests"), [(0, 2), (10, 10), (3600, 60)])
async def test_what_waits_is_looked_at_again_the_sooner_the_newer_it_is(
    database: MemoryDatabase, waited: float, rests: float
) -> None:
    new = replace(item_of(RELAY), received_at=datetime.now(UTC) - timedelta(seconds=waited))
    fate, _ = await send(database, new, Parked("key", "not yet"))
    assert isinstance(fate, Park)
    assert fate.at_most is not None
    assert fate.at_most.total_seconds() == pytest.approx(rests, abs=1)


async def test_a_persons_words_are_the_event_with_which_they_were_posted(database: MemoryDatabase) -> None:
    async with database.begin() as work:
        await work.journal.append(Entry(CASE.id, message(CASE, "Carl", JOINT)))
        await work.outbox.put(item_of(Post(JOINT, CARL, SECRET, M1)))
    outbox = OutboxWork(database, Delivers(Sent("$event", M1), Report()), CODEC, HOUSE)
    worker = Worker("outbox", database, lambda work: work.outbox, outbox.one, outbox.after)
    await worker._next_lane("me")
    async with database.begin() as work:
        entry = await work.journal.get(CASE.id, M1)
    assert entry is not None
    assert entry.event == "$event"
    assert database.committed.outbox.items[ItemId("i1")].state is State.DONE


async def test_silence_is_shown_as_such(database: MemoryDatabase) -> None:
    fate, texts = await send(database, item_of(RELAY), Unanswered("no answer"))
    assert isinstance(fate, End)
    assert fate.state is State.UNKNOWN
    (text,) = texts
    assert text.startswith("Perhaps not delivered: a mail to Carl from EVERYONE · 1042")
    assert "!dead" in text


async def test_a_no_for_good_is_told_with_its_reason(database: MemoryDatabase) -> None:
    fate, (text,) = await send(database, item_of(RELAY), Trouble("the mail server said no: 550", transient=False))
    assert isinstance(fate, End)
    assert fate.state is State.DEAD
    assert "Not delivered" in text
    assert "550" in text


NO_CONNECTION = Trouble("no connection", transient=True)


async def test_a_no_for_now_is_tried_again_and_told_once_it_lasts(database: MemoryDatabase) -> None:
    outbox = OutboxWork(database, Delivers(NO_CONNECTION, Report()), CODEC, HOUSE)
    for seconds, notices in ((0, 0), (20, 0), (40, 1), (400, 1), (4000, 1)):
        with pytest.raises(Trouble):
            await outbox.one(failing(item_of(RELAY), timedelta(seconds=seconds)))
        assert len(told(database)) == notices
    assert "being tried again: a mail to Carl" in told(database)[0]


async def test_another_process_that_goes_on_trying_does_not_tell_it_again(database: MemoryDatabase) -> None:
    item = failing(item_of(RELAY), timedelta(minutes=5))
    for _ in range(2):
        with pytest.raises(Trouble):
            await send(database, item, NO_CONNECTION)
    assert len(told(database)) == 1


async def test_what_is_sent_after_all_is_told_too(database: MemoryDatabase) -> None:
    item = failing(item_of(RELAY), timedelta(minutes=5))
    with pytest.raises(Trouble):
        await send(database, item, NO_CONNECTION)
    fate, (_, text) = await send(database, item, Sent("queued"))
    assert fate == Done("queued")
    assert text.startswith("Sent now, after 5 minutes of trying: a mail to Carl")


async def test_what_failed_for_a_moment_is_no_news(database: MemoryDatabase) -> None:
    assert await send(database, failing(item_of(RELAY), timedelta(seconds=5)), Sent("queued")) == (Done("queued"), [])


async def test_a_letter_is_given_up_after_a_day(database: MemoryDatabase) -> None:
    item = replace(failing(item_of(RELAY), LETTERS_FOR + timedelta(minutes=1)), kind=PEOPLE)
    fate, (text,) = await send(database, item, NO_CONNECTION)
    assert isinstance(fate, End)
    assert fate.state is State.DEAD
    assert text.startswith("Not delivered: a mail to Carl")


async def test_what_goes_into_a_room_is_never_given_up(database: MemoryDatabase) -> None:
    item = failing(item_of(Tell(JOINT, "x")), 10 * LETTERS_FOR)
    with pytest.raises(Trouble):
        await send(database, item, NO_CONNECTION)


async def test_nothing_is_told_at_the_desk_about_the_desk(database: MemoryDatabase) -> None:
    item = item_of(Tell(DESK, "x"), lane="room:1042:desk")
    _, texts = await send(database, item, Trouble("gone", transient=False))
    assert texts == []


async def test_what_was_seen_on_the_way_is_told_and_has_the_rooms_looked_at(database: MemoryDatabase) -> None:
    _, texts = await send(database, item_of(Tell(JOINT, "x")), Parked("k", "unfit"), Report(tell=("somebody joined",)))
    assert texts == ["somebody joined"]
    effects = [CODEC.load(item.body) for item in database.committed.outbox.items.values()]
    assert any(isinstance(effect, Reconcile) for effect in effects)


@pytest.mark.parametrize(
    "outgoing",
    [
        Post(JOINT, CARL, SECRET, M1),
        Tell(JOINT, SECRET.body),
        Explain(ALICE, caucus_of(CASE, "Smith"), verbatim(SECRET.body)),
        RELAY,
        Introduce(CARL, JOINT),
        Reconcile(),
        Preview(),
        Say(RoomId("!x"), MIA, SECRET.body),
    ],
    ids=lambda outgoing: type(outgoing).__name__,
)
async def test_no_description_has_a_word_of_it(database: MemoryDatabase, outgoing: Outgoing) -> None:
    fate, texts = await send(database, item_of(outgoing), Trouble("refused", transient=False))
    assert isinstance(fate, End)
    assert "secret" not in fate.why
    assert not any("secret" in text for text in texts)
    assert "refused" in fate.why


async def test_the_same_end_is_told_once(database: MemoryDatabase) -> None:
    for _ in range(2):
        _, texts = await send(database, item_of(RELAY), Unanswered("no answer"))
    assert len(texts) == 1


async def test_each_end_is_told_however_often_a_mediator_has_it_tried_again(database: MemoryDatabase) -> None:
    for times in range(1, 4):
        _, texts = await send(database, item_of(RELAY), Trouble("the mail server said no: 550", transient=False))
        assert len(texts) == times
        async with database.begin() as work:
            assert await work.outbox.revive(ItemId("i1"))


async def test_what_is_of_use_for_a_time_is_looked_at_again_before_that_is_over(database: MemoryDatabase) -> None:
    """The waking that it waits for may have come just before it was set aside."""
    new = replace(item_of(RELAY), received_at=datetime.now(UTC))
    fate, _ = await send(database, new, Parked("key", "not yet", datetime.now(UTC) + timedelta(minutes=15)))
    assert isinstance(fate, Park)
    assert fate.at_most is not None
    assert fate.at_most < timedelta(seconds=5)


class KeptBack(Delivers):
    """Nothing may leave."""

    def __init__(self, until: datetime | None = None) -> None:
        super().__init__(Cancelled(""), Report())
        self.until = until

    async def stopped(self, work: Work, item: Item, outgoing: Outgoing) -> Parked:
        return Parked("key", "not yet", self.until)


async def test_what_is_set_aside_while_its_case_is_locked_misses_no_waking_and_rests_for_long(
    database: MemoryDatabase,
) -> None:
    outbox = OutboxWork(database, KeptBack(), CODEC, HOUSE)
    async with database.begin() as work:
        assert await outbox.quick(work, [item_of(RELAY)]) == [Park("key", "not yet", REST_AT_MOST)]
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    outbox = OutboxWork(database, KeptBack(tomorrow), CODEC, HOUSE)
    async with database.begin() as work:
        [fate] = await outbox.quick(work, [item_of(RELAY)])
    assert isinstance(fate, Park)
    assert fate.at_most is not None
    assert fate.at_most > timedelta(hours=23)


async def test_what_the_desk_is_told_goes_behind_the_words_that_are_just_being_delivered(
    database: MemoryDatabase,
) -> None:
    answered = asyncio.Event()
    order: list[str] = []

    class OneAfterAnother(Delivers):
        async def deliver(self, item: Item, outgoing: Outgoing) -> tuple[Outcome, Report]:
            order.append(f"{type(outgoing).__name__} begins")
            if isinstance(outgoing, Post):
                await answered.wait()
            order.append(f"{type(outgoing).__name__} ends")
            return await super().deliver(item, outgoing)

    outbox = OutboxWork(database, OneAfterAnother(Sent("$event"), Report()), CODEC, HOUSE)
    words = asyncio.create_task(outbox.one(item_of(Post(JOINT, CARL, SECRET, M1))))
    await asyncio.sleep(0)
    notice = asyncio.create_task(outbox.one(item_of(Tell(DESK, "Carl wrote."))))
    await asyncio.sleep(0)
    answered.set()
    await asyncio.gather(words, notice)
    assert order == ["Post begins", "Post ends", "Tell begins", "Tell ends"]
