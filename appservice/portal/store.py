"""What the page keeps: what lies ready for whom, PINs, links and sessions. Secrets are kept as keyed hashes alone."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import Enum, auto
from typing import Final, Protocol

from policies.case import CaseId, EndpointId, PersonId
from policies.frozen import frozen
from rooms.queue import ItemId
from rooms.shelf import Shelf

PIN_DIGITS: Final = 6
PIN_TRIES: Final = 5
"""So many wrong PINs and codes lock a person's links."""
CODE_DIGITS: Final = 8
"""More than a PIN has: nobody takes one for the other."""
PIN_LOCK: Final = timedelta(minutes=30)
LINK_LASTS: Final = timedelta(days=3)
LINK_SENDS_ANOTHER: Final = timedelta(days=30)
"""So long after it stopped opening anything a link, with the PIN, has another one sent."""
SESSION_LASTS: Final = timedelta(minutes=30)


@frozen
class Whose:
    """Whom a link or a session belongs to."""

    case: CaseId
    person: PersonId


@frozen
class Link:
    """A link that was sent to an endpoint of somebody, and until when it opens something."""

    whose: Whose
    endpoint: EndpointId
    until: datetime


@frozen
class Laid:
    """One thing that lies ready for somebody."""

    item: ItemId
    body: bytes
    at: datetime


class Tried(Enum):
    """What became of an attempt to open a link with a PIN or a code."""

    RIGHT = auto()
    WRONG = auto()
    LOCKED = auto()
    """Too many were wrong; not even the right one opens now."""
    LOCKED_NOW = auto()
    """This was one too many."""


class PortalStore(Shelf, Protocol):
    """The page's store, within one unit of work. Tokens are handed in as they are, and stored as keyed hashes."""

    async def laid_for(self, case: CaseId, person: PersonId, most: int, before: ItemId | None = None) -> Sequence[Laid]:
        """What lies ready for somebody, oldest first, at most so much of the latest: of all, or of what was laid there
        before that item; nothing if there is no such item."""

    async def add_link(self, token: str, whose: Whose, endpoint: EndpointId, at: datetime, until: datetime) -> None:
        """A link is about to be sent."""

    async def drop_link(self, token: str) -> None:
        """It was not sent after all."""

    async def link(self, token: str) -> Link | None:
        """The link, expired or not; None for unknown ones."""

    async def forget_links(self, before: datetime) -> None:
        """Links that opened something until then at most are forgotten: they stop no mail any more, either."""

    async def use_link(self, token: str, at: datetime) -> bool:
        """It opens nothing from then on, nor does its code. Whether it did until now: of two who use it at once, one is
        told so."""

    async def waiting_link(self, whose: Whose, endpoint: EndpointId, since: datetime) -> bool:
        """Whether a link was sent there since then that nobody has opened yet."""

    async def lose_links(self, whose: Whose, endpoint: EndpointId) -> None:
        """A mail came back from there: no link waits there any more, and the next one goes. Those that did arrive open
        what they opened."""

    async def try_key(self, token: str, whose: Whose, key: str, at: datetime) -> Tried:
        """Whether that is the PIN of whose link it is, or the code of that link. Counts the wrong ones, whatever they
        were meant for, and forgets them after a right one."""

    async def begin_session(self, token: str, whose: Whose, until: datetime) -> None:
        """Somebody opened a link: their links count as opened."""

    async def session(self, token: str, at: datetime) -> Whose | None:
        """Whose session that is; None for unknown, ended and expired ones."""
