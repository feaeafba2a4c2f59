"""From what we have to say to a mail: one room, one recipient, one reply address; the same in plain text and in HTML.

Every mail begins with our anchor (see `anchor`), then says which room it is from and who reads what is answered. All
that a person wrote, and all that a mediator named, stands behind a mark or on a labelled line, neutralised:
no words of anybody can pass for a line of ours, and nothing can add a header.
"""

import hashlib
from dataclasses import field
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from enum import StrEnum, unique
from typing import Final, assert_never

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from bridges.email.anchor import framed
from bridges.email.ids import EmailAddress
from bridges.email.phrases import PHRASES
from bridges.email.plaintext import WORDS_MARK, as_words, one_line
from policies.case import Kind
from policies.frozen import frozen
from policies.words.language import Language

_REFERENCES: Final = 10
"""So many earlier Message-IDs keep a thread together; more only make the header long."""

_POLICY: Final = SMTP.clone(max_line_length=250)
"""Room for the longest of our addresses and ids: the library would break those into encoded words."""

_TEMPLATES: Final = Environment(
    loader=PackageLoader("bridges.email"),
    autoescape=select_autoescape(["html"]),  # in plain text, what comes in is neutralised by `plaintext`
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=False,
)


@frozen
class MailRoom:
    """The room that a mail speaks for: the name its readers know it by, free of case facts, and its audience."""

    name: str
    audience: Kind


@frozen
class Post:
    """What someone said; `author` is the mediator's label for that person."""

    author: str
    text: str = field(repr=False)


@frozen
class Correction:
    """New words for an earlier message of the same author."""

    author: str
    text: str = field(repr=False)


@frozen
class Removed:
    """An earlier message was removed from the room. What left by mail can't be recalled, and the mail says so."""


@frozen
class FileShared:
    """Someone shared a file, which does not go by mail; `text` is what they wrote beside it."""

    author: str
    text: str = field(default="", repr=False)


@frozen
class Invitation:
    """The first mail from a room: who writes, what this address is for, who reads it, what mail can't protect."""

    organisation: str
    mediator: str
    telephone: str
    name: str


@frozen
class Explanation:
    """The service's own words to this one person, such as why a mail was not posted."""

    text: str = field(repr=False)


@frozen
class Released:
    """What someone said in private, released for this room. `heading` is ours, and says whose words they are."""

    heading: str
    text: str = field(repr=False)


@frozen
class Several:
    """What was said in one room since the last digest, each with its time as its reader's clock shows it."""

    parts: tuple[tuple[str, "Single"], ...] = field(repr=False)


Single = Released | Post | Correction | Removed | FileShared | Invitation | Explanation
Content = Single | Several


@frozen
class Attached:
    """A file that goes with a mail, under a name that is fit for one."""

    name: str = field(repr=False)
    mimetype: str
    data: bytes = field(repr=False)


@frozen
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
    pause_url: str | None = field(default=None, repr=False)
    """Where one press stops all mail to this person (RFC 8058)."""
    language: Language = Language.ENGLISH
    attached: Attached | None = None


@unique
class LinkKind(StrEnum):
    """What a link is sent for; the value is the template's name."""

    FIRST = "link-first"
    NEWS = "link"
    WHOSE = "link-whose"
    DISCREET = "link-discreet"
    """That there is a message, and nothing else: not who writes, nor what about."""


@frozen
class LinkLetter:
    """A mail without words: that there is something, and where it can be read. It names no room, no case, nobody.

    `from_address` takes no answers.
    """

    organisation: str
    telephone: str
    url: str = field(repr=False)
    pause_url: str = field(repr=False)
    kind: LinkKind
    from_address: str = field(repr=False)
    bounce_address: str = field(repr=False)
    recipient: EmailAddress = field(repr=False)
    message_id: str
    at: datetime
    language: Language = Language.ENGLISH
    subject: str | None = None
    """What a discreet one says it is; None: as the language has it."""


@frozen
class PlainLetter:
    """The service's own lines for a machine or a file, kept as they are: ASCII, below 900 characters each.

    `from_address` takes no answers, and no reports.
    """

    organisation: str
    subject: str
    text: str = field(repr=False)
    from_address: str = field(repr=False)
    recipient: EmailAddress = field(repr=False)
    message_id: str
    at: datetime


@frozen
class OutgoingMail:
    """A mail ready for SMTP: one recipient, CRLF line ends, seven-bit. Reports go to the envelope's sender, which is
    an address of this one mail's own (VERP). `text` is its plain text; empty for a mail without words."""

    envelope_from: str = field(repr=False)
    recipient: str = field(repr=False)
    raw: bytes = field(repr=False)
    text: str = field(default="", repr=False)


