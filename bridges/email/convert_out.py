"""From what we have to say to a mail: one room, one recipient, one reply address, plain text.

Every mail begins with our anchor (see `anchor`), then says which room it is from and who reads what is answered. All
that a person wrote, and all that a mediator named, stands behind a mark or on a labelled line, neutralised:
no words of anybody can pass for a line of ours, and nothing can add a header.
"""

from dataclasses import dataclass, field
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import Final, assert_never

from jinja2 import Environment, PackageLoader, StrictUndefined

from bridges.email.anchor import framed
from bridges.email.ids import EmailAddress
from bridges.email.plaintext import as_words, one_line
from policies.case import Kind

_REFERENCES: Final = 10
"""So many earlier Message-IDs keep a thread together; more only make the header long."""

_POLICY: Final = SMTP.clone(max_line_length=250)
"""Room for the longest of our addresses and ids: the library would break those into encoded words."""

_TEMPLATES: Final = Environment(
    loader=PackageLoader("bridges.email"),
    autoescape=False,  # noqa: S701 - plain text; what comes in is neutralised by `plaintext`
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=False,
)


@dataclass(frozen=True, slots=True)
class MailRoom:
    """The room that a mail speaks for: the name its readers know it by, free of case facts, and its audience."""

    name: str
    audience: Kind


@dataclass(frozen=True, slots=True)
class Post:
    """What someone said; `author` is the mediator's label for that person."""

    author: str
    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Correction:
    """New words for an earlier message of the same author."""

    author: str
    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Removed:
    """An earlier message was removed from the room. What left by mail can't be recalled, and the mail says so."""


@dataclass(frozen=True, slots=True)
class FileShared:
    """Someone shared a file, which does not go by mail; `text` is what they wrote beside it."""

    author: str
    text: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Invitation:
    """The first mail from a room: who writes, what this address is for, who reads it, what mail can't protect."""

    organisation: str
    mediator: str
    telephone: str
    name: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """The service's own words to this one person, such as why a mail was not posted."""

    text: str = field(repr=False)


Content = Post | Correction | Removed | FileShared | Invitation | Explanation


@dataclass(frozen=True, slots=True)
class Letter:
    """One mail to be. `references` are the Message-IDs of earlier mail of this room to this person, oldest first."""

    content: Content
    room: MailRoom
    reply_address: str = field(repr=False)
    bounce_address: str = field(repr=False)
    recipient: EmailAddress = field(repr=False)
    message_id: str
    at: datetime
    references: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class OutgoingMail:
    """A mail ready for SMTP: one recipient, CRLF line ends, seven-bit. Reports go to the envelope's sender, which is
    an address of this one mail's own (VERP)."""

    envelope_from: str = field(repr=False)
    recipient: str = field(repr=False)
    raw: bytes = field(repr=False)


def render(letter: Letter) -> OutgoingMail:
    """Write the mail. The same letter always gives the same bytes.

    Raises ValueError where an address or a Message-ID of the letter is none: those are ours, and can't be mended here.
    """
    local_part, _, domain = letter.reply_address.rpartition("@")
    name = _header_text(letter.room.name)
    message = EmailMessage(policy=_POLICY)
    message["From"] = Address(name, local_part, domain)
    message["To"] = Address("", letter.recipient.local_part, letter.recipient.domain)
    message["Reply-To"] = Address(name, local_part, domain)
    message["Subject"] = name
    message["Date"] = format_datetime(letter.at)
    message["Message-ID"] = letter.message_id
    if letter.references:
        message["In-Reply-To"] = letter.references[-1]
        message["References"] = " ".join(letter.references[-_REFERENCES:])
    message["Auto-Submitted"] = "auto-generated"
    message["X-Auto-Response-Suppress"] = "All"
    message["X-Loop"] = domain
    message.set_content(_text(letter), cte="quoted-printable")
    return OutgoingMail(letter.bounce_address, letter.recipient.spelled, message.as_bytes())


def _header_text(text: str) -> str:
    """A text for a header field. What looks like an encoded word would be decoded by the library, line breaks and
    all, and put into the header as it is."""
    return one_line(text).replace("=?", "= ?")


def _text(letter: Letter) -> str:
    content = _TEMPLATES.get_template("en/letter.txt").render(
        room=one_line(letter.room.name), private=letter.room.audience is Kind.CAUCUS, said=_said(letter.content)
    )
    return framed("Please write your answer above this line", letter.reply_address, content, "end")


def _said(content: Content) -> str:
    match content:
        case Post():
            return _rendered("post", author=one_line(content.author), words=as_words(content.text))
        case Correction():
            return _rendered("correction", author=one_line(content.author), words=as_words(content.text))
        case Removed():
            return _rendered("removed")
        case FileShared():
            return _rendered(
                "file", author=one_line(content.author), words=as_words(content.text) if content.text else ""
            )
        case Invitation():
            return _rendered(
                "invitation",
                organisation=one_line(content.organisation),
                mediator=one_line(content.mediator),
                telephone=one_line(content.telephone),
                name=one_line(content.name),
            )
        case Explanation():
            return _rendered("explanation", words=as_words(content.text))
        case _:
            assert_never(content)


def _rendered(template: str, /, **values: str) -> str:
    return _TEMPLATES.get_template(f"en/{template}.txt").render(values)
