"""What people reported to the homeserver from their clients (Synapse's admin API, "Show reported events").

Clients send a report there and nowhere else (client-server API, "Reporting Content"), so an administrator's token is
what it takes to see it.
"""

from __future__ import annotations

from dataclasses import field
from typing import Final

from appservice.matrix.client import Connection, misshapen
from appservice.matrix.media import ADMIN_V1
from policies.frozen import frozen

AT_ONCE: Final = 50
"""In one answer."""


@frozen
class EventReport:
    """Somebody reported an event, as the homeserver has it. `reason` may be anything, and is in clear there."""

    number: int
    room: str
    event: str
    reporter: str
    reason: str = field(repr=False)


class EventReports:
    """The latest first."""

    def __init__(self, connection: Connection) -> None:
        self._http = connection

    async def page(self, start: int = 0) -> tuple[EventReport, ...]:
        """At most `AT_ONCE` of them, from the `start`th on. Raises MatrixError."""
        query = {"limit": str(AT_ONCE), "from": str(start), "dir": "b"}
        answer = await self._http.call("GET", f"{ADMIN_V1}/event_reports", as_user=None, query=query)
        found = answer.get("event_reports")
        if not isinstance(found, list):
            raise misshapen("GET event_reports")
        return tuple(report for one in found if (report := _report(one)))


def _report(one: object) -> EventReport | None:
    match one:
        case {"id": int(number), "room_id": str(room), "event_id": str(event), "user_id": str(reporter), **rest}:
            reason = rest.get("reason")
            return EventReport(number, room, event, reporter, reason if isinstance(reason, str) else "")
        case _:
            return None