def render(letter: Letter) -> OutgoingMail:
    """Write the mail. The same letter always gives the same bytes.

    Raises ValueError where an address or a Message-ID of the letter is none: those are ours, and can't be mended here.
    """
    local_part, _, domain = letter.reply_address.rpartition("@")
    sender = Address(_header_text(letter.room.name), local_part, domain)
    message = _headed(sender, letter.recipient, _header_text(letter.room.name), letter.message_id, letter.at)
    message["Reply-To"] = sender
    if letter.references:
        message["In-Reply-To"] = letter.references[-1]
        message["References"] = " ".join(letter.references[-_REFERENCES:])
    _pausable(message, letter.pause_url)
    said = _text(letter)
    _fill(message, said, _html(letter, said))
    if letter.attached:
        _attach(message, letter.attached)
    return OutgoingMail(letter.bounce_address, letter.recipient.spelled, message.as_bytes(), said)


def render_link(letter: LinkLetter) -> OutgoingMail:
    """Write a mail without words. Raises ValueError as `render` does."""
    local_part, _, domain = letter.from_address.rpartition("@")
    organisation = _header_text(letter.organisation)
    values = {
        "organisation": one_line(letter.organisation),
        "telephone": one_line(letter.telephone),
        "url": letter.url,
        "pause_url": letter.pause_url,
    }
    sender = Address(organisation, local_part, domain)
    name, subject = letter.kind.value, _header_text(_subject(letter))
    message = _headed(sender, letter.recipient, subject, letter.message_id, letter.at)
    _pausable(message, letter.pause_url)
    html = _TEMPLATES.get_template(f"{letter.language}/{name}.html").render(values, language=letter.language)
    _fill(message, _rendered(letter.language, name, **values), html)
    return OutgoingMail(letter.bounce_address, letter.recipient.spelled, message.as_bytes())


def render_plain(letter: PlainLetter) -> OutgoingMail:
    """Write a mail of plain text alone, not encoded: the file that a mail program saves has the lines as they are.

    Raises ValueError for a text that isn't ASCII, and as `render` does.
    """
    local_part, _, domain = letter.from_address.rpartition("@")
    sender = Address(_header_text(letter.organisation), local_part, domain)
    subject = _header_text(f"{letter.organisation}: {letter.subject}")
    message = _headed(sender, letter.recipient, subject, letter.message_id, letter.at)
    message.set_content(f"{letter.text}\n", cte="7bit")
    return OutgoingMail(letter.from_address, letter.recipient.spelled, message.as_bytes(), letter.text)


def render_note(letter: PlainLetter) -> OutgoingMail:
    """Write a mail of plain text in any language, which can be answered at `from_address`. Raises ValueError as
    `render` does. Reports come to that address, too, where nobody takes them for a person's words."""
    local_part, _, domain = letter.from_address.rpartition("@")
    sender = Address(_header_text(letter.organisation), local_part, domain)
    message = _headed(sender, letter.recipient, _header_text(letter.subject), letter.message_id, letter.at)
    message.set_content(letter.text, cte="quoted-printable")
    return OutgoingMail(letter.from_address, letter.recipient.spelled, message.as_bytes(), letter.text)


def _subject(letter: LinkLetter) -> str:
    phrases = PHRASES[letter.language]
    if letter.kind is LinkKind.DISCREET:
        return letter.subject or phrases.discreet
    said = {LinkKind.FIRST: phrases.first, LinkKind.NEWS: phrases.news, LinkKind.WHOSE: phrases.whose}
    return f"{letter.organisation}: {said[letter.kind]}"


def _headed(sender: Address, to: EmailAddress, subject: str, message_id: str, at: datetime) -> EmailMessage:
    """What every mail of ours has: a machine wrote it, and nothing that a machine answers comes back (RFC 3834)."""
    message = EmailMessage(policy=_POLICY)
    message["From"] = sender
    message["To"] = Address("", to.local_part, to.domain)
    message["Subject"] = subject
    message["Date"] = format_datetime(at)
    message["Message-ID"] = message_id
    message["Auto-Submitted"] = "auto-generated"
    message["X-Auto-Response-Suppress"] = "All"
    message["X-Loop"] = sender.domain
    return message


def _pausable(message: EmailMessage, url: str | None) -> None:
    if url:
        message["List-Unsubscribe"] = f"<{url}>"
        message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"


