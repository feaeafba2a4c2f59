"""A mediator's post in the wrong room: it waits a moment before it is mailed, and is taken back in one step (M11)."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.case import DESK, JOINT, Conversation
from policies.commands.undo import TakeBackPost
from policies.commands.vocabulary import parse
from policies.effects import Redact, Relay, Tell
from policies.message import Content, Edit, MessageId, Removal, Text
from rooms import apply
from rooms.deliver import Deliverer
from rooms.handle import Handler
from rooms.homeserver import Trouble
from rooms.ids import EventId
from rooms.outcome import Sent
from rooms.outgoing import PEOPLE
from rooms.queue import Item, ItemId, Lane, State
from tests.fakes.memory import MemoryDatabase
from tests.policies.builders import AT, both_sides, caucus_of, message, named
from tests.rooms.builders import CODEC, HOUSE, Site, item_of

CASE = both_sides("!party add Bea bea@example.com on Smith", "!consent Bea: yes")
SMITH, CARL, BEA = caucus_of(CASE, "Smith"), named(CASE, "Carl"), named(CASE, "Bea")
UNDO = timedelta(seconds=30)


@pytest.fixture
async def site() -> Site:
    return await Site(CASE).begin()


async def says(
    database: MemoryDatabase,
    name: str,
    where: Conversation,
    content: Content | str,
    number: str,
    *,
    reply_to: str | None = None,
) -> None:
    said = Text(content) if isinstance(content, str) else content
    answered = MessageId(reply_to) if reply_to else None
    about = replace(message(CASE, name, where, said, native=True), id=MessageId(number), reply_to=answered)
    async with database.begin() as work:
        house = replace(HOUSE, undo=UNDO)
        await Handler(work, CODEC, house, ItemId(number), AT).message(CASE.id, about, EventId(f"${number}"), None)


def letters(database: MemoryDatabase, to: str) -> list[Item]:
    wanted = named(CASE, to).id
    items = [item for item in database.committed.outbox.items.values() if item.kind == PEOPLE]
    return [i for i in items if i.body and isinstance(r := CODEC.load(i.body), Relay) and r.to == wanted]


def waiting(database: MemoryDatabase, to: str) -> list[Content]:
    loaded = [CODEC.load(item.body) for item in letters(database, to) if item.state in {State.READY, State.PARKED}]
    return [relay.content for relay in loaded if isinstance(relay, Relay)]


def told(site: Site) -> str:
    return "\n".join(o.text for o in site.outbox() if isinstance(o, Tell) and o.conversation == DESK)


async def left(site: Site, to: str) -> None:
    """The letters to somebody have gone."""
    async with site.database.begin() as work:
        for item in letters(site.database, to):
            await work.outbox.done(item.id, "queued")


async def test_what_a_mediator_writes_waits_and_what_comes_after_it_to_the_same_person_waits_behind_it(
    site: Site,
) -> None:
    await says(site.database, "Mia", JOINT, "for Smith alone", "m1")
    await says(site.database, "Alice", JOINT, "hello", "m2")
    first, second = letters(site.database, "Carl")
    assert (first.due_at, first.state) == (AT + UNDO, State.READY)
    assert second.due_at is None
    async with site.database.begin() as work:
        early = await work.outbox.claim("w", AT + UNDO / 2, timedelta(minutes=1))
        assert first.lane not in {item.lane for item in early}
    async with site.database.begin() as work:
        while items := await work.outbox.claim("w", AT + 2 * UNDO, timedelta(minutes=1), limit=9):
            if items[0].lane == first.lane:
                assert [item.id for item in items] == [first.id, second.id]
                return
    raise AssertionError("it is never sent")


async def test_what_a_party_writes_does_not_wait(site: Site) -> None:
    await says(site.database, "Alice", JOINT, "hello", "m1")
    assert [item.due_at for item in letters(site.database, "Carl")] == [None]


async def test_it_never_leaves_early_though_what_it_waited_for_besides_has_come(site: Site) -> None:
    relay = Relay(MessageId("m1"), JOINT, named(CASE, "Mia").id, Text("hello"), CARL.id, not_before=AT + UNDO)
    now = AT
    deliverer = Deliverer(
        site.database, site.builder, site.poster, {CARL.endpoint.network: site.courier}, clock=lambda: now
    )
    with pytest.raises(Trouble, match="take it back"):
        await deliverer.deliver(item_of(relay, CASE.id, kind=PEOPLE), relay)
    assert not site.courier.carried
    now = AT + UNDO
    assert isinstance((await deliverer.deliver(item_of(relay, CASE.id, kind=PEOPLE), relay))[0], Sent)


@pytest.mark.parametrize("how", ["by a removal in the client", "by a reply", "by name at the desk"])
async def test_a_post_in_the_wrong_room_is_taken_back_before_it_leaves(site: Site, how: str) -> None:
    await says(site.database, "Mia", JOINT, "for Smith alone", "m1")
    match how:
        case "by a removal in the client":
            await says(site.database, "Mia", JOINT, Removal(MessageId("m1")), "m2")
        case "by a reply":
            await says(site.database, "Mia", JOINT, "!undo", "m2", reply_to="m1")
        case _:
            await says(site.database, "Mia", DESK, "!undo post", "m2")
    for name in ("Carl", "Bea"):
        assert waiting(site.database, name) == []
        assert [item.state for item in letters(site.database, name)] == [State.CANCELLED]
    assert "Not sent to Carl (by mail), Bea (by mail): it had not left yet." in told(site)
    assert "Whoever was in that room in Matrix may have seen it." in told(site)
    assert "for Smith alone" not in told(site)
    redacted = [o.message for o in site.outbox() if isinstance(o, Redact)]
    wanted = {"by a reply": ["m2", "m1"], "by name at the desk": ["m1"]}
    assert redacted == [MessageId(m) for m in wanted.get(how, [])]


async def test_who_has_it_already_is_told_that_it_was_removed_and_the_desk_that_it_was_possibly_seen(
    site: Site,
) -> None:
    await says(site.database, "Mia", JOINT, "for Smith alone", "m1")
    await left(site, "Bea")
    await says(site.database, "Mia", JOINT, "!undo", "m2", reply_to="m1")
    assert waiting(site.database, "Carl") == []
    assert waiting(site.database, "Bea") == [Removal(MessageId("m1"))]
    assert "Not sent to Carl (by mail)" in told(site)
    assert "Sent already, and possibly seen, by Bea (by mail): it can't be called back from there." in told(site)


async def test_a_letter_that_is_on_its_way_counts_as_seen_and_is_not_stopped_half_way(site: Site) -> None:
    await says(site.database, "Mia", SMITH, "hello", "m1")
    (letter,) = letters(site.database, "Bea")
    async with site.database.begin() as work:
        await work.outbox.mark_sending(letter.id, None)
    await says(site.database, "Mia", SMITH, "!undo", "m2", reply_to="m1")
    assert "Sent already, and possibly seen, by Bea" in told(site)
    assert site.database.committed.outbox.items[letter.id].state is State.READY


@pytest.mark.parametrize("how", [Text("!undo"), Removal(MessageId("m1"))])
async def test_each_change_of_it_goes_with_it(site: Site, how: Content) -> None:
    await says(site.database, "Mia", SMITH, "hello", "m1")
    await left(site, "Bea")
    await says(site.database, "Mia", SMITH, Edit(MessageId("m1"), "hello there"), "m2")
    await says(site.database, "Mia", SMITH, Edit(MessageId("m1"), "hello you"), "m3")
    await says(site.database, "Mia", SMITH, how, "m4", reply_to="m1")
    assert waiting(site.database, "Bea") == [Removal(MessageId("m1"))]
    own = {"m1", "m4"} if isinstance(how, Text) else set()
    assert {o.message for o in site.outbox() if isinstance(o, Redact)} == {"m2", "m3", *own}


@pytest.mark.parametrize("ended", [State.DEAD, State.UNKNOWN])
async def test_what_failed_and_was_taken_back_is_not_sent_by_whoever_retries(site: Site, ended: State) -> None:
    await says(site.database, "Mia", JOINT, "for Smith alone", "m1")
    await says(site.database, "Alice", JOINT, "hello", "m2")
    async with site.database.begin() as work:
        for letter in letters(site.database, "Bea"):
            await work.outbox.stop(letter.id, ended, "…")
    await says(site.database, "Mia", JOINT, "!undo", "m3", reply_to="m1")
    async with site.database.begin() as work:
        hers, alices, _ = letters(site.database, "Bea")
        assert not await work.outbox.revive(hers.id)
        assert await work.outbox.revive(alices.id)
    assert waiting(site.database, "Bea") == [Text("hello"), Removal(MessageId("m1"))]


async def test_nothing_of_a_partys_is_taken_back_by_a_mediator_or_by_anybody_elses_removal(site: Site) -> None:
    await says(site.database, "Alice", JOINT, "my own words", "m1")
    await says(site.database, "Mia", JOINT, "!undo", "m2", reply_to="m1")
    assert "That is Alice's own post" in told(site)
    await says(site.database, "Mia", JOINT, "mine", "m3")
    await says(site.database, "Alice", JOINT, Removal(MessageId("m3")), "m4")
    assert Text("my own words") in waiting(site.database, "Carl")
    assert Text("mine") in waiting(site.database, "Carl")


async def test_a_removal_in_a_mediators_name_keeps_nothing_of_a_partys_from_leaving(site: Site) -> None:
    """Whoever runs the homeserver can remove whatever stands there, in anybody's name."""
    await says(site.database, "Alice", JOINT, "my own words", "m1")
    await says(site.database, "Mia", JOINT, Removal(MessageId("m1")), "m2")
    assert Text("my own words") in waiting(site.database, "Carl")
    assert [item.state for item in letters(site.database, "Carl")] == [State.READY, State.READY]


