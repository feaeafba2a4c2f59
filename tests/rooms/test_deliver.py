"""What leaves is asked about once more, and goes to those alone who may have it now (I3, I9)."""

from dataclasses import replace

import pytest

from appservice.crypto.rows import Pin
from appservice.matrix.rooms import NewRoom
from policies.case import DESK, JOINT
from policies.effects import Explain, Introduce, Post, Publish, Reconcile, Redact, Relay, Resume, Tell
from policies.message import MessageId, Text
from policies.names import ReleaseId
from policies.networks.states import MessageState
from policies.people.membership import readers
from policies.plan import room_key
from policies.showing import Preview
from policies.words.phrase import verbatim
from rooms import deliver
from rooms.deliver import AFTER_YOU
from rooms.homeserver import ReaderFrozen, Trouble
from rooms.ids import EventId, RoomId
from rooms.marks import Mark, Marked, show
from rooms.outcome import Cancelled, Parked, Sent
from rooms.outgoing import Decline, Enter, Outgoing, Say
from rooms.ports import Entry, Standing
from rooms.provision import Fit
from rooms.queue import Item, ItemId, State
from tests.fakes.memory import MemoryDatabase
from tests.policies.builders import AT, CARL_JOINS, case_with, caucus_of, done, facts, message, named
from tests.rooms.builders import ALICE, BOT, CODEC, MIA, STRANGER, Site, item_of

M1 = MessageId("m1")
HELLO = Text("hello")


async def test_a_notice_goes_to_those_who_are_wanted_and_have_joined() -> None:
    site = await Site().begin()
    outcome, report = await site.deliver(Tell(JOINT, "hello"))
    (posting,) = site.poster.posted
    assert isinstance(outcome, Sent)
    assert report.tell == ()
    assert (posting.room, posting.sender, posting.is_notice) == (site.room(JOINT).id, BOT, True)
    assert posting.audience == {MIA, ALICE, site.ghost("Carl")}
    assert posting.only_for is None


async def test_released_words_go_to_nobody_who_came_in_at_that_very_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    site = await Site().begin()
    publish = Publish(ReleaseId("R1"), JOINT, verbatim("Alice’s words:"), "never", readers(site.case, JOINT))

    async def wider(*_: object) -> Fit:
        return Fit(frozenset({MIA, ALICE, site.ghost("Carl")}), frozenset({STRANGER}))

    with monkeypatch.context() as patched:
        patched.setattr(deliver, "fitness", wider)
        with pytest.raises(Trouble) as trouble:
            await site.deliver(publish)
    assert trouble.value.transient
    assert not site.poster.posted
    outcome, _ = await site.deliver(publish)
    assert isinstance(outcome, Sent)


async def test_what_became_of_a_message_is_shown_beside_it_in_its_private_room_and_nowhere_else() -> None:
    site = await Site().begin()
    carl, his = named(site.case, "Carl"), caucus_of(site.case, "Jones")
    async with site.database.begin() as work:
        await work.journal.append(Entry(site.case.id, message(site.case, "Mia", his), event=EventId("$said")))
    outcome, _ = await site.deliver(Mark(his, M1, carl.id, MessageState.DELIVERED, ItemId("i1")))
    assert isinstance(outcome, Sent)
    (posting,) = site.poster.posted
    assert (posting.room, posting.sender, posting.reply_to) == (site.room(his).id, BOT, "$said")
    assert posting.content == Marked(MessageState.DELIVERED, site.ghost("Carl"))
    sent = Mark(his, M1, carl.id, MessageState.SENT, ItemId("i1"))
    async with site.database.begin() as work:
        await show(work, CODEC, site.case, replace(sent, state=MessageState.DELIVERED), by="", at=AT)
    outcome, _ = await site.deliver(sent)
    assert isinstance(outcome, Cancelled), "it has arrived by now"
    alice = named(site.case, "Alice")
    for elsewhere in (
        Mark(JOINT, M1, carl.id, MessageState.DELIVERED, ItemId("i1")),
        Mark(his, M1, alice.id, MessageState.DELIVERED, ItemId("i1")),
        Mark(his, MessageId("m9"), carl.id, MessageState.DELIVERED, ItemId("i1")),
    ):
        outcome, _ = await site.deliver(elsewhere)
        assert isinstance(outcome, Cancelled)
    assert len(site.poster.posted) == 1


