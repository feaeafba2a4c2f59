"""Whoever confirms a mailbox on the page: what was held for want of that alone counts then, and nothing else does."""

from dataclasses import replace

import pytest

from bridges.portal import render, views
from bridges.portal.views import Closed
from policies.case import DESK, JOINT, Case, CaseId, Conversation, EndpointId
from policies.commands.form import Misunderstood
from policies.commands.vocabulary import parse
from policies.effects import Announce, AskWhose, Introduce, Pose, Post, Tell
from policies.message import AuthenticatedMail, File, FileRef, Message, MessageId, Text, Unproven
from rooms.handle import Handler
from rooms.queue import ItemId
from tests.appservice.portal.test_page import CARL, CASE, CODEC, HOUSE, OWN, Town, town
from tests.fakes.memory import MemoryCases
from tests.policies.builders import named

__all__ = ["town"]  # A fixture.


async def vouched_for(town: Town) -> None:
    """A mediator recorded the consent, as earlier versions took it for enough; nobody has confirmed the mailbox."""
    assert "!mail pin Carl" in await commands(town, "!consent Carl: by telephone")


async def commands(town: Town, line: str) -> str:
    """A mediator's command; what it answers."""
    command = parse(line)
    assert not isinstance(command, Misunderstood)
    async with town.database.begin() as work:
        told = await Handler(work, CODEC, HOUSE, ItemId(line), town.now).command(CASE.id, command, town.now)
    assert told.ok
    return told.text


async def moves(town: Town) -> None:
    """Carl is reached elsewhere."""
    carl = named(town.carl(), "Carl")
    moved = replace(carl.endpoint, id=EndpointId("e99"), address="carl@example.com")
    async with town.database.begin() as work:
        await work.cases.save(town.carl().with_person(replace(carl, endpoint=moved)))


async def writes(town: Town, number: int, where: Conversation, text: str, *files: File) -> list[object]:
    """A mail that our mail server vouches for came from the address on record; what follows."""
    name = f"mail{number}"
    said = Message(
        MessageId(name), CARL.id, where, Text(text), AuthenticatedMail(), town.now, native=False, files=files
    )
    before = set(town.database.committed.outbox.items)
    async with town.database.begin() as work:
        await Handler(work, CODEC, HOUSE, ItemId(name), town.now).message(CASE.id, said, None, None)
    items = town.database.committed.outbox.items
    return [CODEC.load(item.body) for key, item in items.items() if key not in before]


async def confirms(town: Town) -> list[object]:
    """He confirms the mailbox; then everything that follows is handled."""
    effects = await town.do("enrol", words="yes")
    return [*effects, *await town.handle()]


def posted(effects: list[object]) -> list[tuple[Conversation, object]]:
    return [(e.conversation, e.content) for e in effects if isinstance(e, Post)]


@pytest.mark.parametrize("where", [OWN, JOINT], ids=str)
async def test_a_mail_from_a_mailbox_that_nobody_confirmed_is_held_and_the_desk_told_what_helps(
    town: Town, where: Conversation
) -> None:
    await vouched_for(town)
    effects = await writes(town, 1, where, "I agree to everything")
    assert not posted(effects)
    desk = [e.text for e in effects if isinstance(e, Tell) and e.conversation == DESK]
    assert any("!mail pin Carl" in text for text in desk)
    assert "I agree" not in str(desk)
    assert [e.to for e in effects if isinstance(e, AskWhose)] == [CARL.id]
    joining = named(town.carl(), "Carl").joining
    assert joining is not None
    assert joining.came is None


async def test_what_was_held_counts_once_the_mailbox_is_confirmed_in_private_and_in_order(town: Town) -> None:
    await vouched_for(town)
    file = File("plan.pdf", "application/pdf", 4, FileRef("{}"))
    await writes(town, 1, OWN, "first")
    await writes(town, 2, OWN, "second", file)
    await writes(town, 3, JOINT, "to all of you")
    effects = await confirms(town)
    words = [content for where, content in posted(effects) if where == OWN and isinstance(content, Text)]
    assert words == [Text("first"), Text("second"), Text("to all of you")]
    assert {where for where, _ in posted(effects)} == {OWN}
    (asked,) = [e for e in effects if isinstance(e, Pose)]
    assert asked.words == "to all of you"
    async with town.database.begin() as work:
        left = [held.message for held in await work.holds.of_case(CASE.id) if held.end is None]
    assert [message for message in left if message.startswith("mail")] == []


@pytest.mark.parametrize("order", ["!pause", "  !discreet on", "yes 4F7K", "No 4f7k."])
async def test_a_command_or_an_answer_of_then_is_not_carried_out_but_stands_in_private_as_words(
    town: Town, order: str
) -> None:
    await vouched_for(town)
    await writes(town, 1, OWN, order)
    effects = await confirms(town)
    assert posted(effects) == [(OWN, Text(order))]
    assert not town.carl().pauses
    assert named(town.carl(), "Carl").discreet is None
    headings = [str(e.text) for e in effects if isinstance(e, Announce) and e.conversation == OWN]
    assert not any("What follows is a mail" in heading for heading in headings)
    assert any("is not carried out: give it again if it holds" in heading for heading in headings)


