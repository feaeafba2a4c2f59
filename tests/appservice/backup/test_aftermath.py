"""After a restore: what may have been sent is not sent again, what was not goes, and who counts is settled."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from appservice.backups.aftermath import Aftermath
from appservice.backups.claim import claim
from appservice.codec import JsonCodec
from appservice.matrix.errors import MatrixError
from appservice.upkeep.epoch import ACCOUNT_DATA, MARKER, Epoch, OlderDatabase, Stage, written
from policies.case import DESK, JOINT, Case, CaseId, PersonId, ReleaseId
from policies.documents.carrying import Hand
from policies.documents.document import DocumentId
from policies.effects import Inform, Introduce, Pose, Post, Publish, Reconcile, Relay, Tell, WriteToStranger
from policies.message import Message, MessageId, Removal, SignedDevice, Text
from policies.people.stranger import StrangerId
from policies.plan import RoomKey
from policies.questions.poll import Ballot
from policies.undoing.recalling import name_of_removal
from policies.words.phrase import verbatim
from rooms.documents import DocumentWork
from rooms.homeserver import Trouble
from rooms.ids import EventId, RoomId, UserId
from rooms.outcome import Cancelled, Outcome, Parked, Sent, Unanswered
from rooms.outgoing import MATRIX, PEOPLE, ROOMS, MailHeads, Outgoing, Say, Signal
from rooms.polls import Poll, PollEnd
from rooms.ports import Entry, RoomRecord, Standing, Work
from rooms.provision import Report
from rooms.queue import Item, ItemId, Lane
from rooms.vault import Media
from tests.fakes.memory import MemoryDatabase
from tests.policies.test_document_commands import granted, with_document

BACKUP = datetime(2026, 11, 22, 3, tzinfo=UTC)
RESTORE = BACKUP + timedelta(hours=6)
BEFORE, AFTER = RESTORE - timedelta(minutes=1), RESTORE + timedelta(minutes=1)
CASE = CaseId("1001")
BOT, ALICE = UserId("@_mediatrix_bot:example.org"), UserId("@alice:example.org")
JOINT_ROOM, LOBBY = RoomId("!joint"), RoomId("!lobby")
CARL = PersonId("p2")
EPOCH = Epoch(2, "restored", 1, Stage.SETTLED, BACKUP, BACKUP, RESTORE)


class Recorder:
    """A deliverer that sends everything, and keeps what."""

    def __init__(self) -> None:
        self.sent: list[Outgoing] = []

    async def deliver(self, item: Item, outgoing: Outgoing) -> tuple[Outcome, Report]:
        self.sent.append(outgoing)
        return Sent("sent now"), Report()

    async def stopped(self, work: Work, item: Item, outgoing: Outgoing) -> Parked | Cancelled | None:
        return Parked("consent", "no consent yet")


@dataclass
class Homeserver:
    """Rooms with a past."""

    events: dict[RoomId, list[dict[str, Any]]] = field(default_factory=dict)
    asked: list[tuple[RoomId, int]] = field(default_factory=list)
    refusal: MatrixError | None = None
    redacted: list[tuple[RoomId, EventId]] = field(default_factory=list)

    @property
    def rooms(self) -> "Homeserver":
        return self

    async def since(self, room: RoomId, at_ms: int, *, as_user: UserId) -> tuple[dict[str, Any], ...]:
        self.asked.append((room, at_ms))
        if self.refusal:
            raise self.refusal
        return tuple(self.events.get(room, ()))

    async def redact(self, room: RoomId, event: EventId, once: str) -> None:
        self.redacted.append((room, event))

    async def delete(self, item: ItemId) -> bool:
        return False


class House:
    """A restored service's outbox."""

    def __init__(self) -> None:
        self.database, self.homeserver, self.deliverer = MemoryDatabase(), Homeserver(), Recorder()
        self.aftermath = self.restarted()

    def restarted(self) -> Aftermath:
        aftermath = Aftermath(
            self.deliverer,
            self.database,
            self.homeserver,  # type: ignore[arg-type]
            DocumentWork(self.database, self.homeserver, self.homeserver),  # type: ignore[arg-type]
            bot=BOT,
            is_ours=lambda user: user.startswith("@_mediatrix_"),
        )
        aftermath.begin(EPOCH)
        return aftermath

    async def begin(self) -> None:
        async with self.database.begin() as work:
            await work.cases.save(Case(CASE, "Smith"))
            await work.rooms.save(RoomRecord(CASE, RoomKey("joint"), Standing.MADE, "m", JOINT_ROOM))
            await work.epochs.begin(EPOCH)
            for name, at in (("old", BEFORE), ("new", AFTER)):
                message = Message(MessageId(name), CARL, JOINT, Text("x"), SignedDevice(), at, native=False)
                await work.journal.append(Entry(CASE, message))

    async def with_document(self, case: Case) -> Hand:
        """The case has a document; it is to be posted for all."""
        async with self.database.begin() as work:
            await work.cases.save(replace(case, id=CASE))
        [document] = case.documents
        return Hand(document.id, 1, document.newest.served.sha256, JOINT)

    async def deliver(self, outgoing: Outgoing, kind: str = MATRIX, at: datetime = AFTER, **more: Any) -> Outcome:
        item = Item(ItemId("item"), Lane("lane"), kind, CASE, JsonCodec().dump(outgoing), at, **more)
        outcome, _ = await self.aftermath.deliver(item, outgoing)
        return outcome

    async def was_sent(self, sender: UserId = BOT) -> None:
        """By the lost database."""
        async with self.database.begin() as work:
            marker = await work.epochs.marker(ItemId("item"))
        self.shows({"content": {MARKER: marker, "ciphertext": "…"}}, sender)

    def shows(self, event: Mapping[str, Any], sender: UserId = BOT) -> None:
        """The joint room holds this."""
        whole = {"type": "m.room.encrypted", "sender": sender, "event_id": "$before", "content": {}, **event}
        self.homeserver.events.setdefault(JOINT_ROOM, []).append(whole)


