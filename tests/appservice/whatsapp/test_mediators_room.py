"""The mediators' room, and mediators who are only on WhatsApp: in by a code from there, and never into a case (R13)."""

from dataclasses import replace

import pytest

from appservice.whatsapp.reader import SEVERAL
from appservice.worker import Finished
from policies.case import DESK
from policies.effects import Introduce, Post, Reconcile, Relay, WriteToStranger
from policies.names import MEDIATORS
from policies.people.colleagues import ROOM
from policies.people.membership import conversations, readers
from policies.plan import plan
from rooms.ids import UserId
from tests.appservice.whatsapp.colleagues import MAX, MIA, NORA_PHONE, MediatorsHouse, mediators_house
from tests.appservice.whatsapp.triage import STRANGER, USER
from tests.bridges.whatsapp.builders import BEA_PHONE, JOINT_NUMBER
from tests.policies.builders import named


def relayed(there: MediatorsHouse) -> list[str]:
    """What goes out to colleagues, as it was said."""
    return [getattr(e.content, "body", "") for e in there.of_room() if isinstance(e, Relay)]


def posted(there: MediatorsHouse) -> list[tuple[str, str]]:
    """What ghosts say, and where; all cases."""
    return [(e.conversation.id, getattr(e.content, "body", "")) for e in there.effects() if isinstance(e, Post)]


# --- the room


async def test_it_has_a_desk_and_one_room_of_the_mediators_who_are_configured() -> None:
    there = await mediators_house()
    assert conversations(there.room) == (DESK, ROOM)
    assert readers(there.room, ROOM) == readers(there.room, DESK) == {MIA, MAX}
    assert [room.name for room in plan(there.room)] == ["Desk · mediators", "The mediators' room", "Mediators"]
    assert any(isinstance(effect, Reconcile) for effect in there.of_room())


async def test_it_follows_the_configuration_and_keeps_who_was_invited() -> None:
    there = await mediators_house()
    await there.nora_comes()
    before = there.room
    await there.open_room()
    assert there.room == before
    there.house = replace(there.house, mediators_room={UserId("@mia:example.org"): "Mia"})
    there.said += 1
    await there.open_room()
    assert readers(there.room, ROOM) == {MIA, there.nora.id}


@pytest.mark.parametrize(
    "command", ["!open", "!party add Alice @alice:example.org", "!broadcast: hello", "!close", "!mode open", "!intake"]
)
async def test_nothing_of_a_mediation_is_said_at_its_desk(command: str) -> None:
    there = await mediators_house()
    before = there.room
    assert "!help lists" in await there.says_among_mediators(command)
    assert replace(there.room, deed=None) == replace(before, deed=None)


async def test_its_help_lists_what_is_heard_there_and_nothing_else() -> None:
    there = await mediators_house()
    told = await there.says_among_mediators("!help")
    assert "!colleague add" in told
    assert "!party add" not in told
    for line in told.splitlines()[1:]:
        command = line.partition(" – ")[0].split(" or ")[0].partition(" [")[0]
        answer = await there.says_among_mediators(command)
        assert "That is said in a case" not in answer, command


async def test_a_case_is_no_place_for_colleagues() -> None:
    there = await mediators_house()
    text = await there.says_at_case(f"!colleague add Nora {NORA_PHONE}")
    assert "at the desk of the mediators' room" in text
    assert "A role is one of" in await there.says_at_case(f"!party add Nora {NORA_PHONE} as colleague on Smith")


# --- the number is proven


async def test_until_the_code_has_come_nothing_is_sent_there_and_what_comes_is_held() -> None:
    there = await mediators_house()
    await there.invites()
    await there.says_among_mediators("shall we meet?", ROOM)
    assert await there.nora_writes("who is this?") == [Finished()]
    await there.deliver_to_colleagues()
    assert not there.noras_telephone().texts
    assert not posted(there)
    assert not relayed(there)
    assert there.nora.id not in readers(there.room, ROOM)
    (held,) = there.database.committed.holds.values()
    assert held.case == MEDIATORS


async def test_with_the_code_they_are_in_and_told_that_meta_reads_along() -> None:
    there = await mediators_house()
    await there.says_among_mediators("before", ROOM)
    await there.nora_comes()
    assert there.nora.id in readers(there.room, ROOM)
    consent = there.nora.endpoint.content_consent
    assert consent
    assert consent.on == there.now
    assert "Meta can read" in consent.wording
    assert any(isinstance(e, Introduce) and e.person == there.nora.id for e in there.of_room())
    await there.deliver_to_colleagues()
    (first,) = there.noras_telephone().texts
    assert first.startswith("🔒 MEDIATORS – only the organisation's mediators read this\nHello Nora.")
    assert "WhatsApp's owner, Meta, can read" in first
    assert "before" not in first


async def test_what_is_said_from_then_on_goes_both_ways() -> None:
    there = await mediators_house()
    await there.nora_comes()
    await there.says_among_mediators("shall we meet?", ROOM)
    await there.nora_writes("at nine")
    there.later(minutes=1)
    await there.deliver_to_colleagues()
    last = there.noras_telephone().texts[-1]
    assert last.splitlines() == [
        "🔒 MEDIATORS – only the organisation's mediators read this",
        "*Mia* wrote:",
        "> shall we meet?",
    ]
    assert posted(there) == [(ROOM.id, "at nine")]


async def test_a_wrong_code_puts_them_out_so_that_nobody_tries_them_one_by_one() -> None:
    there = await mediators_house()
    code = await there.invites()
    await there.nora_writes("yes 22A2")
    assert there.room.named("Nora") is None
    await there.nora_writes(f"yes {code}")
    assert readers(there.room, ROOM) == {MIA, MAX}


