"""No sequence of webhooks, in any order, with any replay, brings anything to a room it was not written to (I1, I2);
and every plain word arrives in its own, once.
"""

import asyncio
import itertools
import json
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appservice.whatsapp.numbers import Numbers
from policies.case import DESK, JOINT, Case, Conversation, Person
from policies.documents import filing
from policies.effects import Decision, Explain, Inform, Ingest, Post, Tell
from policies.message import File, Message, Text
from policies.networks.whatsapp import HELP, START, STOP
from rooms.outgoing import Outgoing
from tests.appservice.whatsapp.house import WhatsAppHouse
from tests.bridges.whatsapp.builders import JOINT_NUMBER, PRIVATE, Json, contact, message, status, webhook
from tests.policies.builders import caucus_of

_WORDS = st.text(alphabet=st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=12)


@dataclass(frozen=True)
class Hook:
    """A webhook; `words` are what must arrive, if it is plain; `file` is the id of a file that must be fetched."""

    payload: Json
    number: str
    words: str | None = None
    file: str | None = None
    private: str | None = None
    """Words that are no plain text, and must stand in private whichever number they came to."""


@dataclass
class Played:
    """What came of it."""

    effects: list[Outgoing] = field(default_factory=list)
    caucus: Conversation = JOINT

    @property
    def posts(self) -> list[Post]:
        return [effect for effect in self.effects if isinstance(effect, Post)]

    @property
    def fetched(self) -> list[tuple[Conversation, str]]:
        """Which files are fetched, and for which room."""
        files = [(e.home, e.attached.content) for e in self.effects if isinstance(e, Ingest) and e.attached]
        return [(home, json.loads(file.ref)["abroad"]) for home, file in files if isinstance(file, File)]


@st.composite
def hooks(draw: st.DrawFn) -> Hook:
    """One webhook about Bea: plain words, or whatever else there is."""
    number = draw(st.sampled_from([PRIVATE, JOINT_NUMBER]))
    wamid = f"wamid.{draw(st.integers(0, 10**9))}"
    context: Any = draw(st.sampled_from([{}, {"context": {"id": "wamid.joint"}}]))
    match draw(st.integers(0, 7)):
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
        case 3:
            medium = draw(st.integers(1, 10**9))
            kind = draw(st.sampled_from(["image", "audio", "document", "video", "sticker"]))
            file = {"id": f"m{medium}", "mime_type": "x/y", "sha256": "eA==", "caption": "Everyone"}
            return Hook(webhook(message(kind, file, wamid=wamid, **context), number=number), number, file=f"m{medium}")
        case 4:
            north = draw(st.integers(-90, 90))
            place = message("location", {"latitude": north, "longitude": 0}, wamid=wamid, **context)
            return Hook(webhook(place, number=number), number, private=f"📍 {north}.000000 0.000000")
        case 5:
            forwarded = message(inner={"body": f"said {wamid}"}, wamid=wamid, context={"forwarded": True})
            return Hook(webhook(forwarded, number=number), number, private=f"said {wamid}")
        case _:
            words = draw(_WORDS)
            keyword = words.strip(" .!").casefold() in STOP | START | HELP
            payload = webhook(message(inner={"body": words}, wamid=wamid, **context), number=number)
            return Hook(payload, number, None if keyword else words)


def played(sequence: list[Hook], replays: list[int], *, two_numbers: bool) -> Played:
    """Receive them all, and some again."""

    async def play() -> Played:
        there = await WhatsAppHouse(two_numbers=two_numbers, documents=True).begin()
        for number, hook in enumerate(sequence):
            await there.inbox.accept(json.dumps(hook.payload).encode())
            if number in replays:
                await there.read()
                await there.inbox.accept(json.dumps(sequence[number // 2].payload).encode())
        await there.read()
        return Played(there.effects(), caucus_of(there.case, "Jones"))

    return asyncio.run(play())


def wrong(sequence: list[Hook], found: Played, *, two_numbers: bool) -> list[str]:
    """What should not be as it is."""
    ids = itertools.count()
    first: dict[str, Hook] = {}
    for hook in sequence:
        value = hook.payload["entry"][0]["changes"][0]["value"]
        said = value.get("messages", [{}])[0].get("id", f"none{next(ids)}")
        first.setdefault(f"{hook.number}/{said}", hook)
    ours = [hook for hook in first.values() if two_numbers or hook.number == PRIVATE]
    wanted: dict[Conversation, list[str | None]] = {
        found.caucus: [h.private or h.words for h in ours if h.private or (h.words and h.number == PRIVATE)],
        JOINT: [h.words for h in ours if h.words and h.number == JOINT_NUMBER],
    }
    problems = [
        f"{room.id} holds {got}, and should hold {words}"
        for room, words in wanted.items()
        if (got := [p.content.body for p in found.posts if p.conversation == room and isinstance(p.content, Text)])
        != words
    ]
    if len(found.posts) != sum(len(words) for words in wanted.values()):
        problems.append("something else was posted")
    files = [(found.caucus, hook.file) for hook in ours if hook.file]
    if found.fetched != files:
        problems.append(f"fetched {found.fetched}, and should have fetched {files}")
    said = [e.conversation for e in found.effects if isinstance(e, Tell | Inform | Explain)]
    if set(said) - {found.caucus, DESK}:
        problems.append("something was told to somebody else")
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


FILE = {"id": "m1", "mime_type": "audio/ogg; codecs=opus", "sha256": "eA==", "voice": True}


def to_everyone(_: object) -> bool:
    return False


@pytest.mark.parametrize(
    "hook",
    [
        Hook(webhook(message("audio", FILE), number=JOINT_NUMBER), JOINT_NUMBER, file="m1"),
        Hook(
            webhook(message("location", {"latitude": 1, "longitude": 0}), number=JOINT_NUMBER),
            JOINT_NUMBER,
            private="📍 1.000000 0.000000",
        ),
    ],
)
def test_what_is_no_plain_text_and_goes_where_it_was_sent_is_caught(
    monkeypatch: pytest.MonkeyPatch, hook: Hook
) -> None:
    assert not wrong([hook], played([hook], [], two_numbers=True), two_numbers=True)
    monkeypatch.setattr("appservice.whatsapp.reader._is_for_the_mediator", to_everyone)
    assert wrong([hook], played([hook], [], two_numbers=True), two_numbers=True)


def test_a_file_that_is_fetched_for_another_room_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    hook = Hook(webhook(message("audio", FILE)), PRIVATE, file="m1")
    kept = filing.decide_brought

    def astray(case: Case, said: Message, author: Person) -> Decision:
        return kept(case, replace(said, conversation=JOINT), author)

    monkeypatch.setattr("policies.routing.decide_brought", astray)
    assert wrong([hook], played([hook], [], two_numbers=True), two_numbers=True)


def test_a_webhook_that_is_handled_twice_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    hook = Hook(webhook(message(inner={"body": "once"}, wamid="w")), PRIVATE, "once")
    numbers = itertools.count()
    monkeypatch.setattr("appservice.whatsapp.webhooks.item_id", lambda _: f"item{next(numbers)}")
    assert wrong([hook, hook], played([hook, hook], [], two_numbers=True), two_numbers=True)