async def test_a_persons_words_are_posted_by_that_persons_ghost() -> None:
    site = await Site().begin()
    carl = named(site.case, "Carl")
    outcome, _ = await site.deliver(Post(JOINT, carl.id, HELLO, M1))
    assert [(posting.sender, posting.is_notice) for posting in site.poster.posted] == [(site.ghost("Carl"), False)]
    assert outcome == Sent("$1", M1)


async def test_somebody_who_has_not_come_in_gets_no_key() -> None:
    site = await Site().begin(joined=False)
    await site.synapse.rooms.join(site.room(JOINT).id, as_user=MIA)
    await site.changed(site.room(JOINT).id)
    await site.deliver(Tell(JOINT, "hello"))
    assert ALICE not in site.poster.posted[0].audience


async def test_nothing_is_said_to_an_empty_room() -> None:
    site = await Site().begin(joined=False)
    outcome, _ = await site.deliver(Tell(JOINT, "hello"))
    assert isinstance(outcome, Parked)
    assert not site.poster.posted


async def test_what_was_set_aside_just_as_it_was_woken_goes_before_what_was_said_later() -> None:
    site = await Site().begin()
    first, second = (item_of(Tell(JOINT, text), site.case.id, text) for text in ("first", "second"))
    async with site.database.begin() as work:
        for item in (first, second):
            await work.outbox.put(item)
        # Nobody was in the room when it was looked at, and whoever came in woke nothing, for nothing waited yet.
        await work.outbox.park(first.id, "room:1042:joint", None, "nobody has come into the room yet")
    stored = site.database.committed.outbox.items
    with pytest.raises(Trouble, match="goes first") as trouble:
        await site.deliverer.deliver(stored[second.id], Tell(JOINT, "second"))
    assert trouble.value.transient
    woken = site.database.committed.outbox.items[first.id]
    assert woken.state is State.READY
    await site.deliverer.deliver(woken, Tell(JOINT, "first"))
    async with site.database.begin() as work:
        await work.outbox.done(first.id)
    second = site.database.committed.outbox.items[second.id]
    await site.deliverer.deliver(second, Tell(JOINT, "second"))
    assert [posting.content for posting in site.poster.posted] == [Text("first"), Text("second")]


async def test_what_can_not_go_even_when_woken_holds_nobody_up() -> None:
    site = await Site().begin()
    first, second = (item_of(Tell(JOINT, text), site.case.id, text) for text in ("first", "second"))
    async with site.database.begin() as work:
        for item in (first, second):
            await work.outbox.put(item)
        await work.outbox.park(first.id, "room:1042:joint", None, "whom it is for has not come into the room yet")
    stored = site.database.committed.outbox.items
    outcome, _ = await site.deliverer.deliver(replace(stored[second.id], note=AFTER_YOU), Tell(JOINT, "second"))
    assert isinstance(outcome, Sent)


async def behind_a_replaced_identity() -> tuple[Site, Item, Item]:
    """Something for the joint room waits until Alice's new identity is confirmed; the next was said after it."""
    site = await Site().begin()
    first, second = (item_of(Tell(JOINT, text), site.case.id, text) for text in ("first", "second"))
    async with site.database.begin() as work:
        for item in (first, second):
            await work.outbox.put(item)
        await work.crypto.track([ALICE])
        [row] = await work.crypto.device_lists([ALICE])
        await work.crypto.put_device_list(replace(row, fetched=row.changed, pin=Pin.REPLACED))
    site.poster.trouble = ReaderFrozen(ALICE)
    waits, _ = await site.deliverer.deliver(first, Tell(JOINT, "first"))
    assert isinstance(waits, Parked)
    async with site.database.begin() as work:
        await work.outbox.park(first.id, waits.key, AT, waits.why)
    stored = site.database.committed.outbox.items
    return site, stored[first.id], stored[second.id]


