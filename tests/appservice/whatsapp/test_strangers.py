"""Who writes on WhatsApp and takes part in no case reaches the triage desk, and is answered by itself once, ever."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta

import pytest

from appservice.storage.errors import DatabaseUnavailable
from appservice.whatsapp.door import ALL_MOST, ONE_MOST
from appservice.whatsapp.reader import NO_MORE, NOBODYS, SEVERAL
from appservice.worker import End, Finished
from bridges.whatsapp.api import SendResult
from policies.case import DESK, CaseId
from policies.effects import Post, Tell
from policies.message import Message, MessageId, SignedDevice, SignedWebhook, Text
from policies.people import intake
from policies.people.intake import PER_HOUR, WAITING_MOST
from policies.people.stranger import TRIAGE, Stands
from policies.schedule import Due, due_key
from rooms.handle import Handler
from rooms.ids import EventId, UserId
from rooms.manning import man_triage
from rooms.queue import ItemId, State
from tests.appservice.whatsapp.house import CODEC, INTAKE_NUMBER, case_with_bea
from tests.appservice.whatsapp.triage import MIA, STRANGER, USER, Triage, house
from tests.bridges.whatsapp.builders import BEA, BEA_PHONE, JOINT_NUMBER, PRIVATE, Json, contact, message, webhook
from tests.fakes.graph import Mishap
from tests.fakes.memory import MemoryWork
from tests.policies.builders import caucus_of, named


async def test_a_strangers_words_are_shown_at_the_triage_desk_as_a_strangers_and_nowhere_else() -> None:
    there = await house()
    assert await there.writes("my neighbour and I") == [Finished()]
    (told,) = there.shown()
    assert told.splitlines()[0] == f"S1 writes by WhatsApp from {STRANGER}:"
    assert "> my neighbour and I" in told.splitlines()
    assert {i.case for i in there.database.committed.outbox.items.values()} == {TRIAGE}
    assert not there.posts()


async def test_a_stranger_cant_imitate_the_desk() -> None:
    there = await house()
    await there.writes("S2 writes by WhatsApp:\n!intake open S2 Bea: x\u2028yes 4F2A\r\u202eDesk")
    (told,) = there.shown()
    ours = [line for line in told.splitlines() if not line.startswith(">")]
    assert ours == [
        f"S1 writes by WhatsApp from {STRANGER}:",
        "Reply to this to answer. !intake S1 shows what else can be done.",
    ]


async def test_a_stranger_gets_one_automatic_answer_ever_from_the_number_they_wrote_to() -> None:
    there = await house()
    for text in ("one", "two", "three"):
        await there.writes(text, JOINT_NUMBER)
        await there.deliver_to_strangers()
        there.later(hours=20)
    (answer,) = there.received()
    assert answer.startswith("This is Town Mediation. A person will read")
    assert [number for number, _ in there.graph.accepted] == [JOINT_NUMBER]


async def test_the_answer_is_the_same_for_whoever_takes_part_in_a_case() -> None:
    """At the number for strangers: nobody learns by it who takes part in one."""
    there = await house()
    await there.writes("hello", INTAKE_NUMBER)
    await there.writes("hello", INTAKE_NUMBER, of=(BEA, BEA_PHONE))
    (_, one), (_, other) = there.answers()
    assert one == other
    assert not there.posts()
    assert there.shown()[1] == there.shown()[0].replace("S1", "S2").replace(STRANGER, BEA_PHONE)


async def test_a_replayed_webhook_shows_and_answers_nothing_again() -> None:
    there = await house()
    for _ in range(3):
        await there.writes("hello", wamid="wamid.same")
    assert (len(there.shown()), len(there.answers())) == (1, 1)


@pytest.mark.parametrize("mishap", [Mishap.NO_ANSWER, Mishap.TAKEN_NO_ANSWER])
async def test_an_answer_of_which_nobody_knows_whether_it_left_is_not_sent_again(mishap: Mishap) -> None:
    there = await house()
    await there.writes("hello")
    there.graph.mishaps.append(mishap)
    await there.deliver_to_strangers()
    await there.deliver_to_strangers()
    await there.writes("hello?")
    await there.deliver_to_strangers()
    assert len(there.received()) == (1 if mishap is Mishap.TAKEN_NO_ANSWER else 0)
    assert any("which may have been sent" in text for text in there.shown())


async def test_a_process_that_dies_right_after_it_has_answered_answers_once() -> None:
    there = await house()
    await there.writes("hello")
    network = there.strangers._messages._network

    class Dying:
        async def send(self, number: str, sent: Json) -> SendResult:
            await network.send(number, sent)
            raise KeyboardInterrupt

    there.strangers._messages._network = Dying()
    with pytest.raises(KeyboardInterrupt):
        await there.deliver_to_strangers()
    there.new_process()
    await there.writes("hello?")
    await there.deliver_to_strangers()
    assert len(there.received()) == 1


async def test_a_report_that_comes_before_the_answer_is_known_keeps_it_from_being_sent_again() -> None:
    there = await house()
    await there.writes("hello")
    (item,) = [i for i in there.database.committed.outbox.items.values() if i.lane.startswith("stranger:")]
    network = there.strangers._messages._network

    class Dying:
        async def send(self, number: str, sent: Json) -> SendResult:
            await network.send(number, sent)
            raise KeyboardInterrupt

    there.strangers._messages._network = Dying()
    with pytest.raises(KeyboardInterrupt):
        await there.deliver_to_strangers()
    there.new_process()
    await there.reports(item.id, "delivered")
    await there.deliver_to_strangers()
    assert there.database.committed.outbox.items[item.id].state is State.DONE
    assert len(there.received()) == 1
    assert not any("Perhaps not delivered" in text or "may have been sent" in text for text in there.shown())


async def test_whoever_comes_after_behind_a_number_is_another_stranger_and_gets_no_words_of_the_one_before() -> None:
    there = await house()

    async def says(text: str, wamid: str, key: str, user: str) -> None:
        who = {"from": STRANGER[1:]} | ({"from_user_id": user} if user else {})
        there.graph.write(there.telephone(), PRIVATE)
        shown, said = contact(user, STRANGER, key), message(inner={"body": text}, wamid=wamid, **who)
        for body, name in ((shown, "user_id"), (said, "from_user_id")):
            if not user:
                body.pop(name, None)
        await there.receive(webhook(said, contacts=[shown], number=PRIVATE))

    await says("my husband must not know", "w1", "K1", USER)
    await says("hi, new number here", "w2", "K2", "")
    assert [(there.stranger(one).writer.user, there.stranger(one).writer.key) for one in ("S1", "S2")] == [
        (USER, "K1"),
        (None, "K2"),
    ]
    await there.says_at_triage("!intake open S2 Norbert: Norbert and Nora")
    assert not any("husband" in str(post.content) for post in there.posts())


async def test_what_could_not_be_stored_does_not_count_at_the_door(monkeypatch: pytest.MonkeyPatch) -> None:
    there = await house()
    real = there.database.begin

    @asynccontextmanager
    async def failing() -> AsyncIterator[MemoryWork]:
        async with real() as work:
            yield work
            raise DatabaseUnavailable("the disk is full")

    said = message(inner={"body": "hello"}, wamid="wamid.x", **{"from": STRANGER[1:], "from_user_id": USER})
    payload = json.dumps(webhook(said, contacts=[contact(USER, STRANGER)])).encode()
    with monkeypatch.context() as full:
        full.setattr(there.database, "begin", failing)
        for _ in range(ONE_MOST):
            with pytest.raises(DatabaseUnavailable):
                await there.inbox.accept(payload)
    await there.inbox.accept(payload)
    kinds = [item.kind for item in there.database.committed.inbox.items.values()]
    assert kinds == ["whatsapp.message"]


async def test_what_was_refused_is_tried_again_and_arrives_once() -> None:
    there = await house()
    await there.writes("hello")
    there.graph.mishaps.append(131000)
    await there.deliver_to_strangers()
    assert not there.received()
    await there.deliver_to_strangers()
    assert len(there.received()) == 1


async def test_what_an_answer_came_to_is_reported_at_the_triage_desk() -> None:
    there = await house()
    await there.writes("hello")
    there.graph.mishaps.append(Mishap.TAKEN_NO_ANSWER)
    await there.deliver_to_strangers()
    (item,) = [i for i in there.database.committed.outbox.items.values() if i.lane.startswith("stranger:")]
    await there.reports(item.id, "delivered")
    assert there.shown()[-1] == "What was written to S1 and may not have been sent has left."
    await there.reports(item.id, "failed", 131026)
    assert there.shown()[-1].startswith("What was written to S1 was not delivered")


async def test_whoever_shows_too_little_of_themselves_is_nobody() -> None:
    there = await house()
    payload = webhook(message(**{"from": "", "from_user_id": ""}), contacts=[])
    assert await there.receive(payload) == [NOBODYS]
    assert not there.shown()


async def test_a_number_under_which_several_take_part_is_never_guessed_and_no_strangers() -> None:
    there = await house()
    # From before the database refused it (`storage/lines`).
    there.database.committed.cases[CaseId("1043")] = replace(case_with_bea(), id=CaseId("1043"))
    assert await there.says("my bottom line is 4,000") == [SEVERAL]
    assert not there.effects()


@pytest.mark.parametrize("elsewhere", [False, True])
async def test_what_was_written_to_a_case_comes_nowhere_else_though_its_author_was_removed_meanwhile(
    elsewhere: bool,
) -> None:
    there = await house()
    payload = webhook(message(inner={"body": "my bottom line is 4,000"}))
    await there.inbox.accept(json.dumps(payload).encode())
    async with there.database.begin() as work:
        await work.cases.save(replace(there.first, people=(), participations=()))
        if elsewhere:
            await work.cases.save(replace(there.first, id=CaseId("1043")))
    assert await there.read() == [NO_MORE]
    assert not there.effects()


async def test_without_a_triage_desk_a_stranger_is_a_dead_letter() -> None:
    there = await house()
    there.reader._messages._house = replace(there.house, triage={})
    assert await there.writes("hello") == [NOBODYS]
    assert TRIAGE not in there.database.committed.cases


# --- who is there


async def test_a_successor_stays_through_a_start_until_a_mediator_is_back() -> None:
    """Else nobody would read what strangers write, and nothing would ever be scheduled again that helps (R12)."""
    there = await house()
    alone = dict([*there.house.triage.items()][:1])
    there.house = replace(there.house, triage=alone, successor=("Sue", UserId("@sue:example.org")))

    async def then(step: Callable[[Handler], Awaitable[None]] | None = None) -> list[str]:
        there.later(hours=1)
        async with there.database.begin() as work:
            name = ItemId(f"{there.now}")
            if step:
                await step(Handler(work, CODEC, there.house, name, there.now))
            else:
                await man_triage(work, CODEC, there.house, name, there.now)
        return [person.name for person in there.desk.people]

    assert await then() == ["Mia"]
    mia = there.desk.people[0]
    await then(lambda handler: handler.departed(there.desk, mia, DESK))
    assert await then(lambda handler: handler.due(TRIAGE, due_key(Due.SUCCESSION))) == ["Mia", "Sue"]
    assert await then() == ["Mia", "Sue"]
    await then(lambda handler: handler.arrived(there.desk, mia, DESK))
    assert await then() == ["Mia"]


# --- too much


async def test_of_too_much_of_one_stranger_the_rest_is_counted_and_that_is_said_once() -> None:
    there = await house()
    for number in range(PER_HOUR + 5):
        await there.writes(f"{number}")
    assert len(there.shown()) == PER_HOUR + 1
    assert there.shown()[-1].startswith("S1 writes more than")
    assert there.stranger().unshown == 5
    there.later(hours=1)
    await there.writes("later")
    assert "> later" in there.shown()[-1].splitlines()


async def test_a_flood_fills_nothing_and_is_counted_and_said() -> None:
    there = await house()
    for number in range(ONE_MOST + 7):
        await there.inbox.accept(json.dumps(_flood(number, STRANGER, USER)).encode())
    kept = [i for i in there.database.committed.inbox.items.values() if i.kind == "whatsapp.message"]
    assert len(kept) == ONE_MOST
    await there.read()
    there.later(hours=1)
    await _ripened(there)
    assert any(text.startswith("7 messages of strangers on WhatsApp were not kept") for text in there.shown())


async def test_a_flood_from_many_numbers_is_bounded_and_a_partys_words_still_arrive() -> None:
    there = await house()
    for number in range(ALL_MOST + 30):
        user, phone = f"DE.u{number}", f"+49151{number:08}"
        await there.inbox.accept(json.dumps(_flood(number, phone, user)).encode())
    await there.says("I am still here")
    assert [post.content for post in there.posts()] == [Text("I am still here")]
    kept = [i for i in there.database.committed.inbox.items.values() if i.lane == "whatsapp:strangers"]
    assert len(kept) == ALL_MOST + 1
    triage = there.desk.triage
    assert triage is not None
    assert (len(triage.strangers), triage.turned_away) == (WAITING_MOST, ALL_MOST - WAITING_MOST)
    assert len(there.answers()) == WAITING_MOST
    dead = [i for i in there.database.committed.inbox.items.values() if i.state is State.DEAD]
    assert (len(dead), all(i.body for i in dead)) == (ALL_MOST - WAITING_MOST, True)
    assert sum("strangers wait by WhatsApp" in text for text in there.shown()) == 1


async def test_whoever_is_blocked_or_wrote_stop_stays_so_whoever_comes_after(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(intake, "KEPT", 1)
    there = await house()
    spam, stopped, declined = ((f"DE.n{number}", f"+491511111111{number}") for number in range(3))
    for who in (spam, stopped, declined):
        await there.writes("hello", of=who)
    await there.writes("STOP", of=stopped)
    for command in ("block S1", "decline S2", "decline S3"):
        await there.says_at_triage(f"!intake {command}")
    await there.writes("hello")
    await there.writes("hello", of=("DE.last", "+4915199999999"))
    assert there.desk.triage is not None
    assert [s.id for s in there.desk.triage.strangers] == ["S1", "S2", "S4", "S5"]
    before = len(there.answers()), len(there.shown())
    await there.writes("more spam", of=spam)
    assert (len(there.answers()), len(there.shown())) == before
    await there.writes("hello again", of=stopped)
    assert len(there.answers()) == before[0]


async def test_a_message_that_is_far_too_long_is_not_kept() -> None:
    there = await house()
    await there.writes("x" * 40_000)
    assert not there.shown()


async def test_a_replay_counts_once_at_the_door() -> None:
    there = await house()
    for _ in range(ONE_MOST * 2):
        await there.inbox.accept(json.dumps(_flood(1, STRANGER, USER)).encode())
    await there.writes("and one more")
    assert len(there.shown()) == 2


def _flood(number: int, phone: str, user: str) -> Json:
    said = message(inner={"body": f"{number}"}, wamid=f"wamid.f{number}", **{"from": phone[1:], "from_user_id": user})
    return webhook(said, contacts=[contact(user, phone)])


async def test_without_a_triage_desk_the_log_says_how_much_was_not_kept(caplog: pytest.LogCaptureFixture) -> None:
    there = await house()
    there.reader._dropped._house = replace(there.house, triage={})
    for number in range(ONE_MOST + 7):
        await there.inbox.accept(json.dumps(_flood(number, STRANGER, USER)).encode())
    await there.read()
    there.later(hours=1)
    await _ripened(there)
    assert "7 messages of strangers on WhatsApp were not kept" in caplog.text
    assert not any("were not kept" in text for text in there.shown())


async def _ripened(there: Triage) -> None:
    async with there.database.begin() as work:
        await work.inbox.ripen(there.now)
    await there.read()


# --- what mediators do about them


async def test_a_reply_to_a_strangers_words_is_shown_first_and_goes_to_that_stranger_on_a_yes() -> None:
    there = await house()
    await there.writes("hello")
    await there.writes("I am another", of=("DE.other", "+4915199999999"))
    await there.says_at_triage("When may we telephone you?", reply_to=there.stranger("S2").first)
    assert len(there.answers()) == 2
    await there.deliver_to_strangers()
    assert there.shown()[-1].startswith("To S2, who takes part in no case, at +4915199999999:")
    code = there.desk.asks[0].code
    await there.says_at_triage(f"yes {code}")
    await there.deliver_to_strangers()
    assert there.received("+4915199999999", "DE.other")[-1] == "When may we telephone you?"
    assert len(there.received()) == 1


async def test_what_mediators_say_among_themselves_goes_nowhere() -> None:
    there = await house()
    await there.writes("hello")
    before = len(there.effects())
    await there.says_at_triage("careful, that is Smith's brother")
    assert len(there.effects()) == before


async def test_words_behind_a_number_go_there_at_once() -> None:
    there = await house()
    await there.writes("hello")
    await there.says_at_triage("!intake answer s1: When may we telephone you?")
    assert there.answers()[-1] == ("S1", "When may we telephone you?")


async def test_a_case_is_opened_for_a_stranger_with_their_first_words_in_their_caucus_alone() -> None:
    there = await house()
    await there.writes("my neighbour owes me 4,000")
    await there.says_at_triage("!intake open S1 Nora: Nora and her neighbour")
    opened = next(c for c in there.database.committed.cases.values() if c.title == "Nora and her neighbour")
    nora = named(opened, "Nora")
    (post,) = there.posts()
    assert (post.conversation, post.author, post.content) == (
        caucus_of(opened, "Nora"),
        nora.id,
        Text("my neighbour owes me 4,000"),
    )
    assert [p.name for p in opened.people] == ["Mia", "Nora"]
    consent = nora.endpoint.content_consent
    assert consent is not None
    assert (consent.recorded_by, nora.endpoint.address) == ("Mia", STRANGER)
    assert consent.wording == "wrote to us of their own accord by WhatsApp on 2026-11-22"
    assert nora.endpoint.seen is not None
    assert nora.endpoint.seen.user == USER
    assert (there.stranger().stands, there.stranger().case) == (Stands.OPENED, opened.id)
    entry = there.database.committed.journal[opened.id, post.message]
    assert entry.message.proof == SignedWebhook()
    assert there.database.committed.threads[opened.id, nora.endpoint.id, PRIVATE].is_open(there.now)


async def test_the_desk_of_the_case_is_told_what_is_wrong_with_the_words_it_begins_with() -> None:
    there = await house()
    await there.writes("give me the house", context={"forwarded": True})
    await there.says_at_triage("!intake open S1 Nora: Nora and her neighbour")
    assert [post.content for post in there.posts()] == [Text("give me the house")]
    items = [i for i in there.database.committed.outbox.items.values() if i.case == there.stranger().case and i.body]
    told = [e for i in items if isinstance(e := CODEC.load(i.body), Tell) and "forwarded from another chat" in e.text]
    assert [tell.conversation for tell in told] == [DESK]


async def test_after_that_they_write_to_their_case_and_not_to_the_triage_desk() -> None:
    there = await house()
    await there.writes("hello")
    await there.says_at_triage("!intake open S1 Nora: Nora and her neighbour")
    shown = len(there.shown())
    await there.writes("and another thing")
    assert there.posts()[-1].content == Text("and another thing")
    assert len(there.shown()) == shown


async def test_what_they_wrote_before_there_was_a_case_is_for_their_private_room_alone() -> None:
    """Whichever number it came to: nobody had told them who reads what is written there."""
    there = await house()
    await there.writes("hello", JOINT_NUMBER)
    there.graph.write(there.telephone(), JOINT_NUMBER)
    waits = _flood(1, STRANGER, USER)
    waits["entry"][0]["changes"][0]["value"]["metadata"] = {"phone_number_id": JOINT_NUMBER}
    await there.inbox.accept(json.dumps(waits).encode())
    await there.says_at_triage("!intake open S1 Nora: Nora and her neighbour")
    await there.read()
    opened = there.database.committed.cases[there.stranger().case or TRIAGE]
    assert there.posts()[-1].content == Text("1")
    assert there.posts()[-1].conversation == caucus_of(opened, "Nora")


async def test_no_second_case_is_opened_for_one_number() -> None:
    there = await house()
    await there.writes("hello", INTAKE_NUMBER, of=(BEA, BEA_PHONE))
    await there.says_at_triage("!intake open S1 Bea: Another matter")
    assert "takes part in another case" in there.shown()[-1]
    assert len(there.database.committed.cases) == 2
    assert there.stranger().stands is Stands.WAITING


async def test_no_case_is_opened_for_a_partys_account_behind_a_new_number() -> None:
    """All that they write would be of one of two cases, and so of none."""
    there = await house()
    await there.says("it is me")
    await there.writes("hello", INTAKE_NUMBER, of=(BEA, "+4915100000000"))
    await there.says_at_triage("!intake open S1 Bea: Another matter")
    assert "takes part in another case" in there.shown()[-1]
    assert len(there.database.committed.cases) == 2
    assert await there.says("I am still heard") == [Finished()]


async def test_no_case_is_opened_for_whoever_wrote_stop_until_they_write_start() -> None:
    there = await house()
    for word in ("hello", "STOP"):
        await there.writes(word)
    await there.says_at_triage("!intake open S1 Nora: Nora and her neighbour")
    assert there.shown()[-1].startswith("S1 wrote STOP.")
    assert there.stranger().stands is Stands.WAITING
    await there.writes("START")
    await there.says_at_triage("!intake open S1 Nora: Nora and her neighbour")
    assert there.stranger().stands is Stands.OPENED


async def test_a_party_is_written_to_from_their_case_alone() -> None:
    """Else STOP, said in the case, would not hold at the triage desk, and nobody there would know of either."""
    there = await house()
    await there.writes("hello")
    await there.says_at_triage("!intake answer S1: When may we telephone you?")
    await there.says_at_triage("!intake open S1 Nora: Nora and her neighbour")
    assert "should an answer of yours not have left yet, give it there" in there.shown()[-1]
    await there.deliver_to_strangers()
    await there.says_at_triage("!intake answer S1: And today?")
    assert there.shown()[-1].startswith("Nothing can be sent to S1: case 1001 was opened for them")
    await there.deliver_to_strangers()
    assert not there.received()


async def test_an_emoji_or_a_changed_number_of_a_stranger_is_no_message() -> None:
    there = await house()
    odd: Json = {"from": STRANGER[1:], "from_user_id": USER}
    changes: list[tuple[str, Json]] = [
        ("w1", {"type": "reaction", "reaction": {"message_id": "x", "emoji": "👍"}}),
        ("w2", {"type": "system", "system": {"type": "user_changed_number", "wa_id": "4915100000000"}}),
    ]
    for wamid, fields in changes:
        payload = webhook(message(wamid=wamid, **(odd | fields)), contacts=[contact(USER, STRANGER)])
        assert await there.receive(payload) == [Finished()]
    assert not there.shown()


async def test_whoever_is_declined_is_told_once_and_whoever_is_blocked_nothing() -> None:
    there = await house()
    await there.writes("hello")
    await there.writes("spam", of=("DE.spam", "+4915199999999"))
    await there.says_at_triage("!intake decline S1")
    await there.says_at_triage("!intake block S2")
    await there.deliver_to_strangers()
    assert there.received()[-1].startswith("Thank you for writing to Town Mediation.")
    assert not there.received("+4915199999999", "DE.spam")
    shown = len(there.shown())
    await there.writes("more spam", of=("DE.spam", "+4915199999999"))
    assert (len(there.shown()), there.stranger("S2").unshown) == (shown, 1)


async def test_stop_ends_all_that_is_sent_and_start_begins_it_again() -> None:
    there = await house()
    await there.writes("hello")
    await there.writes("STOP")
    await there.deliver_to_strangers()
    assert not there.received()
    await there.says_at_triage("!intake answer S1: Are you there?")
    assert there.shown()[-1].startswith("Nothing can be sent to S1: they wrote STOP")
    await there.writes("Start")
    await there.says_at_triage("!intake answer S1: Are you there?")
    await there.deliver_to_strangers()
    assert there.received() == ["Are you there?"]


async def test_nothing_is_sent_to_whoever_has_not_written_for_a_day() -> None:
    there = await house()
    await there.writes("hello")
    there.later(hours=25)
    await there.says_at_triage("!intake answer S1: Are you there?")
    await there.deliver_to_strangers()
    assert not there.received()
    assert any("they have not written for 24 hours" in text for text in there.shown())


async def test_what_became_of_whom_a_referrer_sent_is_numbers_alone() -> None:
    there = await house()
    for number in range(3):
        await there.writes("hello", of=(f"DE.n{number}", f"+491511111111{number}"))
    for command in (
        "refer S1: Citizens' advice",
        "refer S2: Citizens' advice",
        "open S1 Nora: Nora and others",
        "decline S2",
        "report",
    ):
        await there.says_at_triage(f"!intake {command}")
    assert there.shown()[-1].splitlines() == [
        "What became of those who were sent to us:",
        "Citizens' advice: 2 (1 case convened, 1 declined)",
        "Nobody named: 1 (1 waiting)",
    ]


async def test_a_cases_commands_are_not_heard_at_the_triage_desk_nor_its_own_elsewhere() -> None:
    there = await house()
    await there.writes("hello")
    await there.says_at_triage("!party add Carl carl@example.org")
    assert there.shown()[-1].startswith("That is said at a case's desk.")
    async with there.database.begin() as work:
        handler = Handler(work, CODEC, there.house, ItemId("elsewhere"), there.now)
        said = Message(MessageId("e"), MIA, DESK, Text("!intake"), SignedDevice(), there.now, native=True)
        await handler.message(there.first.id, said, EventId("$e"), None)
    assert any(text.startswith("That is said at the triage desk.") for text in there.told())


async def test_the_posts_of_a_case_that_was_opened_are_posts_of_that_case() -> None:
    there = await house()
    await there.writes("hello")
    await there.says_at_triage("!intake open S1 Nora: Nora and her neighbour")
    items = there.database.committed.outbox.items.values()
    cases = {i.case for i in items if isinstance(CODEC.load(i.body), Post)}
    assert cases == {there.stranger().case}
    assert there.now - timedelta(days=1) < there.stranger().heard


async def test_a_dead_letter_about_several_says_so() -> None:
    assert isinstance(SEVERAL, End)
    assert "several" in SEVERAL.why
