"""Effects whose answer the desk is shown; nothing of the case changes by them."""

from __future__ import annotations

from dataclasses import field

from policies.case import Conversation, PersonId
from policies.frozen import frozen
from policies.names import MessageId


@frozen
class Preview:
    """Say at the desk what a Reconcile would change, and change nothing."""


@frozen
class DeadLetters:
    """List, retry or give up what could not be delivered; the answer goes to the desk."""

    act: str
    item: str | None = None


@frozen
class GivePin:
    """Make somebody's PIN for the page behind their links, and show it at the desk, once."""

    person: PersonId


@frozen
class GiveLink:
    """Make a link to somebody's page, which opens with their PIN, and tell them in a conversation of theirs. `base` is
    what it begins with. Who has a room for codes is told one there, which opens it, too."""

    person: PersonId
    conversation: Conversation
    base: str


@frozen
class GiveCode:
    """Make a code that opens a link beside its person's PIN, and tell it to them alone."""

    person: PersonId
    link: str = field(repr=False)


@frozen
class ShowMails:
    """List at the desk what became of the latest mails, or WhatsApp messages, to somebody."""

    person: PersonId


@frozen
class ShowHeaders:
    """Show at the desk the header of the mail that brought a held message, or that message. On record, like every
    decision."""

    item: str
    message: MessageId | None = None


@frozen
class ShowHeld:
    """List at the desk what is held, or show one held message there."""

    item: str | None = None


@frozen
class ShowBoard:
    """Post the case's board to the desk; it is kept up to date there until there is a newer one."""


@frozen
class ShowLog:
    """Show at the desk the latest entries of the case's record."""

    most: int


@frozen
class ShowReferrals:
    """Say at the triage desk what became of whom each referrer sent."""
