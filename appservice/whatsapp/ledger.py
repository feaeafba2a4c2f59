"""What is kept of WhatsApp beside what is said: what left and what became of it, and when somebody last wrote."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from policies.case import CaseId, EndpointId, PersonId
from policies.frozen import frozen
from policies.message import MessageId
from policies.networks.whatsapp import WINDOW
from rooms.messages import SentMessages, SentPart
from rooms.queue import ItemId


@frozen
class Thread:
    """One person and one number of ours. `heard_at`: when they last wrote to it; `nudged_at`: when they were last sent
    the template that asks them to."""

    heard_at: datetime | None = None
    nudged_at: datetime | None = None

    def is_open(self, at: datetime) -> bool:
        """Whether anything may be written there."""
        return self.heard_at is not None and at < self.heard_at + WINDOW

    @property
    def is_nudged(self) -> bool:
        """Whether they were asked to write, and have not."""
        return self.nudged_at is not None and (self.heard_at is None or self.heard_at < self.nudged_at)


class WhatsAppLedger(SentMessages, Protocol):
    """The ledger, within one unit of work."""

    async def thread(self, case: CaseId, endpoint: EndpointId, number: str) -> Thread:
        """What is known of that channel with that number of ours; empty before the first."""

    async def nudged(self, case: CaseId, endpoint: EndpointId, number: str, at: datetime) -> None:
        """They were sent the template then."""

    async def shut(self, case: CaseId, endpoint: EndpointId, number: str, sent_at: datetime) -> None:
        """The network did not take what was sent then, for they had not written. Unless they have since, they must be
        asked to; a template that was sent later stands."""

    async def keep(self, part: SentPart) -> None:
        """Store; one with the same item and number is replaced."""

    async def carrying(self, case: CaseId, person: PersonId, message: MessageId) -> frozenset[ItemId]:
        """The items that were begun to carry somebody's words to a person."""

    async def shown_as(self, case: CaseId, endpoint: EndpointId, message: MessageId) -> str | None:
        """As which message, by its id at WhatsApp, somebody's words were first shown on that channel."""


def window_key(case: CaseId, endpoint: EndpointId, number: str) -> str:
    """What deliveries waited for before they waited for the channel itself (`networks.delivery.channel_key`)."""
    return f"window:{case}:{endpoint}:{number}"
