"""What is written from WhatsApp comes to the one conversation of that number and that person, or to nobody."""

import json
from dataclasses import replace

import pytest

from appservice.whatsapp.reader import NOBODYS
from appservice.worker import End, Finished
from policies.case import DESK, JOINT, Case, CaseId, Conversation
from policies.effects import Announce, Inform, Post, Tell
from policies.message import Text
from policies.networks.whatsapp import account_text, fingerprint
from policies.questions.asking import answer_id
from policies.words.phrase import verbatim
from rooms.queue import State
from tests.appservice.whatsapp.house import WhatsAppHouse, case_with_bea, done
from tests.bridges.whatsapp.builders import (
    BEA,
    BEA_PHONE,
    JOINT_NUMBER,
    Json,
    contact,
    message,
    status,
    webhook,
)
from tests.fakes.memory import MemoryCases
from tests.policies.builders import caucus_of

STRANGER = [contact("DE.9z9", "+4915112345678")]
FROM_STRANGER = {"from": "4915112345678", "from_user_id": "DE.9z9"}


async def house(*, two_numbers: bool = True) -> WhatsAppHouse:
    return await WhatsAppHouse(two_numbers=two_numbers).begin()


def caucus(there: WhatsAppHouse) -> Conversation:
    return caucus_of(there.case, "Jones")


async def test_what_comes_to_the_private_number_is_posted_in_her_caucus_as_her_words() -> None:
    there = await house()
    await there.says("I would take 4,000")
    (post,) = there.posts()
    assert (post.conversation, post.author, post.content) == (caucus(there), there.bea.id, Text("I would take 4,000"))


async def test_what_comes_to_the_joint_number_is_posted_in_the_joint_room() -> None:
    there = await house()
    await there.says("hello all", JOINT_NUMBER)
    (post,) = there.posts()
    assert (post.conversation, post.content) == (JOINT, Text("hello all"))


async def test_with_one_number_all_that_she_writes_is_private_even_an_answer_to_a_joint_message() -> None:
    there = await house(two_numbers=False)
    await there.says("hello all", context={"id": "wamid.joint"})
    await there.says("hello all", JOINT_NUMBER)
    assert [post.conversation for post in there.posts()] == [caucus(there)]


async def test_the_same_webhook_again_posts_nothing_again() -> None:
    there = await house()
    await there.says("once", wamid="wamid.a")
    await there.says("once", wamid="wamid.a")
    assert len(there.posts()) == 1


async def test_all_messages_of_one_webhook_arrive_in_order() -> None:
    there = await house()
    several = [message(inner={"body": f"{n}"}, wamid=f"w{n}") for n in range(5)]
    await there.receive(webhook(*several))
    assert [post.content for post in there.posts()] == [Text(f"{n}") for n in range(5)]


async def test_a_stranger_reaches_nobody_and_is_kept() -> None:
    there = await house()
    strange = message(**FROM_STRANGER)
    assert await there.receive(webhook(strange, contacts=STRANGER)) == [NOBODYS]
    assert not there.effects()
    (kept,) = there.database.committed.inbox.items.values()
    assert (kept.state, kept.case) == (State.DEAD, None)


async def test_a_number_that_is_not_ours_is_no_room() -> None:
    there = await house()
    (fate,) = await there.receive(webhook(message(), number="999999999"))
    assert isinstance(fate, End)
    assert not there.posts()


async def test_what_can_not_be_carried_is_held_and_said_so_in_private() -> None:
    there = await house()
    await there.receive(webhook(message("order", {"text": "two of these"}), number=JOINT_NUMBER))
    assert there.why_held() == ["it is an order from a catalogue; the bridge to WhatsApp does not carry that"]
    assert not there.posts()
    assert {effect.conversation for effect in there.effects() if isinstance(effect, Tell)} == {DESK, caucus(there)}


@pytest.mark.parametrize(
    "fields",
    [
        {"type": "unsupported", "unsupported": {"type": "edit"}},
        {"type": "interactive", "interactive": {"type": "button_reply", "button_reply": {"id": "x", "title": "All"}}},
        {"type": "sticker", "sticker": {"id": "1"}},
    ],
)
async def test_what_is_not_plainly_her_words_is_never_posted(fields: Json) -> None:
    there = await house()
    await there.receive(webhook(message(**fields), number=JOINT_NUMBER))
    assert not there.posts()
    assert len(there.why_held()) == 1


