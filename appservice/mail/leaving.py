"""How a mail leaves once: who may send it, and what an attempt comes to (I5)."""

from __future__ import annotations

from typing import assert_never

from appservice.ports import ServiceWork
from bridges.email.api import Accepted, Refused, SendResult
from bridges.unsent import NotSent, Unknown
from rooms.homeserver import Trouble
from rooms.outcome import Outcome, Sent, Unanswered
from rooms.ports import Item, State


async def is_with_another(work: ServiceWork, item: Item) -> bool:
    """Whether another process has taken it over, because this one stood still for longer than its lease. Locks it."""
    now = await work.outbox.get(item.id, lock=True)
    return now is None or now.sending or now.state is not State.READY


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
