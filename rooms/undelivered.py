"""What did not arrive, or perhaps not: what people said or were told, not the marks that show what became of it."""

from policies.case import CaseId
from rooms.marks import is_mark
from rooms.ports import Work
from rooms.queue import Item, State

_ENDED = (State.DEAD, State.UNKNOWN)


async def undelivered(work: Work, case: CaseId | None = None) -> tuple[Item, ...]:
    """Of a case, or of all, the oldest first. A mark that can't be posted is nobody's message, nor to be repeated."""
    return tuple(item for item in await work.outbox.in_state(_ENDED, case) if not is_mark(item.lane))