async def test_a_reaction_is_shown_in_private_and_no_letters_of_it() -> None:
    there = await house()
    await there.receive(webhook(message("reaction", {"message_id": "w", "emoji": "👍YES"}), number=JOINT_NUMBER))
    assert there.effects() == [Announce(caucus(there), verbatim("Bea reacted with 👍 on WhatsApp."))]


async def test_an_answer_to_a_message_of_the_same_room_is_one() -> None:
    there = await house()
    await there.says("first", wamid="w1")
    await there.says("second", context={"id": "w1"})
    await there.says("third", JOINT_NUMBER, context={"id": "w1"})
    first, second, third = there.posts()
    assert second.reply_to == first.message
    assert third.reply_to is None


# --- who it is


async def test_who_writes_first_is_known_from_then_on_whatever_the_profile_says() -> None:
    there = await house()
    there.phone.key = "k1"
    await there.says("hello")
    seen = there.bea.endpoint.seen
    assert seen is not None
    assert (seen.user, seen.phone, seen.key) == (BEA, BEA_PHONE, "k1")
    assert there.bea.name == "Bea"


@pytest.mark.parametrize(
    ("user", "phone", "key"),
    [("ES.other", BEA_PHONE, "k1"), (BEA, "+34699999999", "k1"), (BEA, BEA_PHONE, "k2"), (None, BEA_PHONE, "k1")],
    ids=["recycled number", "changed number", "changed key", "no account named"],
)
async def test_if_anything_of_her_account_changes_both_directions_rest(user: str | None, phone: str, key: str) -> None:
    there = await house()
    there.phone.key = "k1"
    await there.says("it is me")
    changed = message(inner={"body": "it is me, too"}, wamid="w9", **{"from": phone[1:], "from_user_id": user or ""})
    await there.receive(webhook(changed, contacts=[contact(user, phone, key)]))
    assert [post.content for post in there.posts()] == [Text("it is me")]
    assert there.bea.endpoint.doubt
    assert any(text.startswith("ALARM: Bea on WhatsApp may be another person") for text in there.told())
    assert len(there.why_held()) == 1
    again = message(inner={"body": "really"}, wamid="w10", **{"from": BEA_PHONE[1:], "from_user_id": BEA})
    await there.receive(webhook(again, contacts=[contact(BEA, BEA_PHONE, "k1")]))
    assert len(there.posts()) == 1, "an account in doubt is believed again only when a mediator says so"


async def test_a_mediator_confirms_exactly_what_was_shown() -> None:
    there = await house()
    await there.says("it is me")
    moved = message("system", {"type": "user_changed_number", "wa_id": "34699999999"}, wamid="w9")
    await there.receive(webhook(moved, contacts=[]))
    doubt = there.bea.endpoint.doubt
    assert doubt is not None
    assert doubt.now.phone == "+34699999999"
    assert fingerprint(doubt.now)[:4] in account_text(there.bea)
    with pytest.raises(AssertionError, match="no change"):
        done(there.case, "!confirm Bea: 000000000000")
    case = done(there.case, f"!confirm Bea: {fingerprint(doubt.now)}")
    async with there.database.begin() as work:
        await work.cases.save(case)
    assert there.bea.endpoint.address == "+34699999999"
    there.phone = there.graph.phone("+34699999999", BEA)
    await there.says("from my new number")
    assert there.posts()[-1].content == Text("from my new number")


async def test_another_spelling_of_a_number_waits_for_a_mediator() -> None:
    case = case_with_bea()
    bea = next(p for p in case.people if p.name == "Bea")
    brazil = case.with_person(replace(bea, endpoint=replace(bea.endpoint, address="+5511987654321")))
    there = await WhatsAppHouse(case=brazil).begin()
    short = message(**{"from": "551187654321", "from_user_id": "BR.1ab"})
    await there.receive(webhook(short, contacts=[contact("BR.1ab", "+551187654321")]))
    assert not there.posts()
    assert there.bea.endpoint.doubt


async def test_a_report_that_she_changed_her_number_comes_before_her_words_are_believed() -> None:
    there = await house()
    await there.says("it is me")
    changed = message("system", {"type": "user_changed_user_id", "previous_user_id": BEA}, wamid="w9")
    renamed = changed | {"from": "ES.new9", "from_user_id": "ES.new9"}
    await there.receive(webhook(renamed, contacts=[]))
    assert there.bea.endpoint.doubt
    assert not there.why_held()


