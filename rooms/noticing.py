"""Mediators who asked for it are told elsewhere that something waits at a desk: that, and nothing else (M11)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

from policies.ask import Act, Proving, Reaching
from policies.case import DESK, Case, Network, PersonId
from policies.delivery import channel_key
from policies.effects import Decision, Tell
from policies.quiet import quiet_until
from rooms.outcome import Cancelled, Parked
from rooms.ports import Item, Lane, State, Work, item_id

NOTICE_EVERY: Final = timedelta(minutes=15)
"""What comes within this time is one notice, at its end."""
NOTICE_FAILED: Final = "notice-failed"
"""The rule by which the desk is told that a notice was not sent: nobody is noticed of that."""
_OWN_DOING: Final = frozenset({"command", "refused", "misunderstood", "taken-back", NOTICE_FAILED})


@dataclass(frozen=True, slots=True)
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


def _is_news(decision: Decision, by: PersonId | None) -> bool:
    """Whether the desk is told something that no mediator brought about."""
    told = any(isinstance(effect, Tell) and effect.conversation == DESK for effect in decision.effects)
    own_doing = decision.case.is_staff(by) if by else decision.rule in _OWN_DOING
    return told and not own_doing


async def put_notices(work: Work, codec: Writes, decision: Decision, by: PersonId | None, at: datetime) -> None:
    """If the desk has news: one notice to each mediator who wants it, at the end of this quarter of an hour."""
    case = decision.case
    slot = int(at.timestamp() // NOTICE_EVERY.total_seconds()) + 1
    due = datetime.fromtimestamp(slot * NOTICE_EVERY.total_seconds(), UTC)
    for person in case.people if _is_news(decision, by) else ():
        if person.noticed and case.is_staff(person.id):
            lane = notice_lane(case, person.id)
            body = codec.dump(DeskNotice(person.id, person.noticed.address, network=person.noticed.network))
            # Parked, so that a code does not wait behind it.
            name = item_id(f"{lane}/{slot}")
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
    until = quiet_until(person.quiet, at)
    return Parked(channel_key(case, person.endpoint.id), "it is quiet there", until) if until else None


def _goes_to(case: Case, act: Act, notice: DeskNotice) -> bool:
    """Whether that question's code is sent to that address."""
    if isinstance(act, Proving):
        invited = case.person(act.person)
        return notice.invites and invited is not None and invited.endpoint.address == notice.to
    return act == Reaching(notice.person, notice.to, notice.network)