async def test_what_waited_for_somebody_who_reads_there_no_more_goes_before_what_was_said_later() -> None:
    site, first, second = await behind_a_replaced_identity()
    alice = named(site.case, "Alice")
    people = tuple(p for p in site.case.people if p != alice)
    seats = tuple(seat for seat in site.case.participations if seat.person != alice.id)
    await site.change(replace(site.case, people=people, participations=seats))
    await site.reconcile()
    site.poster.trouble = None
    with pytest.raises(Trouble, match="goes first"):
        await site.deliverer.deliver(second, Tell(JOINT, "second"))
    assert site.database.committed.outbox.items[first.id].state is State.READY
    outcome, _ = await site.deliverer.deliver(replace(second, note=AFTER_YOU), Tell(JOINT, "second"))
    assert isinstance(outcome, Sent), "it lets the other pass once"


async def test_what_waited_for_an_identity_that_was_confirmed_just_then_goes_before_what_was_said_later() -> None:
    site, first, second = await behind_a_replaced_identity()
    async with site.database.begin() as work:
        [row] = await work.crypto.device_lists([ALICE])
        await work.crypto.put_device_list(replace(row, pin=Pin.PINNED))
    site.poster.trouble = None
    with pytest.raises(Trouble, match="goes first"):
        await site.deliverer.deliver(second, Tell(JOINT, "second"))
    assert site.database.committed.outbox.items[first.id].state is State.READY


async def test_while_an_identity_is_in_doubt_what_waits_for_it_is_not_woken_by_what_waits_for_it_too() -> None:
    """Or each would wake all before it, and each of those again all before that."""
    site, first, second = await behind_a_replaced_identity()
    outcome, _ = await site.deliverer.deliver(second, Tell(JOINT, "second"))
    assert isinstance(outcome, Parked)
    assert site.database.committed.outbox.items[first.id] == first


async def test_nothing_is_said_before_the_room_stands() -> None:
    site = Site()
    await site.change(site.case)
    outcome, _ = await site.deliver(Tell(DESK, "hello"))
    assert outcome == Parked("room:1042:desk", "the room does not stand yet")


async def test_an_intruder_stops_everything_in_that_room_and_alarms_the_desk() -> None:
    site = await Site().begin()
    site.synapse.member(site.room(JOINT), STRANGER, STRANGER, "join")
    await site.changed(site.room(JOINT).id)
    outcome, _ = await site.deliver(Tell(JOINT, "hello"))
    assert isinstance(outcome, Parked)
    (alarm,) = [sent.text for sent in site.outbox() if isinstance(sent, Tell)]
    assert STRANGER in alarm
    assert site.database.committed.rooms[site.case.id, "joint"].standing is Standing.SUSPENDED  # type: ignore[index]
    assert not site.poster.posted
    again, _ = await site.deliver(Tell(JOINT, "hello"))
    assert isinstance(again, Parked)
    assert len(site.outbox()) == 2, "the alarm, and that the rooms are looked at"


async def test_a_room_that_was_made_anew_meanwhile_is_not_forgotten_for_the_former_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    site = await Site().begin()
    fresh = RoomId("!fresh:example.org")

    async def while_it_is_remade(database: MemoryDatabase, *_: object) -> str:
        async with database.begin() as work:
            record = await work.rooms.get(site.case.id, room_key(JOINT))
            assert record is not None
            await work.rooms.save(replace(record, room_id=fresh, marker="another"))
        return "the bot is not in the room"

    monkeypatch.setattr(deliver, "fitness", while_it_is_remade)
    outcome, _ = await site.deliver(Tell(JOINT, "hello"))
    assert isinstance(outcome, Parked)
    async with site.database.begin() as work:
        record = await work.rooms.get(site.case.id, room_key(JOINT))
    assert record is not None
    assert (record.room_id, record.standing) == (fresh, Standing.MADE)


