"""Between her STOP and her START nothing is sent to her, whatever else happens; and what waited arrives then, once."""

import asyncio
from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.case import Endpoint
from policies.networks.delivery import channel_key
from tests.appservice.whatsapp.house import WhatsAppHouse
from tests.bridges.whatsapp.builders import message, webhook

OTHERS = "a mediator paused it"


@dataclass(frozen=True)
class Found:
    """What a history came to: how often something reached her while she had stopped it, how much she was owed, and how
    much she has got in the end."""

    too_much: int
    owed: int
    got: int


def played(steps: list[str]) -> Found:
    """One history; in the end she writes START, and nobody else keeps anything from her."""

    async def play() -> Found:
        there = await WhatsAppHouse().begin()
        await there.says("it is me")
        too_much = owed = 0
        declined = False
        for step in [*steps, "resumed", "START"]:
            before = len(there.phone.shows)
            match step:
                case "paused" | "resumed":
                    await _stopped_by_others(there, OTHERS if step == "paused" else None)
                case "picture":
                    await there.receive(webhook(message("image", {"id": "1"}, wamid=f"wamid.{there.sent}.{before}")))
                case _:
                    await there.says(step)
                    owed += step == "HELP"
                    declined = step == "STOP" or (declined and step != "START")
            there.later(minutes=1)
            await there.deliver()
            too_much += len(there.phone.shows) - before if declined else 0
        return Found(too_much, owed, sum("Write STOP" in text for text in there.phone.texts))

    return asyncio.run(play())


async def _stopped_by_others(there: WhatsAppHouse, why: str | None) -> None:
    async with there.database.begin() as work:
        endpoint = replace(there.bea.endpoint, stopped=why)
        await work.cases.save(there.case.with_person(replace(there.bea, endpoint=endpoint)))
        if why is None:
            await work.outbox.wake(channel_key(there.case, endpoint.id))


@given(st.lists(st.sampled_from(["STOP", "START", "HELP", "picture", "paused", "resumed"]), max_size=10))
def test_nothing_is_sent_between_stop_and_start_and_all_of_it_afterwards(steps: list[str]) -> None:
    found = played(steps)
    assert not found.too_much
    assert found.got == found.owed


def test_a_stop_that_nobody_heeds_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not played(["STOP", "HELP"]).too_much
    monkeypatch.setattr(Endpoint, "silence", property(lambda endpoint: endpoint.stopped))
    assert played(["STOP", "HELP"]).too_much


def test_a_stop_that_another_word_lifts_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not played(["STOP", "HELP", "picture"]).too_much
    monkeypatch.setattr("policies.networks.whatsapp.START", frozenset({"help"}))
    assert played(["STOP", "HELP", "HELP"]).too_much
