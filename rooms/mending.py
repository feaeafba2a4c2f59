"""Whether a case's rooms are being put in order: so long, one that is not as it should be is no cause for alarm."""

from __future__ import annotations

from policies.case import CaseId
from rooms.homeserver import Trouble
from rooms.outgoing import ROOMS
from rooms.ports import Database
from rooms.queue import State


async def not_while_mending(database: Database, case_id: CaseId) -> None:
    """A room that is being put in order, say because somebody was taken off, is no cause for alarm yet.

    Raises a transient Trouble: what is to be said waits in its place. If the room stays unfit, the reconciliation
    reports it.
    """
    async with database.begin() as work:
        due = await work.outbox.in_state((State.READY,), case_id)
    if any(item.kind == ROOMS for item in due):
        raise Trouble("the case's rooms are being put in order", transient=True)
