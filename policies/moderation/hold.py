"""The life of what is held: it waits for a mediator, and ends once, in one of four ways.

waiting ── posted: where its author meant it, as a release
   │    ── returned: its author is told why, and may send it again
   │    ── claimed: its author says, with proof, that it was theirs; it goes to their own side
   └─ ◀─▶ discarded: put aside, until a mediator keeps it after all
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from policies.case import Case, Conversation, PersonId
from policies.frozen import frozen
from policies.message import File, Message, Text, Unproven, Unreadable
from policies.people.membership import caucuses_of
from policies.releases.release import Doubtful
from policies.words.phrase import Phrase, phrase
from policies.words.text import clean


class HoldEnd(StrEnum):
    """What became of a held message."""

    POSTED = "posted"
    RETURNED = "returned"
    DISCARDED = "discarded"
    CLAIMED = "claimed by its author"


@frozen
class AtHand:
    """A held message that a command is about. `number` is its own in its case, for ever.

    `audience`: for whom it was surely meant; empty where that is doubtful.
    """

    number: int
    message: Message
    why: str
    audience: frozenset[PersonId]
    end: HoldEnd | None = None


REASONS: Mapping[str, Phrase] = MappingProxyType(
    {
        "again": phrase("Please send it again as a fresh message, with your words alone."),
        "later": phrase("It is not the time for it yet: say it again when we come to it."),
        "private": phrase("It reads as if it were for the mediator alone. If it is, write it in your private room."),
        "proof": phrase("We could not be sure that it was you. Please telephone us."),
        "tone": phrase("Please say it without blame: what happened, and what you need."),
    }
)
"""Why something is given back, in a word for the mediator and in words for its author."""


@frozen
class Reason:
    """Why something is given back: one of `REASONS`, the mediator's own words, or both, or neither."""

    template: str | None = None
    note: str | None = None

    @property
    def words(self) -> tuple[Phrase, ...]:
        """What its author is told."""
        said = (REASONS[self.template],) if self.template else ()
        if not self.note:
            return said
        return (*said, phrase("The mediator writes: {note}", note=clean(self.note).strip()))


NO_REASON = Reason()


def read_reason(text: str) -> Reason | str:
    """`[TEMPLATE] [: NOTE]`, or what is wrong with it."""
    head, _, note = text.partition(":")
    template = head.strip().lower() or None
    if template is not None and template not in REASONS:
        return f"A reason is one of {', '.join(REASONS)}; words of your own stand behind a colon"
    return Reason(template, note.strip() or None)


def doubtful(held: AtHand) -> Doubtful | None:
    """What is uncertain about a held message, so that only its author's yes lets it go further."""
    if isinstance(held.message.proof, Unproven):
        return Doubtful.WHOSE
    return None if isinstance(held.message.content, Text) and held.audience else Doubtful.WHAT


def words_in(message: Message) -> str | None:
    """What a mediator may post of it; None: there are no words."""
    match message.content:
        case Text(body) | Unreadable(words=body) | File(words=body):
            return clean(body).strip() or None
        case _:
            return None


def told_at(case: Case, message: Message) -> Conversation | None:
    """Where its author alone, and their side, is told of it; None: nowhere, or it would be a guess (I2)."""
    own = caucuses_of(case, message.author)
    if message.conversation in own:
        return message.conversation
    return own[0] if len(own) == 1 else None