@pytest.fixture
async def house() -> House:
    house = House()
    await house.begin()
    return house


POST = Post(JOINT, CARL, Text("x"), MessageId("old"))
TELL = Tell(JOINT, "words")


async def test_what_the_room_holds_already_is_done_and_linked(house: House) -> None:
    await house.was_sent()
    assert await house.deliver(POST, at=BEFORE) == Sent("$before")
    assert house.deliverer.sent == []
    async with house.database.begin() as work:
        entry = await work.journal.by_event(CASE, EventId("$before"))
        assert entry is not None
        assert entry.message.id == "old"


GREETED = WriteToStranger(StrangerId("S1"), verbatim("This is Town Mediation."))
ASKED = Pose(CARL, JOINT, "4F2A", verbatim("May it?"), "words", verbatim("It is."), AFTER, of_the_case=True)
TOLD = Inform(CARL, JOINT, verbatim("noted"))
HANDED = Hand(DocumentId("D1"), 1, "a1" * 32, JOINT)
RELEASED = Publish(ReleaseId("R1"), JOINT, verbatim("Carl’s words:"), "words", frozenset({CARL}))


POLLED = Poll(CARL, JOINT, Ballot("4F2A", "a1" * 32, verbatim("May it?")), ItemId("words"))
ENDED = PollEnd(JOINT, "4F2A", ItemId("poll"))


@pytest.mark.parametrize("own", [ASKED, TOLD, RELEASED, HANDED, POLLED, ENDED], ids=lambda own: type(own).__name__)
async def test_what_the_service_itself_says_in_a_room_is_not_said_twice(house: House, own: Outgoing) -> None:
    assert await house.deliver(own, at=BEFORE) == Sent("sent now")
    house.aftermath = house.restarted()
    house.deliverer.sent.clear()
    house.database.committed.searched.clear()
    await house.was_sent()
    assert await house.deliver(own, at=BEFORE) == Sent("$before")
    assert house.deliverer.sent == []


@pytest.mark.parametrize("own", [ASKED, TOLD, replace(RELEASED, to=CARL), GREETED], ids=lambda own: type(own).__name__)
async def test_what_the_service_itself_says_in_a_letter_waits_for_a_person(house: House, own: Outgoing) -> None:
    assert isinstance(await house.deliver(own, PEOPLE, at=BEFORE), Unanswered)
    assert house.deliverer.sent == []
    assert await house.deliver(own, PEOPLE, at=AFTER) == Sent("sent now")


@pytest.mark.parametrize("known", [True, False])
async def test_a_document_that_stands_already_is_not_posted_twice_and_can_still_be_recalled(
    house: House, known: bool
) -> None:
    hand = await house.with_document(granted("!doc grant D1 download to all").case)
    before = Media(ItemId("item"), CASE, JOINT, BACKUP, "mxc://x/1", None, hand.document, 1)
    if known:
        async with house.database.begin() as work:
            await work.vault.note(before)
    await house.was_sent()
    assert await house.deliver(hand, at=BEFORE) == Sent("$before")
    assert house.deliverer.sent == []
    async with house.database.begin() as work:
        [media] = await work.vault.posted(CASE, hand.document)
    assert media == replace(before, event=EventId("$before"), at=media.at, uri="mxc://x/1" if known else None)
    assert house.homeserver.redacted == []


