"""What each act of the page is: one function an act, by the name under which the page stored it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final, assert_never

from appservice.reading import message_id
from policies.case import JOINT, Case, Conversation, Person
from policies.commands.redacting import RedactDocument, area_from, wished
from policies.documents.redaction import decide_refused
from policies.effects import Decision
from policies.frozen import frozen
from policies.message import Message, MessageId, PinnedLink, Text
from policies.networks.digest import read_times
from policies.networks.portal import decide_again, decide_digest, decide_discreet, decide_locked, decide_paused
from policies.outcome import Done, Facts, Refused
from policies.people.membership import caucuses_of, conversations
from policies.questions.asking import Answer, read_answer
from policies.words.text import clean
from rooms.handle import Handler
from rooms.queue import Item


@frozen
class Act:
    """Who did what. `facts`: of the organisation, as of when it was done."""

    item: Item
    case: Case
    person: Person
    values: Mapping[str, str]
    facts: Facts

    @property
    def message(self) -> MessageId:
        """The message that it is about."""
        return MessageId(self.values.get("message", ""))


async def _say(handler: Handler, act: Act) -> None:
    where = _conversation(act.case, act.values.get("room", ""))
    if where:
        text = Text(clean(act.values.get("text", "").replace("\r\n", "\n")))
        at, name = act.item.received_at, message_id(act.item)
        said = Message(name, act.person.id, where, text, PinnedLink(), at, native=False)
        await handler.message(act.case.id, said, None, None)


async def _answer(handler: Handler, act: Act) -> None:
    case, person = act.case, act.person
    word = "yes" if act.values.get("yes") == "yes" else "no"
    given = read_answer(f"{word} {act.values.get('code', '')}")
    if given is None:
        return  # no button of ours says that, and what stands there would be words to the desk
    code, yes = given
    ask = next((a for a in case.asks if a.code == code and a.asked == person.id), None)
    # To a question that is closed it is an answer, too: one that does not count, and they must know.
    where = ask.where if ask else next(iter(caucuses_of(case, person.id)), JOINT)
    await handler.answer(case.id, Answer(code, yes, person.id, where, PinnedLink()), act.item.received_at)


async def _mine(handler: Handler, act: Act) -> None:
    await handler.mine(act.case, act.person, act.message)


async def _counts(handler: Handler, act: Act) -> None:
    await handler.counts(act.case, act.person, act.message)


async def _pause(handler: Handler, act: Act) -> None:
    await handler.follow(act.case, decide_paused(act.case, act.person))


async def _digest(handler: Handler, act: Act) -> None:
    times = read_times(act.values.get("times", ""))
    if not isinstance(times, str) or act.values.get("times") == "off":
        chosen = None if isinstance(times, str) else times
        await handler.follow(act.case, decide_digest(act.case, act.person, chosen))


async def _discreet(handler: Handler, act: Act) -> None:
    await handler.follow(act.case, decide_discreet(act.case, act.person, on=act.values.get("on") == "yes"))


async def _redact(handler: Handler, act: Act) -> None:
    """As if they had said the command where the document belongs (`!doc redact`)."""
    case, by, wish = act.case, act.person.id, _wish(act.values)
    if wish is None:
        raise ValueError("a wish that the page does not store")
    document = case.document(wish.number.partition(".")[0])
    where = document.home if document else next(iter(caucuses_of(case, by)), JOINT)
    outcome = wish.perform(case, replace(act.facts, where=where))
    match outcome:
        case Done():
            decision = Decision(outcome.case, outcome.in_order, "redaction-wished", outcome.answer)
        case Refused():
            decision = decide_refused(case, by, outcome.told)
        case _:
            assert_never(outcome)
    await handler.follow(case, decision)


async def _again(handler: Handler, act: Act) -> None:
    await handler.follow(act.case, decide_again(act.case, act.person, act.facts))


async def _locked(handler: Handler, act: Act) -> None:
    await handler.follow(act.case, decide_locked(act.case, act.person))


ACTS: Final[Mapping[str, Callable[[Handler, Act], Awaitable[None]]]] = MappingProxyType(
    {
        "say": _say,
        "answer": _answer,
        "mine": _mine,
        "counts": _counts,
        "pause": _pause,
        "digest": _digest,
        "discreet": _discreet,
        "redact": _redact,
        "again": _again,
        "locked": _locked,
    }
)
"""All but `enrol`, which stores others (`appservice.portal.reader`)."""


def _wish(values: Mapping[str, str]) -> RedactDocument | None:
    areas = (area_from(one) for one in values.get("areas", "").split())
    words = tuple(values.get("words", "").splitlines())
    return wished(values.get("which", ""), tuple(area for area in areas if area), words)


def _conversation(case: Case, named: str) -> Conversation | None:
    """The room that a form named. What was written for all just as the joint room went is kept for the mediator."""
    return JOINT if named == JOINT.id else next((c for c in conversations(case) if c.id == named), None)
