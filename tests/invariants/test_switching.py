"""Whoever is moved between mail and WhatsApp gets everything once, over the channel they have, when that is theirs; and
nothing that comes over one they had is theirs."""

import asyncio
from collections import deque
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridges.unsent import Unknown
from policies.case import Case, CaseId, Network
from rooms import deliver
from rooms.ports import Work
from rooms.queue import State
from sandbox.whatsapp.graph import Mishap
from tests.appservice.whatsapp.both import TO_MAIL, TO_TELEPHONE, Both
from tests.policies.builders import named

STEPS = ("words", "words", "out", "mail", "telephone", "consent", "she writes", "lost", "unanswered", "discreet")


@dataclass
class Found:
    """What a history came to."""

    wrong: list[str] = field(default_factory=list)
    hers: int = 0
    got: int = 0
    owed: int = 0


def played(steps: list[str]) -> Found:
    """One history; in the end she is on WhatsApp with her consent, and writes, and everything has time to come."""

    async def play() -> Found:
        there, found = Both(), Found()
        await there.begin()
        with there.open():
            await there.says("it is me")
            found.hers += 1
            for step in [*steps, "open", "telephone", "consent", "she writes", "out"]:
                await _step(there, step, found)
        unknown = sum(item.state is State.UNKNOWN for item in there.for_bea())
        for number in range(found.owed):
            times = sum(there.arrived(f"word {number}.").values())
            found.got += bool(times) or there.lies_ready(f"word {number}.")
            found.wrong += [f"word {number} came {times} times"] if times > 1 else []
        if found.got + unknown < found.owed:
            found.wrong.append(f"{found.owed} were said, {found.got} came, {unknown} are unknown")
        if len(there.as_hers()) != found.hers:
            found.wrong.append(f"{len(there.as_hers())} of her words were posted, {found.hers} were hers")
        return found

    return asyncio.run(play())


async def _step(there: Both, step: str, found: Found) -> None:
    network, texts, mails = there.bea.endpoint.network, len(there.phone.shows), len(there.post.delivered)
    consented = there.bea.endpoint.content_consent is not None
    match step:
        case "words":
            await there.writes(f"word {found.owed}.")
            found.owed += 1
        case "mail" | "telephone":
            await there.moves(TO_MAIL if step == "mail" else TO_TELEPHONE)
        case "consent":
            await there.agrees()
        case "discreet" | "open":
            await there.writes(f"!discreet Bea {'on' if step == 'discreet' else 'off'}", "Mia")
        case "she writes":
            found.hers += there.bea.endpoint.network is Network.WHATSAPP
            await there.says("from the telephone")
        case "lost" | "unanswered":
            # Of the next thing that leaves, on whichever network, nobody says whether it arrived. It did not, or did.
            mishap = Mishap.NO_ANSWER if step == "lost" else Mishap.TAKEN_NO_ANSWER
            there.post.verdicts, there.graph.mishaps = [Unknown("no answer")], deque([mishap])
            there.post.silence_delivers = step == "unanswered"
        case _:
            await there.goes_out()
            await there.goes_out()
    if len(there.phone.shows) > texts and (network is not Network.WHATSAPP or not consented) and step == "out":
        found.wrong.append("something came on a telephone that is not hers now, or without her consent")
    if len(there.post.delivered) > mails and (network is not Network.EMAIL or not consented):
        found.wrong.append("words came into a mailbox that is not hers now, or without her consent")
    there.later(minutes=1)


@given(st.lists(st.sampled_from(STEPS), max_size=14))
def test_everything_comes_once_over_the_channel_she_has(steps: list[str]) -> None:
    assert played(steps).wrong == []


MOVED = ["words", "mail", "out", "consent", "words", "out", "she writes", "words"]


def test_words_that_waited_come_over_the_new_channel() -> None:
    found = played(MOVED)
    assert (found.wrong, found.got) == ([], 3)


def test_a_mailbox_that_is_written_to_without_a_consent_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    for where in ("appservice.mail.courier", "policies.people.joining"):
        monkeypatch.setattr(f"{where}.by_link", lambda _: False)
    assert played(["words", "mail", "out"]).wrong


@pytest.mark.parametrize("moves", [[], ["mail", "consent"]], ids=["WhatsApp", "mail"])
def test_what_nobody_answered_for_sent_again_is_caught(moves: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    history = ["consent", *moves, "out", "words", "unanswered", "out", "out"]
    assert played(history).wrong == []
    carry = Both.goes_out

    async def again(there: Both) -> None:
        await carry(there)
        for item in there.for_bea():
            if item.state is State.UNKNOWN:
                async with there.database.begin() as work:
                    await work.outbox.revive(item.id)
        await carry(there)

    monkeypatch.setattr(Both, "goes_out", again)
    assert played(history).wrong == ["word 0 came 2 times"]


def test_a_courier_that_still_writes_to_the_former_channel_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    history = ["out", "mail", "consent", "words", "out"]
    assert played(history).wrong == []
    load, former = deliver._load, Both().first.people[-1]

    async def stale(work: Work, case_id: CaseId, *, lock: bool = False) -> Case:
        case = await load(work, case_id, lock=lock)
        return case.with_person(replace(named(case, "Bea"), endpoint=former.endpoint))

    monkeypatch.setattr(deliver, "_load", stale)
    assert "something came on a telephone that is not hers now, or without her consent" in played(history).wrong


def test_a_former_number_that_still_speaks_as_her_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    assert played(["mail", "she writes"]).wrong == []
    first = Both().first.people[-1]
    monkeypatch.setattr("appservice.whatsapp.reader.on_whatsapp", lambda case, _: [case.person(first.id)])
    monkeypatch.setattr("tests.fakes.memory.MemoryCases.of_address", _always)
    assert played(["mail", "she writes"]).wrong


async def _always(*_: object) -> tuple[str, ...]:
    return ("1042",)