async def test_a_document_that_stands_already_and_was_taken_back_is_taken_out(house: House) -> None:
    hand = await house.with_document(with_document())
    await house.was_sent()
    assert await house.deliver(hand, at=BEFORE) == Sent("$before")
    assert house.homeserver.redacted == [(JOINT_ROOM, "$before")]


async def test_what_the_room_does_not_hold_is_sent(house: House) -> None:
    assert await house.deliver(TELL, at=BEFORE) == Sent("sent now")
    assert house.homeserver.asked == [(JOINT_ROOM, int((BACKUP - timedelta(hours=1)).timestamp() * 1000))]


async def test_what_follows_from_an_undecided_item_is_found_too(house: House) -> None:
    await house.was_sent()
    assert await house.deliver(TELL, at=AFTER) == Sent("$before")


async def test_a_room_is_searched_once_in_a_life_of_the_database(house: House) -> None:
    await house.deliver(TELL)
    await house.deliver(TELL)
    house.aftermath = house.restarted()
    await house.deliver(TELL)
    assert len(house.homeserver.asked) == 1


async def test_a_room_that_can_not_be_searched_now_is_not_written_to(house: House) -> None:
    house.homeserver.refusal = MatrixError("messages", "M_UNKNOWN", 502, transient=True)
    with pytest.raises(Trouble) as caught:
        await house.deliver(TELL)
    assert caught.value.transient
    house.homeserver.refusal = None
    await house.was_sent()
    assert await house.deliver(TELL) == Sent("$before")
    assert house.deliverer.sent == []


async def test_a_marker_that_somebody_else_copied_counts_for_nothing(house: House) -> None:
    await house.was_sent(sender=ALICE)
    assert await house.deliver(TELL) == Sent("sent now")


@pytest.mark.parametrize("outgoing", [POST, TELL])
async def test_where_something_of_ours_was_redacted_a_person_decides(house: House, outgoing: Outgoing) -> None:
    house.shows({"unsigned": {"redacted_because": {}}})
    assert isinstance(await house.deliver(outgoing, at=BEFORE), Unanswered)
    assert house.deliverer.sent == []
    # The person did; and what is new goes.
    assert await house.deliver(outgoing, at=BEFORE, note="it may have been sent") == Sent("sent now")
    assert await house.deliver(replace(POST, message=MessageId("new"))) == Sent("sent now")


async def test_a_room_that_the_bot_was_removed_from_is_as_one_with_gaps(house: House) -> None:
    house.homeserver.refusal = MatrixError("messages", "M_FORBIDDEN", 403, transient=False)
    assert isinstance(await house.deliver(TELL, at=BEFORE), Unanswered)


async def test_a_mail_that_may_have_been_sent_waits_for_a_person(house: House) -> None:
    old = Relay(MessageId("old"), JOINT, None, Text("x"), CARL)
    assert isinstance(await house.deliver(old, PEOPLE), Unanswered)
    assert isinstance(await house.deliver(Introduce(CARL, JOINT), PEOPLE, BEFORE), Unanswered)
    assert house.deliverer.sent == []
    assert await house.deliver(old, PEOPLE, note="it may have been sent") == Sent("sent now")
    new = replace(old, message=MessageId("new"))
    assert await house.deliver(new, PEOPLE) == Sent("sent now")
    assert await house.deliver(Introduce(CARL, JOINT), PEOPLE) == Sent("sent now")
    removal = Removal(MessageId("old"))
    taken_back = Relay(name_of_removal(MessageId("old")), JOINT, None, removal, CARL)
    assert await house.deliver(taken_back, PEOPLE) == Sent("sent now")


@pytest.mark.parametrize("kind", [PEOPLE, MATRIX])
async def test_a_look_that_was_broken_off_is_no_look(house: House, kind: str) -> None:
    house.shows({"unsigned": {"redacted_because": {}}})
    old = POST if kind == MATRIX else Relay(MessageId("old"), JOINT, None, Text("x"), CARL)
    failed: dict[str, Any] = {"note": "the database could not be reached", "attempts": 1, "failing_since": AFTER}
    item = Item(ItemId("i"), Lane("l"), PEOPLE, CASE, b"", BEFORE, **failed)
    async with house.database.begin() as work:
        assert await house.aftermath.stopped(work, item, old) is None
    assert isinstance(await house.deliver(old, kind, BEFORE, **failed), Unanswered)
    new = replace(old, message=MessageId("new"))
    assert await house.deliver(new, kind, **failed) == Sent("sent now")


async def test_a_doubtful_mail_is_not_quietly_set_aside_to_be_sent_later(house: House) -> None:
    old = Relay(MessageId("old"), JOINT, None, Text("x"), CARL)
    for outgoing, expected in ((old, None), (replace(old, message=MessageId("new")), Parked)):
        item = Item(ItemId("i"), Lane("l"), PEOPLE, CASE, b"", AFTER)
        async with house.database.begin() as work:
            stopped = await house.aftermath.stopped(work, item, outgoing)
        assert stopped is None if expected is None else isinstance(stopped, expected)


