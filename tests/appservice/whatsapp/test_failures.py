"""A message that failed after all: where it goes once more, when, and how often."""

import logging
from dataclasses import replace

import pytest

from bridges.whatsapp.convert_out import LABELS
from policies.case import JOINT, Case, Conversation, Kind, PersonId
from policies.effects import Relay
from policies.message import Message, MessageId, Removal, SignedDevice, Text, Unproven
from policies.networks.whatsapp import fingerprint
from rooms.handle import Handler
from rooms.homeserver import Trouble
from rooms.outcome import Parked, Sent
from rooms.ports import Entry
from rooms.queue import Item, ItemId, State
from tests.appservice.whatsapp.house import CARRIED, CODEC, HOUSE, WhatsAppHouse, case_with_bea, done
from tests.bridges.whatsapp.builders import BEA, BEA_PHONE, JOINT_NUMBER, PRIVATE, message, webhook
from tests.fakes.graph import Mishap
from tests.policies.builders import caucus_of, named

HELLO = Text("hello")
CARL_JOINS = "!party add Carl carl@example.net on Jones"


async def house(case: Case | None = None) -> WhatsAppHouse:
    there = await WhatsAppHouse(case=case).begin()
    await there.says("hello")
    await there.says("hello", JOINT_NUMBER)
    return there


async def relayed(there: WhatsAppHouse, where: Conversation = JOINT) -> None:
    """Alice's words, on their way to Bea, and handed to the network."""
    said = Message(MessageId("m1"), PersonId("p2"), where, HELLO, SignedDevice(), there.now, native=True)
    async with there.database.begin() as work:
        await work.journal.append(Entry(there.case.id, said))
    assert isinstance(await there.carry(HELLO, where, said=said.id), Sent)
    async with there.database.begin() as work:
        await work.outbox.done(ItemId("i1"), "sent")


def relays(there: WhatsAppHouse) -> list[tuple[Item, Relay]]:
    """What is to go to Bea, or was."""
    items = [i for i in there.database.committed.outbox.items.values() if i.body not in {b"", CARRIED}]
    found = [(item, CODEC.load(item.body)) for item in items]
    return [(item, relay) for item, relay in found if isinstance(relay, Relay) and relay.to == there.bea.id]


def told(there: WhatsAppHouse) -> list[str]:
    return [text for text in there.told() if "was not delivered" in text]


@pytest.mark.parametrize("meant", ["joint", "private"])
async def test_a_confirmed_mail_that_failed_goes_once_more_to_its_own_side_alone(meant: str) -> None:
    there = await house(case_with_bea(CARL_JOINS))
    own, carl = caucus_of(there.case, "Jones"), named(there.case, "Carl")
    where = JOINT if meant == "joint" else own
    words = Text("between us: 4,000")
    mail = Message(MessageId("held"), carl.id, where, words, Unproven("no DKIM", ""), there.now, native=False)
    async with there.database.begin() as work:
        await Handler(work, CODEC, HOUSE, ItemId("mail"), there.now).message(there.case.id, mail, None, None)
    async with there.database.begin() as work:
        await Handler(work, CODEC, HOUSE, ItemId("mine"), there.now).mine(there.case, carl, mail.id)
    ((item, relay),) = relays(there)
    assert (relay.conversation, relay.content) == (own, words)
    await there.deliver()
    await there.reports(item.id, "failed", 131000, number=PRIVATE)
    ((_, again),) = relays(there)
    assert (again.conversation, again.content, again.author) == (own, words, carl.id)
    await there.deliver()
    assert [text.splitlines()[0].partition(" ·")[0] for text in there.phone.texts] == [LABELS[Kind.CAUCUS]] * 2


async def test_by_itself_a_message_is_repeated_once() -> None:
    there = await house()
    await relayed(there)
    await there.reports("i1", "failed", 131000)
    ((copy, _),) = relays(there)
    assert "It is sent once more." in told(there)[0]
    await there.deliver()
    await there.reports(copy.id, "failed", 131000)
    assert not relays(there)
    assert len(there.phone.texts) == 2
    assert "not sent again by itself. Telephone Bea" in told(there)[1]


def removals(there: WhatsAppHouse) -> list[Item]:
    return [item for item, relay in relays(there) if isinstance(relay.content, Removal)]


