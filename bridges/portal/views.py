"""What the page shows to one person: plain values, already decided to be theirs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field, replace
from datetime import datetime
from enum import Enum, auto
from typing import Final, Protocol

from policies.frozen import frozen
from policies.words.language import Language
from policies.words.phrase import Phrase
from policies.words.zones import UNIVERSAL

LEAVE_TO: Final = "https://www.wikipedia.org"
"""Where whoever leaves in a hurry is led, if nothing else is configured: a page that anybody may have open."""


@frozen
class Question:
    """A question that binds, still open. `words` is exactly what a yes is about."""

    code: str
    title: str
    words: str = field(repr=False)
    then: str
    expires: datetime


@frozen
class Shown:
    """One thing in a room. `author` is the mediator's name for them; None: the service itself, to this person. `note`
    is what we say of it, `text` what they wrote."""

    author: str | None
    text: str = field(repr=False)
    at: datetime
    own: bool = False
    note: Phrase | None = None


@frozen
class RoomView:
    """A room of that person's, oldest thing first. `id` names it in forms."""

    id: str
    name: str
    is_private: bool
    readers: Phrase = field(repr=False)
    shown: tuple[Shown, ...] = field(repr=False)
    kept: Phrase | None = None
    """Why what its reader writes there now is not shown to the others, but kept for the mediator; None: it is shown."""


@frozen
class Doubtful:
    """A mail that came in that person's name, unproven: was it theirs? `beginning`: its first words, on one line."""

    message: str
    at: datetime
    beginning: str = field(default="", repr=False)


@frozen
class View:
    """All that the page shows."""

    name: str
    is_enrolled: bool
    gets_words: bool
    is_paused: bool
    rooms: tuple[RoomView, ...]
    questions: tuple[Question, ...]
    doubtful: tuple[Doubtful, ...]
    earlier: str | None = None
    """The name of the oldest thing shown, where there are older ones."""
    zone: str = UNIVERSAL
    """The time zone in which times are shown to them."""
    digest: str | None = None
    """At which times of the day others' words are mailed to them; None: at once."""
    is_discreet: bool = False
    """Whether what is mailed to them tells nothing."""
    set_for_them: bool = False
    """Whether a mediator set that, and could end it; nobody but they can, once they have made it their own."""
    has_documents: bool = False
    """Whether there is a page of documents, to look at and to hand in."""
    language: Language = Language.ENGLISH
    """In which they read."""
    is_elsewhere: bool = False
    """Whether they read and answer on another channel: then there are documents here, and no rooms."""


@frozen
class House:
    """Who runs the service, as people may check it, and in which language it speaks: before anybody is known, in the
    organisation's, whatever the link."""

    organisation: str
    telephone: str
    language: Language = Language.ENGLISH
    leave_to: str = LEAVE_TO
    """Where whoever leaves in a hurry is led."""
    discreet_host: str | None = None
    """The name of this server under which nobody learns who we are without a PIN."""

    @property
    def unnamed(self) -> House:
        """Who it is, is not said: for whoever has shown nothing yet, or just left, beside somebody who reads along."""
        return replace(self, organisation="", telephone="")

    def speaking(self, language: Language | None) -> House:
        """To somebody who reads in that language; None: to nobody who is known."""
        return replace(self, language=language) if language else self


class Closed(Enum):
    """Why a link did not open. To whoever lacks the PIN the page says the same of all but the lock."""

    WRONG = auto()
    LOCKED = auto()
    USED = auto()
    """It opens no more, and the PIN was right: another link is on its way."""


class Portal(Protocol):
    """What the page needs of the service. Every act is stored before it returns."""

    async def open(self, link: str, pin: str) -> str | Closed:
        """A new session for whoever has both. Must not tell a wrong link from a wrong PIN."""

    async def view(self, session: str, before: str = "") -> View | None:
        """What that session's person may see now; `before`: of it what is older than the thing of that name. None for
        no session."""

    async def language(self, session: str) -> Language | None:
        """In which language that session's person reads; None for no session."""

    async def act(self, session: str, nonce: str, what: str, values: Mapping[str, str]) -> bool:
        """Store an act of that session's person: `say` (room, text), `answer` (code, yes), `enrol` (words), `mine`
        (message), `digest` (times), `discreet` (on), `pause`. The same nonce again is the same act. False for no
        session."""

    async def may_be_named(self, link: str) -> bool:
        """Whether whoever has that link may be shown who we are, before the PIN."""

    async def pause(self, link: str) -> None:
        """Whoever has the link wants no more mail. Silent about unknown links."""

    async def leave(self, session: str) -> None:
        """The session ends."""
