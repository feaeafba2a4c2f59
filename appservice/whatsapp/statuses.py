"""Reports about our own messages, from the inbox. They come in any order, and twice: the furthest counts.

What was reported as failed did certainly not arrive: it is sent again by itself where the window had closed. What was
*unknown* and is reported as sent did leave.
"""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import assert_never

from appservice.ports import ServiceWork
from appservice.whatsapp.callback import ours
from appservice.worker import Fate, Finished
from bridges.whatsapp.convert_in import read_status
from bridges.whatsapp.faults import Fault, Remedy, fault
from bridges.whatsapp.incoming import Progress, Status
from policies.case import Case, Doubt, Person, PersonId, Seen
from policies.effects import Relay
from policies.frozen import frozen
from policies.message import MessageId, Reaction, Removal
from policies.networks.noticing import NOTICE_FAILED
from policies.networks.reactions import decide_reaction_failed
from policies.networks.states import MessageState
from policies.networks.whatsapp import (
    Again,
    WhatsAppState,
    decide_again,
    decide_arrived,
    decide_doubt,
    decide_failed,
    decide_not_asked,
    further,
)
from policies.people.intake import decide_reached, decide_unreached
from policies.undoing.recalling import name_of_removal
from rooms.handle import Handler
from rooms.house import House
from rooms.lanes import stranger_of
from rooms.marks import Mark, show
from rooms.messages import SentPart, is_begun_elsewhere
from rooms.noticing import is_notice
from rooms.outgoing import Codec
from rooms.ports import Entry
from rooms.queue import Item, ItemId, State

_STATES = {
    Progress.SENT: WhatsAppState.SENT,
    Progress.DELIVERED: WhatsAppState.DELIVERED,
    Progress.READ: WhatsAppState.READ,
    Progress.FAILED: WhatsAppState.FAILED,
}
_ARRIVED = frozenset({WhatsAppState.DELIVERED, WhatsAppState.READ})


class StatusReader:
    """Reads reports from the inbox."""

    def __init__(self, codec: Codec, house: House) -> None:
        self._codec, self._house = codec, house

    async def read(self, work: ServiceWork, item: Item) -> Fate:
        """Read one report, and have it handled."""
        status = read_status(json.loads(item.body))
        about = ours(status.ours)
        sent = await work.outbox.get(about.item) if about else None
        case = await work.cases.load(sent.case, lock=True) if sent and sent.case else None
        if about and sent and case:
            handler = Handler(work, self._codec, self._house, item.id, datetime.now(UTC))
            parts = [p for p in await work.whatsapp.of_item(sent.id) if about.channel in {None, p.endpoint}]
            part = next((p for p in parts if p.part == about.part), None)
            person = case.person(about.asked or (part.person if part else PersonId("")))
            if case.triage is not None:
                await self._to_stranger(work, handler, case, sent, status)
            elif is_notice(sent.lane):
                await _notice(work, handler, case, sent, status)
            elif part and person:
                await _part(_Report(work, handler, case, person, sent, part, status, self._codec, item.id))
            elif person and about.asked and status.progress is Progress.FAILED:
                await handler.follow(case, decide_not_asked(case, person, _fault(status).words))
        await work.inbox.done(item.id, "report")
        return Finished()

    async def _to_stranger(self, work: ServiceWork, handler: Handler, case: Case, sent: Item, status: Status) -> None:
        """About an answer to somebody who takes part in no case: the triage desk hears what it would not expect."""
        to = stranger_of(sent.lane)
        if to is None:
            return
        if status.progress is Progress.FAILED:
            await handler.follow(case, decide_unreached(case, to, _fault(status).words))
        elif sent.state in {State.READY, State.UNKNOWN} and status.progress is not None:
            # A report may come before the answer, or instead of it.
            await work.outbox.done(sent.id, "reported as sent")
            if sent.state is State.UNKNOWN:
                await handler.follow(case, decide_reached(case, to))


