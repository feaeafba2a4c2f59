"""Nothing from the mediators' room reaches a case or a stranger, nor the reverse, in any order and with any replay (I1,
I2); and every plain word of who is in it arrives with the others, once.
"""

import asyncio
from collections import Counter
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appservice.whatsapp import reader, webhooks
from policies.case import Case
from policies.effects import Post, Relay
from policies.names import MEDIATORS
from policies.networks import lines
from policies.people import membership
from policies.people.colleagues import ROOM
from policies.people.stranger import TRIAGE
from tests.appservice.whatsapp.colleagues import MAX, MIA, NORA, NORA_PHONE, MediatorsHouse, mediators_house
from tests.appservice.whatsapp.house import INTAKE_NUMBER
from tests.appservice.whatsapp.triage import STRANGER, USER
from tests.bridges.whatsapp.builders import BEA, BEA_PHONE, JOINT_NUMBER, PRIVATE
from tests.policies.builders import caucus_of

OLGA = "DE.0lga", "+491607777777"
"""Invited, and never heard with the code."""
WHOSE = {"Nora": (NORA, NORA_PHONE), "Bea": (BEA, BEA_PHONE), "Olga": OLGA, "stranger": (USER, STRANGER)}


@dataclass(frozen=True)
class Step:
    """Somebody says something: on WhatsApp to one of our numbers, or in Matrix (`number` is then empty)."""

    who: str
    number: str = ""
    kind: str = "words"
    again: bool = False


ODD: dict[str, Any] = {
    "words": {},
    "quote": {"context": {"id": "wamid.1"}},
    "reaction": {"type": "reaction", "reaction": {"emoji": "👍", "message_id": "wamid.1"}},
    "image": {"type": "image", "image": {"id": "m1", "mime_type": "image/png", "caption": "caption"}},
    "button": {"type": "interactive", "interactive": {"type": "button_reply", "button_reply": {"id": "4F2A.yes.abc"}}},
    "command": {"inner": {"body": "!party add Olga olga@example.org"}},
    "answer": {"inner": {"body": "yes 22A2"}},
    "stop": {"inner": {"body": "STOP"}},
    "start": {"inner": {"body": "START"}},
}
STEPS = st.lists(
    st.one_of(
        st.builds(
            Step,
            st.sampled_from([*WHOSE]),
            st.sampled_from([PRIVATE, PRIVATE, JOINT_NUMBER, INTAKE_NUMBER]),
            st.sampled_from(["words", "words", *ODD]),
            st.booleans(),
        ),
        st.builds(
            Step, st.sampled_from(["Mia at the desk", "Mia in the room", "Mia in Bea's room", "Max in the room"])
        ),
    ),
    max_size=10,
)


def _mine(number: int) -> str:
    return f"canary{number:04d}x"


async def _plays(there: MediatorsHouse, number: int, step: Step) -> None:
    canary = _mine(number)
    match step.who:
        case "Mia at the desk":
            await there.says_among_mediators(canary)
        case "Mia in the room" | "Max in the room":
            await there.says_among_mediators(canary, ROOM, by=MIA if "Mia" in step.who else MAX)
        case "Mia in Bea's room":
            await there.says_at_case(canary, caucus_of(there.case, "Jones"))
        case _:
            more = ODD[step.kind]
            inner = {"inner": {"body": canary}} if "type" not in more else {}
            hook = there.hook(WHOSE[step.who], step.number, f"wamid.{number + 1}", **(inner | more))
            for _ in range(2 if step.again else 1):
                await there.receive(hook)


def wrong(steps: list[Step]) -> list[str]:
    """What should not be as it is, after all that."""

    async def play() -> list[str]:
        there = await mediators_house()
        await there.nora_comes()
        await there.invites(f"!colleague add Olga {OLGA[1]}")
        for number, step in enumerate(steps):
            await _plays(there, number, step)
        return [*_strays(there, steps), *_missing(there, steps)]

    return asyncio.run(play())


