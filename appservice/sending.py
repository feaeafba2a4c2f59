"""Work off one outbox item, and tell the desk what it must know of it (hop four)."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Protocol, assert_never
from uuid import uuid4

from appservice.worker import Done, End, Fate, Finished, Park
from policies.case import CaseId, Kind, Network
from policies.documents.carrying import Enclose, Hand
from policies.effects import (
    AskWhose,
    Confide,
    Explain,
    Inform,
    Introduce,
    Pose,
    Post,
    Publish,
    Reconcile,
    Redact,
    Relay,
    Tell,
    WriteToStranger,
)
from policies.message import MessageId, Reaction
from policies.networks.noticing import NOTICE_FAILED
from policies.networks.states import MessageState
from policies.plan import desk_label
from policies.showing import Preview
from policies.undoing.recalling import is_early
from rooms.apply import REST_AT_MOST
from rooms.handle import Handler
from rooms.homeserver import Trouble
from rooms.house import House
from rooms.ids import EventId
from rooms.marks import Mark, is_mark, show
from rooms.noticing import DeskNotice
from rooms.outcome import Cancelled, Outcome, Parked, Sent, TakenOver, Unanswered
from rooms.outgoing import FILES, PEOPLE, Codec, MailHeads, Outgoing, Say
from rooms.polls import Poll, PollEnd
from rooms.ports import Database, Work
from rooms.precedence import Precedence
from rooms.provision import Report
from rooms.queue import Item, ItemId, State, item_id
from rooms.reports import Reports

logger = logging.getLogger(__name__)

LATE = timedelta(seconds=30)
"""What has been tried in vain for so long the desk is told of, once, and once more when it is sent after all."""
LETTERS_FOR = timedelta(days=1)
"""A letter is tried for so long: then it is given up, and a mediator decides whether it is still of use. What goes into
a room is never given up: its reader has not seen what comes after it, either."""
LOOK_FIRST, LOOK_AGAIN = timedelta(seconds=2), timedelta(minutes=1)
"""What waits is looked at this often even if nothing wakes it: it may have been woken just before it was set aside."""


class Delivers(Protocol):
    """Sends outbox items, as `rooms.deliver.Deliverer` does."""

    async def deliver(self, item: Item, outgoing: Outgoing) -> tuple[Outcome, Report]:
        """Send one item; the report is what the desk must be told about it. Raises Trouble."""

    async def stopped(self, work: Work, item: Item, outgoing: Outgoing) -> Parked | Cancelled | None:
        """Why it may not leave now, while nobody else can change its case; None for whatever has to be tried."""


class OutboxWork:
    """What the outbox's worker does."""

    def __init__(self, database: Database, deliverer: Delivers, codec: Codec, house: House) -> None:
        self._database, self._deliverer, self._codec, self._house = database, deliverer, codec, house
        self._reports, self._precedence = Reports(codec, house), Precedence()
        self._late: set[ItemId] = set()
        """Of what was said in this process that it is late. Saying it again in another changes nothing."""

    async def one(self, item: Item) -> Fate:
        """Deliver one item."""
        fate = await self._tried(item)
        self._late.discard(item.id)
        return fate

    async def named(self, item: Item) -> str:
        """What an item is, in a mediator's words, without content."""
        return await self._described(item, self._codec.load(item.body))

    async def _tried(self, item: Item) -> Fate:
        outgoing = self._codec.load(item.body)
        try:
            async with self._precedence.turn(item, outgoing):
                outcome, report = await self._deliverer.deliver(item, outgoing)
        except Trouble as trouble:
            if trouble.transient and not (item.kind == PEOPLE and _failing(item) >= LETTERS_FOR):
                await self._is_late(item, outgoing, trouble.why)
                raise
            return End(State.DEAD, f"{await self._described(item, outgoing)}: {trouble.why}")
        await self._report(item, report)
        match outcome:
            case Sent(event, shows):
                await self._is_sent_after_all(item, outgoing)
                return Done(event, partial(_link, item.case, shows, EventId(event)) if item.case and shows else None)
            case Parked() | Cancelled():
                return _set_aside(outcome, _rest(item))
            case TakenOver():
                return Finished()
            case Unanswered(why):
                return End(State.UNKNOWN, f"{await self._described(item, outgoing)}, which may have been sent: {why}")
            case _:
                assert_never(outcome)

    async def _shown(self, work: Work, item: Item, outgoing: Outgoing, state: MessageState) -> None:
        """How far somebody's words have come, where they stand. A reaction is none."""
        case = await work.cases.load(item.case) if item.case and isinstance(outgoing, Relay) else None
        if case is None or not isinstance(outgoing, Relay) or isinstance(outgoing.content, Reaction):
            return
        by, now = f"{item.attempts}/{item.failing_since}", datetime.now(UTC)
        mark = Mark(outgoing.conversation, outgoing.message, outgoing.to, state, item.id)
        said = await show(work, self._codec, case, mark, by=by, at=now)
        if said:
            name = item_id(f"{state}/{item.id}/{by}")
            await Handler(work, self._codec, self._house, name, now).follow(case, said)

    async def _is_late(self, item: Item, outgoing: Outgoing, why: str) -> None:
        """Still trying, for some time now: said once, so that nobody believes in a bridge that is down."""
        if _failing(item) < LATE or item.id in self._late or item.case is None or _is_untold(item):
            return
        if isinstance(outgoing, Relay) and is_early(outgoing, datetime.now(UTC)):
            return
        described = await self._described(item, outgoing)
        text = f"Not sent yet, and being tried again: {described}: {why}. I tell you when it is sent."
        await self._tell(item_id(f"late/{item.id}/{item.failing_since}"), item.case, text, outgoing)
        self._late.add(item.id)

    async def _is_sent_after_all(self, item: Item, outgoing: Outgoing) -> None:
        if _failing(item) < LATE or item.case is None or _is_untold(item):
            return
        minutes = _failing(item) // timedelta(minutes=1)
        after = f"after {minutes} minutes" if minutes > 1 else "after a moment"
        text = f"Sent now, {after} of trying: {await self._described(item, outgoing)}."
        await self._tell(item_id(f"sent/{item.id}/{item.failing_since}"), item.case, text, outgoing)

    async def quick(self, work: Work, items: Sequence[Item]) -> Sequence[Fate]:
        """What may not go now is set aside, or cancelled, without leaving the unit of work."""
        fates: list[Fate] = []
        for item in items:
            stopped = await self._deliverer.stopped(work, item, self._codec.load(item.body))
            if stopped is None:
                break
            # While nobody else could change its case: no waking can have been missed.
            fates.append(_set_aside(stopped))
        return fates

    async def after(self, item: Item, fate: Fate) -> None:
        """An item that was given up is told to the desk, unless it was itself something for the desk."""
        if isinstance(fate, End) and fate.state in {State.DEAD, State.UNKNOWN}:
            await self._ended(item, fate.state, fate.why)
        elif isinstance(fate, Done) and item.kind == PEOPLE:
            outgoing = self._codec.load(item.body)
            if isinstance(outgoing, Relay) and outgoing.conversation.kind is Kind.CAUCUS:
                async with self._database.begin() as work:
                    await self._shown(work, item, outgoing, MessageState.SENT)

    async def _ended(self, item: Item, state: State, why: str) -> None:
        logger.warning("an outbox item of kind %s ended as %s", item.kind, state)
        if item.case is None or _is_untold(item):
            return
        word = "Not delivered" if state is State.DEAD else "Perhaps not delivered"
        text = f"{word}: {why}. !dead lists, retries and discards."
        async with self._database.begin() as work:
            await work.cases.load(item.case, lock=True)
            now = await work.outbox.get(item.id)
            if now is not None and now.state is State.READY:
                # Ended in the same moment: each end is told, and once, however often a person has it tried again.
                identity = item_id(f"ended/{item.id}/{uuid4()}")
                handler = Handler(work, self._codec, self._house, identity, datetime.now(UTC))
                outgoing = self._codec.load(item.body)
                await handler.tell_desk(item.case, text, rule=_rule(outgoing))
                ended = MessageState.FAILED if state is State.DEAD else MessageState.UNKNOWN
                await self._shown(work, item, outgoing, ended)
                await work.outbox.stop(item.id, state, why)

    async def _report(self, item: Item, report: Report) -> None:
        if item.case is not None and report != Report():
            async with self._database.begin() as work:
                await self._reports.put(work, item, report, f"{item.attempts}")

    async def _tell(self, item: ItemId, case: CaseId, text: str, outgoing: Outgoing) -> None:
        async with self._database.begin() as work:
            handler = Handler(work, self._codec, self._house, item, datetime.now(UTC))
            await handler.tell_desk(case, text, rule=_rule(outgoing))

    async def _described(self, item: Item, outgoing: Outgoing) -> str:  # noqa: C901, PLR0912 (one arm a kind of effect)
        async with self._database.begin() as work:
            case = await work.cases.load(item.case) if item.case else None
        if case is None:
            return "something"
        match outgoing:
            case Post(conversation=where, author=author):
                person = case.person(author)
                return f"what {person.name if person else 'someone'} wrote for {desk_label(where, case)}"
            case Tell(where) | Explain(conversation=where):
                return f"a notice for {desk_label(where, case)}"
            case Relay(conversation=where, to=reader) | Introduce(reader, where) | AskWhose(reader, where):
                person = case.person(reader)
                letter = "a WhatsApp message" if person and person.endpoint.network is Network.WHATSAPP else "a mail"
                if isinstance(outgoing, Relay) and isinstance(outgoing.content, Reaction):
                    letter = "a reaction on WhatsApp"
                return f"{letter} to {person.name if person else 'someone'} from {desk_label(where, case)}"
            case PollEnd(where):
                return f"that a question is closed, in {desk_label(where, case)}"
            case Redact(where):
                return f"the removal of a message in {desk_label(where, case)}"
            case Publish(number, where) | Hand(number, conversation=where) | Enclose(number, conversation=where):
                kind = "release" if isinstance(outgoing, Publish) else "document"
                return f"the {kind} {number} for {desk_label(where, case)}"
            case Pose(to, where) | Inform(to, where) | Poll(to, where):
                person = case.person(to)
                kind = "a notice" if isinstance(outgoing, Inform) else "a question"
                return f"{kind} for {person.name if person else 'someone'} in {desk_label(where, case)}"
            case Confide(to):
                return f"a code for {case.name_of(to)}'s page"
            case WriteToStranger(to):
                return f"an answer to {to}"
            case Reconcile() | Preview():
                return "work on the case's rooms"
            case DeskNotice(person, network=network):
                return f"a notice by {'WhatsApp' if network is Network.WHATSAPP else 'mail'} to {case.name_of(person)}"
            case MailHeads():
                return "a mail with the heads of the record"
            case Say():
                return "an answer in a direct chat"
            case _:
                return "work on a file that somebody shared" if item.kind == FILES else "something"


