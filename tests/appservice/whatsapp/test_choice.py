"""With one number: each message is private, and its author is asked who should read it; what they choose happens."""

from dataclasses import replace

import pytest

from policies.board import NOTHING, waiting
from policies.case import JOINT, Conversation
from policies.effects import Pose, Publish, Tell
from policies.message import Text
from policies.releases.release import Standing
from tests.appservice.whatsapp.house import WhatsAppHouse, done
from tests.bridges.whatsapp.builders import Json, message, webhook
from tests.policies.builders import caucus_of

WORDS = "I can live with a date in June"


async def house(*commands: str, two_numbers: bool = False) -> WhatsAppHouse:
    there = await WhatsAppHouse(two_numbers=two_numbers).begin()
    await order(there, *commands)
    return there


async def order(there: WhatsAppHouse, *commands: str) -> None:
    """The mediator gives commands."""
    case = there.case
    for command in commands:
        case = done(case, command)
    async with there.database.begin() as work:
        await work.cases.save(case)


def own(there: WhatsAppHouse) -> Conversation:
    return caucus_of(there.case, "Jones")


async def asked(there: WhatsAppHouse, words: str = WORDS) -> list[Json]:
    """Bea writes, and is asked; the buttons on her telephone."""
    await there.says(words)
    await there.deliver()
    return there.phone.buttons


async def press(there: WhatsAppHouse, button: Json, wamid: str = "") -> list[Json]:
    """She presses it; the buttons of what she gets then."""
    inner = {"type": "button_reply", "button_reply": {"id": button["id"], "title": button["title"]}}
    there.sent += 1
    await there.receive(webhook(message("interactive", inner, wamid=wamid or f"wamid.p{there.sent}")))
    await there.deliver()
    return there.phone.buttons


def published(there: WhatsAppHouse) -> list[Publish]:
    return [effect for effect in there.effects() if isinstance(effect, Publish)]


async def test_a_message_stands_in_private_at_once_and_she_is_asked_who_should_read_it() -> None:
    there = await house()
    buttons = await asked(there)
    assert [(post.conversation, post.content) for post in there.posts()] == [(own(there), Text(WORDS))]
    assert [button["title"] for button in buttons] == ["Everyone", "Only private"]
    question = there.phone.texts[-1]
    assert question.startswith("🔒 PRIVATE")
    assert f"> {WORDS}" in question
    assert "Mia (mediator), Alice, Bea (by WhatsApp)" in question
    assert not waiting(there.case, NOTHING), "the board waits for nobody about each message"


async def test_everyone_reads_it_after_the_time_to_take_it_back_and_not_before() -> None:
    there = await house()
    everyone, _ = await asked(there)
    take_back, _ = await press(there, everyone)
    assert take_back["title"] == "Take it back"
    there.later(seconds=44)
    await there.alarms()
    assert not published(there)
    there.later(seconds=1)
    await there.alarms()
    (post,) = published(there)
    assert (post.conversation, post.words, post.to) == (JOINT, WORDS, None)
    assert post.heading == "Bea’s words, for everyone by their own choice:"
    (release,) = there.case.releases
    assert (release.standing, release.words, release.agreed is not None) == (Standing.RELEASED, WORDS, True)
    there.later(hours=2)
    await there.alarms()
    await press(there, take_back)
    assert len(published(there)) == 1


async def test_she_takes_it_back() -> None:
    there = await house()
    everyone, _ = await asked(there)
    take_back, _ = await press(there, everyone)
    await press(there, take_back)
    there.later(minutes=2)
    await there.alarms()
    assert not published(there)
    assert there.phone.texts[-1].endswith("Taken back: it stays private.")


async def test_she_need_not_wait() -> None:
    there = await house()
    everyone, _ = await asked(there)
    _, now = await press(there, everyone)
    await press(there, now)
    assert [post.words for post in published(there)] == [WORDS]
    there.later(minutes=2)
    await there.alarms()
    assert len(published(there)) == 1