async def test_other_rooms_go_on_meanwhile() -> None:
    site = await Site().begin()
    site.synapse.member(site.room(JOINT), STRANGER, STRANGER, "join")
    outcome, _ = await site.deliver(Tell(caucus_of(site.case, "Smith"), "hello"))
    assert isinstance(outcome, Sent)


async def test_somebody_taken_off_says_nothing_more_and_gets_nothing_more() -> None:
    site = await Site().begin()
    carl = named(site.case, "Carl")
    await site.change(done(site.case, "!party remove Carl", facts(None)).case)
    for outgoing in (
        Post(JOINT, carl.id, HELLO, M1),
        Relay(M1, JOINT, None, HELLO, carl.id),
        Introduce(carl.id, JOINT),
    ):
        outcome, _ = await site.deliver(outgoing)
        assert isinstance(outcome, Cancelled)
    assert not site.poster.posted
    assert not site.courier.carried


async def test_somebody_taken_off_who_is_still_in_the_room_gets_no_key() -> None:
    site = await Site().begin()
    await site.change(done(site.case, "!party remove Alice", facts(None)).case)
    outcome, _ = await site.deliver(Tell(caucus_of(site.case, "Smith"), "hello"))
    assert isinstance(outcome, Parked)
    assert not site.poster.posted


async def test_an_explanation_is_for_the_unsigned_devices_of_one_person_alone() -> None:
    site = await Site().begin()
    own, alice = caucus_of(site.case, "Smith"), named(site.case, "Alice")
    await site.deliver(Explain(alice.id, own, verbatim("verify it"), to_unsigned_devices=True))
    await site.deliver(Explain(alice.id, own, verbatim("a word")))
    assert [posting.only_for for posting in site.poster.posted] == [ALICE, None]


async def test_an_explanation_waits_for_whom_it_is_for() -> None:
    site = await Site().begin(joined=False)
    own, alice = caucus_of(site.case, "Smith"), named(site.case, "Alice")
    await site.synapse.rooms.join(site.room(own).id, as_user=MIA)
    await site.changed(site.room(own).id)
    outcome, _ = await site.deliver(Explain(alice.id, own, verbatim("verify it"), to_unsigned_devices=True))
    assert isinstance(outcome, Parked)


async def test_a_replaced_identity_parks_what_is_for_that_person() -> None:
    site = await Site().begin()
    site.poster.trouble = ReaderFrozen(ALICE)
    outcome, _ = await site.deliver(Tell(JOINT, "hello"))
    assert outcome == Parked(f"identity:{ALICE}", "a reader's encryption identity was reset")


# --- letters


async def test_a_letter_names_the_author_the_room_and_who_reads_it_but_nobody_else() -> None:
    site = await Site().begin()
    carl, alice = named(site.case, "Carl"), named(site.case, "Alice")
    await site.deliver(Relay(M1, JOINT, alice.id, HELLO, carl.id))
    (letter,) = site.courier.carried
    assert (letter.author, letter.room_label, letter.to) == ("Alice", "EVERYONE · 1042", carl.id)
    assert set(letter.readers) == {"Mia", "Alice"}
    await site.deliver(Introduce(carl.id, caucus_of(site.case, "Jones")))
    assert set(site.courier.carried[1].readers) == {"Mia"}
    assert site.courier.carried[1].content is None


async def test_everything_waits_for_a_channel_that_is_stopped() -> None:
    site = Site(case_with(CARL_JOINS, "!mail pause Carl"))
    await site.change(site.case)
    carl, own = named(site.case, "Carl"), caucus_of(site.case, "Jones")
    outcome, _ = await site.deliver(Relay(M1, own, None, HELLO, carl.id))
    assert isinstance(outcome, Parked)
    assert outcome.key == f"channel:1042:{carl.endpoint.id}"
    first, _ = await site.deliver(Introduce(carl.id, own))
    assert isinstance(first, Parked)


