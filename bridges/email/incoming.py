"""What an incoming mail is to the rest of the bridge: plain values, no parsing."""

from dataclasses import field
from enum import StrEnum, unique

from bridges.email.authentication import ArcSet, AuthenticationResults
from policies.frozen import frozen


@unique
class UnsafeReason(StrEnum):
    """Why the person's own words could not be told apart with certainty. The value goes on record."""

    QUOTE_UNRECOGNISED = "quote_unrecognised"
    ANSWERED_IN_QUOTE = "answered_in_quote"
    FORWARDED = "forwarded"
    HTML_QUOTE = "html_quote"
    SEVERAL_BODIES = "several_bodies"
    OTHER_RECIPIENTS = "other_recipients"
    NO_WORDS = "no_words"
    NESTED_MAIL = "nested_mail"
    SMIME = "smime"
    PGP = "pgp"
    CALENDAR = "calendar"
    WINMAIL = "winmail"
    CHARSET = "charset"
    TOO_LARGE = "too_large"
    TOO_MANY_PARTS = "too_many_parts"
    TOO_DEEP = "too_deep"
    MALFORMED = "malformed"

    @property
    def in_words(self) -> str:
        """For the mediator and the sender: what was found, without anything of the mail itself."""
        return _IN_WORDS[self]


_IN_WORDS = {
    UnsafeReason.QUOTE_UNRECOGNISED: "it seems to quote another message, and where the quote begins is not certain",
    UnsafeReason.ANSWERED_IN_QUOTE: "there are words inside or below the quoted message",
    UnsafeReason.FORWARDED: "it looks like a forwarded message",
    UnsafeReason.HTML_QUOTE: "it is formatted mail without a plain text version, and quotes something that is not ours",
    UnsafeReason.SEVERAL_BODIES: "it has several bodies that may differ",
    UnsafeReason.OTHER_RECIPIENTS: "it was addressed to others as well",
    UnsafeReason.NO_WORDS: "no words of the sender were found in it",
    UnsafeReason.NESTED_MAIL: "another mail is attached to it",
    UnsafeReason.SMIME: "it is encrypted or sealed with S/MIME",
    UnsafeReason.PGP: "it is encrypted or signed with PGP",
    UnsafeReason.CALENDAR: "it is a calendar invitation or its answer",
    UnsafeReason.WINMAIL: "it was sent in Outlook's own format (winmail.dat)",
    UnsafeReason.CHARSET: "its characters could not be decoded",
    UnsafeReason.TOO_LARGE: "it is too large",
    UnsafeReason.TOO_MANY_PARTS: "it has too many parts",
    UnsafeReason.TOO_DEEP: "its parts are nested too deeply",
    UnsafeReason.MALFORMED: "it is not a well-formed mail",
}


@unique
class AutomaticKind(StrEnum):
    """Mail that no person wrote as an answer. The value goes on record."""

    NULL_SENDER = "null_sender"
    DELIVERY_REPORT = "delivery_report"
    AUTO_REPLY = "auto_reply"
    MAILING_LIST = "mailing_list"
    OUR_OWN = "our_own"


@frozen
class Attachment:
    """A file of a mail. `name` and `mime_type` are the sender's claims, cleaned of control characters."""

    name: str = field(repr=False)
    mime_type: str
    content: bytes = field(repr=False)

    @property
    def size(self) -> int:
        """In bytes, decoded."""
        return len(self.content)


@frozen
class Body:
    """What a mail says: text with LF line ends, files, and what stands in the way of reading it.

    Of HTML that quotes something, `above` is the text without what the client marked as quoted; else None.
    """

    text: str = field(repr=False)
    attachments: tuple[Attachment, ...] = ()
    obstacle: UnsafeReason | None = None
    above: str | None = field(default=None, repr=False)


@frozen
class IncomingHead:
    """The header of one mail, read without trusting any of it: all that the proof of its sender needs.

    `senders` are all addresses of all From fields, `recipients` all of To and Cc; `authentication` every
    Authentication-Results field in its order; `automatic` the sign that no person answered, if any;
    `length_tag` whether a DKIM signature covers only the beginning of the body (`l=`); `loop_marks` the values
    of X-Loop; `seals` the ARC sets (RFC 8617); `malformed` whether the header section breaks RFC 5322.
    """

    senders: tuple[str, ...] = field(repr=False)
    recipients: tuple[str, ...] = field(repr=False)
    message_id: str = field(repr=False)
    authentication: tuple[AuthenticationResults, ...] = field(repr=False)
    automatic: AutomaticKind | None
    length_tag: bool
    loop_marks: tuple[str, ...] = field(repr=False)
    seals: tuple[ArcSet, ...] = field(repr=False)
    malformed: bool


@frozen
class IncomingMail(IncomingHead):
    """One mail, read without trusting any of it."""

    body: Body


@frozen
class Clean:
    """The sender's own words, with certainty and nothing else."""

    text: str = field(repr=False)


@frozen
class Unsafe:
    """The words could not be told apart: for the sender's own caucus only.

    `text` is all that was found, with our own secret addresses masked; `own` what of it is probably the sender's, None
    where nothing can tell, or where it went to others as well.
    """

    reason: UnsafeReason
    text: str = field(repr=False)
    own: str | None = field(default=None, repr=False)


Reading = Clean | Unsafe