@pytest.mark.parametrize("answer", ["Only private", "silence"])
async def test_without_her_choice_it_stays_private(answer: str) -> None:
    there = await house()
    _, private = await asked(there)
    if answer != "silence":
        await press(there, private)
    there.later(hours=2)
    await there.alarms()
    assert not published(there)
    assert not there.case.asks


@pytest.mark.parametrize(
    ("commands", "words"),
    [(["!mode released"], WORDS), (["!mute Bea"], WORDS), ([], "privileged: our limit"), ([], "private: hello")],
)
async def test_where_the_answer_could_only_be_no_she_is_not_asked(commands: list[str], words: str) -> None:
    there = await house(*commands)
    await there.says(words)
    assert len(there.posts()) == 1
    assert not [effect for effect in there.effects() if isinstance(effect, Pose)]


async def test_with_two_numbers_nobody_is_asked() -> None:
    there = await house(two_numbers=True)
    await there.says(WORDS)
    assert not [effect for effect in there.effects() if isinstance(effect, Pose)]


async def test_what_may_not_be_said_any_more_is_not_shown_and_she_is_told() -> None:
    there = await house()
    everyone, _ = await asked(there)
    await order(there, "!mode locked")
    await press(there, everyone)
    assert "It is NOT shown to everyone" in there.phone.texts[-1]
    await order(there, "!mode open")
    everyone, _ = await asked(there, "something else")
    await press(there, everyone)
    await order(there, "!mode locked")
    there.later(minutes=1)
    await there.alarms()
    await there.deliver()
    assert "only the mediator writes" in there.phone.texts[-1]
    assert not published(there)


@pytest.mark.parametrize("late", [False, True])
async def test_who_came_in_since_she_was_asked_reads_nothing(late: bool) -> None:
    there = await house()
    everyone, _ = await asked(there)
    if late:
        await press(there, everyone)
    await order(there, "!party add Dan @dan:example.org on Smith")
    if not late:
        await press(there, everyone)
    there.later(minutes=1)
    await there.alarms()
    assert not published(there)


async def test_of_many_questions_the_last_three_stand() -> None:
    there = await house()
    first, *_ = await asked(there, "one")
    for words in ("two", "three", "four"):
        there.later(seconds=1)
        second, *_ = await asked(there, words)
    await press(there, first)
    assert len(there.case.asks) == 3
    await press(there, second)
    there.later(minutes=1)
    await there.alarms()
    assert [post.words for post in published(there)] == ["four"]


async def test_what_was_about_to_be_shown_before_a_restore_may_stand_there_and_is_not_shown_again() -> None:
    there = await house()
    everyone, _ = await asked(there)
    await press(there, everyone)
    async with there.database.begin() as work:
        epoch = await work.epochs.current()
        await work.epochs.save(replace(epoch, backup_at=there.now, doubt_until=there.now))
    there.later(minutes=1)
    await there.alarms()
    assert not published(there)
    told = [effect.text for effect in there.effects() if isinstance(effect, Tell)]
    assert "stays private, because the service was restored from a backup" in told[-1]


async def test_slow_mode_counts_what_was_shown() -> None:
    there = await house("!slow 10m")
    everyone, _ = await asked(there)
    await press(there, everyone)
    there.later(minutes=1)
    await there.alarms()
    assert len(published(there)) == 1
    await there.says("and again")
    poses = [effect.words for effect in there.effects() if isinstance(effect, Pose)]
    assert "and again" not in poses


async def test_an_answer_of_somebody_else_is_none() -> None:
    there = await house()
    everyone, _ = await asked(there)
    stranger = message(
        "interactive",
        {"type": "button_reply", "button_reply": {"id": everyone["id"], "title": "Everyone"}},
        wamid="w.other",
        **{"from": "4915112345678", "from_user_id": "DE.9z9"},
    )
    await there.receive(webhook(stranger))
    there.later(minutes=1)
    await there.alarms()
    assert not published(there)
