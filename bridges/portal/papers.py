"""What the page shows of documents to one person: plain values, already decided to be theirs."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import field
from pathlib import Path
from typing import Protocol

from policies.documents.document import Area
from policies.frozen import frozen
from policies.words.language import Language
from policies.words.phrase import Phrase


@frozen
class Paper:
    """A version of a document. `title` is in words, `owner` the mediator's name for who sent it.

    `pages`: how many there are to look at, 0 where they can't be shown. `history`: who was served it, for its owner
    alone.
    """

    id: str
    version: int
    title: Phrase
    owner: Phrase
    is_own: bool
    pages: int
    may_download: bool
    history: tuple[Phrase, ...]


@frozen
class Former:
    """A document of that person's own, of which another file may be a new version."""

    id: str
    title: Phrase


@frozen
class Place:
    """A private room that a document can be handed in to. `id` names it in forms; `own`: what is theirs there."""

    id: str
    name: str
    own: tuple[Former, ...] = ()


@frozen
class Handed:
    """What the form of a file says besides the file. `nonce` makes two presses of one button one act; `former` is the
    document of which it is a new version, or empty."""

    place: str
    name: str
    nonce: str
    former: str = ""


@frozen
class Wished:
    """What is to be black in a new version. `nonce` makes two presses of one button one wish."""

    areas: tuple[Area, ...]
    words: tuple[str, ...] = field(repr=False)
    nonce: str


@frozen
class PageImage:
    """A JPEG that says who looks at it."""

    jpeg: bytes


@frozen
class Download:
    """A file to be handed out, with a name that is fit for it."""

    name: str
    mimetype: str
    path: Path
    size: int


@frozen
class NotNow:
    """It may be seen, but can't be shown. `why` is a whole sentence."""

    why: Phrase


class Papers(Protocol):
    """What the page needs of the service. What is not that person's is answered like what there isn't: None."""

    async def language(self, session: str) -> Language | None:
        """In which language that session's person reads; None for no session."""

    async def has_rooms(self, session: str) -> bool:
        """Whether that session's person reads rooms on the page, too."""

    async def papers(self, session: str) -> Sequence[Paper] | None:
        """What that session's person may look at or download now; None for no session."""

    async def places(self, session: str) -> Sequence[Place]:
        """Where that session's person may hand something in."""

    def desk(self) -> AbstractAsyncContextManager[Path]:
        """A folder to put down what is being handed in; it goes with the context. Raises OSError."""

    async def hand_in(self, session: str, handed: Handed, file: Path) -> NotNow | bool:
        """Have a file examined and kept; True once that is sure, False for no such session or place, or why not.
        Raises OSError."""

    async def redact(self, session: str, document: str, version: int, wish: Wished) -> bool:
        """Have a version made of that session's person's own document, in which that is black; True once that is sure,
        False where there is no such document of theirs, or nothing that can be marked. The same nonce again is the same
        wish."""

    async def open(self, session: str, document: str, version: int) -> bool:
        """Begin to look at it: written down and counted before this returns."""

    async def paper(self, session: str, document: str, version: int) -> Paper | None:
        """What has been opened in this session and is still allowed."""

    async def page(self, session: str, document: str, version: int, page: int) -> PageImage | NotNow | None:
        """A page of what has been opened: asked again, and written down before this returns."""

    def download(
        self, session: str, document: str, version: int
    ) -> AbstractAsyncContextManager[Download | NotNow | None]:
        """Hand it out: written down before anything is there to be sent. The file goes with the context."""
