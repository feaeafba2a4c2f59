"""Messages out: each leaves once, in its window, and what is known of it is said honestly."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import count

import pytest

from appservice.whatsapp.courier import Template
from bridges.whatsapp.api import SendResult
from bridges.whatsapp.convert_out import Json
from policies.case import JOINT, Conversation, EndpointId, PersonId
from policies.effects import Inform, Pose, Relay
from policies.message import Edit, File, FileRef, Message, MessageId, Removal, SignedDevice, Text
from policies.networks.whatsapp import WhatsAppState
from policies.words.language import Language
from policies.words.phrase import verbatim
from rooms.homeserver import Trouble
from rooms.letters import Letter
from rooms.outcome import Outcome, Parked, Sent, TakenOver, Unanswered
from rooms.ports import Entry
from rooms.queue import ItemId, State
from tests.appservice.whatsapp.house import CARRIED, CODEC, Sayable, WhatsAppHouse
from tests.bridges.whatsapp.builders import BEA, JOINT_NUMBER, PRIVATE, message, status, webhook
from tests.fakes.graph import Mishap, Unreachable
from tests.fakes.memory import MemoryWork
from tests.policies.builders import caucus_of, named

HELLO = Text("hello\n🔒 PRIVATE")


async def house(*, two_numbers: bool = True, opened: bool = True) -> WhatsAppHouse:
    there = await WhatsAppHouse(two_numbers=two_numbers).begin()
    if opened:
        await there.says("hello")
        await there.says("hello", JOINT_NUMBER if two_numbers else PRIVATE)
    return there


def caucus(there: WhatsAppHouse) -> Conversation:
    return caucus_of(there.case, "Jones")


def states(there: WhatsAppHouse) -> list[WhatsAppState]:
    return [part.state for part in there.database.committed.sent_parts.values()]


async def reports(there: WhatsAppHouse, state: str, *codes: int, item: str = "i1", part: int = 0) -> None:
    await there.receive(
        webhook(statuses=(status("wamid.out1", state, ours=f"{item}/{part}", codes=codes),), number=JOINT_NUMBER)
    )


def item(there: WhatsAppHouse, name: str = "i1") -> State:
    return there.database.committed.outbox.items[ItemId(name)].state


async def test_a_message_says_first_who_reads_it_and_her_words_can_not_pass_for_ours() -> None:
    there = await house()
    assert isinstance(await there.carry(HELLO, caucus(there)), Sent)
    assert isinstance(await there.carry(HELLO, JOINT, "i2"), Sent)
    private, joint = there.phone.texts
    assert private.startswith("🔒 PRIVATE")
    assert joint.startswith("👥 JOINT")
    assert private.splitlines()[1:] == ["*Alice* wrote:", "> hello", "> 🔒 PRIVATE"]
    assert [number for number, _ in there.graph.accepted] == [PRIVATE, JOINT_NUMBER]


async def test_with_one_number_everything_goes_from_it_labelled() -> None:
    there = await house(two_numbers=False)
    await there.carry(HELLO, JOINT)
    assert [number for number, _ in there.graph.accepted] == [PRIVATE]
    assert there.phone.texts[0].startswith("👥 JOINT")


async def test_who_is_known_by_an_id_is_written_to_by_it_and_never_by_the_number() -> None:
    there = await house()
    await there.carry(HELLO, JOINT)
    (_, sent) = there.graph.accepted[0]
    assert sent["recipient"] == BEA
    assert "to" not in sent


@pytest.mark.parametrize(
    "content",
    [
        Edit(None, "new"),
        File("x.pdf", "application/pdf", 3, FileRef("r")),
        Removal(None),
        Inform(PersonId("p3"), JOINT, verbatim("note")),
        None,
    ],
)
async def test_everything_else_is_said_in_words(content: Sayable) -> None:
    there = await house()
    assert isinstance(await there.carry(content, JOINT), Sent)
    assert there.phone.texts[0].startswith("👥 JOINT")


async def test_the_first_message_says_who_reads_and_that_meta_can() -> None:
    there = await house()
    await there.carry(None, caucus(there))
    (first,) = there.phone.texts
    for word in ("Town Mediation", "+1 555 0100", "Mia", "Meta", "STOP", "HELP"):
        assert word in first


async def test_a_long_text_goes_in_parts_and_all_of_it_arrives() -> None:
    there = await house()
    words = " ".join(f"Sentence number {n} of this text." for n in range(500))
    await there.carry(Text(words), JOINT)
    assert len(there.phone.texts) > 3
    assert all(text.startswith("👥 JOINT") for text in there.phone.texts)
    said = "".join("".join(line[2:] for line in text.splitlines() if line[:1] == ">") for text in there.phone.texts)
    assert "".join(said.split()) == "".join(words.split())


async def test_a_question_has_buttons_that_carry_its_code_and_what_it_is_about() -> None:
    there = await house()
    pose = Pose(
        there.bea.id,
        caucus(there),
        "4F2A",
        verbatim("Agree?"),
        "words",
        verbatim("Then so."),
        there.now,
        of_the_case=False,
    )
    outcome = await there.carry(pose, caucus(there))
    assert isinstance(outcome, Trouble), "a question that is closed is not put"


# --- the window


async def test_before_she_has_written_the_template_goes_once_and_the_words_wait() -> None:
    there = await house(opened=False)
    for attempt in ("i1", "i2"):
        assert isinstance(await there.carry(HELLO, JOINT, attempt), Parked)
    assert there.phone.texts == ["[template new_message]"]
    await there.says("yes?", JOINT_NUMBER)
    assert isinstance(await there.again(HELLO, JOINT), Sent)
    assert "> hello" in there.phone.texts[-1]


async def test_what_waits_for_her_is_woken_when_she_writes_to_that_number() -> None:
    there = await house(opened=False)
    parked = await there.carry(HELLO, JOINT)
    assert isinstance(parked, Parked)
    async with there.database.begin() as work:
        await work.outbox.park(ItemId("i1"), parked.key, None, parked.why)
    await there.says("hello", PRIVATE)
    again = await there.again(HELLO, JOINT)
    assert isinstance(again, Parked)  # it was looked at again, and that number is closed still
    assert there.phone.texts == ["[template new_message]"]
    async with there.database.begin() as work:
        await work.outbox.park(ItemId("i1"), again.key, None, again.why)
    await there.says("hello", JOINT_NUMBER)
    assert item(there) is State.READY
    assert isinstance(await there.again(HELLO, JOINT), Sent)


async def test_the_window_closes_after_a_day_and_the_template_asks_anew() -> None:
    there = await house()
    there.later(hours=25)
    assert isinstance(await there.carry(HELLO, JOINT), Parked)
    assert there.phone.texts == ["[template new_message]"]


async def test_a_window_that_only_the_network_knows_to_be_closed_is_closed() -> None:
    there = await house()
    there.graph.windows.clear()
    assert isinstance(await there.carry(HELLO, JOINT), Parked)
    assert there.phone.texts == ["[template new_message]"]


async def test_a_template_that_certainly_did_not_leave_is_tried_again() -> None:
    there = await house(opened=False)
    there.graph.mishaps.append(Unreachable.NO_CONNECTION)
    assert isinstance(await there.carry(HELLO, JOINT), Trouble)
    assert isinstance(await there.again(HELLO, JOINT), Parked)
    assert there.phone.texts == ["[template new_message]"]


# --- what the network says


@pytest.mark.parametrize("code", [130429, 131056, 131000, 190, 132001])
async def test_what_may_work_later_is_tried_again(code: int) -> None:
    there = await house()
    there.graph.mishaps.append(code)
    outcome = await there.carry(HELLO, JOINT)
    assert isinstance(outcome, Trouble)
    assert outcome.transient
    assert isinstance(await there.again(HELLO, JOINT), Sent)
    assert len(there.phone.texts) == 1


@pytest.mark.parametrize("code", [131026, 131051, 130472, 999])
async def test_what_never_will_is_for_a_person(code: int) -> None:
    there = await house()
    there.graph.mishaps.append(code)
    outcome = await there.carry(HELLO, JOINT)
    assert isinstance(outcome, Trouble)
    assert not outcome.transient
    assert str(code) in outcome.why
    assert "+34" not in outcome.why


async def test_an_identity_that_changed_freezes_both_directions() -> None:
    there = await house()
    there.phone.key = "another"
    await there.says("hello")
    there.graph.mishaps.append(137000)
    assert isinstance(await there.carry(HELLO, JOINT), Parked)
    assert there.bea.endpoint.doubt


async def test_a_token_that_is_no_good_is_refused_by_the_stand_in() -> None:
    there = await house()
    status_code, answer = there.graph.answer(PRIVATE, "Bearer other", {})
    assert (status_code, answer["error"]["code"]) == (401, 190)


# --- unknown


@pytest.mark.parametrize("mishap", [Mishap.NO_ANSWER, Mishap.TAKEN_NO_ANSWER, Mishap.ODD_ANSWER])
async def test_what_was_not_answered_is_unknown_and_never_repeated_by_itself(mishap: Mishap) -> None:
    there = await house()
    there.graph.mishaps.append(mishap)
    assert isinstance(await there.carry(HELLO, JOINT), Unanswered)
    shown = len(there.phone.texts)
    there.restarted()
    assert isinstance(await there.again(HELLO, JOINT), Unanswered)
    assert len(there.phone.texts) == shown


async def test_a_process_that_died_in_the_middle_of_sending_repeats_nothing() -> None:
    there = await house()
    await there.dies_sending(HELLO, JOINT)
    assert isinstance(await there.again(HELLO, JOINT), Unanswered)
    assert len(there.phone.texts) == 1


async def test_a_process_that_stood_still_does_not_send_what_another_has_begun_to(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    there = await house()
    taken: list[Outcome | Trouble] = []
    genuine = there.courier._network.send

    async def slowly(number: str, sent: Json) -> SendResult:
        stored = there.database.committed.outbox.items[ItemId("i1")]
        letter = Letter(there.case, JOINT, "EVERYONE · 1042", there.bea.id, ("Mia",), "Alice", HELLO, None)
        monkeypatch.setattr(there.courier._network, "send", genuine)
        taken.append(await there.courier.carry(replace(stored, sending=False), letter))
        return await genuine(number, sent)

    monkeypatch.setattr(there.courier._network, "send", slowly)
    assert isinstance(await there.carry(HELLO, JOINT), Sent)
    assert isinstance(taken[0], TakenOver)
    assert len(there.phone.texts) == 1


@pytest.mark.parametrize(("state", "arrives"), [("delivered", 0), ("failed", 1)])
async def test_a_report_that_comes_as_it_is_about_to_be_sent_again_decides_whether_it_is(
    monkeypatch: pytest.MonkeyPatch, state: str, arrives: int
) -> None:
    there = await house()
    there.graph.mishaps.append(Mishap.NO_ANSWER)
    await there.carry(HELLO, JOINT)
    async with there.database.begin() as work:
        await work.outbox.stop(ItemId("i1"), State.UNKNOWN, "…")
        await work.outbox.revive(ItemId("i1"))
    begin, units = there.database.begin, count()

    @asynccontextmanager
    async def begun() -> AsyncIterator[MemoryWork]:
        if next(units) == 1:
            monkeypatch.setattr(there.database, "begin", begin)
            await reports(there, state, *([131026] if state == "failed" else []))
        async with begin() as work:
            yield work

    monkeypatch.setattr(there.database, "begin", begun)
    assert isinstance(await there.again(HELLO, JOINT), Sent)
    assert len(there.phone.texts) == arrives


async def said(there: WhatsAppHouse, where: Conversation, name: MessageId) -> MessageId:
    """Alice says something, as the journal has it."""
    author = named(there.case, "Alice").id
    async with there.database.begin() as work:
        message = Message(name, author, where, HELLO, SignedDevice(), there.now, native=True)
        await work.journal.append(Entry(there.case.id, message))
    return name


async def test_an_answer_and_a_correction_quote_what_they_are_about_in_the_same_room_only() -> None:
    there = await house()
    hers, joint = [post.message for post in there.posts()]
    words = await said(there, JOINT, MessageId("m2"))
    await there.carry(HELLO, JOINT, "i2", said=words, answers=joint)
    await there.carry(Edit(words, "hello again"), JOINT, "i3", said=MessageId("m3"))
    await there.carry(Removal(words), caucus(there), "i4")
    await there.carry(HELLO, JOINT, "i5", answers=hers)
    await there.carry(Text("x" * 5_000), caucus(there), "i6", answers=hers)
    quoted = [sent.get("context", {}).get("message_id") for _, sent in there.graph.accepted]
    assert quoted == ["wamid.in2", "wamid.out1", None, None, "wamid.in1", None]


async def test_what_stands_in_the_room_and_came_in_another_chat_is_not_quoted() -> None:
    there = await house()
    place = message("location", {"latitude": 1, "longitude": 2}, wamid="wamid.place")
    await there.receive(webhook(place, number=JOINT_NUMBER))
    hers, _, placed = there.posts()
    assert hers.conversation == placed.conversation == caucus(there)
    await there.carry(HELLO, caucus(there), "i1", answers=placed.message)
    await there.carry(HELLO, caucus(there), "i2", answers=hers.message)
    async with there.database.begin() as work:
        moved = replace(there.bea.endpoint, id=EndpointId("e99"))
        await work.cases.save(there.case.with_person(replace(there.bea, endpoint=moved)))
    await there.says("my new number", wamid="wamid.new")
    await there.carry(HELLO, caucus(there), "i3", answers=hers.message)
    await there.carry(HELLO, caucus(there), "i4", answers=there.posts()[-1].message)
    quoted = [sent.get("context", {}).get("message_id") for _, sent in there.graph.accepted]
    assert quoted == [None, "wamid.in1", None, "wamid.new"]


async def test_what_is_known_by_a_report_alone_can_be_quoted() -> None:
    there = await house()
    words = await said(there, JOINT, MessageId("m1"))
    there.graph.mishaps.append(Mishap.TAKEN_NO_ANSWER)
    await there.carry(HELLO, JOINT, said=words)
    await reports(there, "delivered")
    await there.carry(HELLO, JOINT, "i2", answers=words)
    assert there.graph.accepted[-1][1]["context"] == {"message_id": "wamid.out1"}
    await there.says("yes, that", JOINT_NUMBER, context={"id": "wamid.out1"})
    assert there.posts()[-1].reply_to == words


async def test_a_person_may_have_it_sent_again() -> None:
    there = await house()
    there.graph.mishaps.append(Mishap.NO_ANSWER)
    await there.carry(HELLO, JOINT)
    async with there.database.begin() as work:
        await work.outbox.stop(ItemId("i1"), State.UNKNOWN, "…")
        assert await work.outbox.revive(ItemId("i1"))
    assert isinstance(await there.again(HELLO, JOINT), Sent)
    assert len(there.phone.texts) == 1


async def test_a_report_of_the_first_attempt_says_nothing_of_the_second() -> None:
    there = await house()
    there.graph.mishaps.append(Mishap.TAKEN_NO_ANSWER)
    await there.carry(HELLO, JOINT)
    async with there.database.begin() as work:
        await work.outbox.stop(ItemId("i1"), State.UNKNOWN, "…")
        assert await work.outbox.revive(ItemId("i1"))
    assert isinstance(await there.again(HELLO, JOINT), Sent)
    before = there.effects()
    await reports(there, "failed", 131000)
    assert states(there) == [WhatsAppState.ACCEPTED]
    assert there.effects() == before


async def test_a_report_tells_that_what_was_unknown_did_leave() -> None:
    there = await house()
    there.graph.mishaps.append(Mishap.TAKEN_NO_ANSWER)
    await there.carry(HELLO, JOINT)
    async with there.database.begin() as work:
        await work.outbox.stop(ItemId("i1"), State.UNKNOWN, "…")
    await reports(there, "delivered")
    assert item(there) is State.DONE
    assert states(there) == [WhatsAppState.DELIVERED]
    assert any("has arrived there" in text for text in there.told())


async def test_of_a_text_in_parts_only_the_rest_is_sent_after_a_stop() -> None:
    there = await house()
    words = Text(" ".join(f"Sentence {n}." for n in range(900)))
    there.graph.mishaps.extend([Mishap.TAKEN_NO_ANSWER])
    assert isinstance(await there.carry(words, JOINT), Unanswered)
    async with there.database.begin() as work:
        await work.outbox.stop(ItemId("i1"), State.UNKNOWN, "…")
    await reports(there, "sent")
    assert item(there) is State.READY
    assert isinstance(await there.again(words, JOINT), Sent)
    assert len(set(there.phone.texts)) == len(there.phone.texts) == len(states(there)) == 4


# --- reports


@pytest.mark.parametrize(
    ("order", "end"),
    [
        (("sent", "delivered", "read"), WhatsAppState.READ),
        (("read", "delivered", "sent"), WhatsAppState.READ),
        (("failed", "delivered"), WhatsAppState.DELIVERED),
        (("delivered", "failed"), WhatsAppState.DELIVERED),
    ],
)
async def test_reports_in_any_order_come_to_the_same_end(order: tuple[str, ...], end: WhatsAppState) -> None:
    there = await house()
    await there.carry(HELLO, JOINT)
    for state in (*order, *order):
        await reports(there, state, *((131026,) if state == "failed" else ()))
    assert states(there) == [end]


async def relayed(there: WhatsAppHouse) -> None:
    """Alice's words, on their way to Bea as they always go, and handed to the network."""
    said = Message(MessageId("m1"), PersonId("p2"), JOINT, HELLO, SignedDevice(), there.now, native=True)
    async with there.database.begin() as work:
        await work.journal.append(Entry(there.case.id, said))
    assert isinstance(await there.carry(HELLO, JOINT, said=said.id), Sent)
    async with there.database.begin() as work:
        await work.outbox.done(ItemId("i1"), "sent")


