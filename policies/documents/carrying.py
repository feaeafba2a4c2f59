"""What a decision brings about for documents that the vault has: values, and a part of `effects.Effect`."""

from __future__ import annotations

from policies.documents.document import Area, DocumentId
from policies.frozen import frozen
from policies.message import MessageId
from policies.names import Conversation, PersonId


@frozen
class Cover:
    """Make a version of a document in which these places are black, and these words wherever they stand; what became of
    it comes back as `redaction.Redaction`. `sha256`: of the version that this was said of."""

    document: DocumentId
    version: int
    sha256: str
    areas: tuple[Area, ...]
    words: tuple[str, ...]
    by: PersonId


@frozen
class Erase:
    """Delete the file that a message brought from the homeserver, where we may."""

    message: MessageId


@frozen
class Hand:
    """Post a version of a document into the room of a conversation, if everybody who reads there may download it."""

    document: DocumentId
    version: int
    sha256: str
    conversation: Conversation


@frozen
class Enclose:
    """A version of a document over one person's channel outside Matrix, as a copy of their own. Whether it may still go
    is asked again at sending, and that it went is on record before it leaves."""

    document: DocumentId
    version: int
    sha256: str
    conversation: Conversation
    to: PersonId

    @property
    def number(self) -> str:
        """By which its reader knows it: the first version goes by the document's own."""
        return f"{self.document}.{self.version}" if self.version > 1 else self.document


@frozen
class Recall:
    """Take back what of a document was posted where somebody reads who may not download it any more."""

    document: DocumentId
