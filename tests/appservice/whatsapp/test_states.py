"""How far a message has come is shown where it stands, to those alone who read it there (B4)."""

from datetime import UTC, datetime

import pytest

from appservice.matrix import marks
from appservice.matrix.ids import EventId, UserId
from bridges.whatsapp.api import SendResult
from policies.case import DESK, JOINT, Conversation
from policies.effects import Tell
from policies.message import Message, MessageId, SignedDevice, Text
from policies.networks.states import SETTLES, MessageState
from rooms.handle import Handler
from rooms.marks import Mark, Marked, is_overtaken, marks_lane, show
from rooms.outgoing import MATRIX
from rooms.queue import Item, ItemId, State
from tests.appservice.whatsapp.house import CODEC, WhatsAppHouse
from tests.bridges.whatsapp.builders import JOINT_NUMBER, PRIVATE, Json
from tests.fakes.graph import Mishap
from tests.policies.builders import caucus_of, named

SAID = MessageId("m1")


class Chat:
    """Mia has written to Bea, and it has gone out."""

    def __init__(self, there: WhatsAppHouse, where: Conversation) -> None:
        self.there, self.where = there, where
        self.posted: list[Mark] = []

    async def sent(self, words: str = "Which hour?") -> "Chat":
        there = self.there
        for number in (PRIVATE, JOINT_NUMBER):
            await there.says("hello", number)
        mia = named(there.case, "Mia").id
        said = Message(SAID, mia, self.where, Text(words), SignedDevice(), there.now, native=True)
        async with there.database.begin() as work:
            handler = Handler(work, CODEC, there.house, ItemId("h1"), there.now)
            await handler.message(there.case.id, said, EventId("$said"), None)
        await there.deliver()
        return self

    async def reports(self, state: str, *codes: int, part: int = 0) -> None:
        """The network says what became of it."""
        (item,) = {part.item for part in self.there.database.committed.sent_parts.values() if part.message == SAID}
        number = JOINT_NUMBER if self.where == JOINT else PRIVATE
        await self.there.reports(item, state, *codes, number=number, part=part)

    def shown(self) -> list[MessageState]:
        """What is, or will be, shown beside it: not what was replaced before it was posted."""
        found = [*self.posted, *(mark for _, mark in self._waiting())]
        assert {(mark.conversation, mark.message, mark.to) for mark in found} <= {(self.where, SAID, self.there.bea.id)}
        return [mark.state for mark in found]

    async def time_passes(self) -> None:
        """What waits for its time is posted."""
        for item, mark in self._waiting():
            async with self.there.database.begin() as work:
                if await is_overtaken(work, self.there.case.id, mark):
                    await work.outbox.stop(item.id, State.CANCELLED, "as when it is posted")
                    continue
            assert (item.lane, item.kind) == (marks_lane(self.there.case.id, self.where), MATRIX)
            assert (item.state is State.PARKED) is (mark.state is MessageState.SENT)
            self.posted.append(mark)
            async with self.there.database.begin() as work:
                await work.outbox.ripen(datetime.now(UTC) + SETTLES)
                await work.outbox.done(item.id, "$mark")

    def _waiting(self) -> list[tuple[Item, Mark]]:
        items = sorted(self.there.database.committed.outbox.items.values(), key=lambda item: item.seq)
        loaded = [(item, CODEC.load(item.body)) for item in items if item.state in {State.READY, State.PARKED}]
        return [(item, outgoing) for item, outgoing in loaded if isinstance(outgoing, Mark)]

    def told(self) -> list[str]:
        """What is said in her private room, besides."""
        own = caucus_of(self.there.case, "Jones")
        return [e.text for e in self.there.effects() if isinstance(e, Tell) and e.conversation == own]


async def in_private(*mishaps: Mishap | int, words: str = "Which hour?") -> Chat:
    there = await WhatsAppHouse().begin()
    there.graph.mishaps.extend(mishaps)
    return await Chat(there, caucus_of(there.case, "Jones")).sent(words)


async def test_one_event_is_enough_for_what_arrives_at_once_and_that_it_was_read_is_not_shown() -> None:
    chat = await in_private()
    assert chat.shown() == [MessageState.SENT]
    for state in ("sent", "delivered", "read", "delivered"):
        await chat.reports(state)
    assert chat.shown() == [MessageState.DELIVERED]
    await chat.time_passes()
    await chat.reports("read")
    assert chat.shown() == [MessageState.DELIVERED]
    assert not chat.told()


@pytest.mark.parametrize(
    ("report", "shown"), [("delivered", [MessageState.DELIVERED]), ("read", [MessageState.DELIVERED])]
)
@pytest.mark.parametrize("posted", [False, True])
async def test_a_report_that_comes_before_the_answer_is_not_shown_as_sent_after_that(
    report: str, shown: list[MessageState], posted: bool
) -> None:
    there = await WhatsAppHouse().begin()
    chat = Chat(there, caucus_of(there.case, "Jones"))
    network = there.courier._network

    class Hasty:
        async def send(self, number: str, sent: Json) -> SendResult:
            result = await network.send(number, sent)
            if any(part.message == SAID for part in there.database.committed.sent_parts.values()):
                await chat.reports(report)
                if posted:
                    await chat.time_passes()
            return result

    there.courier._network = Hasty()
    await chat.sent()
    await chat.time_passes()
    assert chat.shown() == shown