def _fill(message: EmailMessage, text: str, html: str) -> None:
    """The same twice. The boundary is made of the text, so that the same letter always gives the same bytes."""
    message.set_content(text, cte="quoted-printable")
    message.add_alternative(html, subtype="html", cte="quoted-printable")
    message.set_boundary(f"=_{hashlib.sha256(text.encode()).hexdigest()[:32]}")


def _attach(message: EmailMessage, file: Attached) -> None:
    """The file behind the words. Its boundary is made of its bytes, for the same reason. Like that of the words it
    begins as no encoded line does, and with signs that a boundary can have (RFC 2046, section 5.1.1)."""
    kind, _, which = file.mimetype.partition("/")
    message.add_attachment(file.data, maintype=kind, subtype=which, filename=file.name)
    message.set_boundary(f"=.{hashlib.sha256(file.data).hexdigest()[:32]}")


def _header_text(text: str) -> str:
    """A text for a header field. What looks like an encoded word would be decoded by the library, line breaks and
    all, and put into the header as it is."""
    return one_line(text).replace("=?", "= ?")


def _text(letter: Letter) -> str:
    content = _TEMPLATES.get_template(f"{letter.language}/letter.txt").render(
        room=one_line(letter.room.name), private=letter.room.audience is Kind.CAUCUS, said=_said(letter)
    )
    phrases = PHRASES[letter.language]
    return framed(phrases.above, letter.reply_address, content, phrases.end)


def _html(letter: Letter, text: str) -> str:
    """The same words as the text, in the same order: an answer is cut at the same marks, whichever it quotes."""
    lines = text.strip("\n").split("\n")
    head, paragraphs = _paragraphs(lines[3:-1])
    return _TEMPLATES.get_template("letter.html").render(
        language=letter.language,
        marks=lines[:2],
        end=lines[-1],
        room=head,
        private=letter.room.audience is Kind.CAUCUS,
        paragraphs=paragraphs,
        pause_url=letter.pause_url,
    )


def _paragraphs(lines: list[str]) -> tuple[str, list[tuple[str, str]]]:
    """The first line, and the blocks of the rest: ours (`said`), lists of ours (`list`), and a person's (`words`)."""
    blocks: list[tuple[str, list[str]]] = []
    for line in lines[1:]:
        mark = WORDS_MARK.strip()
        kind = "words" if line.startswith(mark) else "list" if line.startswith(("- ", "  ")) else "said"
        shown = line.removeprefix(mark).removeprefix(" ") if kind == "words" else line
        if not line.strip():
            blocks.append(("", []))
        elif blocks and blocks[-1][0] == kind:
            blocks[-1][1].append(shown)
        else:
            blocks.append((kind, [shown]))
    return lines[0], [(kind, _joined(kind, block)) for kind, block in blocks if block]


def _joined(kind: str, lines: list[str]) -> str:
    """Our own lines were broken for plain text; a browser breaks them itself. A person's stay as they are."""
    if kind == "words":
        return "\n".join(lines)
    text = " ".join(line.strip() for line in lines)
    return "\n".join(item.strip() for item in f" {text}".split(" - ")[1:]) if kind == "list" else text


def _said(letter: Letter) -> str:
    content, language = letter.content, letter.language
    if isinstance(content, Several):
        return "\n\n".join(f"{at}\n{_said_once(each, language).rstrip()}" for at, each in content.parts)
    return _said_once(content, language)


def _said_once(content: Single, language: Language) -> str:
    match content:
        case Post():
            return _rendered(language, "post", author=one_line(content.author), words=as_words(content.text))
        case Released():
            return f"{one_line(content.heading)}\n{as_words(content.text)}\n"
        case Correction():
            return _rendered(language, "correction", author=one_line(content.author), words=as_words(content.text))
        case Removed():
            return _rendered(language, "removed")
        case FileShared():
            return _rendered(
                language, "file", author=one_line(content.author), words=as_words(content.text) if content.text else ""
            )
        case Invitation():
            return _rendered(
                language,
                "invitation",
                organisation=one_line(content.organisation),
                mediator=one_line(content.mediator),
                telephone=one_line(content.telephone),
                name=one_line(content.name),
            )
        case Explanation():
            return _rendered(language, "explanation", words=as_words(content.text))
        case _:
            assert_never(content)


def _rendered(language: Language, template: str, /, **values: str) -> str:
    return _TEMPLATES.get_template(f"{language}/{template}.txt").render(values)
