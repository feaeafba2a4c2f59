"""What ends when a case becomes another: addresses and sessions of former channels, and what was kept for a while."""

from __future__ import annotations

from policies.case import Case, Network
from rooms.ports import Work


async def end_what_is_over(work: Work, before: Case | None, case: Case) -> None:
    """Within the unit of work that stores the case."""
    for person in before.people if before else ():
        now = case.person(person.id)
        if now is None or now.endpoint.id != person.endpoint.id:
            await work.addresses.revoke(case.id, person.endpoint.id)
            await work.shelf.end_sessions(case.id, person.id)
    was, now_is = before.closing if before else None, case.closing
    if now_is and now_is.expired and not (was and was.expired):
        for person in case.people:
            if person.endpoint.network is Network.EMAIL:
                await work.addresses.revoke(case.id, person.endpoint.id)
    if now_is and now_is.destroyed and not (was and was.destroyed):
        await work.mails.destroy(case.id)
