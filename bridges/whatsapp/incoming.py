"""What arrived from WhatsApp, as values: people's messages, and what became of ours."""

from dataclasses import field
from enum import StrEnum, unique

from policies.frozen import frozen


@frozen
class Sender:
    """Who wrote, as the network names them. Any of these may be missing; none is ever shown or logged.

    `user` is the business-scoped id, `phone` in E.164, `key` the hash of their encryption identity; `formerly` is the
    id or the number that these replace, in a message that says so.
    """

    user: str | None = field(default=None, repr=False)
    phone: str | None = field(default=None, repr=False)
    key: str | None = field(default=None, repr=False)
    formerly: str | None = field(default=None, repr=False)


@frozen
class Words:
    """A text."""

    text: str = field(repr=False)


@frozen
class Pressed:
    """A button or a row of a list; `id` is what we gave it, `title` what stood on it."""

    id: str = field(repr=False)
    title: str = field(repr=False)


@frozen
class Shown:
    """Something that this bridge doesn't carry, in words: "a voice message". `caption`: the person's words with it."""

    what: str
    caption: str = field(default="", repr=False)


@frozen
class Shared:
    """A file that lies at WhatsApp. `medium` is its id there, `sha256` of its bytes in base64, as the webhook has it.

    `what` is what it is, in words; `caption` are the person's words with it.
    """

    what: str
    medium: str = field(repr=False)
    mime: str
    sha256: str
    name: str = field(default="", repr=False)
    caption: str = field(default="", repr=False)


@frozen
class Described:
    """Something that is no text, and can be carried as one: a place, or somebody's card."""

    text: str = field(repr=False)


@frozen
class Reacted:
    """An emoji on a message; an empty one takes it back. `target` is the id of that message."""

    emoji: str
    target: str | None = None


@unique
class Change(StrEnum):
    """What can have changed about who somebody is."""

    NUMBER = "the telephone number of that account was changed"
    USER = "WhatsApp's own id of that account was changed"
    IDENTITY = "the encryption identity of that account was changed"


Said = Words | Pressed | Shared | Described | Shown | Reacted | Change


@frozen
class Incoming:
    """One message. `number` is the id of our number that it came to, `quoted` the id of the message it answers."""

    id: str
    number: str
    sender: Sender
    said: Said
    quoted: str | None = None
    forwarded: bool = False


@unique
class Progress(StrEnum):
    """How far a message of ours has come."""

    SENT = "sent"
    DELIVERED = "delivered"
    READ = "read"
    FAILED = "failed"


@frozen
class Status:
    """A report about one message of ours. `ours` is what we sent along with it; `codes` are why it failed."""

    id: str
    number: str
    progress: Progress | None
    ours: str = ""
    codes: tuple[int, ...] = ()