async def test_the_test_sees_it_if_what_was_taken_back_leaves_all_the_same(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def nothing(*_: object) -> None:
        return None

    monkeypatch.setattr(apply, "withhold", nothing)
    await says(site.database, "Mia", JOINT, "for Smith alone", "m1")
    await says(site.database, "Mia", JOINT, "!undo", "m2", reply_to="m1")
    assert Text("for Smith alone") in waiting(site.database, "Carl")


async def test_a_party_that_says_so_takes_back_nothing(site: Site) -> None:
    await says(site.database, "Mia", JOINT, "for all", "m1")
    await says(site.database, "Alice", JOINT, "!undo", "m2", reply_to="m1")
    await says(site.database, "Alice", SMITH, "!undo post", "m3")
    assert Text("for all") in waiting(site.database, "Carl")
    assert not [o for o in site.outbox() if isinstance(o, Redact)]


async def test_by_name_it_is_said_at_the_desk_where_what_became_of_it_is_told(site: Site) -> None:
    await says(site.database, "Mia", JOINT, "one", "m1")
    await says(site.database, "Mia", SMITH, "!undo post", "m2", reply_to="m1")
    assert Text("one") in waiting(site.database, "Bea")
    assert "reply !undo to the post" in told(site)


async def test_tried_out_it_says_the_same_of_who_has_it(site: Site) -> None:
    await says(site.database, "Mia", JOINT, "for Smith alone", "m1")
    await says(site.database, "Mia", DESK, "!dry undo post", "m2")
    assert "Not sent to" in told(site)
    assert "Sent already" not in told(site)
    assert waiting(site.database, "Carl")


async def test_a_notice_that_failed_under_its_former_name_keeps_nothing_from_being_taken_back(site: Site) -> None:
    person = named(CASE, "Mia").id
    body = f'{{"class":"MailNotice","person":"{person}","to":"mia@example.com","code":null}}'.encode()
    async with site.database.begin() as work:
        await work.outbox.put(Item(ItemId("old"), Lane(f"notice:{CASE.id}:{person}"), PEOPLE, CASE.id, body, AT))
        await work.outbox.stop(ItemId("old"), State.DEAD, "mailbox unknown")
    await says(site.database, "Mia", JOINT, "for Smith alone", "m1")
    await says(site.database, "Mia", DESK, "!undo post", "m2")
    assert waiting(site.database, "Carl") == []


async def test_by_name_only_ones_own_latest_post_is_meant_and_only_once(site: Site) -> None:
    await says(site.database, "Mia", DESK, "!undo post", "m0")
    assert "reply to the post" in told(site)
    await says(site.database, "Mia", JOINT, "one", "m1")
    await says(site.database, "Mia", SMITH, "two", "m2")
    await says(site.database, "Mia", DESK, "!undo post", "m3")
    await says(site.database, "Mia", DESK, "!undo post", "m4")
    assert Text("one") in waiting(site.database, "Bea")
    assert Text("two") not in waiting(site.database, "Bea")
    assert [o.message for o in site.outbox() if isinstance(o, Redact)] == ["m2"]
    assert parse("!undo post") == TakeBackPost()


STEPS = st.lists(st.sampled_from(("Mia", "Alice", "undo", "sent")), max_size=12)


@given(STEPS)
async def test_whatever_is_said_sent_and_taken_back_nothing_leaves_that_was_taken_back_and_nothing_else_is_lost(
    steps: list[str],
) -> None:
    database = MemoryDatabase()
    async with database.begin() as work:
        await work.cases.save(CASE)
    said: list[str] = []
    gone: list[str] = []
    back: set[str] = set()
    for number, step in enumerate(steps):
        name = f"m{number}"
        mine = [one for one in said if one.startswith("Mia") and one not in back]
        if step in {"Mia", "Alice"}:
            said.append(f"{step} {number}")
            await says(database, step, JOINT, f"{step} {number}", name)
        elif step == "undo" and mine:
            back.add(mine[-1])
            await says(database, "Mia", JOINT, "!undo", name, reply_to=f"m{mine[-1].split()[1]}")
        elif step == "sent":
            for item in letters(database, "Carl"):
                relay = CODEC.load(item.body)
                if item.state is State.READY and isinstance(relay, Relay):
                    gone += [relay.content.body] if isinstance(relay.content, Text) else []
                    async with database.begin() as work:
                        await work.outbox.done(item.id, "queued")
                    break
    left_over = [c.body for c in waiting(database, "Carl") if isinstance(c, Text)]
    assert not back & set(left_over)
    assert gone + left_over == [one for one in said if one in gone or one not in back]