async def test_a_no_and_a_day_without_any_code_put_them_out() -> None:
    there = await mediators_house()
    await there.nora_writes(f"no {await there.invites()}")
    assert there.room.named("Nora") is None
    code = await there.invites()
    there.later(hours=25)
    await there.alarms()
    assert there.room.named("Nora") is None
    await there.nora_writes(f"yes {code}")
    assert readers(there.room, ROOM) == {MIA, MAX}


async def test_the_code_counts_from_that_number_alone() -> None:
    there = await mediators_house()
    code = await there.invites()
    await there.writes(f"yes {code}")
    assert not there.nora.endpoint.enrolled
    await there.says_among_mediators(f"yes {code}")
    assert not there.nora.endpoint.enrolled
    await there.nora_writes(f"yes {code}")
    assert there.nora.endpoint.enrolled


async def test_no_mediators_word_opens_a_channel_that_nothing_has_shown() -> None:
    there = await mediators_house()
    await there.invites()
    assert "Nothing shows yet" in await there.says_among_mediators("!consent Nora: she agreed by telephone")
    assert there.nora.endpoint.content_consent is None


async def test_who_is_removed_reads_nothing_and_is_a_stranger_again() -> None:
    there = await mediators_house()
    await there.nora_comes()
    await there.says_among_mediators("!colleague remove Nora")
    assert readers(there.room, ROOM) == {MIA, MAX}
    await there.says_among_mediators("only for us", ROOM)
    await there.nora_writes("hello?")
    assert "only for us" not in relayed(there)
    assert f"writes by WhatsApp from {NORA_PHONE}" in there.shown()[-1]


# --- another person behind the number, and the same number elsewhere


async def test_a_changed_account_is_in_doubt_as_everywhere() -> None:
    there = await mediators_house()
    await there.nora_comes()
    await there.nora_writes("it is me", of=("DE.0ther", NORA_PHONE))
    assert not posted(there)
    assert there.nora.endpoint.doubt
    await there.says_among_mediators("not for others", ROOM)
    there.later(minutes=1)
    await there.deliver_to_colleagues()
    assert not any("not for others" in text for text in there.noras_telephone().texts)


async def test_a_partys_number_is_no_colleagues() -> None:
    there = await mediators_house()
    answer = await there.says_among_mediators(f"!colleague add Nora {BEA_PHONE}")
    assert "takes part in another case" in answer


async def test_a_colleagues_number_is_no_partys_from_the_invitation_on() -> None:
    there = await mediators_house()
    await there.invites()
    assert "takes part in another case" in await there.says_at_case(f"!party add Nora {NORA_PHONE} on Smith")


async def test_two_rooms_for_one_number_are_never_guessed_between() -> None:
    """From before the database refused it: whoever stands in a case and among the mediators writes to neither."""
    there = await mediators_house()
    await there.nora_comes()
    case = there.case
    twin = replace(named(case, "Bea"), endpoint=there.nora.endpoint)
    there.database.committed.cases[case.id] = case.with_person(twin)
    assert await there.nora_writes("for whom?") == [SEVERAL]
    assert not posted(there)


async def test_a_stranger_who_is_invited_is_a_stranger_no_more() -> None:
    there = await mediators_house()
    await there.writes("I am Nora's other telephone")
    await there.nora_writes(f"yes {await there.invites(f'!colleague add Olga {STRANGER}')}", of=(USER, STRANGER))
    there.later(hours=1)
    await there.writes("am I in?")
    assert posted(there) == [(ROOM.id, "am I in?")]
    assert not [e for e in there.of_room() if isinstance(e, WriteToStranger)]


async def test_what_comes_to_the_number_of_all_is_held() -> None:
    there = await mediators_house()
    await there.nora_comes()
    await there.nora_writes("to whom is this?", JOINT_NUMBER)
    assert not posted(there)
    assert [held.case for held in there.database.committed.holds.values()] == [MEDIATORS]


# --- nobody's command


@pytest.mark.parametrize("words", ["!close", "!pause", "!withdraw", "!party add X x@example.org", "!release", "!undo"])
async def test_what_a_colleague_writes_is_never_a_command_for_a_case(words: str) -> None:
    there = await mediators_house()
    await there.nora_comes()
    case, room = there.case, there.room
    await there.nora_writes(words)
    assert there.case == case
    assert replace(there.room, deed=None, people=room.people) == replace(room, deed=None)


async def test_stop_start_and_help_are_words_for_the_service() -> None:
    there = await mediators_house()
    await there.nora_comes()
    await there.nora_writes("STOP")
    await there.says_among_mediators("later", ROOM)
    there.later(minutes=1)
    await there.deliver_to_colleagues()
    assert not there.noras_telephone().texts
    await there.nora_writes("START")
    await there.nora_writes("HELP")
    await there.deliver_to_colleagues()
    assert any("> later" in text for text in there.noras_telephone().texts)
    assert "goes to no case" in there.noras_telephone().texts[-1]


async def test_a_mediators_command_in_the_room_leaves_for_nobodys_telephone() -> None:
    there = await mediators_house()
    await there.nora_comes()
    await there.says_among_mediators("!colleague remove Nora", ROOM)
    assert not relayed(there)
    assert there.nora


# --- one number, one person


async def test_a_number_is_one_persons() -> None:
    there = await mediators_house()
    await there.nora_comes()
    assert NORA_PHONE in await there.says_among_mediators(f"!colleague add Olga {NORA_PHONE}")
    assert there.room.named("Olga") is None


async def test_a_number_is_free_again_once_nobody_has_shown_that_it_is_theirs() -> None:
    there = await mediators_house()
    await there.invites()
    there.later(days=2)
    await there.alarms()
    assert "is in" in await there.says_at_case(f"!party add Nora {NORA_PHONE} on Smith")
