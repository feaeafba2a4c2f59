"""How a mail leaves once: who may send it, and what an attempt comes to (I5)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import assert_never

from appservice.ports import ServiceWork
from bridges.email.api import Accepted, Refused, SendResult
from bridges.unsent import NotSent, Unknown
from policies.case import EndpointId
from rooms.homeserver import Trouble
from rooms.letters import Enclosed
from rooms.messages import is_begun_elsewhere
from rooms.outcome import Outcome, Sent, Unanswered
from rooms.queue import Item, State


async def is_with_another(work: ServiceWork, item: Item) -> bool:
    """Whether another process has taken it over, because this one stood still for longer than its lease. Locks it."""
    now = await work.outbox.get(item.id, lock=True)
    return now is None or now.sending or now.state is not State.READY


async def still_waiting(work: ServiceWork, more: Sequence[Enclosed], channel: EndpointId) -> tuple[Enclosed, ...]:
    """Those that nobody else has sent or ended meanwhile, and of which nothing went elsewhere. Locks them."""
    found: list[Enclosed] = []
    for one in more:
        now = await work.outbox.get(one.item.id, lock=True)
        if now is None or now.state not in {State.READY, State.PARKED} or now.sending or now.progress is not None:
            continue
        if not is_begun_elsewhere(await work.whatsapp.of_item(now.id), channel):
            found.append(one)
    return tuple(found)


async def wait_again(work: ServiceWork, more: Sequence[Enclosed], mail: str) -> None:
    """What was enclosed in that mail, which certainly did not leave, is to be sent like everything else."""
    at = datetime.now(UTC)
    for one in more:
        now = await work.outbox.get(one.item.id, lock=True)
        if now and now.progress == mail.encode():
            await work.outbox.mark_sending(now.id, None)
            await work.outbox.retry(now.id, at, "the mail that it was to leave in did not", now.failing_since or at)


def outcome_of(result: SendResult) -> Outcome:
    """What became of the item whose mail that was. Raises Trouble where it certainly did not leave."""
    match result:
        case Accepted(reply):
            return Sent(reply)
        case Unknown(reason):
            return Unanswered(reason)
        case NotSent(reason):
            raise Trouble(reason, transient=True)
        case Refused(code, permanent, why):
            raise Trouble(f"the mail server said no: {code} {why}", transient=not permanent)
        case _:
            assert_never(result)
