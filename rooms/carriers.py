"""What deliveries are handed to: words to whoever puts them into Matrix, letters to the courier of a network."""

from __future__ import annotations

from typing import Protocol

from policies.case import CaseId
from policies.frozen import frozen
from policies.message import Content
from policies.people.stranger import Stranger
from rooms.ids import EventId, RoomId, UserId
from rooms.letters import Letter
from rooms.marks import Marked
from rooms.noticing import DeskNotice
from rooms.outcome import Outcome
from rooms.outgoing import MailHeads, Signal
from rooms.polls import Poll, PollEnd
from rooms.queue import Item


@frozen
class Posting:
    """Words on their way into a Matrix room, encrypted for exactly `audience` (and the sender's own users)."""

    room: RoomId
    sender: UserId
    audience: frozenset[UserId]
    content: Content | Signal | Poll | PollEnd | Marked
    is_notice: bool
    """The service's words rather than a person's."""
    awaited: frozenset[UserId] = frozenset()
    """Who belongs in the room, but had not come when it was looked at: for them, too, if they come in before it."""
    reply_to: EventId | None = None
    """What it answers; for the end of a poll, the poll; for what became of a message, the message."""
    html: str | None = None
    """The same words with their form."""
    replaces: EventId | None = None
    """The earlier event in whose place this stands."""
    only_for: UserId | None = None
    """Readable, this once, by the unsigned devices of this member, too."""
    in_clear: bool = False
    """Only in a direct chat that isn't encrypted: to say just that."""
    but_for_the_frozen: bool = False
    """Readable by those alone whose identity is not in doubt, if there are any, rather than by nobody."""


class Poster(Protocol):
    """Puts words into Matrix rooms."""

    async def post(self, item: Item, posting: Posting) -> EventId:
        """Encrypt, store what is about to leave, and send it; exactly once, however often it is called for an item.

        Raises Trouble, and ReaderFrozen where a reader's identity is in doubt.
        """


class Courier(Protocol):
    """Carries letters to one network outside Matrix."""

    async def carry(self, item: Item, letter: Letter) -> Outcome:
        """Send it once: a send that was begun and never answered is `Unanswered`, and stays so. Raises Trouble."""


class StrangerCourier(Protocol):
    """Carries the organisation's words to those who take part in no case, over one network."""

    async def write(self, item: Item, to: Stranger, text: str) -> Outcome:
        """As a `Courier` does."""


class HeadsCourier(Protocol):
    """Mails the signed heads of the record to whoever keeps them for the organisation."""

    async def carry(self, item: Item, heads: MailHeads) -> Outcome:
        """As a `Courier` does. Cancelled for an address that is configured no more."""


class NoticeCourier(Protocol):
    """Tells mediators over one network that something waits at a desk."""

    async def carry(self, item: Item, notice: DeskNotice, case: CaseId) -> Outcome:
        """As a `Courier` does."""
