"""What things within a case are called: ids, and the conversations that there can be."""

from __future__ import annotations

from enum import StrEnum
from typing import Final, NewType

from policies.frozen import frozen

CaseId = NewType("CaseId", str)
"""The case's number as people say it: "1042"."""
PersonId = NewType("PersonId", str)
"""A person within one case: "p3". Never reused, and never the same in two cases (R11)."""
SideId = NewType("SideId", str)
EndpointId = NewType("EndpointId", str)
ConversationId = NewType("ConversationId", str)
"""`desk`, `joint` or `caucus-<side>`, unique within its case."""
MessageId = NewType("MessageId", str)
"""Opaque; made from the inbox item that brought the message, so the same item always makes the same id."""
ReleaseId = NewType("ReleaseId", str)
"""Of a release within its case, as mediators type it: "R3"."""


class Network(StrEnum):
    """The way a person's words travel."""

    MATRIX = "matrix"
    EMAIL = "email"
    WHATSAPP = "whatsapp"

    @property
    def brand(self) -> str:
        """As it stands behind the name of whoever takes part over it."""
        return "WhatsApp" if self is Network.WHATSAPP else self.value


class Phase(StrEnum):
    """Where a case stands (R5)."""

    INTAKE = "intake"
    CONVENED = "convened"
    IN_SESSION = "in session"
    PAUSED = "paused"
    SETTLED = "settled"
    CLOSED = "closed"


MEDIATORS: Final = CaseId("mediators")
"""The case of the mediators' room: no dispute, no party, no joint room (`policies.people.colleagues`)."""


class Sort(StrEnum):
    """What sort of case it is. The organisation has one of each of the others by itself, as it is configured."""

    CASE = "case"
    TRIAGE = "triage"
    """The triage desk: mediators, and what strangers write."""
    MEDIATORS = "mediators"
    """The mediators' room."""


class Kind(StrEnum):
    """The audiences that a case can have."""

    DESK = "desk"
    JOINT = "joint"
    CAUCUS = "caucus"


@frozen
class Conversation:
    """An audience within a case, whatever room serves it at the moment."""

    kind: Kind
    side: SideId | None = None

    @property
    def id(self) -> ConversationId:
        """The conversation's name within its case."""
        return ConversationId(self.kind if self.side is None else f"{self.kind}-{self.side}")


DESK = Conversation(Kind.DESK)
JOINT = Conversation(Kind.JOINT)


def caucus(side: SideId) -> Conversation:
    """The private conversation of one side with the mediators."""
    return Conversation(Kind.CAUCUS, side)