async def posted_and_taken_back(there: WhatsAppHouse, how: str, *, carried: bool = True) -> ItemId:
    """Mia's words have gone to Bea, by WhatsApp or on another way, and she takes them back; what carried them."""
    mia = named(there.case, "Mia").id
    for name, content, answers in (
        ("m1", Text("for Smith alone"), None),
        ("m2", Text("!undo") if how == "undo" else Removal(MessageId("m1")), MessageId("m1")),
    ):
        said = Message(MessageId(name), mia, JOINT, content, SignedDevice(), there.now, native=True, reply_to=answers)
        async with there.database.begin() as work:
            await Handler(work, CODEC, HOUSE, ItemId(name), there.now).message(there.case.id, said, None, None)
        if name == "m1":
            ((item, _),) = relays(there)
            if carried:
                await there.deliver()
            async with there.database.begin() as work:
                await work.outbox.done(item.id, "sent")
    return item.id


@pytest.mark.parametrize("how", ["undo", "removal"])
@pytest.mark.parametrize("told_so", [True, False])
async def test_what_was_taken_back_is_not_repeated_whether_or_not_word_of_that_has_left(
    how: str, told_so: bool
) -> None:
    there = await house()
    item = await posted_and_taken_back(there, how)
    if told_so:
        await there.deliver()
    await there.reports(item, "failed", 131000)
    await there.deliver()
    assert len([text for text in there.phone.texts if "for Smith alone" in text]) == 1
    assert not removals(there)
    assert "not sent again by itself" in told(there)[0]


async def test_word_that_something_was_removed_is_never_repeated_as_the_words_themselves() -> None:
    there = await house()
    await posted_and_taken_back(there, "undo", carried=False)
    (notice,) = removals(there)
    await there.deliver()
    assert "was removed" in there.phone.texts[-1]
    await there.reports(notice.id, "failed", 131000)
    await there.deliver()
    assert not [text for text in there.phone.texts if "for Smith alone" in text]


async def test_words_that_arrived_after_all_leave_word_of_their_removal_on_its_way() -> None:
    there = await house()
    item = await posted_and_taken_back(there, "undo")
    await there.reports(item, "failed", 131000)
    await there.reports(item, "delivered")
    (notice,) = removals(there)
    assert notice.state is State.READY


async def test_of_a_text_in_parts_nothing_is_repeated_by_itself_even_if_no_answer_came() -> None:
    there = await house()
    there.graph.mishaps.append(Mishap.TAKEN_NO_ANSWER)
    await there.carry(Text(" ".join(f"Sentence {n}." for n in range(900))), JOINT)
    async with there.database.begin() as work:
        await work.outbox.stop(ItemId("i1"), State.UNKNOWN, "…")
    await there.reports("i1", "failed", 131000)
    assert there.database.committed.outbox.items[ItemId("i1")].state is State.UNKNOWN
    assert "Telephone Bea" in told(there)[0]


async def test_what_failed_without_an_answer_before_is_sent_again() -> None:
    there = await house()
    there.graph.mishaps.append(Mishap.TAKEN_NO_ANSWER)
    await there.carry(HELLO, JOINT)
    async with there.database.begin() as work:
        await work.outbox.stop(ItemId("i1"), State.UNKNOWN, "…")
    await there.reports("i1", "failed", 131000)
    assert there.database.committed.outbox.items[ItemId("i1")].state is State.READY


@pytest.mark.parametrize("code", [131026, 190])
async def test_what_can_not_be_mended_by_waiting_is_not_said_to_be_sent_again(code: int) -> None:
    there = await house()
    await relayed(there)
    await there.reports("i1", "failed", code)
    assert not relays(there)
    assert "Telephone Bea" in told(there)[0]


async def test_what_failed_for_a_changed_identity_goes_once_a_mediator_is_sure() -> None:
    there = await house()
    there.phone.key = "k1"
    await there.says("hello")
    await relayed(there)
    await there.reports("i1", "failed", 137000)
    assert "when you have made sure who is there" in told(there)[0]
    doubt = there.bea.endpoint.doubt
    assert doubt is not None
    there.phone.key = "k2"
    case = done(there.case, f"!confirm Bea: {fingerprint(doubt.now)}")
    async with there.database.begin() as work:
        await work.cases.save(case)
        for item, _ in relays(there):
            await work.outbox.wake(item.wait_key or "")
    await there.deliver()
    assert len(there.phone.texts) == 2, "the key that was known is not asked for any more"
    assert there.bea.endpoint.doubt is None


async def test_each_time_that_an_identity_has_changed_the_desk_hears_of_it() -> None:
    there = await house()
    for n in range(2):
        there.later(minutes=1)
        there.graph.mishaps.append(137000)
        assert isinstance(await there.carry(HELLO, JOINT, "i1") if n == 0 else await there.again(HELLO, JOINT), Parked)
        bea = there.bea
        async with there.database.begin() as work:
            await work.cases.save(there.case.with_person(replace(bea, endpoint=replace(bea.endpoint, doubt=None))))
    assert len([text for text in there.told() if text.startswith("ALARM")]) == 2


