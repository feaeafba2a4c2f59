"""Mediators who asked for it are told elsewhere that something waits at a desk: that, and nothing else (M11)."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from policies.case import Case, Network, PersonId
from policies.effects import Decision
from policies.frozen import frozen
from policies.networks.delivery import channel_key
from policies.networks.noticing import is_news, notice_due
from policies.networks.quiet import still_until
from policies.questions.ask import Act, Proving, Reaching
from rooms.outcome import Cancelled, Parked
from rooms.ports import Work
from rooms.queue import Item, Lane, State, item_id


@frozen
class DeskNotice:
    """To a mediator's mailbox or telephone: that something waits at the desk, or the code that shows whose it is.

    `invites`: it is that of somebody whom the mediator invites into the mediators' room.
    """

    person: PersonId
    to: str
    code: str | None = None
    network: Network = Network.EMAIL
    invites: bool = False


class Writes(Protocol):
    """Writes what is to be sent."""

    def dump(self, outgoing: DeskNotice, /) -> bytes: ...


async def put_notices(work: Work, codec: Writes, decision: Decision, by: PersonId | None, at: datetime) -> None:
    """If the desk has news: one notice to each mediator who wants it, at the end of this quarter of an hour."""
    case, due = decision.case, notice_due(at)
    for person in case.people if is_news(decision, by) else ():
        if person.noticed and case.is_staff(person.id):
            lane = notice_lane(case, person.id)
            body = codec.dump(DeskNotice(person.id, person.noticed.address, network=person.noticed.network))
            # Parked, so that a code does not wait behind it.
            name = item_id(f"{lane}/{due.isoformat()}")
            item = Item(name, lane, "people", case.id, body, at, state=State.PARKED, wait_key=lane, due_at=due)
            await work.outbox.put(item)


def notice_lane(case: Case, person: PersonId) -> Lane:
    """What a mediator is told of a case outside of Matrix, one after another."""
    return Lane(f"notice:{case.id}:{person}")


def is_notice(lane: Lane) -> bool:
    """Whether that is such a lane."""
    return lane.startswith("notice:")


async def kept_back(work: Work, case: Case, item: Item, notice: DeskNotice, at: datetime) -> Parked | Cancelled | None:
    """Why it isn't sent now: nobody wants it any more, it is quiet there, or a later one says the same."""
    person = case.person(notice.person)
    if person is None or not case.is_staff(person.id):
        return Cancelled("they are no mediator of this case any more")
    if notice.code:
        asked = any(a.code == notice.code and a.asked == person.id and _goes_to(case, a.act, notice) for a in case.asks)
        return None if asked else Cancelled("the code counts no more")
    if person.noticed is None or (person.noticed.network, person.noticed.address) != (notice.network, notice.to):
        return Cancelled("they are told there no more")
    if await work.outbox.behind(item):
        return Cancelled("a later one says the same")
    until = still_until(person.quiet, person.rests, at)
    return Parked(channel_key(case, person.endpoint.id), "it is quiet there", until) if until else None


def _goes_to(case: Case, act: Act, notice: DeskNotice) -> bool:
    """Whether that question's code is sent to that address."""
    if isinstance(act, Proving):
        invited = case.person(act.person)
        return notice.invites and invited is not None and invited.endpoint.address == notice.to
    return act == Reaching(notice.person, notice.to, notice.network)
