"""A mediator's reaction stands on the very message that Bea wrote, once, or never: nothing waits, for it or with it."""

from dataclasses import replace
from typing import Any

import pytest

from policies.case import JOINT, Case, Conversation, Doubt, Network, Seen
from policies.effects import Relay
from policies.message import Content, Message, MessageId, Reaction, Removal, Unproven
from rooms.handle import Handler
from rooms.queue import ItemId, State
from tests.appservice.whatsapp.house import CODEC, WhatsAppHouse
from tests.bridges.whatsapp.builders import JOINT_NUMBER, PRIVATE
from tests.fakes.graph import Mishap
from tests.policies.builders import caucus_of, named

IN_CLEAR = Unproven("it is in clear, so the homeserver could have written it", "")


class Reacting(WhatsAppHouse):
    """Bea writes in both chats; whoever is in Matrix reacts."""

    async def wrote(self, text: str, number: str = JOINT_NUMBER) -> MessageId:
        """She writes; the message as it stands in the room."""
        await self.says(text, number)
        return self.posts()[-1].message

    async def does(
        self,
        what: Content,
        where: Conversation = JOINT,
        who: str = "Mia",
        name: str = "r1",
        *,
        meanwhile: Case | None = None,
        goes: bool = True,
    ) -> None:
        """Somebody reacts, or takes a reaction back; and all that is for her telephone goes out, if it `goes`, when the
        case has become another."""
        said = Message(MessageId(name), named(self.case, who).id, where, what, IN_CLEAR, self.now, native=True)
        async with self.database.begin() as work:
            handler = Handler(work, CODEC, self.house, ItemId(f"h{name}"), self.now)
            await handler.message(self.case.id, said, None, None)
        if meanwhile:
            await self.becomes(meanwhile)
        if goes:
            await self.deliver()

    async def becomes(self, case: Case) -> None:
        """The case is another one from now on."""
        async with self.database.begin() as work:
            await work.cases.save(case)

    @property
    def own(self) -> Conversation:
        return caucus_of(self.case, "Jones")

    def letters(self) -> list[State]:
        """What became of each reaction that was decided to go."""
        items = self.database.committed.outbox.items.values()
        loaded = [(CODEC.load(item.body), item.state) for item in items if item.body]
        return [state for one, state in loaded if isinstance(one, Relay) and isinstance(one.content, Reaction)]


async def house() -> Reacting:
    there = Reacting()
    await there.begin()
    return there


async def test_it_stands_on_her_message_and_a_newer_one_in_its_place() -> None:
    there = await house()
    said = await there.wrote("I can do Monday.")
    await there.does(Reaction(said, "👍"))
    assert there.phone.reacted == {(JOINT_NUMBER, "wamid.in1"): "👍"}
    await there.does(Reaction(said, "❤️"), name="r2")
    assert there.phone.reacted == {(JOINT_NUMBER, "wamid.in1"): "❤️"}
    await there.does(Removal(MessageId("r2")), name="x2")
    assert there.phone.reacted == {(JOINT_NUMBER, "wamid.in1"): "👍"}
    await there.does(Removal(MessageId("r1")), name="x1")
    await there.does(Removal(MessageId("r1")), name="x0")
    assert there.phone.reacted == {(JOINT_NUMBER, "wamid.in1"): ""}
    assert there.phone.texts == []
    assert len(there.graph.accepted) == 4


async def test_in_private_it_goes_by_the_private_number() -> None:
    there = await house()
    said = await there.wrote("I can't sleep.", PRIVATE)
    await there.does(Reaction(said, "🙏"), there.own)
    assert there.phone.reacted == {(PRIVATE, "wamid.in1"): "🙏"}


async def test_a_partys_and_a_forged_room_show_her_nothing() -> None:
    there = await house()
    said = await there.wrote("I can't sleep.", PRIVATE)
    await there.does(Reaction(said, "😂"), there.own, "Alice")
    await there.does(Reaction(said, "😂"), JOINT, name="r2")
    in_joint = await there.wrote("I can do Monday.")
    await there.does(Reaction(in_joint, "😂"), JOINT, "Alice", name="r3")
    assert there.phone.reacted == {}
    assert there.letters() == []


