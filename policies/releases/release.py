"""Words on their way out of a private room: exact words, readers, their author's consent, the mediator's act (M5)."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum

from policies.documents.document import Action, DocumentId
from policies.frozen import frozen
from policies.names import Conversation, MessageId, PersonId, ReleaseId
from policies.words.phrase import Phrase, phrase

CONSENT_LASTS = timedelta(days=7)
"""So long a party may think about it. Silence is a no."""


class Standing(StrEnum):
    """Where a release stands."""

    SUBMITTED = "submitted, and their own yes to the readers has not come yet"
    QUEUED = "submitted; waits for a mediator"
    PREVIEWED = "waits for the mediator's yes"
    ASKED = "waits for their yes"
    RELEASED = "released"
    CLOSED = "not released"


OPEN = frozenset({Standing.SUBMITTED, Standing.QUEUED, Standing.PREVIEWED, Standing.ASKED})


@frozen
class Agreed:
    """Its author's yes. `binds` is the hash of the words and the readers that were shown."""

    at: datetime
    how: str
    binds: str


class Doubtful(StrEnum):
    """What is uncertain about words that were held."""

    WHOSE = "whose"
    """Nothing proves who wrote them."""
    WHAT = "what"
    """They are surely their author's, but not surely fit for where they were sent."""


@frozen
class OfHold:
    """That words were held, and a mediator posts them where they were meant to go.

    `stands`: those who read there in Matrix have them already.
    """

    doubtful: Doubtful | None
    stands: bool = False


@frozen
class Share:
    """A version of a document on its way out: what may be done with it, until when, how often. `to`: one person alone,
    rather than all readers of the conversation."""

    document: DocumentId
    version: int
    sha256: str
    action: Action
    to: PersonId | None = None
    expires: datetime | None = None
    most: int | None = None


@frozen
class Release:
    """`words` are shown exactly so; `reworded`: they are the mediator's. `source` is the message, if it was one.

    `share`: it is a document that is released, and the words are its card.
    """

    id: ReleaseId
    author: PersonId
    source: MessageId | None
    words: str
    reworded: bool
    origin: Conversation
    to: Conversation
    standing: Standing
    at: datetime
    agreed: Agreed | None = None
    by: PersonId | None = None
    """The mediator who released it."""
    released_at: datetime | None = None
    readers: frozenset[PersonId] = frozenset()
    """Who could read it when it was released."""
    share: Share | None = None
    of_hold: OfHold | None = None
    """If it is a message that was held, `source`; None: words from a private room."""

    @property
    def is_open(self) -> bool:
        """Whether something may still come of it."""
        return self.standing in OPEN


def heading(author: str, *, reworded: bool) -> Phrase:
    """What stands above released words, and nowhere else but above words that stand behind marks."""
    if reworded:
        return phrase("In the mediator’s words, agreed by {author}:", author=author)
    return phrase("{author}’s words, released by the mediator:", author=author)


def chosen_heading(author: str) -> Phrase:
    """What stands above words that their author let everyone read, with a button."""
    return phrase("{author}’s words, for everyone by their own choice:", author=author)


def heading_of(release: Release, author: str) -> Phrase:
    """The same for any release."""
    if release.share:
        return phrase("A document of {author}’s, released by the mediator:", author=author)
    hold = release.of_hold
    if hold and hold.doubtful is Doubtful.WHOSE and release.to == release.origin and not release.reworded:
        # In its author's own room nobody asks them first.
        return phrase(
            "In {author}’s name, without proof that {author} wrote it, passed on by the mediator:", author=author
        )
    return heading(author, reworded=release.reworded)


_PRIVATE = ("private", "privat", "vertraulich", "privado", "privada", "confidencial", "privé", "privée", "confidentiel")
_MARKS = {"privileged": "privileged"} | dict.fromkeys(_PRIVATE, "private")
"""In every language: what is taken for such a mark by mistake is only asked about once more."""


def mark_of(words: str) -> str | None:
    """The mark that its author put before a message: `privileged` is never passed on, `private` not without a yes."""
    first = words.split(maxsplit=1)[0].strip("[]():,.–-!*_").casefold() if words.split() else ""
    return _MARKS.get(first)