async def _link(case: CaseId, message: MessageId, event: EventId, work: Work) -> None:
    await work.journal.link_event(case, message, event)


def _set_aside(outcome: Parked | Cancelled, look_again: timedelta = timedelta.max) -> Fate:
    match outcome:
        case Parked(key, why, until):
            rest = max(until - datetime.now(UTC), timedelta(seconds=1)) if until else REST_AT_MOST
            return Park(key, why, min(rest, look_again))
        case Cancelled(why):
            return End(State.CANCELLED, why)
        case _:
            assert_never(outcome)


def _rest(item: Item) -> timedelta:
    """As long again as it has waited, within limits: whoever has just written looks whether it arrives."""
    return min(max(datetime.now(UTC) - item.received_at, LOOK_FIRST), LOOK_AGAIN)


def _failing(item: Item) -> timedelta:
    """How long it has been tried in vain."""
    return datetime.now(UTC) - item.failing_since if item.failing_since else timedelta(0)


def _is_untold(item: Item) -> bool:
    """Nothing is told at the desk about what is itself told at the desk, or only shows what became of a message."""
    return item.lane == f"room:{item.case}:desk" or is_mark(item.lane)


def _rule(outgoing: Outgoing) -> str:
    """By which the desk is told what became of something; of a notice that was not sent nobody is noticed."""
    return NOTICE_FAILED if isinstance(outgoing, DeskNotice) else "report"
