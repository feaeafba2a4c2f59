"""No sequence of webhooks, in any order, with any replay, brings anything to a room it was not written to (I1, I2);
and every plain word arrives in its own, once.
"""

import asyncio
import itertools
import json
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appservice.whatsapp.numbers import Numbers
from policies.case import JOINT, Conversation
from policies.effects import Post
from policies.message import Text
from policies.whatsapp import HELP, START, STOP
from tests.appservice.whatsapp.house import WhatsAppHouse
from tests.bridges.whatsapp.builders import JOINT_NUMBER, PRIVATE, Json, contact, message, status, webhook
from tests.policies.builders import caucus_of

_WORDS = st.text(alphabet=st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=12)


@dataclass(frozen=True)
class Hook:
    """A webhook; `words` are what must arrive, if it is plain."""

    payload: Json
    number: str
    words: str | None = None


@dataclass
class Played:
    """What came of it."""

    posts: list[Post] = field(default_factory=list)
    caucus: Conversation = JOINT


@st.composite
def hooks(draw: st.DrawFn) -> Hook:
    """One webhook about Bea: plain words, or whatever else there is."""
    number = draw(st.sampled_from([PRIVATE, JOINT_NUMBER]))
    wamid = f"wamid.{draw(st.integers(0, 10**9))}"
    context: Any = draw(st.sampled_from([{}, {"context": {"id": "wamid.joint"}}]))
    match draw(st.integers(0, 5)):
        case 0:
            odd: Any = draw(
                st.sampled_from(
                    [
                        {"type": "interactive", "interactive": {"type": "button_reply", "button_reply": {"id": "x"}}},
                        {
                            "type": "interactive",
                            "interactive": {
                                "type": "button_reply",
                                "button_reply": {"id": "4F2A.yes.abc", "title": "Everyone"},
                            },
                        },
                        {"type": "button", "button": {"payload": "4F2A.yes.abc", "text": "Everyone"}},
                        {"type": "image", "image": {"caption": "look"}},
                        {"type": "reaction", "reaction": {"emoji": "👍"}},
                        {"context": {"forwarded": True}},
                        {"type": "unsupported"},
                    ]
                )
            )
            return Hook(webhook(message(wamid=wamid, **odd), number=number), number)
        case 1:
            return Hook(webhook(statuses=(status(wamid, draw(st.sampled_from(["sent", "failed", "x"]))),)), number)
        case 2:
            stranger = message(wamid=wamid, **{"from": "4915112345678", "from_user_id": "DE.9z9"})
            both = [contact("DE.9z9", "+4915112345678"), contact()]
            return Hook(webhook(stranger, contacts=both, number=number), number)
        case _:
            words = draw(_WORDS)
            keyword = words.strip(" .!").casefold() in STOP | START | HELP
            payload = webhook(message(inner={"body": words}, wamid=wamid, **context), number=number)
            return Hook(payload, number, None if keyword else words)


def played(sequence: list[Hook], replays: list[int], *, two_numbers: bool) -> Played:
    """Receive them all, and some again."""

    async def play() -> Played:
        there = await WhatsAppHouse(two_numbers=two_numbers).begin()
        for number, hook in enumerate(sequence):
            await there.inbox.accept(json.dumps(hook.payload).encode())
            if number in replays:
                await there.read()
                await there.inbox.accept(json.dumps(sequence[number // 2].payload).encode())
        await there.read()
        return Played(there.posts(), caucus_of(there.case, "Jones"))

    return asyncio.run(play())


def wrong(sequence: list[Hook], found: Played, *, two_numbers: bool) -> list[str]:
    """What should not be as it is."""
    ids = itertools.count()
    first: dict[str, Hook] = {}
    for hook in sequence:
        value = hook.payload["entry"][0]["changes"][0]["value"]
        said = value.get("messages", [{}])[0].get("id", f"none{next(ids)}")
        first.setdefault(f"{hook.number}/{said}", hook)
    plain = [hook for hook in first.values() if hook.words is not None]
    wanted = {
        found.caucus: [hook.words for hook in plain if hook.number == PRIVATE],
        JOINT: [hook.words for hook in plain if hook.number == JOINT_NUMBER] if two_numbers else [],
    }
    problems = [
        f"{room.id} holds {got}, and should hold {words}"
        for room, words in wanted.items()
        if (got := [p.content.body for p in found.posts if p.conversation == room and isinstance(p.content, Text)])
        != words
    ]
    if len(found.posts) != sum(len(words) for words in wanted.values()):
        problems.append("something else was posted")
    return problems


SEQUENCES = st.lists(hooks(), max_size=8)


@given(SEQUENCES, st.lists(st.integers(0, 8), max_size=4), st.booleans())
def test_every_plain_word_is_posted_once_in_its_own_room_and_nothing_anywhere_else(
    sequence: list[Hook], replays: list[int], two_numbers: bool
) -> None:
    found = played(sequence, replays, two_numbers=two_numbers)
    assert not wrong(sequence, found, two_numbers=two_numbers)


@pytest.mark.parametrize("two_numbers", [True, False])
def test_a_number_that_is_taken_for_the_other_is_caught(monkeypatch: pytest.MonkeyPatch, two_numbers: bool) -> None:
    hook = Hook(webhook(message(inner={"body": "in private"})), PRIVATE, "in private")
    assert not wrong([hook], played([hook], [], two_numbers=two_numbers), two_numbers=two_numbers)
    monkeypatch.setattr(Numbers, "conversation", lambda *_: JOINT)
    assert wrong([hook], played([hook], [], two_numbers=two_numbers), two_numbers=two_numbers)


def test_a_webhook_that_is_handled_twice_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    hook = Hook(webhook(message(inner={"body": "once"}, wamid="w")), PRIVATE, "once")
    numbers = itertools.count()
    monkeypatch.setattr("appservice.whatsapp.webhooks.item_id", lambda _: f"item{next(numbers)}")
    assert wrong([hook, hook], played([hook, hook], [], two_numbers=True), two_numbers=True)