async def test_what_arrives_later_was_shown_as_sent_and_is_then_shown_as_delivered() -> None:
    chat = await in_private()
    await chat.time_passes()
    await chat.reports("sent")
    assert chat.shown() == [MessageState.SENT]
    await chat.reports("delivered")
    assert chat.shown() == [MessageState.SENT, MessageState.DELIVERED]


async def test_what_was_read_before_it_was_reported_as_delivered_was_delivered() -> None:
    chat = await in_private()
    await chat.reports("read")
    assert chat.shown() == [MessageState.DELIVERED]


async def test_a_long_text_has_arrived_when_all_of_it_has() -> None:
    chat = await in_private(words="A sentence. " * 700)
    parts = len([part for part in chat.there.database.committed.sent_parts.values() if part.message == SAID])
    assert parts > 2
    for part in reversed(range(1, parts)):
        await chat.reports("delivered", part=part)
    assert chat.shown() == [MessageState.SENT]
    await chat.reports("read", part=0)
    assert chat.shown() == [MessageState.DELIVERED]


async def test_a_message_that_is_refused_is_shown_so_and_said_with_what_to_do_but_not_why() -> None:
    chat = await in_private(131050)
    assert chat.shown() == [MessageState.FAILED]
    assert chat.told() == ["Not delivered to Bea by WhatsApp. The mediator knows why. If it is urgent, telephone."]
    at_the_desk = [e.text for e in chat.there.effects() if isinstance(e, Tell) and e.conversation == DESK]
    assert any("they asked WhatsApp to stop messages from us" in text for text in at_the_desk)


async def test_a_message_that_is_reported_as_failed_later_is_shown_so() -> None:
    chat = await in_private()
    await chat.reports("failed", 131026)
    assert chat.shown() == [MessageState.FAILED]
    assert len(chat.told()) == 1


async def test_what_goes_out_again_by_itself_has_not_failed() -> None:
    chat = await in_private()
    await chat.reports("failed", 131000)
    assert MessageState.FAILED not in chat.shown()
    assert not chat.told()


async def test_a_message_without_an_answer_is_perhaps_delivered_until_a_report_tells() -> None:
    chat = await in_private(Mishap.TAKEN_NO_ANSWER)
    assert chat.shown() == [MessageState.UNKNOWN]
    (told,) = chat.told()
    assert told.startswith("Perhaps not delivered to Bea by WhatsApp")
    await chat.time_passes()
    await chat.reports("sent")
    assert chat.shown() == [MessageState.UNKNOWN, MessageState.SENT]
    await chat.reports("delivered")
    assert chat.shown() == [MessageState.UNKNOWN, MessageState.DELIVERED]


@pytest.mark.parametrize("mishaps", [[], [131026], [Mishap.TAKEN_NO_ANSWER]])
async def test_in_the_joint_room_nobody_learns_by_it_what_became_of_a_message_to_somebody_else(
    mishaps: list[Mishap | int],
) -> None:
    there = await WhatsAppHouse().begin()
    there.graph.mishaps.extend(mishaps)
    chat = await Chat(there, JOINT).sent()
    await chat.reports("delivered")
    await chat.reports("failed", 131026)
    assert not chat.shown()
    told = {effect.conversation for effect in there.effects() if isinstance(effect, Tell)}
    assert told <= {DESK}


def test_clients_of_bridges_understand_it() -> None:
    bea, said = UserId("@bea:example.org"), EventId("$said")
    relation = {"rel_type": "m.reference", "event_id": said}
    shown = {state: marks.mark(Marked(state, bea), said) for state in MessageState}
    assert all(content["m.relates_to"] == relation for content in shown.values())
    assert {state: content["status"] for state, content in shown.items()} == {
        MessageState.SENT: "SUCCESS",
        MessageState.DELIVERED: "SUCCESS",
        MessageState.FAILED: "FAIL_PERMANENT",
        MessageState.UNKNOWN: "PENDING",
    }
    assert shown[MessageState.DELIVERED]["delivered_to_users"] == [bea]


async def test_what_two_processes_learn_in_the_same_moment_is_not_shown_as_sent_after_it_arrived() -> None:
    chat = await in_private()
    there = chat.there
    (sent,) = [mark for _, mark in chat._waiting()]
    await chat.reports("delivered")
    await chat.time_passes()
    async with there.database.begin() as work:
        await show(work, CODEC, there.case, sent, by="again", at=there.now)
    await chat.time_passes()
    assert chat.shown() == [MessageState.DELIVERED]