def again(there: WhatsAppHouse) -> list[State]:
    items = there.database.committed.outbox.items.values()
    return [i.state for i in items if i.body not in {b"", CARRIED} and isinstance(CODEC.load(i.body), Relay)]


async def test_what_failed_for_a_closed_window_is_sent_again_and_waits_for_her() -> None:
    there = await house()
    await relayed(there)
    await reports(there, "failed", 131047)
    await reports(there, "failed", 131047)
    assert again(there) == [State.READY]
    assert isinstance(await there.carry(HELLO, JOINT, "i2"), Parked)
    await there.says("hello", JOINT_NUMBER)
    assert isinstance(await there.again(HELLO, JOINT, "i2"), Sent)


async def test_what_was_reported_as_failed_and_then_arrived_is_not_sent_again() -> None:
    there = await house()
    await relayed(there)
    await reports(there, "failed", 131047)
    await reports(there, "delivered")
    assert again(there) == [State.CANCELLED]


async def test_what_failed_for_good_is_told_at_the_desk_without_a_number() -> None:
    there = await house()
    await there.carry(HELLO, JOINT)
    await reports(there, "failed", 131026)
    (told,) = [text for text in there.told() if "was not delivered" in text]
    assert "Telephone Bea" in told
    assert "+34" not in told