# --- stop, start, help


async def test_stop_stops_and_start_goes_on_and_neither_is_posted() -> None:
    there = await house()
    await there.says(" Stop.")
    assert there.bea.endpoint.silence == "they wrote STOP"
    await there.says("START")
    assert not there.bea.endpoint.silence
    assert not there.posts()


async def test_help_is_answered_to_her_alone() -> None:
    there = await house()
    await there.says("help")
    assert [(e.to, e.conversation) for e in there.effects() if isinstance(e, Inform)] == [(there.bea.id, caucus(there))]
    assert not there.posts()


REACTION = {"type": "reaction", "reaction": {"message_id": "w", "emoji": "👍"}}
PRESSED = {"type": "button_reply", "button_reply": {"id": answer_id("4F2A", "0" * 64, yes=True), "title": "Yes"}}
BUTTON = {"type": "interactive", "interactive": PRESSED}


@pytest.mark.parametrize("fields", [{"text": {"body": "HELP"}}, REACTION, BUTTON])
async def test_who_only_wrote_a_keyword_or_pressed_something_has_come_in(fields: Json) -> None:
    there = await house()
    await there.receive(webhook(message(**fields)))
    assert there.bea.joining is not None
    assert there.bea.joining.came


async def test_what_somebody_else_may_have_written_shows_nobody_to_be_in() -> None:
    there = await house()
    moved = message("system", {"type": "user_changed_number", "wa_id": "34699999999"}, wamid="w9")
    await there.receive(webhook(moved, contacts=[]))
    await there.says("STOP")
    assert there.bea.endpoint.declined
    assert there.bea.joining is not None
    assert there.bea.joining.came is None


async def test_a_sentence_that_begins_with_stop_is_her_words() -> None:
    there = await house()
    await there.says("Stop writing to my lawyer")
    assert len(there.posts()) == 1


async def test_reports_and_odd_things_raise_nothing() -> None:
    there = await house()
    odd = {"object": "x", "entry": [{"changes": [{"field": "account_update", "value": {"event": "BAN"}}]}]}
    for payload in (odd, webhook(statuses=(status("w", ours="nothing/0"), status("w", "read", ours="…/x")))):
        assert all(isinstance(fate, Finished) for fate in await there.receive(payload))
    assert not [effect for effect in there.effects() if isinstance(effect, Post)]


async def in_doubt() -> WhatsAppHouse:
    there = await house()
    await there.says("it is me")
    moved = message("system", {"type": "user_changed_number", "wa_id": "34699999999"}, wamid="w9")
    await there.receive(webhook(moved, contacts=[]))
    assert there.bea.endpoint.doubt
    return there


async def test_stop_counts_even_while_nobody_is_sure_who_writes_and_start_does_not() -> None:
    there = await in_doubt()
    await there.says("STOP")
    assert there.bea.endpoint.declined
    assert not there.why_held()
    await there.says("START")
    assert there.bea.endpoint.declined
    assert len(there.why_held()) == 1


async def test_start_lifts_what_stop_did_and_nothing_else() -> None:
    there = await house()
    bea = there.bea
    async with there.database.begin() as work:
        stopped = replace(bea, endpoint=replace(bea.endpoint, stopped="a mediator paused it"))
        await work.cases.save(there.case.with_person(stopped))
    for word in ("stop", "stop"):
        await there.says(word)
    assert there.bea.endpoint.silence == "a mediator paused it and they wrote STOP"
    await there.says("start")
    assert there.bea.endpoint.silence == "a mediator paused it"
    assert "still nothing is sent there, for a mediator paused it" in there.told()[-1]
    await there.says("start")
    assert [post.content for post in there.posts()] == [Text("start")]


async def test_receiving_a_webhook_locks_no_case(monkeypatch: pytest.MonkeyPatch) -> None:
    there = await house()
    load, locked = MemoryCases.load, list[bool]()

    async def noted(cases: MemoryCases, case: CaseId, *, lock: bool = False) -> Case | None:
        locked.append(lock)
        return await load(cases, case, lock=lock)

    monkeypatch.setattr(MemoryCases, "load", noted)
    await there.inbox.accept(json.dumps(webhook(message())).encode())
    assert locked == [False]
    await there.read()
    assert len(there.posts()) == 1
