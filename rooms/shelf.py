"""What lies ready for people who read on a page, and the PINs that open it."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from policies.case import CaseId, EndpointId, PersonId
from rooms.queue import ItemId


class Shelf(Protocol):
    """What each person may read on the page: exactly what was decided for them, and what they said themselves."""

    async def put(self, case: CaseId, person: PersonId, item: ItemId, body: bytes, at: datetime) -> None:
        """Store one thing (`body`: an outgoing one), under the case's key. The same item again changes nothing."""

    async def new_pin(self, case: CaseId, person: PersonId) -> str:
        """Make that person's PIN; a former one stops working. It can't be read again."""

    async def new_link(
        self, case: CaseId, person: PersonId, endpoint: EndpointId, at: datetime, until: datetime
    ) -> str:
        """Make a link to that person's page, given over that endpoint of theirs; its secret, which can't be read
        again."""

    async def new_code(self, link: str, until: datetime) -> str:
        """Make a code that opens that link beside the PIN, once and until then; it can't be read again."""

    async def end_sessions(self, case: CaseId, person: PersonId) -> None:
        """Whatever page is open for that person closes."""
