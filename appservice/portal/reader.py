"""What was done on the page, from the inbox: said, answered, confirmed, paused; like any other word of theirs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final, assert_never

from appservice.ports import ServiceWork
from appservice.reading import message_id
from appservice.worker import Fate, Finished
from policies.asking import Answer, read_answer
from policies.case import JOINT, Case, Conversation, Person
from policies.commands.redacting import RedactDocument, area_from, wished
from policies.digest import read_times
from policies.effects import Decision
from policies.membership import caucuses_of, conversations
from policies.message import Message, MessageId, PinnedLink, Text
from policies.outcome import Done, Refused
from policies.portal import decide_again, decide_digest, decide_locked, decide_paused
from policies.redaction import decide_refused
from policies.text import clean
from rooms.handle import Handler
from rooms.house import House
from rooms.outgoing import Codec
from rooms.queue import Item

_HANDLED: Final = "handled"


@dataclass(frozen=True, slots=True)
class _Act:
    """Who did what."""

    item: Item
    case: Case
    person: Person
    what: str
    values: Mapping[str, str]


class PortalReader:
    """Reads acts of the page."""

    def __init__(self, codec: Codec, house: House) -> None:
        self._codec, self._house = codec, house

    async def read(self, work: ServiceWork, item: Item) -> Fate:
        """Have one act handled. Whoever takes part no more has done nothing."""
        stored = json.loads(item.body)
        case = await work.cases.load(item.case, lock=True) if item.case else None
        person = case.person(stored["person"]) if case else None
        if case and person:
            handler = Handler(work, self._codec, self._house, item.id, datetime.now(UTC))
            await self._act(handler, _Act(item, case, person, stored["what"], stored["values"]))
        await work.inbox.done(item.id, _HANDLED)
        return Finished()

    async def _redact(self, handler: Handler, act: _Act) -> None:
        """As if they had said the command where the document belongs (`!doc redact`)."""
        case, by, wish = act.case, act.person.id, _wish(act.values)
        if wish is None:
            raise ValueError("a wish that the page does not store")
        document = case.document(wish.number.partition(".")[0])
        where = document.home if document else next(iter(caucuses_of(case, by)), JOINT)
        outcome = wish.perform(case, replace(self._house.facts(act.item.received_at, by, "", {}), where=where))
        match outcome:
            case Done():
                decision = Decision(outcome.case, outcome.in_order, "redaction-wished", outcome.answer)
            case Refused():
                decision = decide_refused(case, by, outcome.told)
            case _:
                assert_never(outcome)
        await handler.follow(case, decision)

    async def _act(self, handler: Handler, act: _Act) -> None:  # noqa: C901, PLR0912 (one arm a kind of act)
        item, case, person, values = act.item, act.case, act.person, act.values
        match act.what:
            case "say":
                where = _conversation(case, values.get("room", ""))
                if where:
                    text = Text(clean(values.get("text", "").replace("\r\n", "\n")))
                    at, name = item.received_at, message_id(item)
                    said = Message(name, person.id, where, text, PinnedLink(), at, native=False)
                    await handler.message(case.id, said, None, None)
            case "answer":
                word = "yes" if values.get("yes") == "yes" else "no"
                given = read_answer(f"{word} {values.get('code', '')}")
                if given is None:
                    return  # no button of ours says that, and what stands there would be words to the desk
                code, yes = given
                ask = next((a for a in case.asks if a.code == code and a.asked == person.id), None)
                # To a question that is closed it is an answer, too: one that does not count, and they must know.
                where = ask.where if ask else next(iter(caucuses_of(case, person.id)), JOINT)
                answer = Answer(code, yes, person.id, where, PinnedLink())
                await handler.answer(case.id, answer, item.received_at)
            case "enrol":
                await handler.enrolled(case, person, words=values.get("words") == "yes")
            case "mine":
                await handler.mine(case, person, MessageId(values.get("message", "")))
            case "pause":
                await handler.follow(case, decide_paused(case, person))
            case "digest":
                times = read_times(values.get("times", ""))
                if not isinstance(times, str) or values.get("times") == "off":
                    chosen = None if isinstance(times, str) else times
                    await handler.follow(case, decide_digest(case, person, chosen))
            case "redact":
                await self._redact(handler, act)
            case "again":
                await handler.follow(
                    case, decide_again(case, person, self._house.page if self._house.documents else None)
                )
            case "locked":
                await handler.follow(case, decide_locked(case, person))
            case _:
                raise ValueError("an act that the page does not have")


def _wish(values: Mapping[str, str]) -> RedactDocument | None:
    areas = (area_from(one) for one in values.get("areas", "").split())
    words = tuple(values.get("words", "").splitlines())
    return wished(values.get("which", ""), tuple(area for area in areas if area), words)


def _conversation(case: Case, named: str) -> Conversation | None:
    """The room that a form named. What was written for all just as the joint room went is kept for the mediator."""
    return JOINT if named == JOINT.id else next((c for c in conversations(case) if c.id == named), None)
