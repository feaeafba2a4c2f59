"""Whoever asked for it is never shown words on a locked screen, whatever happens; and gets all of them, once, by
writing."""

import asyncio
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.case import JOINT
from policies.message import Text
from policies.networks.delivery import channel_key
from policies.networks.discreet import LOOKS, WAITING
from rooms.outcome import Sent
from tests.appservice.whatsapp.house import WhatsAppHouse, done
from tests.policies.builders import caucus_of

STEPS = ("words", "joint", "minute", "hour", "day", "SHOW", "write", "on", "off", "de")
SECRET = "a secret"


@dataclass(frozen=True)
class Found:
    """What a history came to: what stood on a locked screen that tells something, and what she was owed and got."""

    told: tuple[str, ...]
    owed: int
    got: int


def played(steps: list[str]) -> Found:
    """One history; in the end she writes, and everything has time to come."""

    async def play() -> Found:
        there = await WhatsAppHouse(two_numbers=False).begin()
        await there.says("it is me")
        told: list[str] = []
        owed, heard, letters = 0, there.now, dict[str, bool]()
        for step in [*steps, "SHOW"]:
            before = len(there.phone.texts)
            match step:
                case "words" | "joint":
                    owed += 1
                    letters[f"i{owed}"] = step == "joint"
                    await _carried(there, letters, f"i{owed}")
                case "minute" | "hour" | "day":
                    there.later(seconds={"minute": 60, "hour": 3600, "day": 90_000}[step])
                case "on" | "off":
                    await _set(there, f"!discreet Bea {step}", is_new=(step == "on") != bool(there.bea.discreet))
                case "de":
                    await _set(there, "!language Bea de", is_new=True)
                case _:
                    heard = there.now
                    await there.says(step if there.bea.discreet else "hello")
            for item in list(letters):
                await _carried(there, letters, item)
            is_locked = there.bea.discreet and there.now >= heard + LOOKS
            told += [text for text in there.phone.texts[before:] if is_locked and not _tells_nothing(text)]
        return Found(tuple(told), owed, sum(SECRET in text for text in there.phone.texts))

    return asyncio.run(play())


def _tells_nothing(text: str) -> bool:
    return text in {str(WAITING), "Eine Nachricht für Sie. Schreiben Sie ZEIGEN, um sie zu lesen."}


async def _carried(there: WhatsAppHouse, letters: dict[str, bool], item: str) -> None:
    """Tried as the outbox would: what came waits no more."""

    where = JOINT if letters[item] else caucus_of(there.case, "Jones")
    is_known = item in {str(one) for one in there.database.committed.outbox.items}
    outcome = await (there.again if is_known else there.carry)(Text(SECRET), where, item)
    if isinstance(outcome, Sent):
        del letters[item]


async def _set(there: WhatsAppHouse, command: str, *, is_new: bool) -> None:
    if is_new:
        async with there.database.begin() as work:
            await work.cases.save(done(there.case, command))
            await work.outbox.wake(channel_key(there.case, there.bea.endpoint.id))


@given(st.lists(st.sampled_from(STEPS), max_size=12))
def test_no_words_stand_on_a_locked_screen_and_all_of_them_come_once_she_writes(steps: list[str]) -> None:
    found = played(steps)
    assert found.told == ()
    assert found.got == found.owed


LOCKED = ["on", "hour", "words"]


def test_a_courier_that_does_not_ask_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not played(LOCKED).told
    monkeypatch.setattr("appservice.whatsapp.courier.may_show", lambda *_: True)
    assert played(LOCKED).told


def test_a_line_that_tells_something_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("appservice.whatsapp.courier.WAITING", "Your mediator has written")
    assert played(LOCKED).told


def test_words_that_never_come_are_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    assert played(LOCKED).got == 1
    monkeypatch.setattr("appservice.whatsapp.courier.may_show", lambda discreet, *_: discreet is None)
    assert played(LOCKED).got == 0