async def _notice(work: ServiceWork, handler: Handler, case: Case, sent: Item, status: Status) -> None:
    """About a notice to a mediator, or the code that shows whose number it is."""
    if status.progress is Progress.FAILED:
        text = f"A WhatsApp message that tells of this desk was not delivered: {_fault(status).words}. !notify sets it."
        await handler.tell_desk(case.id, text, rule=NOTICE_FAILED)
    elif sent.state is State.UNKNOWN and status.progress is not None:
        await work.outbox.done(sent.id, "reported as sent")


@frozen
class _Report:
    """A report, and what it is about."""

    work: ServiceWork
    handler: Handler
    case: Case
    person: Person
    sent: Item
    part: SentPart
    status: Status
    codec: Codec
    by: ItemId
    """The item that brought it."""


async def _part(report: _Report) -> None:
    work, part, sent = report.work, report.part, report.sent
    if report.status.progress is None or (part.wamid and report.status.id not in {"", part.wamid}):
        # A mediator had it sent again: a report of the first attempt says nothing of the second.
        return
    state = further(part.state, _STATES[report.status.progress])
    if state is part.state:
        return
    detail = _fault(report.status).words if state is WhatsAppState.FAILED else ""
    await work.whatsapp.keep(replace(part, state=state, detail=detail, wamid=part.wamid or report.status.id))
    if part.message and not part.wamid and report.status.id:
        # Its answer was lost: what answers it is told by the id that a report has.
        await work.journal.link_mail(report.case.id, part.message, report.status.id)
    await _arriving(report)
    if state is WhatsAppState.FAILED:
        await _failed(report, _fault(report.status))
    elif part.state is WhatsAppState.FAILED:
        await _arrived_after_all(report)
    elif sent.state is State.UNKNOWN:
        await _left(report)


async def _arriving(report: _Report) -> None:
    """That all of it has left, where that was not certain, or has arrived."""
    parts = await report.work.whatsapp.of_item(report.sent.id)
    if len(parts) < report.part.parts or not all(part.state.left for part in parts):
        return
    if all(part.state in _ARRIVED for part in parts):
        if report.part.state not in _ARRIVED:
            await _show(report, MessageState.DELIVERED)
    elif report.part.state is WhatsAppState.UNKNOWN:
        await _show(report, MessageState.SENT)


async def _show(report: _Report, state: MessageState) -> Case:
    """How far somebody's words have come, where they stand; that they were read is not shown (`networks.states`)."""
    work, case, message = report.work, report.case, report.part.message
    entry = await work.journal.get(case.id, message) if message else None
    if entry is None or message is None or _is_reaction(entry):
        return case
    mark = Mark(entry.message.conversation, message, report.person.id, state, report.sent.id)
    said = await show(work, report.codec, case, mark, by=report.by, at=datetime.now(UTC))
    return await report.handler.follow(case, said) if said else case


async def _left(report: _Report) -> None:
    """It did leave: what is left of the item is sent, if anything is."""
    work, sent = report.work, report.sent
    parts = await work.whatsapp.of_item(sent.id)
    if any(part.state.uncertain for part in parts):
        return
    if len(parts) == parts[0].parts and all(part.state.left for part in parts):
        await work.outbox.done(sent.id, "reported as sent")
    elif is_begun_elsewhere(parts, report.person.endpoint.id):
        return  # Whether the rest is still wanted, over the channel that is theirs now, a person says.
    else:
        await work.outbox.revive(sent.id)
    await report.handler.follow(report.case, decide_arrived(report.case, report.person))


async def _failed(report: _Report, wrong: Fault) -> None:
    work, case, person, part = report.work, report.case, report.person, report.part
    if wrong.remedy is Remedy.WINDOW:
        await work.whatsapp.shut(case.id, part.endpoint, report.status.number, part.at)
    if wrong.remedy is Remedy.VERIFY and person.endpoint.doubt is None:
        shown = replace(person.endpoint.seen or Seen(), key=None)
        case = await report.handler.follow(case, decide_doubt(case, person, Doubt(wrong.words, shown)))
    entry = await work.journal.get(case.id, part.message) if part.message else None
    if entry and _is_reaction(entry):
        await _reaction_failed(report, case, wrong, removed=isinstance(entry.message.content, Removal))
        return
    again = await _again(report, wrong)
    if again and not await _repeat(report, case):
        again = None
    if again is None:
        case = await _show(replace(report, case=case), MessageState.FAILED)
    await report.handler.follow(case, decide_failed(case, person, wrong.words, again))


