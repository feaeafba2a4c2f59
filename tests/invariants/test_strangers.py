"""No sequence of a stranger's webhooks, in any order and with any replay, comes anywhere but to the triage desk (I1,
I2), or is answered more than once; and every plain word of theirs arrives there, once.
"""

import asyncio
import json
from collections import Counter
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appservice.whatsapp import reader
from policies.effects import Tell, WriteToStranger
from policies.networks.whatsapp import START, STOP
from policies.people.stranger import TRIAGE, Triage
from tests.appservice.whatsapp.house import CODEC, INTAKE_NUMBER
from tests.appservice.whatsapp.triage import house
from tests.bridges.whatsapp.builders import BEA, BEA_PHONE, JOINT_NUMBER, PRIVATE, Json, contact, message, webhook

_WORDS = st.text(alphabet=st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=12)
_STRANGERS = (("DE.one1", "+4915112345678"), ("DE.two2", "+4915187654321"))


@dataclass(frozen=True)
class Hook:
    """A stranger's webhook; `words` are what must be shown, if it is plain."""

    payload: Json
    who: str
    words: str | None = None


@st.composite
def hooks(draw: st.DrawFn) -> Hook:
    """Whatever a stranger can send, to any of our numbers; and what Bea, a party, sends to the number for strangers."""
    user, phone = draw(st.sampled_from([*_STRANGERS, (BEA, BEA_PHONE)]))
    number = INTAKE_NUMBER if user == BEA else draw(st.sampled_from([PRIVATE, JOINT_NUMBER, INTAKE_NUMBER]))
    whose: Json = {"from": phone[1:], "from_user_id": user}
    wamid = f"wamid.{draw(st.integers(0, 10**9))}"
    odd: list[Json] = [
        {"type": "interactive", "interactive": {"type": "button_reply", "button_reply": {"id": "4F2A.yes.abc"}}},
        {"type": "reaction", "reaction": {"emoji": "👍"}},
        {"type": "image", "image": {"caption": "!intake open S1 Bea: x"}},
        {"type": "system", "system": {"type": "user_changed_number", "wa_id": "4915100000000"}},
        {"context": {"id": "wamid.joint"}, "text": {"body": "yes 4F2A"}},
    ]
    kind: Any = draw(st.sampled_from([None, None, None, *odd, {"text": {"body": "STOP"}}]))
    contacts = [contact(user, phone)]
    if kind is not None:
        said = message(wamid=wamid, **(whose | kind))
        return Hook(webhook(said, contacts=contacts, number=number), user)
    words = draw(_WORDS)
    payload = webhook(message(inner={"body": words}, wamid=wamid, **whose), contacts=contacts, number=number)
    return Hook(payload, user, words)


def wrong(sequence: list[Hook], replays: list[int]) -> list[str]:
    """What should not be as it is, after they all came, and some again."""

    async def play() -> list[str]:
        there = await house()
        for number, hook in enumerate(sequence):
            await there.receive(hook.payload)
            if number in replays:
                await there.receive(sequence[number // 2].payload)
        items = list(there.database.committed.outbox.items.values())
        effects = [CODEC.load(item.body) for item in items]
        problems = [f"something for the case {item.case}" for item in items if item.case != TRIAGE]
        problems += [f"a {type(e).__name__}" for e in effects if type(e).__name__ in {"Post", "Relay", "Inform"}]
        answered = Counter(e.to for e in effects if isinstance(e, WriteToStranger))
        problems += [f"{who} was answered {times} times" for who, times in answered.items() if times > 1]
        first = {hook.who: hook for hook in reversed(sequence) if _is_said(hook.payload)}
        due = sum(not _says_stop(hook.payload) for hook in first.values())
        if len(answered) != due:
            problems.append(f"{len(answered)} were answered, and {due} should be")
        lines = Counter(line for e in effects if isinstance(e, Tell) and e.about for line in e.text.splitlines())
        said = {json.dumps(hook.payload): hook.words for hook in sequence if hook.words is not None}
        for words, times in Counter(said.values()).items():
            if lines[f"> {words}"] != times:
                problems.append(f"“{words}” is shown {lines[f'> {words}']} times, not {times}")
        return problems

    return asyncio.run(play())


def _value(payload: Json) -> Json:
    said: Json = payload["entry"][0]["changes"][0]["value"]["messages"][0]
    return said


def _is_said(payload: Json) -> bool:
    return _value(payload)["type"] not in {"reaction", "system"}


def _says_stop(payload: Json) -> bool:
    return str(_value(payload).get("text", {}).get("body", "")).strip().strip(".!").casefold() in STOP


SEQUENCES = st.lists(hooks(), max_size=8, unique_by=lambda hook: _value(hook.payload)["id"])


@given(SEQUENCES, st.lists(st.integers(0, 8), max_size=4))
def test_what_strangers_write_is_shown_at_the_triage_desk_once_and_nowhere_else(
    sequence: list[Hook], replays: list[int]
) -> None:
    assert not wrong(sequence, replays)


def _plain(who: int, words: str, wamid: str) -> Hook:
    user, phone = _STRANGERS[who]
    said = message(inner={"body": words}, wamid=wamid, **{"from": phone[1:], "from_user_id": user})
    return Hook(webhook(said, contacts=[contact(user, phone)]), user, words)


def test_a_stranger_who_is_taken_for_a_party_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    sequence = [_plain(0, "mine", "w1")]
    assert not wrong(sequence, [])
    find = reader.find

    async def mistaken(work: Any, sender: Any, *, lock: bool = True) -> Any:
        return await find(work, type(sender)(BEA, BEA_PHONE), lock=lock)

    monkeypatch.setattr(reader, "find", mistaken)
    assert wrong(sequence, [])


def test_a_stranger_who_is_answered_twice_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    sequence = [_plain(0, "one", "w1"), _plain(0, "two", "w2")]
    assert not wrong(sequence, [])
    monkeypatch.setattr(Triage, "who", lambda *_: None)
    monkeypatch.setattr(Triage, "was_written_to", lambda *_: False)
    assert wrong(sequence, [])


def test_a_stranger_whose_words_are_swallowed_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("policies.people.intake.PER_HOUR", 0)
    assert wrong([_plain(0, "one", "w1")], [])


def test_stop_and_start_are_words_of_whoever_writes_them() -> None:
    assert STOP.isdisjoint(START)
