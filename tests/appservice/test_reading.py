"""Reading events of rooms: what is a post, what is a step of a protocol, and who is told of which."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
import pytest_asyncio

from appservice.codec import JsonCodec
from appservice.crypto.ids import UserId
from appservice.e2ee.patience import TELL
from appservice.e2ee.trust import Verifications
from appservice.opened import UNCONFIRMED, Closed, Opened
from appservice.ports import ServiceWork
from appservice.reading import EVENT, EventReader
from appservice.worker import Fate, Finished, Park
from policies.case import DESK, JOINT, Conversation, Kind
from policies.effects import Explain, Redact, Tell
from policies.message import Proof, SignedDevice, Unreadable
from policies.people.intake import new_desk
from policies.people.manning import manned
from policies.plan import RoomKey, code_key, room_key
from policies.questions.asking import answer_id
from policies.words.language import Language
from rooms.former import former_key
from rooms.house import House
from rooms.ids import EventId, RoomId
from rooms.outgoing import MATRIX, Say
from rooms.polls import poll_item
from rooms.ports import RoomRecord, Standing
from rooms.queue import Item, ItemId, Lane, State
from tests.appservice.crypto.people import ALICE, BOT
from tests.appservice.crypto.service import SEALER
from tests.fakes.memory import MemoryDatabase
from tests.policies.builders import ALICE_JOINS, done, facts, named, new_case

CODEC = JsonCodec()
MIA = UserId("@mia:example.org")
HOUSE = House("example.org", "_mediatrix_", None, {MIA: "Mia"})
CAUCUS, LOBBY = RoomId("!caucus"), RoomId("!lobby")
DESK_ROOM, JOINT_ROOM = RoomId("!desk"), RoomId("!joint")
CAUCUS_OF_SMITH = Conversation(Kind.CAUCUS, done(new_case(), ALICE_JOINS).case.sides[0].id)
Outgoing = list[tuple[Conversation | str, str]]


class Open:
    """Decrypts what is on the table."""

    proof: Proof = SignedDevice()
    no_key: str | None = None
    """Whose words can't be read yet: the event's id."""

    async def open(self, work: ServiceWork, events: Sequence[Mapping[str, Any]]) -> Sequence[Opened | Closed]:
        closed = Closed("session:it", "its key has not come", for_good=False)
        return [
            closed if e["event_id"] == self.no_key else Opened(e["content"]["is"], e["content"]["plain"], self.proof)
            for e in events
        ]


class Table:
    """A case with Alice in it, and a direct chat with its mediator."""

    def __init__(self) -> None:
        self.database = MemoryDatabase()
        verifications = Verifications(SEALER, CODEC, BOT, [MIA])
        self.opener = Open()
        self.reader = EventReader(
            self.opener, verifications, CODEC, HOUSE, BOT, is_ours=lambda user: user.startswith("@_mediatrix_")
        )
        self.said = 0

    async def begin(self) -> None:
        case = done(new_case(), ALICE_JOINS).case
        caucus = Conversation(Kind.CAUCUS, case.sides[0].id)
        async with self.database.begin() as work:
            await work.cases.save(case)
            await work.rooms.save(RoomRecord(case.id, room_key(caucus), Standing.MADE, "", CAUCUS))
            await work.rooms.save(RoomRecord(None, RoomKey("lobby"), Standing.MADE, "", LOBBY))

    async def hear(
        self,
        sender: UserId,
        room: RoomId,
        content: Mapping[str, Any],
        *,
        kind: str = "m.room.message",
        clear: bool = False,
        **more: Any,
    ) -> Outgoing:
        """What the bot says when it has read an event, and where."""
        async with self.database.begin() as work:
            item = await self.arrives(work, sender, room, content, kind=kind, clear=clear, **more)
            await self.reader.read(work, [item])
            return await self.outgoing(work)

    async def arrives(
        self,
        work: ServiceWork,
        sender: UserId,
        room: RoomId,
        content: Mapping[str, Any],
        *,
        kind: str = "m.room.message",
        clear: bool = False,
        **more: Any,
    ) -> Item:
        """An event that is still to be read."""
        self.said += 1
        whole = content if clear else {"is": kind, "plain": content}
        event = {
            "event_id": f"$event{self.said}",
            "type": kind if clear else "m.room.encrypted",
            "room_id": room,
            "sender": sender,
            "origin_server_ts": 0,
            "content": whole,
            **more,
        }
        name, body = ItemId(f"item {self.said}"), json.dumps(event).encode()
        await work.inbox.put(Item(name, Lane("l"), EVENT, None, body, datetime.now(UTC)))
        stored = await work.inbox.get(name)
        assert stored
        return stored

    async def look(self, work: ServiceWork, item: Item) -> Fate:
        """Read it as the worker does, and set it aside where it has to wait; its fate."""
        now = await work.inbox.get(item.id)
        assert now
        [fate] = await self.reader.read(work, [now])
        if isinstance(fate, Park):
            await work.inbox.park(item.id, fate.key, None, fate.why, is_attempt=fate.is_attempt)
        return fate

    async def outgoing(self, work: ServiceWork) -> Outgoing:
        found: Outgoing = []
        for item in await work.outbox.in_state([State.READY]):
            match CODEC.load(item.body):
                case Tell(conversation, text) | Explain(conversation=conversation, text=text):
                    found.append((conversation, text))
                case Redact(conversation, taken):
                    found.append((conversation, f"redacts {taken}"))
                case Say(room, _, text):
                    found.append((room, text))
                case _:
                    pass
            await work.outbox.done(item.id)
        return found


@pytest_asyncio.fixture
async def table() -> AsyncIterator[Table]:
    table = Table()
    await table.begin()
    yield table


def request(to: UserId) -> dict[str, Any]:
    return {
        "msgtype": "m.key.verification.request",
        "body": "Bring the papers on Monday.",
        "from_device": "PHONE",
        "methods": ["m.sas.v1"],
        "to": to,
    }


@pytest.mark.parametrize("to", [MIA, BOT])
@pytest.mark.parametrize("clear", [True, False])
async def test_words_in_a_request_to_verify_are_noticed_and_kept_for_the_mediator(
    table: Table, to: UserId, clear: bool
) -> None:
    told = await table.hear(ALICE, CAUCUS, request(to), clear=clear)
    [(where, text)] = told
    assert where == DESK
    assert "something from Alice" in text
    assert "asks to verify somebody's keys" in text
    assert "papers" not in text
    async with table.database.begin() as work:
        [held] = await work.holds.of_case(new_case().id)
        entry = await work.journal.get(new_case().id, held.message)
    assert entry is not None
    assert "papers" in str(entry.message.content)


async def test_what_waits_for_an_identity_to_be_confirmed_is_looked_at_though_nobody_wakes_it(table: Table) -> None:
    """It may be confirmed at the very moment at which its words are set aside. The desk hears of them once."""
    table.opener.proof, words = UNCONFIRMED, {"msgtype": "m.text", "body": "Is it you?"}
    for told in (1, 0):
        async with table.database.begin() as work:
            item = await work.inbox.get(ItemId("item 1")) or await table.arrives(work, ALICE, CAUCUS, words)
            fate = await table.look(work, item)
            assert isinstance(fate, Park)
            assert fate.at_most
            assert len(await table.outgoing(work)) == told
    table.opener.proof = SignedDevice()
    async with table.database.begin() as work:
        assert isinstance(await table.look(work, item), Finished)


@pytest.mark.parametrize("clear", [True, False])
async def test_a_step_of_a_verification_is_no_post(table: Table, clear: bool) -> None:
    step = {"m.relates_to": {"rel_type": "m.reference", "event_id": "$request"}, "key": "x"}
    assert await table.hear(ALICE, CAUCUS, step, kind="m.key.verification.key", clear=clear) == []


async def test_a_request_in_a_direct_chat_needs_no_words_from_us(table: Table) -> None:
    assert await table.hear(MIA, LOBBY, request(BOT)) == []


async def test_words_of_a_kind_that_nobody_knows_are_kept_for_the_mediator(table: Table) -> None:
    [(where, text), *_] = await table.hear(ALICE, CAUCUS, {"msgtype": "org.example.poem", "body": "papers"})
    assert where == DESK
    assert "org.example.poem" in text
    async with table.database.begin() as work:
        [held] = await work.holds.of_case(new_case().id)
        entry = await work.journal.get(new_case().id, held.message)
    assert entry is not None
    assert entry.message.content == Unreadable("it is of a kind that I can't carry (org.example.poem)", "papers")


EVERYONE = RoomId("!everyone")
HERE = {"membership": "join", "displayname": "Alice"}


async def member(table: Table, user: UserId, room: RoomId, content: Mapping[str, Any]) -> Outgoing:
    """Somebody who is in a room changes their own membership of it."""
    async with table.database.begin() as work:
        case = await work.cases.load(new_case().id)
        assert case
        if case.named("Alice") and not case.opened:
            await work.cases.save(done(case, "!open").case)
            await work.rooms.save(RoomRecord(case.id, room_key(JOINT), Standing.MADE, "", EVERYONE))
    before = {"prev_content": HERE}
    return await table.hear(user, room, content, kind="m.room.member", clear=True, state_key=user, unsigned=before)


@pytest.mark.parametrize(
    "content",
    [HERE | {"displayname": "I pay 10"}, {"membership": "leave", "reason": "I pay 10"}],
    ids=["name", "reason"],
)
async def test_words_in_a_membership_of_the_joint_room_are_taken_away(table: Table, content: Mapping[str, Any]) -> None:
    told = await member(table, ALICE, EVERYONE, content)
    assert "I pay" not in str(told)
    [(_, notice), (where, why), *_] = [t for t in told if "carry no words" in t[1]]
    assert "may have seen it" in notice
    assert where != JOINT
    assert "Names here are the mediator’s" in why
    async with table.database.begin() as work:
        entry = await work.journal.by_event(new_case().id, EventId("$event1"))
    assert entry
    assert (JOINT, f"redacts {entry.message.id}") in told


@pytest.mark.parametrize(("user", "room"), [(MIA, EVERYONE), (ALICE, CAUCUS)], ids=["a mediator", "in private"])
async def test_who_may_say_it_anyway_is_left_alone(table: Table, user: UserId, room: RoomId) -> None:
    assert await member(table, user, room, HERE | {"displayname": "Anna"}) == []


async def test_who_comes_and_goes_without_a_word_is_left_alone(table: Table) -> None:
    for content in (HERE, {"membership": "leave"}):
        told = await member(table, ALICE, EVERYONE, content)
        assert not [text for _, text in told if "taken away" in text]


async def test_who_changes_the_settings_of_a_room_for_codes_is_said_to_have_changed_those(table: Table) -> None:
    codes = RoomId("!codes")
    async with table.database.begin() as work:
        case = await work.cases.load(new_case().id)
        assert case
        key = code_key(named(case, "Alice").id)
        await work.rooms.save(RoomRecord(case.id, key, Standing.MADE, "", codes))
    rules = {"join_rule": "public"}
    admin = UserId("@admin:example.org")
    told = await table.hear(admin, codes, rules, kind="m.room.join_rules", clear=True, state_key="")
    assert any(where == DESK and "the room in which Alice alone is told codes" in text for where, text in told)


# --- votes


RESPONSE = "org.matrix.msc3381.poll.response"


PLACEHOLDER = Tell(DESK, "in the place of the poll")


async def asked(table: Table, *, stands: bool = True) -> tuple[str, str]:
    """Alice was asked something in her private room, with a poll that stands there, or is about to; the ids of its two
    answers."""
    async with table.database.begin() as work:
        case = await work.cases.load(new_case().id)
        assert case
        case = done(case, "!ask Alice: Thursday?", replace(facts(), at=datetime.now(UTC))).case
        await work.cases.save(case)
        [ask] = case.asks
        name = poll_item(case.id, ask)
        await work.outbox.put(Item(name, Lane("room"), MATRIX, case.id, CODEC.dump(PLACEHOLDER), ask.at))
        await work.outbox.mark_sending(name, b"ciphertext")
        if stands:
            await work.outbox.done(name, "$poll")
    yes, no = (answer_id(ask.code, ask.binds, yes=word) for word in (True, False))
    return yes, no


def voting(*answers: str, poll: str = "$poll") -> dict[str, Any]:
    relation = {"rel_type": "m.reference", "event_id": poll}
    return {RESPONSE: {"answers": list(answers)}, "m.relates_to": relation}


def words(told: Outgoing) -> str:
    return "\n".join(text for _, text in told)


@pytest.mark.parametrize("kind", [RESPONSE, "m.poll.response"])
async def test_a_vote_in_our_poll_is_an_answer(table: Table, kind: str) -> None:
    yes, _ = await asked(table)
    told = await table.hear(ALICE, CAUCUS, voting(yes), kind=kind)
    assert "Alice says YES" in words(told)
    assert "can't carry" not in words(told)


async def test_a_vote_in_another_poll_is_none(table: Table) -> None:
    yes, _ = await asked(table)
    told = await table.hear(ALICE, CAUCUS, voting(yes, poll="$another"), kind=RESPONSE)
    assert "does not count" in words(told)
    assert "says YES" not in words(told)


async def test_what_stands_beside_the_ciphertext_makes_no_vote_in_our_poll(table: Table) -> None:
    """The homeserver could have put it there."""
    yes, _ = await asked(table)
    plain = {RESPONSE: {"answers": [yes]}}
    outer = {"is": RESPONSE, "plain": plain, "m.relates_to": voting()["m.relates_to"]}
    told = await table.hear(ALICE, CAUCUS, outer, kind="m.room.encrypted", clear=True)
    assert "does not count" in words(told)
    assert "says YES" not in words(told)


async def test_an_edit_of_a_vote_is_none(table: Table) -> None:
    yes, _ = await asked(table)
    edit = {**voting(yes), "m.new_content": voting(yes), "m.relates_to": {"rel_type": "m.replace", "event_id": "$poll"}}
    told = await table.hear(ALICE, CAUCUS, edit, kind=RESPONSE)
    assert "does not count" in words(told)
    assert "says YES" not in words(told)


async def test_a_vote_in_clear_counts_for_nothing_and_its_sender_is_told(table: Table) -> None:
    yes, _ = await asked(table)
    told = await table.hear(ALICE, CAUCUS, voting(yes), kind=RESPONSE, clear=True)
    assert "sent without encryption" in words(told)
    assert "says YES" not in words(told)
    assert {where for where, text in told if "A vote of yours" in text} == {CAUCUS_OF_SMITH}


async def test_votes_in_polls_of_theirs_are_nobodys_affair(table: Table) -> None:
    await asked(table)
    assert await table.hear(ALICE, CAUCUS, voting("pizza", poll="$theirs"), kind=RESPONSE) == []
    async with table.database.begin() as work:
        assert await work.holds.of_case(new_case().id) == ()


async def test_a_vote_of_somebody_who_is_not_in_the_case_is_nobodys(table: Table) -> None:
    yes, _ = await asked(table)
    assert await table.hear(UserId("@mallory:example.org"), CAUCUS, voting(yes), kind=RESPONSE) == []


async def test_a_vote_in_a_room_that_another_has_taken_the_place_of_counts_for_nothing(table: Table) -> None:
    yes, _ = await asked(table)
    former = RoomId("!former")
    async with table.database.begin() as work:
        record = await work.rooms.by_room_id(CAUCUS)
        assert record
        await work.rooms.save(replace(record, key=former_key(replace(record, marker="x")), room_id=former))
    told = await table.hear(ALICE, former, voting(yes), kind=RESPONSE)
    assert "does not count" in words(told)


async def test_a_vote_waits_while_its_poll_is_being_posted(table: Table) -> None:
    yes, _ = await asked(table, stands=False)
    told = await table.hear(ALICE, CAUCUS, voting(yes), kind=RESPONSE)
    assert told == [(DESK, PLACEHOLDER.text)]
    async with table.database.begin() as work:
        [vote] = await work.inbox.in_state([State.READY])
        case = await work.cases.load(new_case().id)
        assert case
        await work.outbox.done(poll_item(case.id, case.asks[0]), "$poll")
        await table.reader.read(work, [vote])
        assert "Alice says YES" in words(await table.outgoing(work))


async def test_words_never_overtake_a_vote_however_long_its_poll_is_being_posted(table: Table) -> None:
    yes, no = await asked(table, stands=False)
    async with table.database.begin() as work:
        await table.arrives(work, ALICE, CAUCUS, voting(yes), kind=RESPONSE)
        await table.arrives(work, ALICE, CAUCUS, {"msgtype": "m.text", "body": f"no {no.partition('.')[0]}"})
        for _ in range(TELL + 2):
            for item in await work.inbox.in_state([State.READY]):
                await table.look(work, item)
            waiting = await work.inbox.in_state([State.PARKED])
            assert [item.attempts for item in waiting] == [0, 0], "neither was tried in vain"
            for item in waiting:
                assert item.wait_key
                await work.inbox.wake(item.wait_key)
        case = await work.cases.load(new_case().id)
        assert case
        await work.outbox.done(poll_item(case.id, case.asks[0]), "$poll")
        vote, spoken = await work.inbox.in_state([State.READY])
        await table.look(work, spoken)
        await table.look(work, vote)
        assert [item.id for item in await work.inbox.in_state([State.READY])] == [spoken.id], "it was woken"
        assert "Alice says YES" in words(await table.outgoing(work))


@pytest.mark.parametrize("rooms", [(JOINT_ROOM, DESK_ROOM), (DESK_ROOM, JOINT_ROOM)])
async def test_what_is_said_at_a_desk_and_what_the_same_person_wrote_elsewhere_never_overtake_one_another(
    table: Table, rooms: tuple[RoomId, RoomId]
) -> None:
    """Or `!undo post` would take back what was written after it, and not what it is about."""
    table.opener.no_key = "$event1"
    async with table.database.begin() as work:
        for conversation, room in ((DESK, DESK_ROOM), (JOINT, JOINT_ROOM)):
            await work.rooms.save(RoomRecord(new_case().id, room_key(conversation), Standing.MADE, "", room))
        said = {"msgtype": "m.text", "body": "hello"}
        first, second = [await table.arrives(work, MIA, room, said) for room in rooms]
        others = await table.arrives(work, ALICE, JOINT_ROOM, said)
        third = await table.arrives(work, MIA, CAUCUS, said)
        fates = [await table.look(work, item) for item in (first, second, others, third)]
        assert [isinstance(fate, Park) for fate in fates] == [True, True, False, True]
        table.opener.no_key = None
        await work.inbox.wake("session:it")
        for item in (first, second, third):
            assert await table.look(work, item) == Finished()


async def _changes(table: Table, user: UserId) -> int:
    async with table.database.begin() as work:
        (row,) = await work.crypto.device_lists([user])
    return row.changed


async def test_the_devices_of_whoever_invites_us_are_asked_for_again(table: Table) -> None:
    """They may have been asked for before there were any."""
    async with table.database.begin() as work:
        await work.crypto.track([MIA])
    before = await _changes(table, MIA)
    ours = UserId("@_mediatrix_bot:example.org")
    where, invites = RoomId("!direct"), {"membership": "invite"}
    await table.hear(MIA, where, invites, kind="m.room.member", clear=True, state_key=ours)
    assert await _changes(table, MIA) == before + 1


async def test_the_devices_of_who_comes_to_the_triage_desk_are_asked_for_again(table: Table) -> None:
    room = RoomId("!triage")
    async with table.database.begin() as work:
        desk = manned(new_desk(Language.ENGLISH, "UTC"), {MIA: "Mia"})
        await work.cases.save(desk)
        await work.rooms.save(RoomRecord(desk.id, room_key(DESK), Standing.MADE, "", room))
        await work.crypto.track([MIA])
    before = await _changes(table, MIA)
    await table.hear(MIA, room, {"membership": "join"}, kind="m.room.member", clear=True, state_key=MIA)
    assert await _changes(table, MIA) == before + 1