# --- the window


async def test_a_window_that_the_network_shuts_has_the_template_sent_anew() -> None:
    there = await WhatsAppHouse().begin()
    await there.carry(HELLO, JOINT)
    await there.says("hello", JOINT_NUMBER)
    there.later(minutes=1)
    there.graph.windows.clear()
    assert isinstance(await there.again(HELLO, JOINT), Parked)
    assert there.phone.texts == ["[template new_message]"] * 2


async def test_whoever_writes_while_a_window_is_found_shut_is_sent_the_words_and_no_template(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    there = await house()
    there.graph.windows.clear()
    send = there.courier._network.send

    async def meanwhile(number: str, sent: object) -> object:
        answer = await send(number, sent)  # type: ignore[arg-type]
        monkeypatch.setattr(there.courier._network, "send", send)
        there.later(seconds=1)
        await there.says("I am here", JOINT_NUMBER)
        return answer

    monkeypatch.setattr(there.courier._network, "send", meanwhile)
    outcome = await there.carry(HELLO, JOINT)
    assert isinstance(outcome, Trouble)
    assert outcome.transient
    assert isinstance(await there.again(HELLO, JOINT), Sent)
    assert len(there.phone.texts) == 1


async def test_a_report_that_the_window_was_shut_when_they_have_written_since_shuts_nothing() -> None:
    there = await house()
    await relayed(there)
    there.later(seconds=1)
    await there.says("I am here", JOINT_NUMBER)
    await there.reports("i1", "failed", 131047)
    await there.deliver()
    assert len(there.phone.texts) == 2
    assert "[template" not in "".join(there.phone.texts)


async def test_several_that_failed_for_one_window_have_one_template_sent() -> None:
    there = await house()
    for name in ("i1", "i2"):
        await there.carry(HELLO, JOINT, name)
    for name in ("i1", "i2"):
        there.later(seconds=1)
        await there.reports(name, "failed", 131047)
        there.later(seconds=1)
        await there.carry(HELLO, JOINT, f"again.{name}")
    assert there.phone.texts.count("[template new_message]") == 1


async def test_a_process_that_dies_after_the_template_sends_it_again_rather_than_never() -> None:
    there = await WhatsAppHouse().begin()
    await there.dies_sending(HELLO, JOINT)
    assert isinstance(await there.again(HELLO, JOINT), Parked)
    assert there.phone.texts == ["[template new_message]"] * 2


async def test_a_window_that_was_shut_is_open_if_they_wrote_before_the_report_came() -> None:
    there = await WhatsAppHouse().begin()
    await there.says("hello", JOINT_NUMBER)
    there.later(hours=1)
    await there.carry(HELLO, JOINT)
    there.later(seconds=1)
    await there.says("again", JOINT_NUMBER)
    there.later(seconds=1)
    await there.reports("i1", "sent")
    await there.reports("i1", "failed", 131047)
    async with there.database.begin() as work:
        thread = await work.whatsapp.thread(there.case.id, there.bea.endpoint.id, JOINT_NUMBER)
    assert thread.is_open(there.now)


async def test_a_template_that_failed_is_told_at_the_desk_with_whom_it_was_for() -> None:
    there = await WhatsAppHouse().begin()
    await there.carry(HELLO, JOINT)
    (_, sent) = there.graph.accepted[0]
    item, _, part = sent["biz_opaque_callback_data"].rpartition("/")
    await there.reports(item, "failed", 131026, part=part)
    (text,) = there.told()
    assert text.startswith("WhatsApp did not deliver to Bea the message that asks them to write")


async def test_whatever_goes_wrong_no_log_line_has_a_number_an_id_or_a_word(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    there = await WhatsAppHouse().begin()
    await there.says("my secret word", wamid="wamid.secret")
    for mishap in (131026, 131000, 137000, 131047, Mishap.NO_ANSWER, Mishap.ODD_ANSWER):
        there.graph.mishaps.append(mishap)
        await there.carry(Text("our secret word"), caucus_of(there.case, "Jones"), f"i{mishap}")
        await there.reports(f"i{mishap}", "failed", 131026)
    await there.receive(webhook(message(**{"from": "34600777777", "from_user_id": "ES.stranger"}), contacts=[]))
    await there.receive({"entry": [{"changes": [{"value": "my secret word"}]}]})
    await there.deliver()
    for private in (BEA_PHONE[1:], BEA, "secret", "wamid", "34600777777", "ES.stranger"):
        assert private not in caplog.text
