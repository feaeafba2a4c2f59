"""Identifiers of the mail network: reply tokens, Message-IDs, and addresses that compare."""

import hashlib
import re
import secrets
from dataclasses import field
from typing import Final

from policies.frozen import frozen

_ALPHABET: Final = "abcdefghijklmnopqrstuvwxyz234567"
_TOKEN_LENGTH: Final = 26
"""26 characters of 5 bits: 130 bits, more than can be guessed."""

_TOKEN: Final = rf"[a-z2-7]{{{_TOKEN_LENGTH}}}"
_RECIPIENT: Final = re.compile(rf"([rb])\.({_TOKEN})@(.+)", re.DOTALL)
_ANY_TOKEN: Final = re.compile(rf"(?<=[rb]\.){_TOKEN}(?=@[a-z0-9.-]+)", re.IGNORECASE)

_LOCAL_PART: Final = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_DOMAIN: Final = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_LOCAL_PART_LIMIT: Final = 64
_ADDRESS_LIMIT: Final = 254


@frozen
class ReplyToken:
    """What one party writes to in order to speak in one room. A secret: kept sealed, compared by hash."""

    value: str = field(repr=False)

    @property
    def local_part(self) -> str:
        return f"r.{self.value}"


@frozen
class BounceToken:
    """Where reports about one mail of ours come: its envelope's sender (VERP). A secret, too: who has it can report."""

    value: str = field(repr=False)

    @property
    def local_part(self) -> str:
        return f"b.{self.value}"


@frozen
class IntakeAddress:
    """Where anybody may write who takes part in no case. No secret, and no token: what comes there proves nothing."""

    @property
    def local_part(self) -> str:
        """What stands for it where a token would; none of those looks so."""
        return "intake"


Token = ReplyToken | BounceToken | IntakeAddress


@frozen
class EmailAddress:
    """A mailbox as its owner spells it.

    Compare by `key`: the domain without regard to case (RFC 5321 section 2.3.11), and the local part
    without regard to the case of ASCII letters. RFC 5321 lets a host tell `Carl` from `carl`; no provider
    in use does, clients change the case freely, and two parties must never share one mailbox, so taking
    them for the same is the safe side. Dots and plus tags are never dropped: that is each provider's own rule.
    """

    local_part: str = field(repr=False)
    domain: str = field(repr=False)

    @property
    def spelled(self) -> str:
        return f"{self.local_part}@{self.domain}"

    @property
    def key(self) -> str:
        return self.spelled.lower()


@frozen
class MalformedAddress:
    """Why a text is no address that we can write to, in words for the person who typed it."""

    reason: str


def new_reply_token() -> ReplyToken:
    """A fresh token of 130 random bits."""
    return ReplyToken(_fresh())


def new_bounce_token() -> BounceToken:
    """A fresh token of 130 random bits."""
    return BounceToken(_fresh())


def _fresh() -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(_TOKEN_LENGTH))


def token_address(token: Token, domain: str) -> str:
    """The full address of a token; `domain` is the service's own reply domain."""
    return f"{token.local_part}@{domain.lower()}"


def token_hash(token: Token) -> str:
    """The only form in which a token is looked up: SHA-256, hex."""
    return hashlib.sha256(token.local_part.encode("ascii")).hexdigest()


def parse_recipient(recipient: str, domain: str, intake: str | None = None) -> Token | None:
    """The token of an envelope recipient, or None if it is none of ours. Case is ignored (RFC 5321, 2.4). `intake`: the
    whole address of strangers, if there is one."""
    if intake and recipient.lower() == intake.lower():
        return IntakeAddress()
    match = _RECIPIENT.fullmatch(recipient.lower())
    if match is None or match[3] != domain.lower():
        return None
    return ReplyToken(match[2]) if match[1] == "r" else BounceToken(match[2])


def holds_token_address(text: str) -> bool:
    """Whether a text shows any address of the form that we hand out."""
    return _ANY_TOKEN.search(text) is not None


def mask_token_addresses(text: str) -> str:
    """The text with the secret part of every such address taken out, fit to be shown in a room."""
    return _ANY_TOKEN.sub("…", text)


def message_id(outbox_id: str, domain: str) -> str:
    """The Message-ID of one outbox row: the same row always gives the same id, and says nothing of the row."""
    digest = hashlib.sha256(b"message-id\0" + outbox_id.encode()).hexdigest()[:32]
    return f"<{digest}@{domain.lower()}>"


def parse_address(text: str) -> EmailAddress | MalformedAddress:
    """Read one bare address (RFC 5321 dot-string at a domain with a dot), or say what is wrong with it."""
    local_part, at, domain = text.strip().rpartition("@")
    if not at or not local_part or not domain:
        return MalformedAddress("an email address looks like name@example.org")
    if not local_part.isascii():
        return MalformedAddress("only unaccented Latin letters can stand before the @")
    if _LOCAL_PART.fullmatch(local_part) is None:
        return MalformedAddress("the part before the @ has a character that cannot stand there")
    try:
        ascii_domain = domain.lower() if domain.isascii() else domain.encode("idna").decode("ascii").lower()
    except UnicodeError:
        return MalformedAddress("the part after the @ is not the name of a domain")
    if _DOMAIN.fullmatch(ascii_domain) is None:
        return MalformedAddress("the part after the @ is not the name of a domain, such as example.org")
    if len(local_part) > _LOCAL_PART_LIMIT or len(local_part) + 1 + len(ascii_domain) > _ADDRESS_LIMIT:
        return MalformedAddress("the address is too long")
    return EmailAddress(local_part, ascii_domain)
