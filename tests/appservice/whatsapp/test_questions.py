"""From one number, words reach the joint room only with a button pressed by their author, about those exact words."""

from dataclasses import replace

import pytest

from policies.case import JOINT, Case, Doubt
from policies.effects import Effect, Pose, Publish
from policies.networks.whatsapp import decide_doubt
from policies.outcome import Done
from policies.releases.release import Standing
from policies.words.text import moment
from rooms.outcome import Sent
from tests.appservice.whatsapp.house import WhatsAppHouse, known
from tests.bridges.whatsapp.builders import Json, message, webhook
from tests.policies.builders import of_kind, say

WORDS = "I can live with a date in June"


async def submitted() -> tuple[WhatsAppHouse, list[Json]]:
    """Bea asked, from the one number, to have words shown to all; and the buttons on her telephone."""
    there = await WhatsAppHouse(two_numbers=False).begin()
    await there.says(f"!submit: {WORDS}")
    (pose,) = [effect for effect in there.effects() if isinstance(effect, Pose)]
    assert isinstance(await there.carry(pose, pose.conversation), Sent)
    assert WORDS in there.phone.texts[-1]
    return there, there.phone.buttons


async def press(there: WhatsAppHouse, button_id: str, wamid: str = "wamid.pressed") -> None:
    inner = {"type": "button_reply", "button_reply": {"id": button_id, "title": "Yes"}}
    await there.receive(webhook(message("interactive", inner, wamid=wamid)))


async def test_she_is_asked_by_her_own_clock() -> None:
    there = await WhatsAppHouse(two_numbers=False).begin()
    async with there.database.begin() as work:
        bea = next(person for person in there.case.people if person.name == "Bea")
        await work.cases.save(there.case.with_person(replace(bea, zone="Europe/Madrid")))
    await there.says(f"!submit: {WORDS}")
    (pose,) = [effect for effect in there.effects() if isinstance(effect, Pose)]
    assert isinstance(await there.carry(pose, pose.conversation), Sent)
    assert f"by {moment(pose.expires, 'Europe/Madrid')}" in there.phone.texts[-1]
    assert "(Madrid, UTC+" in there.phone.texts[-1]


def standing(there: WhatsAppHouse) -> Standing:
    (release,) = there.case.releases
    return release.standing


def shown(there: WhatsAppHouse) -> list[Effect]:
    """What reaches the joint room in her words."""
    posts: list[Effect] = [post for post in there.posts() if post.conversation == JOINT]
    return [*posts, *(effect for effect in there.effects() if isinstance(effect, Publish))]


async def test_she_is_asked_with_buttons_and_her_yes_queues_exactly_her_words() -> None:
    there, (yes, no) = await submitted()
    assert (yes["title"], no["title"]) == ("Yes", "No")
    assert standing(there) is Standing.SUBMITTED
    await press(there, yes["id"])
    assert standing(there) is Standing.QUEUED
    assert not shown(there), "the mediator still has to release it"
    assert _released(there.case) == [WORDS]


def _released(case: Case) -> list[str]:
    """The words that everybody reads once the mediator releases what is queued."""
    preview = say(case, "!release R1001", known())
    assert isinstance(preview, Done)
    (ask,) = [a for a in preview.case.asks if a.where.id == "desk"]
    outcome = say(preview.case, f"yes {ask.code}", known())
    assert isinstance(outcome, Done)
    return sorted({publish.words for publish in of_kind(Publish, outcome.effects)})


async def test_her_no_ends_it() -> None:
    there, (_, no) = await submitted()
    await press(there, no["id"])
    assert standing(there) is Standing.CLOSED


@pytest.mark.parametrize("forged", ["other words", "no code", "another code", "nothing", "words for the desk"])
async def test_a_button_of_anything_else_answers_nothing(forged: str) -> None:
    there, (yes, _) = await submitted()
    code, word, binds = yes["id"].split(".")
    wrong = {
        "other words": f"{code}.{word}.{'0' * len(binds)}",
        "no code": f".{word}.{binds}",
        "another code": f"ZZ99.{word}.{binds}",
        "nothing": "yes",
        "words for the desk": f"call me at once.{word}.{binds}",
    }
    await press(there, wrong[forged])
    assert standing(there) is Standing.SUBMITTED
    assert not shown(there)
    assert "call me" not in "".join(there.told())


async def test_a_button_pressed_twice_counts_once() -> None:
    there, (yes, no) = await submitted()
    await press(there, yes["id"])
    await press(there, no["id"], "wamid.again")
    await press(there, yes["id"], "wamid.once-more")
    assert standing(there) is Standing.QUEUED


async def test_after_its_time_a_button_counts_for_nothing() -> None:
    there, (yes, _) = await submitted()
    there.now = max(ask.expires for ask in there.case.asks)
    await press(there, yes["id"])
    assert standing(there) is Standing.SUBMITTED


async def test_whoever_may_be_another_person_answers_nothing() -> None:
    there, (yes, _) = await submitted()
    seen = there.bea.endpoint.seen
    assert seen is not None
    doubted = decide_doubt(there.case, there.bea, Doubt("a new telephone", seen)).case
    async with there.database.begin() as work:
        await work.cases.save(doubted)
    await press(there, yes["id"])
    assert standing(there) is Standing.SUBMITTED