async def test_a_letter_with_the_wrong_room_shows_her_nothing() -> None:
    there = await house()
    said = await there.wrote("I can't sleep.", PRIVATE)
    await there.carry(Reaction(said, "👍"), JOINT)
    assert there.phone.reacted == {}


@pytest.mark.parametrize(("days", "why"), [(1, "have not written for 24 hours"), (31, "older than 30 days")])
async def test_what_can_not_be_shown_is_dropped_and_said_and_nobody_is_asked_to_write(days: int, why: str) -> None:
    there = await house()
    said = await there.wrote("I can do Monday.")
    there.later(days=days)
    await there.does(Reaction(said, "👍"))
    assert there.phone.reacted == {}
    assert there.graph.accepted == []
    assert there.letters() == [State.CANCELLED]
    assert [text for text in there.told() if "A reaction is NOT shown" in text and why in text]
    await there.wrote("Hello?")
    await there.deliver()
    assert there.phone.reacted == {}


@pytest.mark.parametrize("code", [131047, 131009, 131051])
async def test_what_whatsapp_does_not_take_is_dropped_and_said(code: int) -> None:
    there = await house()
    said = await there.wrote("I can do Monday.")
    there.graph.mishaps.append(code)
    await there.does(Reaction(said, "👍"))
    assert there.letters() == [State.CANCELLED]
    assert [text for text in there.told() if "A reaction is NOT shown" in text]
    assert there.graph.accepted == []


@pytest.mark.parametrize("mishap", [131000, 131031, 137000, Mishap.NO_ANSWER])
async def test_what_fails_once_is_not_tried_again_and_words_behind_it_do_not_wait(mishap: int | Mishap) -> None:
    there = await house()
    said = await there.wrote("I can do Monday.")
    there.graph.mishaps.append(mishap)
    await there.does(Reaction(said, "👍"))
    assert there.letters() == [State.UNKNOWN if mishap is Mishap.NO_ANSWER else State.CANCELLED]
    await there.deliver()
    assert there.phone.reacted == {}
    assert [text for text in there.told() if "A reaction is NOT shown" in text] or mishap is Mishap.NO_ANSWER


def no_longer(case: Case, **channel: Any) -> Case:
    """The case in which something is with Bea's channel."""
    bea = named(case, "Bea")
    return case.with_person(replace(bea, endpoint=replace(bea.endpoint, **channel)))


NOT_NOW: list[tuple[dict[str, Any], str]] = [
    ({"declined": True}, "nothing is sent there for now"),
    ({"doubt": Doubt("new telephone", Seen())}, "may be another person"),
    ({"content_consent": None}, "no consent"),
]
ELSEWHERE: dict[str, Any] = {"network": Network.EMAIL, "address": "bea@example.net"}


@pytest.mark.parametrize(
    ("channel", "why", "already"),
    [
        *((channel, why, already) for channel, why in NOT_NOW for already in (True, False)),
        (ELSEWHERE, "another channel now", False),
    ],
)
async def test_what_may_not_go_now_never_goes_and_the_desk_is_told(
    channel: dict[str, Any], why: str, already: bool
) -> None:
    there = await house()
    said = await there.wrote("I can do Monday.")
    before = there.case
    if already:
        await there.becomes(no_longer(before, **channel))
    await there.does(Reaction(said, "👍"), meanwhile=no_longer(before, **channel))
    assert there.letters() == [State.CANCELLED]
    assert [text for text in there.told() if "A reaction is NOT shown" in text and why in text and "(Bea)" in text]
    await there.becomes(before)
    await there.deliver()
    assert there.phone.reacted == {}


@pytest.mark.parametrize("code", [None, 131009, 131000])
async def test_one_that_can_not_be_taken_away_any_more_is_said_to_stand_there(code: int | None) -> None:
    there = await house()
    said = await there.wrote("I can do Monday.")
    await there.does(Reaction(said, "👍"))
    if code is None:
        there.later(hours=25)
    else:
        there.graph.mishaps.append(code)
    await there.does(Removal(MessageId("r1")), name="x1")
    assert there.phone.reacted == {(JOINT_NUMBER, "wamid.in1"): "👍"}
    [told] = [text for text in there.told() if "A reaction was NOT taken away" in text]
    assert told.endswith("(Bea). If it was shown there, it still is.")
    assert not [text for text in there.told() if "NOT shown" in text]


