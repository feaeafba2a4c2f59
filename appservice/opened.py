"""What an event of a room says, and what proves it, once it is opened: words, a vote, or a step of a verification.

Only what stood inside of the ciphertext of a signed device proves anything; the outside, the homeserver could write.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, assert_never

from appservice.e2ee.trust import Heard, read_in_room
from appservice.matrix.content import Said, read, redacted_event
from appservice.matrix.polls import Response, read_response
from appservice.ports import ServiceWork
from policies.frozen import frozen
from policies.message import Proof, Unproven

IN_CLEAR = Unproven(
    "it was sent without encryption", "Use a client that supports end-to-end encryption in this room, and send it again"
)

UNCONFIRMED = Unproven(
    "the encryption identity of this account was replaced",
    "The mediator has to make sure that it is really you; please telephone",
)
"""What an identity proves that nobody has confirmed in the place of the known one: nothing, yet."""


@frozen
class Opened:
    """A decrypted event, and what proves its sender."""

    type: str
    content: Mapping[str, Any]
    proof: Proof


@frozen
class Closed:
    """An event that can't be decrypted, yet or at all. `key` names what would open it."""

    key: str
    why: str
    for_good: bool


Inside = Opened | Closed | None
"""What stands inside of an event; None: it isn't encrypted."""


class Opener(Protocol):
    """Decrypts events."""

    async def open(self, work: ServiceWork, events: Sequence[Mapping[str, Any]]) -> Sequence[Opened | Closed]:
        """Decrypt each, within the unit of work: a replay, a lie about the sender, a foreign key are Closed for good.

        No event can keep its neighbours from being decrypted.
        """


def heard_in(event: Mapping[str, Any], inside: Inside) -> Heard | None:
    """The step of a verification that an event is. Many clients verify in clear, even where the room is encrypted: what
    is proven rests on the emoji."""
    match inside:
        case Closed():
            return None
        case Opened(kind, content):
            return read_in_room(event, kind, content)
        case None:
            return read_in_room(event, event["type"], _outer(event))
        case _:
            assert_never(inside)


def vote_in(event: Mapping[str, Any], inside: Inside) -> Response | None:
    """The vote in a poll that an event is. What it is about is believed only from inside of the ciphertext."""
    if isinstance(inside, Opened):
        return read_response(inside.type, inside.content)
    return read_response(event["type"], _outer(event)) if inside is None else None


def said_in(event: Mapping[str, Any], inside: Inside) -> tuple[Said, Proof] | Closed:
    """What an event says, with its proof."""
    outer = _outer(event)
    match inside:
        case Closed():
            return inside
        case Opened(kind, content, proof):
            return read(kind, content, outer), proof
        case None if event["type"] == "m.room.redaction":
            return redacted_event(event), IN_CLEAR
        case None:
            return read(event["type"], outer, outer), IN_CLEAR
        case _:
            assert_never(inside)


def undecrypted(why: str) -> Unproven:
    """What something proves that can't be decrypted."""
    remedy = "If you wrote it: verify this session with your other device or your security key, then send it again."
    return Unproven(f"I could not decrypt it ({why})", remedy)


def _outer(event: Mapping[str, Any]) -> Mapping[str, Any]:
    content = event.get("content")
    return content if isinstance(content, dict) else {}