async def _reaction_failed(report: _Report, case: Case, wrong: Fault, *, removed: bool) -> None:
    """Nobody is asked to send it again. One that is still on its way is told of where it ends (`courier`)."""
    if report.sent.state is State.READY:
        return
    if report.sent.state is State.UNKNOWN:
        await report.work.outbox.stop(report.sent.id, State.CANCELLED, wrong.words)
    await report.handler.follow(case, decide_reaction_failed(case, report.person, wrong.words, removed=removed))


async def _again(report: _Report, wrong: Fault) -> Again | None:
    """When it would go out once more, if it did."""
    match wrong.remedy:
        case Remedy.RETRY:
            return Again.NOW
        case Remedy.VERIFY:
            return Again.SURE
        case Remedy.WINDOW:
            thread = await report.work.whatsapp.thread(report.case.id, report.part.endpoint, report.status.number)
            return Again.NOW if thread.is_open(datetime.now(UTC)) else Again.WRITTEN
        case Remedy.GIVE_UP | Remedy.ALARM:
            return None
        case _:
            assert_never(wrong.remedy)


async def _repeat(report: _Report, case: Case) -> bool:
    """Send it again, behind what is on its way; whether that can be done. By itself that is done once, and not with a
    text that went out in parts, or that may have arrived: only a person can tell what is still wanted (I5)."""
    work, sent, part = report.work, report.sent, report.part
    if part.parts > 1 or any(one.state.uncertain for one in await work.whatsapp.of_item(sent.id)):
        return False
    if part.message and await work.whatsapp.carrying(case.id, part.person, part.message) != {sent.id}:
        return False
    if part.message and await _is_removed(report, part.message):
        return False
    if sent.state is State.UNKNOWN:
        return await work.outbox.revive(sent.id)
    entry = await work.journal.get(case.id, part.message) if part.message else None
    if sent.state is not State.DONE or entry is None:
        return False
    said = entry.message
    relay = Relay(said.id, said.conversation, said.author, said.content, report.person.id, said.reply_to)
    await report.handler.follow(case, decide_again(case, relay))
    return True


def _is_reaction(entry: Entry) -> bool:
    """Whether what it carries is an emoji, or that one was taken back: words that were are told under another name."""
    return isinstance(entry.message.content, Reaction | Removal)


async def _is_removed(report: _Report, message: MessageId) -> bool:
    """Whether they were told that it was removed, or will be: what was taken back doesn't come after all."""
    work, case, name = report.work, report.case, name_of_removal(message)
    if await work.whatsapp.carrying(case.id, report.part.person, name):
        return True
    waiting = await work.outbox.in_lane(report.sent.lane)
    stopped = await work.outbox.in_state((State.DEAD, State.UNKNOWN), case.id)
    letters = (report.codec.load(item.body) for item in (*waiting, *stopped))
    return any(isinstance(one, Relay) and (one.message, one.to) == (name, report.person.id) for one in letters)


async def _arrived_after_all(report: _Report) -> None:
    """What was to go out again need not, unless it is on its way."""
    outbox = report.work.outbox
    for copy in await outbox.in_state((State.READY, State.PARKED), report.case.id):
        effect = report.codec.load(copy.body)
        same = isinstance(effect, Relay) and (effect.message, effect.to) == (report.part.message, report.person.id)
        if same and not copy.sending:
            await outbox.stop(copy.id, State.CANCELLED, "it has arrived after all")


def _fault(status: Status) -> Fault:
    return fault(status.codes[0] if status.codes else 0)