async def test_a_report_that_a_removal_failed_is_no_report_that_a_reaction_did() -> None:
    there = await house()
    said = await there.wrote("I can do Monday.")
    await there.does(Reaction(said, "👍"))
    await there.does(Removal(MessageId("r1")), name="x1")
    item = [part.item for part in there.database.committed.sent_parts.values()][-1]
    await there.reports(item, "failed", 131009)
    assert [text for text in there.told() if "A reaction was NOT taken away" in text]
    assert not [text for text in there.told() if "NOT shown" in text]


async def test_one_that_may_have_left_when_the_service_was_killed_is_not_said_to_be_not_shown() -> None:
    there = await house()
    said = await there.wrote("I can do Monday.")
    await there.does(Reaction(said, "👍"), goes=False)
    async with there.database.begin() as work:
        for item in there.database.committed.outbox.items.values():
            if item.state is State.READY and isinstance(CODEC.load(item.body), Relay):
                await work.outbox.mark_sending(item.id, None)
    await there.becomes(no_longer(there.case, declined=True))
    await there.deliver()
    assert there.letters() == [State.UNKNOWN]
    assert not [text for text in there.told() if "NOT shown" in text]


async def test_what_was_taken_back_before_it_left_never_leaves_and_nobody_need_be_told() -> None:
    there = await house()
    said = await there.wrote("I can do Monday.")
    await there.does(Reaction(said, "👍"), goes=False)
    await there.does(Removal(MessageId("r1")), name="x1")
    assert [body["reaction"]["emoji"] for _, body in there.graph.accepted] == [""]
    assert not [text for text in there.told() if "NOT" in text]


async def test_what_is_unknown_and_reported_as_failed_is_over() -> None:
    there = await house()
    said = await there.wrote("I can do Monday.")
    there.graph.mishaps.append(Mishap.NO_ANSWER)
    await there.does(Reaction(said, "👍"))
    [item] = [i.id for i in there.database.committed.outbox.items.values() if i.state is State.UNKNOWN]
    await there.reports(item, "failed", 131009)
    assert there.database.committed.outbox.items[item].state is State.CANCELLED
    assert [text for text in there.told() if "A reaction is NOT shown" in text]


async def test_without_an_answer_it_is_unknown_and_only_a_person_repeats_it() -> None:
    there = await house()
    said = await there.wrote("I can do Monday.")
    there.graph.mishaps.append(Mishap.TAKEN_NO_ANSWER)
    await there.does(Reaction(said, "👍"))
    await there.deliver()
    assert there.letters() == [State.UNKNOWN]
    assert len(there.graph.accepted) == 1
    assert [text for text in there.told() if text.startswith("Perhaps not delivered: a reaction on WhatsApp to Bea")]
    [item] = [i.id for i in there.database.committed.outbox.items.values() if i.state is State.UNKNOWN]
    await there.reports(item, "sent")
    assert there.database.committed.outbox.items[item].state is State.DONE


async def test_a_report_that_it_failed_is_said_and_nothing_is_sent_again() -> None:
    there = await house()
    said = await there.wrote("I can do Monday.")
    await there.does(Reaction(said, "👍"))
    [item] = [part.item for part in there.database.committed.sent_parts.values()]
    await there.reports(item, "failed", 131009)
    await there.deliver()
    assert len(there.graph.accepted) == 1
    assert [text for text in there.told() if "A reaction is NOT shown" in text and "(Bea)" in text]
    assert not [text for text in there.told() if "was not delivered" in text]


async def test_in_safe_contact_none_shows_on_a_locked_screen() -> None:
    """A telephone shows the message beside the reaction to it."""
    there = await house()
    await there.says("!discreet on", PRIVATE)
    said = await there.wrote("I can do Monday.")
    there.later(minutes=1)
    await there.does(Reaction(said, "👍"))
    assert there.phone.reacted == {(JOINT_NUMBER, "wamid.in2"): "👍"}
    there.later(minutes=6)
    await there.does(Reaction(said, "❤️"), name="r2")
    assert there.phone.reacted == {(JOINT_NUMBER, "wamid.in2"): "👍"}
    assert [text for text in there.told() if "A reaction is NOT shown" in text and "!discreet" in text]
    assert not [body for _, body in there.graph.accepted if body["type"] == "template"]