def _belongs(step: Step) -> set[str]:
    """The cases in which that may be said. Who has said a wrong code, is a stranger."""
    if step.number == INTAKE_NUMBER or step.who == "stranger":
        return {TRIAGE}
    if step.who == "Olga":
        return {MEDIATORS, TRIAGE}
    return {"1042"} if "Bea" in step.who else {MEDIATORS}


def _strays(there: MediatorsHouse, steps: list[Step]) -> list[str]:
    there_is = [(item.case, item.body.decode()) for item in there.database.committed.outbox.items.values()]
    there_is += [(entry.case, str(entry.message.content)) for entry in there.database.committed.journal.values()]
    found = [
        f"what {step.who} said is kept or sent for {case}"
        for case, text in there_is
        for number, step in enumerate(steps)
        if _mine(number) in text and case not in _belongs(step)
    ]
    posts = [e for e in there.of_room() if isinstance(e, Post | Relay)]
    found += [f"something of the room in {e.conversation.id}" for e in posts if e.conversation != ROOM]
    others = [e for e in there.of_room(room=False) if isinstance(e, Post | Relay)]
    found += ["something of a case in the room" for e in others if e.conversation == ROOM]
    unproven = [_mine(number) for number, step in enumerate(steps) if step.who == "Olga"]
    return found + [f"{one} was never let in" for e in posts for one in unproven if one in str(e.content)]


def _missing(there: MediatorsHouse, steps: list[Step]) -> list[str]:
    posts = Counter(
        str(getattr(e.content, "body", "")) for e in there.of_room() if isinstance(e, Post) and e.conversation == ROOM
    )
    relays = Counter(str(getattr(e.content, "body", "")) for e in there.of_room() if isinstance(e, Relay))
    found = []
    for number, step in enumerate(steps):
        words = step.kind in {"words", "quote"}
        if step.who == "Nora" and step.number == PRIVATE and words and posts[_mine(number)] != 1:
            found.append(f"{_mine(number)} of Nora's stands {posts[_mine(number)]} times in the room")
        if step.who in {"Mia in the room", "Max in the room"} and relays[_mine(number)] != 1:
            found.append(f"{_mine(number)} goes {relays[_mine(number)]} times to Nora")
    return found


@given(STEPS)
def test_what_mediators_say_among_themselves_stays_there_and_arrives_there(steps: list[Step]) -> None:
    assert not wrong(steps)


HISTORY = [Step("Nora", PRIVATE), Step("Mia in the room"), Step("Bea", PRIVATE), Step("Olga", PRIVATE)]


def test_what_should_arrive_does() -> None:
    assert not wrong(HISTORY)


def test_a_number_that_leads_into_a_case_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    find = reader.find

    async def mistaken(work: Any, sender: Any, *, lock: bool = True) -> Any:
        return await find(work, type(sender)(BEA, BEA_PHONE) if sender.user == NORA else sender, lock=lock)

    monkeypatch.setattr(reader, "find", mistaken)
    assert wrong(HISTORY)


def test_a_party_who_is_taken_for_a_colleague_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    find = reader.find

    async def mistaken(work: Any, sender: Any, *, lock: bool = True) -> Any:
        return await find(work, type(sender)(NORA, NORA_PHONE) if sender.user == BEA else sender, lock=lock)

    # At the door, too: what came in for a case is for no other.
    monkeypatch.setattr(webhooks, "find", mistaken)
    monkeypatch.setattr(reader, "find", mistaken)
    assert wrong(HISTORY)


def test_a_channel_that_counts_before_its_code_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(membership, "is_proven", lambda case, person: True)
    assert wrong(HISTORY)


def test_a_colleague_whose_words_are_swallowed_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere(case: Case, person: object) -> tuple[()]:
        return ()

    monkeypatch.setattr(lines, "home_of", nowhere)
    assert wrong(HISTORY)