# --- direct chats, rooms, and what is none of these


async def chat(site: Site, *, encrypted: bool = True) -> RoomId:
    encryption = {"type": "m.room.encryption", "state_key": "", "content": {"algorithm": "m.megolm.v1.aes-sha2"}}
    made = NewRoom(name="x", power_levels={}, initial_state=[encryption] if encrypted else [], invite=[BOT])
    room = await site.synapse.rooms.create(made, as_user=MIA)
    await site.deliver(Enter(room, BOT))
    return room


async def test_a_chat_of_two_is_answered() -> None:
    site = await Site().begin()
    room = await chat(site)
    await site.deliver(Say(room, MIA, "hello", to_unsigned_devices=True))
    (posting,) = site.poster.posted
    assert (posting.audience, posting.only_for, posting.in_clear) == (frozenset({MIA}), MIA, False)


async def test_a_chat_with_a_third_is_not_answered() -> None:
    site = await Site().begin()
    room = await chat(site)
    site.synapse.member(site.synapse.all_rooms[room], MIA, STRANGER, "join")
    outcome, _ = await site.deliver(Say(room, MIA, "hello"))
    assert isinstance(outcome, Cancelled)
    assert not site.poster.posted


@pytest.mark.parametrize("encrypted", [True, False])
async def test_clear_words_go_only_where_nothing_is_encrypted_and_the_others_only_where_it_is(encrypted: bool) -> None:
    site = await Site().begin()
    room = await chat(site, encrypted=encrypted)
    outcome, _ = await site.deliver(Say(room, MIA, "hello", in_clear=encrypted))
    assert isinstance(outcome, Cancelled)
    outcome, _ = await site.deliver(Say(room, MIA, "hello", in_clear=not encrypted))
    assert isinstance(outcome, Sent)


async def test_an_invitation_is_turned_down() -> None:
    site = await Site().begin()
    made = NewRoom(name="x", power_levels={}, invite=[BOT])
    room = await site.synapse.rooms.create(made, as_user=STRANGER)
    await site.deliver(Decline(room, BOT))
    assert site.synapse.all_rooms[room].membership(BOT) == "leave"


async def test_a_preview_is_told_and_a_reconciliation_done() -> None:
    site = await Site().begin()
    _, report = await site.deliver(Preview())
    assert report.tell == ("Nothing needs repair.",)
    outcome, _ = await site.deliver(Reconcile())
    assert outcome == Sent("0 changes")


@pytest.mark.parametrize("outgoing", [Tell(DESK, "x"), Relay(M1, JOINT, None, HELLO, "p1"), Reconcile(), Preview()])  # type: ignore[arg-type]
async def test_what_names_no_case_is_sent_nowhere(outgoing: Outgoing) -> None:
    site = await Site().begin()
    with pytest.raises(Trouble) as caught:
        await site.deliverer.deliver(item_of(outgoing, None), outgoing)
    assert not caught.value.transient


async def test_what_is_nothing_to_send_is_refused() -> None:
    site = await Site().begin()
    with pytest.raises(Trouble):
        await site.deliver(Resume("x"))


async def test_a_message_is_taken_out_of_its_room_by_the_bot_and_once() -> None:
    site = await Site().begin()
    room = site.room(JOINT)
    event = site.synapse.append(room, ALICE, "m.room.message", {"body": "in clear"})
    async with site.database.begin() as work:
        await work.journal.append(Entry(site.case.id, message(site.case, "Alice", JOINT), event))
    for _ in range(2):
        outcome, _report = await site.deliver(Redact(JOINT, M1))
        assert isinstance(outcome, Sent)
    redactions = [e for e in room.timeline if e.type == "m.room.redaction"]
    assert [(e.sender, e.content["redacts"]) for e in redactions] == [(BOT, event)]


async def test_what_stands_nowhere_is_not_taken_away() -> None:
    site = await Site().begin()
    outcome, _ = await site.deliver(Redact(JOINT, M1))
    assert isinstance(outcome, Cancelled)
