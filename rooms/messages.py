"""What the use cases know of the WhatsApp messages that carry words: what became of each part."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import field
from datetime import datetime
from typing import Protocol

from policies.case import CaseId, EndpointId, PersonId
from policies.frozen import frozen
from policies.message import MessageId
from policies.networks.whatsapp import WhatsAppState, Window
from rooms.queue import ItemId


@frozen
class SentPart:
    """One message of ours: an item of the outbox goes out as one or more, of which this is number `part`.

    `detail` is what the network said of it, never a number or words; `message` is whose words it carries, if anybody's.
    """

    item: ItemId
    part: int
    parts: int
    case: CaseId
    person: PersonId
    endpoint: EndpointId
    state: WhatsAppState
    at: datetime
    """When it left."""
    detail: str = ""
    message: MessageId | None = None
    wamid: str = field(default="", repr=False)
    """Its id at WhatsApp, once that is known. It holds the number of the person: never log it."""


def is_begun_elsewhere(parts: Iterable[SentPart], endpoint: EndpointId) -> bool:
    """Whether any of it may have arrived over another channel than that: one text is not told half here, half there."""
    return any(part.endpoint != endpoint and not part.state.is_certainly_lost for part in parts)


class SentMessages(Protocol):
    """What is kept of them, to be looked at."""

    async def to_person(self, case: CaseId, person: PersonId, most: int) -> tuple[SentPart, ...]:
        """The latest messages to somebody, newest first."""

    async def of_item(self, item: ItemId) -> tuple[SentPart, ...]:
        """The parts of an item that were begun, by number."""

    async def begin_anew(self, item: ItemId, channels: Collection[EndpointId]) -> None:
        """A person has it sent again: what of it went over none of those channels, counts no more."""

    async def heard(self, case: CaseId, endpoint: EndpointId, number: str, at: datetime) -> None:
        """They wrote to that number of ours then; an earlier time changes nothing."""

    async def windows(self, case: CaseId) -> tuple[Window, ...]:
        """Until when whoever has written in that case may be written to, by channel and number."""
