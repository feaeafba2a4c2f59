"""Somebody who takes part by mail, and confirms on the page that the mailbox is theirs."""

from datetime import UTC, datetime
from typing import Final

from appservice.portal.page import PortalDatabase, Press, store_press
from appservice.portal.store import Whose
from policies.case import CaseId, Network

NONCE: Final = "confirmed"


async def confirms(database: PortalDatabase, case_id: CaseId, address: str, nonce: str = NONCE) -> None:
    """As they do behind the link that went there, with the PIN; and they agree to get words by mail."""
    async with database.begin() as work:
        case = await work.cases.load(case_id)
        person = case.at_address(Network.EMAIL, address) if case else None
        if person:
            whose = Whose(case_id, person.id)
            await store_press(
                work, Press(whose, nonce, "enrol", {"words": "yes"}, person.endpoint.id), datetime.now(UTC)
            )
