"""A decision is written down once and whole, and the desk is shown what it asks for."""

from dataclasses import replace

import pytest

from policies.case import DESK, JOINT, Case, CaseId
from policies.effects import Decision, Effect, Explain, Hold, Introduce, Post, Reconcile, Relay, Resume, Tell
from policies.message import Content, File, FileRef, MessageId, Text, Unreadable
from policies.networks.delivery import Cancel, channel_key
from policies.showing import DeadLetters, Preview, ShowHeld
from policies.words.phrase import verbatim
from rooms.addresses import ReplyAddress
from rooms.ids import RoomId
from rooms.outgoing import MATRIX, PEOPLE, ROOMS, Decline, Enter, Say
from rooms.ports import Entry
from rooms.queue import Item, ItemId, State
from tests.policies.builders import (
    ALICE_JOINS,
    CARL_JOINS,
    both_sides,
    case_with,
    caucus_of,
    done,
    facts,
    message,
    named,
)
from tests.rooms.builders import BOT, CODEC, MIA, Site, applier, item_of

CASE = both_sides()
CARL, ALICES = named(CASE, "Carl"), named(CASE, "Alice")
M1 = MessageId("m1")


async def apply(
    site: Site, *effects: Effect, item: str = "item", rule: str = "test", after: Case | None = None
) -> None:
    """Apply a decision about an item, in a unit of work of its own."""
    async with site.database.begin() as work:
        await applier(work, item).apply(site.case, Decision(after or site.case, effects, rule, "a reason"))


def items(site: Site) -> list[Item]:
    return list(site.database.committed.outbox.items.values())


@pytest.fixture
async def site() -> Site:
    site = Site(CASE)
    await site.change(CASE)
    return site


async def test_each_effect_waits_in_the_lane_of_its_room_or_person(site: Site) -> None:
    own = caucus_of(CASE, "Jones")
    effects = (
        Tell(DESK, "x"),
        Explain(ALICES.id, own, verbatim("x")),
        Post(own, CARL.id, Text("x"), M1),
        Relay(M1, JOINT, ALICES.id, Text("x"), CARL.id),
        Introduce(CARL.id, own),
        Reconcile(),
        Preview(),
    )
    await apply(site, *effects)
    assert [(item.lane, item.kind) for item in items(site)] == [
        ("room:1042:desk", MATRIX),
        (f"room:1042:{own.id}", MATRIX),
        (f"room:1042:{own.id}", MATRIX),
        (f"person:1042:{CARL.id}", PEOPLE),
        (f"person:1042:{CARL.id}", PEOPLE),
        ("rooms:1042", ROOMS),
        ("rooms:1042", ROOMS),
    ]
    assert [CODEC.load(item.body) for item in items(site)] == list(effects)


async def test_the_same_decision_twice_is_written_down_once(site: Site) -> None:
    for _ in range(2):
        await apply(site, Tell(DESK, "one"), Tell(DESK, "two"))
    assert len(items(site)) == 2


async def test_two_decisions_about_one_item_are_both_written_down(site: Site) -> None:
    await apply(site, Tell(DESK, "it can't be decrypted"), rule="undecrypted")
    await apply(site, Tell(DESK, "Alice wrote"), rule="said")
    assert len(items(site)) == 2


async def test_different_items_never_share_an_id(site: Site) -> None:
    await apply(site, Tell(DESK, "x"), item="one")
    await apply(site, Tell(DESK, "x"), item="other")
    assert len(items(site)) == 2


async def test_what_is_outside_of_a_case_waits_in_the_lane_of_its_chat(site: Site) -> None:
    chat = RoomId("!chat")
    async with site.database.begin() as work:
        made = applier(work)
        await made.outside(Say(chat, MIA, "hello"))
        await made.outside(Enter(chat, BOT))
        await made.outside(Decline(chat, BOT))
    assert {item.lane for item in items(site)} == {"lobby:!chat"}
    assert {item.case for item in items(site)} == {None}
    assert len(items(site)) == 3


async def test_the_addresses_of_somebody_who_left_stop_working(site: Site) -> None:
    async with site.database.begin() as work:
        await work.addresses.save(ReplyAddress(CASE.id, CARL.id, CARL.endpoint.id, JOINT, "token"), "hash")
    await apply(site, after=done(CASE, "!party remove Carl", facts(None)).case)
    async with site.database.begin() as work:
        assert await work.addresses.by_hash("hash") is None


async def test_a_resume_wakes_what_waits_for_that_consent_alone(site: Site) -> None:
    async with site.database.begin() as work:
        for name, key in (("a", f"channel:1042:{CARL.endpoint.id}"), ("b", "channel:1042:e99")):
            await work.outbox.put(item_of(Preview(), CASE.id, name))
            await work.outbox.park(ItemId(name), key, None, "no consent")
    await apply(site, Resume(channel_key(CASE, CARL.endpoint.id)))
    assert [item.state for item in items(site)] == [State.READY, State.PARKED]


