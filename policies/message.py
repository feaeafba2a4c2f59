"""What someone said, wherever it came from, and what proves that it was that person."""

from __future__ import annotations

from datetime import datetime
from typing import NewType

from policies.frozen import frozen
from policies.names import Conversation, EndpointId, MessageId, PersonId

__all__ = ["MessageId"]

FileRef = NewType("FileRef", str)
"""Opaque to everyone but the one who stored the file: where its bytes are and the key to them."""


@frozen
class Text:
    """Words. Plain text; formatting is lost on the way to networks that have none."""

    body: str


@frozen
class File:
    """A file, by reference. `size` is in bytes, as the sender gave it; `words` is what was written beside it."""

    name: str
    mime: str
    size: int
    ref: FileRef
    words: str = ""


@frozen
class Edit:
    """New words for an earlier message of the same author."""

    target: MessageId | None
    body: str


@frozen
class Reaction:
    """An emoji on a message. Cleartext to the homeserver, so it proves nothing and binds nobody (I4)."""

    target: MessageId | None
    key: str


@frozen
class Removal:
    """A redaction. Cleartext to the homeserver like a reaction."""

    target: MessageId | None


@frozen
class Unreadable:
    """Something that can't be carried or safely read.

    `why` is in words, without content; `words` is what could be made out, for nobody's eyes but the mediator's. `own`
    is what of it is probably its author's own: fit for the author's own side, where they are asked about it; None: it
    went to others, or can't be told from what it brings.
    """

    why: str
    words: str = ""
    own: str | None = None


Content = Text | File | Edit | Reaction | Removal | Unreadable


@frozen
class SignedDevice:
    """Decrypted from a device that its owner has cross-signed, of the owner's pinned identity."""


@frozen
class AuthenticatedMail:
    """Mail to that person's own secret address, from the enrolled address, authenticated by our own mail server."""


@frozen
class PinnedLink:
    """A link that went to that person's address on record, opened with a PIN that they have from another channel."""


@frozen
class SignedWebhook:
    """Delivered by WhatsApp, signed with our app's secret, from whoever was on that channel from the beginning.

    `number` and `channel`: between which number of ours and which channel of its author's it went; empty: not known.
    """

    number: str = ""
    channel: EndpointId | None = None


@frozen
class Unproven:
    """No proof of the author; `why` is in words, `remedy` is what the person can do about it.

    Without a remedy, nobody is told but the mediators.
    """

    why: str
    remedy: str
    channel: EndpointId | None = None
    """The mailbox (`Endpoint.mailbox`) that it came from: once its author confirms that it is theirs, nothing more is
    missing. None: more is."""


Proof = SignedDevice | AuthenticatedMail | PinnedLink | SignedWebhook | Unproven


@frozen
class Message:
    """One thing that one person said in one conversation.

    `conversation` is where it was said: the room it was posted in, or the room of the address it was mailed to. `at` is
    our receive time (I10). `native` tells that its Matrix readers have it already (it was posted in the room itself).
    """

    id: MessageId
    author: PersonId
    conversation: Conversation
    content: Content
    proof: Proof
    at: datetime
    native: bool
    reply_to: MessageId | None = None
    files: tuple[File, ...] = ()
    in_clear: bool = False
    """It was posted in Matrix without encryption."""
    in_membership: bool = False
    """It stood in its author's own membership: in a reason, or in a changed name or picture."""