async def test_words_in_a_direct_chat_and_verifications_are_looked_at_too(house: House) -> None:
    assert await house.deliver(Say(LOBBY, ALICE, "x"), at=BEFORE) == Sent("sent now")
    assert house.homeserver.asked[0][0] == LOBBY
    signal = Signal(LOBBY, ALICE, "m.key.verification.done", "{}")
    assert isinstance(await house.deliver(signal, at=BEFORE), Cancelled)
    assert await house.deliver(signal) == Sent("sent now")


async def test_heads_of_the_lost_record_are_not_mailed(house: House) -> None:
    heads = MailHeads("records@example.org", "x")
    assert isinstance(await house.deliver(heads, PEOPLE, BEFORE), Cancelled)
    assert await house.deliver(heads, PEOPLE, AFTER) == Sent("sent now")


async def test_a_repair_of_before_the_restore_confirms_nothing(house: House) -> None:
    await house.deliver(Reconcile(again=True), ROOMS, BEFORE)
    await house.deliver(Reconcile(again=True), ROOMS, AFTER)
    assert [one.again for one in house.deliverer.sent if isinstance(one, Reconcile)] == [False, True]


async def test_without_a_restore_nothing_is_looked_for(house: House) -> None:
    house.aftermath.begin(Epoch(1, "first", 3, Stage.SETTLED))
    await house.was_sent()
    assert await house.deliver(Tell(DESK, "x"), at=BEFORE) == Sent("sent now")
    assert house.homeserver.asked == []


# --- who counts -----------------------------------------------------------------------------------------------------


class Accounts:
    """The bot's account data."""

    def __init__(self) -> None:
        self.kept: dict[str, Any] = {}
        self.lost_writes = 0

    async def account_data(self, user: UserId, kind: str) -> dict[str, Any] | None:
        found: dict[str, Any] | None = self.kept.get(kind)
        return found

    async def set_account_data(self, user: UserId, kind: str, content: Mapping[str, Any]) -> None:
        if self.lost_writes:
            self.lost_writes -= 1
            raise MatrixError("account data", "TIMEOUT", 0, transient=True)
        self.kept[kind] = dict(content)


async def restored(name: str, number: int = 2) -> MemoryDatabase:
    database = MemoryDatabase()
    async with database.begin() as work:
        await work.epochs.begin(Epoch(number, name, 0, Stage.RESTORED, BACKUP, BACKUP, RESTORE))
    return database


async def test_the_first_start_writes_its_epoch_down_and_each_later_one_a_higher_mark() -> None:
    database, accounts = MemoryDatabase(), Accounts()
    first = await claim(database, accounts, BOT)
    assert accounts.kept[ACCOUNT_DATA] == written(first)
    assert (await claim(database, accounts, BOT)).mark == first.mark + 1


async def test_a_restored_database_takes_over_and_the_former_one_ends() -> None:
    former, accounts = MemoryDatabase(), Accounts()
    await claim(former, accounts, BOT)
    fresh = await restored("fresh")
    assert (await claim(fresh, accounts, BOT)).stage is Stage.ANNOUNCED
    with pytest.raises(OlderDatabase):
        await claim(former, accounts, BOT)
    assert (await claim(fresh, accounts, BOT)).number == 2


async def test_a_backup_restored_twice_takes_over_from_its_own_twin() -> None:
    accounts = Accounts()
    one, other = await restored("one"), await restored("other")
    await claim(one, accounts, BOT)
    assert (await claim(other, accounts, BOT)).number == 3
    with pytest.raises(OlderDatabase):
        await claim(one, accounts, BOT)


async def test_a_claim_that_was_interrupted_is_made_again() -> None:
    accounts, database = Accounts(), await restored("one", 2)
    accounts.kept[ACCOUNT_DATA] = written(Epoch(7, "before", 4, Stage.SETTLED))
    accounts.lost_writes = 1
    with pytest.raises(MatrixError):
        await claim(database, accounts, BOT)
    assert (await claim(database, accounts, BOT)).number == 8
    assert accounts.kept[ACCOUNT_DATA]["database"] == "one"


async def test_a_copy_of_the_running_database_is_refused_as_soon_as_the_original_has_gone_on() -> None:
    database, accounts = MemoryDatabase(), Accounts()
    await claim(database, accounts, BOT)
    copy = MemoryDatabase()
    copy.committed = database.committed.copy()
    await claim(database, accounts, BOT)
    with pytest.raises(OlderDatabase, match="older copy"):
        await claim(copy, accounts, BOT)