async def test_more_than_the_network_takes_from_us_at_once_waits() -> None:
    there = await house()
    outcomes = []
    for n in range(60):
        there.later(seconds=0.1)
        outcomes.append(await there.carry(HELLO, JOINT, f"i{n}"))
    assert sum(isinstance(outcome, Sent) for outcome in outcomes) == 45
    waiting = [outcome for outcome in outcomes if isinstance(outcome, Trouble)]
    assert all(trouble.transient for trouble in waiting)
    there.later(seconds=7)
    assert isinstance(await there.again(HELLO, JOINT, "i59"), Sent)


def test_the_template_is_in_the_readers_language_where_it_is_approved_in_that() -> None:
    approved = Template("new_message", "en_GB", ("de", "es_MX"))
    assert [approved.for_reader(one) for one in Language] == ["en_GB", "de", "es_MX", "en_GB"]


async def test_more_than_whatsapp_takes_at_once_waits_and_all_of_it_arrives_in_order() -> None:
    there = await WhatsAppHouse().begin()
    await there.says("hello")
    caucus = caucus_of(there.case, "Jones")
    words = [f"number {n}" for n in range(50)]
    waiting = []
    for n, text in enumerate(words):
        there.later(seconds=0.1)
        outcome = await there.carry(Text(text), caucus, f"i{n}")
        if isinstance(outcome, Trouble):
            assert outcome.transient
            waiting.append(n)
    assert waiting == list(range(45, 50))
    for n in waiting:
        there.later(seconds=6)
        assert isinstance(await there.again(Text(words[n]), caucus, f"i{n}"), Sent)
    assert [text.rpartition("> ")[2] for text in there.phone.texts] == words
