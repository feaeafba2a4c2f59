"""Reports about our own messages, from the inbox. They come in any order, and twice: the furthest counts.

What was reported as failed did certainly not arrive: it is sent again by itself where the window had closed. What was
*unknown* and is reported as sent did leave.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from appservice.ports import ServiceWork
from appservice.worker import Fate, Finished
from bridges.whatsapp.convert_in import read_status
from bridges.whatsapp.faults import Fault, Remedy, fault
from bridges.whatsapp.incoming import Progress, Status
from policies.case import Case, Doubt, Person, Seen
from policies.effects import Relay
from policies.whatsapp import WhatsAppState, decide_again, decide_arrived, decide_doubt, decide_failed, further
from rooms.apply import Codec
from rooms.handle import Handler, House
from rooms.messages import SentPart
from rooms.ports import Item, ItemId, State

_STATES = {
    Progress.SENT: WhatsAppState.SENT,
    Progress.DELIVERED: WhatsAppState.DELIVERED,
    Progress.READ: WhatsAppState.READ,
    Progress.FAILED: WhatsAppState.FAILED,
}


class StatusReader:
    """Reads reports from the inbox."""

    def __init__(self, codec: Codec, house: House) -> None:
        self._codec, self._house = codec, house

    async def read(self, work: ServiceWork, item: Item) -> Fate:
        """Read one report, and have it handled."""
        status = read_status(json.loads(item.body))
        about, number = ours(status.ours)
        sent = await work.outbox.get(about) if about else None
        case = await work.cases.load(sent.case, lock=True) if sent and sent.case else None
        if sent and case:
            handler = Handler(work, self._codec, self._house, item.id, datetime.now(UTC))
            part = next((p for p in await work.whatsapp.of_item(sent.id) if p.part == number), None)
            person = case.person(part.person) if part else None
            if part and person:
                await _part(_Report(work, handler, case, person, sent, part, status, self._codec))
            elif status.progress is Progress.FAILED:
                await handler.tell_desk(case.id, f"A WhatsApp message did not arrive: {_fault(status).words}.")
        await work.inbox.done(item.id, "report")
        return Finished()


@dataclass(frozen=True, slots=True)
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


async def _part(report: _Report) -> None:
    work, part, sent = report.work, report.part, report.sent
    if report.status.progress is None:
        return
    state = further(part.state, _STATES[report.status.progress])
    if state is part.state:
        return
    detail = _fault(report.status).words if state is WhatsAppState.FAILED else ""
    await work.whatsapp.keep(replace(part, state=state, detail=detail, at=datetime.now(UTC)))
    if state is WhatsAppState.FAILED:
        await _failed(report, _fault(report.status))
    elif part.state is WhatsAppState.FAILED:
        await _arrived_after_all(report)
    elif sent.state is State.UNKNOWN:
        await _left(report)


async def _left(report: _Report) -> None:
    """It did leave: what is left of the item is sent, if anything is."""
    work, sent = report.work, report.sent
    parts = await work.whatsapp.of_item(sent.id)
    if any(part.state.uncertain for part in parts):
        return
    if len(parts) == parts[0].parts and all(part.state.left for part in parts):
        await work.outbox.done(sent.id, "reported as sent")
    else:
        await work.outbox.revive(sent.id)
    await report.handler.follow(report.case, decide_arrived(report.case, report.person))


async def _failed(report: _Report, wrong: Fault) -> None:
    work, case, person, part = report.work, report.case, report.person, report.part
    if wrong.remedy is Remedy.WINDOW:
        number = report.status.number
        thread = await work.whatsapp.thread(case.id, part.endpoint, number)
        await work.whatsapp.keep_thread(case.id, part.endpoint, number, replace(thread, heard_at=None))
    if wrong.remedy is Remedy.VERIFY and person.endpoint.doubt is None:
        shown = replace(person.endpoint.seen or Seen(), key=None)
        case = await report.handler.follow(case, decide_doubt(case, person, Doubt(wrong.words, shown)))
    retried = wrong.remedy in {Remedy.WINDOW, Remedy.RETRY, Remedy.VERIFY}
    again = retried and await _repeat(report, case)
    await report.handler.follow(case, decide_failed(case, person, wrong.words, again=again))


async def _repeat(report: _Report, case: Case) -> bool:
    """Send it again, behind what is on its way; whether that can be done. Of a text that went out in parts, only a
    person can tell what is still wanted."""
    sent, part = report.sent, report.part
    if sent.state is State.UNKNOWN:
        return await report.work.outbox.revive(sent.id)
    entry = await report.work.journal.get(case.id, part.message) if part.message else None
    if sent.state is not State.DONE or entry is None or part.parts > 1:
        return False
    said = entry.message
    relay = Relay(said.id, said.conversation, said.author, said.content, report.person.id, said.reply_to)
    await report.handler.follow(case, decide_again(case, relay))
    return True


async def _arrived_after_all(report: _Report) -> None:
    """What was to go out again need not, unless it is on its way."""
    outbox = report.work.outbox
    for copy in await outbox.in_state((State.READY, State.PARKED), report.case.id):
        effect = report.codec.load(copy.body)
        same = isinstance(effect, Relay) and (effect.message, effect.to) == (report.part.message, report.person.id)
        if same and not copy.sending:
            await outbox.stop(copy.id, State.CANCELLED, "it has arrived after all")


def ours(opaque: str) -> tuple[ItemId | None, int]:
    """The outbox's item and the number of its part that a report is about."""
    item, _, part = opaque.rpartition("/")
    return (ItemId(item) if item else None), int(part) if part.isdecimal() and len(part) < 6 else -1


def _fault(status: Status) -> Fault:
    return fault(status.codes[0] if status.codes else 0)
