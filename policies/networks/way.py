"""By which network the words of a room leave end-to-end encryption, and what somebody answered to that (B2). Values;
`policies.people.ways` has who needs which."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType

from policies.frozen import frozen
from policies.names import Conversation, Network, PersonId
from policies.words.phrase import Phrase, phrase

CARRIED_BY: Mapping[Network, Phrase] = MappingProxyType(
    {
        Network.MATRIX: phrase("in Matrix"),
        Network.EMAIL: phrase("by mail"),
        Network.WHATSAPP: phrase("by WhatsApp"),
    }
)


@frozen
class Way:
    """One way out of a room: whoever takes part over that network reads there. Whose it is does not matter: the second
    person by mail makes no other way than the first."""

    where: Conversation
    network: Network


@frozen
class WayAnswer:
    """That somebody let their words go over these, or did not; the last one about a way counts. `how`: what proves it,
    in words."""

    person: PersonId
    ways: tuple[Way, ...]
    at: datetime
    how: str
    agreed: bool = True
