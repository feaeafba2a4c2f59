"""The port of the cross-room guard's memory."""

from collections.abc import Collection, Mapping
from typing import Protocol

from policies.case import CaseId, ConversationId


class Echoes(Protocol):
    """What was said where in a case, in pieces (`moderation.guard.grams`), of which only keyed hashes are kept."""

    async def note(self, case: CaseId, conversation: ConversationId, grams: Collection[str]) -> None:
        """These were said there."""

    async def where(self, case: CaseId, grams: Collection[str]) -> Mapping[str, frozenset[ConversationId]]:
        """Of these, those that were said somewhere, and where."""