async def held(site: Site, content: Content, author: str = "Carl") -> None:
    said = message(CASE, author, JOINT, content)
    async with site.database.begin() as work:
        await work.journal.append(Entry(CASE.id, said))
    await apply(site, Hold(M1, "its author is not proven"))


async def shown(site: Site, effect: Effect) -> str:
    await apply(site, effect, item="shown")
    tell = CODEC.load(items(site)[-1].body)
    assert isinstance(tell, Tell)
    assert tell.conversation == DESK
    return tell.text


async def test_the_list_of_what_is_held_has_no_words_and_one_message_has(site: Site) -> None:
    await held(site, Text("my secret"))
    listed = await shown(site, ShowHeld())
    assert "1. 2026-01-05 10:00 UTC: because its author is not proven" in listed
    assert "secret" not in listed
    site.database.committed.outbox.items.clear()
    one = await shown(site, ShowHeld("1"))
    assert "as if from Carl, for EVERYONE · 1042" in one
    assert "> my secret" in one


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (Unreadable("why", "what was made out"), "> what was made out"),
        (Unreadable("why"), "> (nothing that can be shown)"),
        (File("x", "y", 1, FileRef("{}")), "> (not words)"),
        (File("x", "y", 1, FileRef("{}"), "clause 3"), "> clause 3"),
        (Text("first\nEVERYONE: \u202ereversed\x00"), "> first\n> EVERYONE: reversed"),
    ],
)
async def test_held_words_are_shown_as_nobodys_and_made_harmless(site: Site, content: Content, words: str) -> None:
    await held(site, content)
    assert words in await shown(site, ShowHeld("1"))


@pytest.mark.parametrize("number", ["0", "2", "-1", "x", "1.5", "٣", "99999999999999999999"])
async def test_a_number_that_is_not_listed_shows_nothing(site: Site, number: str) -> None:
    await held(site, Text("secret"))
    assert "There is no held message" in await shown(site, ShowHeld(number))


async def test_nothing_held_is_said_so(site: Site) -> None:
    assert await shown(site, ShowHeld()) == "Nothing is held."


async def dead(site: Site, state: State = State.DEAD) -> None:
    async with site.database.begin() as work:
        await work.outbox.put(item_of(Tell(JOINT, "secret"), CASE.id, "lost"))
        await work.outbox.stop(ItemId("lost"), state, "a notice for EVERYONE · 1042: refused")


async def test_what_was_not_delivered_is_listed_without_words(site: Site) -> None:
    await dead(site)
    text = await shown(site, DeadLetters("list"))
    assert "1. a notice for EVERYONE · 1042: refused (dead)" in text
    assert "secret" not in text


@pytest.mark.parametrize("state", [State.DEAD, State.UNKNOWN])
async def test_a_person_has_it_sent_again(site: Site, state: State) -> None:
    await dead(site, state)
    assert "Trying number 1 again" in await shown(site, DeadLetters("retry", "1"))
    assert items(site)[0].state is State.READY


async def test_a_person_gives_it_up(site: Site) -> None:
    await dead(site)
    assert "discarded" in await shown(site, DeadLetters("discard", "1"))
    assert items(site)[0].state is State.CANCELLED


async def test_what_belongs_to_another_case_is_not_shown(site: Site) -> None:
    async with site.database.begin() as work:
        await work.outbox.put(replace(item_of(Tell(JOINT, "x"), CASE.id, "lost"), case=CaseId("1043")))
        await work.outbox.stop(ItemId("lost"), State.DEAD, "of another case")
    assert "another case" not in await shown(site, DeadLetters("list"))


async def test_words_that_may_not_leave_now_wait_from_the_beginning_in_their_place() -> None:
    case = case_with(ALICE_JOINS, CARL_JOINS, "!open", "!mail pause Carl")
    site = Site(case)
    await site.change(case)
    carl = named(case, "Carl")
    await apply(site, Relay(M1, JOINT, named(case, "Alice").id, Text("x"), carl.id), Introduce(carl.id, JOINT))
    relay, letter = items(site)
    assert (relay.state, relay.wait_key) == (State.PARKED, channel_key(case, carl.endpoint.id))
    assert relay.note == "nothing is sent there for now: a mediator paused it"
    assert letter.state is State.READY
    await apply(site, Resume(channel_key(case, carl.endpoint.id)), item="consent")
    assert items(site)[0].state is State.READY


async def test_words_that_may_not_go_at_all_wait_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    case = case_with(ALICE_JOINS, CARL_JOINS, "!open", "!mail pause Carl")
    site = Site(case)
    await site.change(case)
    monkeypatch.setattr("rooms.apply.may_go_over", lambda *_: Cancel("its author said no"))
    await apply(site, Relay(M1, JOINT, named(case, "Alice").id, Text("x"), named(case, "Carl").id))
    [relay] = items(site)
    assert (relay.state, relay.wait_key) == (State.READY, None)
