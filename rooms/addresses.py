"""The addresses of bridged people: each tells in which room an answer belongs, and nobody can guess it."""

from __future__ import annotations

from typing import Protocol

from policies.case import CaseId, Conversation, EndpointId, PersonId
from policies.frozen import frozen


@frozen
class ReplyAddress:
    """The unguessable address of one (endpoint, conversation). `token` is sealed at rest; lookups go by its hash."""

    case: CaseId
    person: PersonId
    endpoint: EndpointId
    conversation: Conversation
    token: str


class ReplyAddresses(Protocol):
    """The reply addresses of bridged people."""

    async def get(self, case: CaseId, endpoint: EndpointId, conversation: Conversation) -> ReplyAddress | None:
        """The address of that person for that room."""

    async def by_hash(self, token_hash: str) -> ReplyAddress | None:
        """Whose address that is; None for unknown and revoked ones."""

    async def save(self, address: ReplyAddress, token_hash: str) -> None:
        """Store; one (endpoint, conversation) has one address, one hash belongs to one address, for ever."""

    async def revoke(self, case: CaseId, endpoint: EndpointId) -> None:
        """The endpoint's addresses stop working."""