async def test_the_room_is_told_of_an_older_mail_only_where_it_is_shown(town: Town) -> None:
    await vouched_for(town)
    await writes(town, 1, OWN, "shown")
    assert any("What follows is a mail" in str(e.text) for e in await confirms(town) if isinstance(e, Announce))


async def test_where_its_author_may_not_speak_now_no_mail_is_said_to_follow(town: Town) -> None:
    await vouched_for(town)
    await writes(town, 1, OWN, "held once more")
    async with town.database.begin() as work:
        await work.cases.save(replace(town.carl(), withdrawn=(CARL.id,)))
    effects = await confirms(town)
    assert not posted(effects)
    assert not any("What follows is a mail" in str(e.text) for e in effects if isinstance(e, Announce))


async def test_what_lacked_more_than_that_stays_held(town: Town) -> None:
    await vouched_for(town)
    forged = Message(MessageId("forged"), CARL.id, OWN, Text("x"), Unproven("no DKIM", ""), town.now, native=False)
    async with town.database.begin() as work:
        await Handler(work, CODEC, HOUSE, ItemId("forged"), town.now).message(CASE.id, forged, None, None)
    assert not posted(await confirms(town))


async def test_what_came_from_another_mailbox_never_counts(town: Town) -> None:
    await vouched_for(town)
    await writes(town, 1, OWN, "from whoever has the mailbox that was written down first")
    await moves(town)
    assert not posted(await confirms(town))
    assert named(town.carl(), "Carl").endpoint.enrolled is not None


@pytest.mark.parametrize("line", ["!mail verify Carl", "!mail links Carl"])
async def test_what_was_held_counts_too_where_the_same_mailbox_is_to_be_confirmed_anew(town: Town, line: str) -> None:
    await vouched_for(town)
    await writes(town, 1, OWN, "first")
    former = named(town.carl(), "Carl").endpoint.id
    await commands(town, line)
    assert named(town.carl(), "Carl").endpoint.id != former
    assert (OWN, Text("first")) in posted(await confirms(town))


async def test_what_was_held_of_a_former_address_does_not_count_though_it_was_verified_once_more(town: Town) -> None:
    await vouched_for(town)
    await writes(town, 1, OWN, "from whoever has the mailbox that was written down first")
    await commands(town, "!mail address Carl carl@example.com")
    await commands(town, "!mail verify Carl")
    assert not posted(await confirms(town))


async def test_a_mailbox_that_was_left_meanwhile_confirms_nothing_about_the_next(town: Town) -> None:
    await vouched_for(town)
    session = await town.enter()
    assert await town.portal.act(session, "n1", "enrol", {"words": "yes"})
    await moves(town)
    assert await town.handle() == []
    assert named(town.carl(), "Carl").endpoint.enrolled is None


async def test_the_box_is_empty_whatever_a_mediator_recorded_and_whoever_ticks_it_agrees_themselves(town: Town) -> None:
    await vouched_for(town)
    view = await town.view()
    assert not view.gets_words
    assert 'type="checkbox"' in (shown := render.rooms(views.House("Town Mediation", "+1 555 0100"), view, "s" * 32))
    assert "checked" not in shown
    effects = await town.do("enrol", words="yes")
    consent = named(town.carl(), "Carl").endpoint.content_consent
    assert consent
    assert consent.recorded_by == "Carl"
    assert (await town.view()).gets_words
    assert {e.conversation for e in effects if isinstance(e, Introduce)} == {OWN, JOINT}


async def test_who_leaves_the_box_empty_takes_back_what_a_mediator_recorded(town: Town) -> None:
    await vouched_for(town)
    effects = await town.do("enrol")
    assert named(town.carl(), "Carl").endpoint.content_consent is None
    assert any("no longer holds" in e.text for e in effects if isinstance(e, Tell) and e.conversation == DESK)


async def test_a_press_that_overlaps_a_change_of_address_is_not_taken_for_one_from_the_new_mailbox(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    await vouched_for(town)
    session = await town.enter()
    carl = named(town.carl(), "Carl")
    moved = town.carl().with_person(replace(carl, endpoint=replace(carl.endpoint, id=EndpointId("e99"))))
    found = MemoryCases.load

    async def after_the_change(cases: MemoryCases, case: CaseId, *, lock: bool = False) -> Case | None:
        """Whoever has the case moves Carl elsewhere; whoever wants to lock it waits for them."""
        if lock:
            await cases.save(moved)
            cases._tables.sessions.clear()
        return await found(cases, case, lock=lock)

    monkeypatch.setattr(MemoryCases, "load", after_the_change)
    assert not await town.portal.act(session, "n1", "enrol", {"words": "yes"})
    assert not any(b'"enrol"' in item.body for item in town.database.committed.inbox.items.values())


async def test_no_session_begins_by_a_link_to_a_mailbox_that_is_being_left(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    await town.relay("Words")
    carl = named(town.carl(), "Carl")
    moved = town.carl().with_person(replace(carl, endpoint=replace(carl.endpoint, id=EndpointId("e99"))))
    found = MemoryCases.load

    async def after_the_change(cases: MemoryCases, case: CaseId, *, lock: bool = False) -> Case | None:
        return moved if lock else await found(cases, case)

    monkeypatch.setattr(MemoryCases, "load", after_the_change)
    assert await town.open() is Closed.WRONG
