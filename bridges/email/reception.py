"""Taking mail in, however it comes: what is for nobody, or too much, is not taken; the rest is stored before it is said
to be.
"""

import logging
from dataclasses import field, replace
from enum import Enum, auto
from typing import Final, Protocol

from bridges.email.convert_in import mail_identity, read_head
from bridges.email.ids import IntakeAddress, Token, token_hash
from bridges.email.rate import RateCap
from policies.frozen import frozen

logger = logging.getLogger(__name__)

STRANGERS_MOST: Final = 20
STRANGER_MOST: Final = 5
"""Mails an hour to the address of strangers, from one domain and from one address: neither keeps the others out."""
_REGISTRIES: Final = frozenset({"ac", "co", "com", "edu", "gob", "gouv", "gov", "ne", "net", "nom", "or", "org"})
"""Below the domains of countries names are registered under these, as in `example.co.uk`."""


@frozen
class Counted:
    """Under what a mail is counted, and how many there may be of those within the hour."""

    key: str = field(repr=False)
    limit: int


@frozen
class ReceivedMail:
    """One mail for one token, as it came. `envelope_from` is empty for the null sender.

    `identity` is the key of duplicates; `same_message` the part of it that names token and Message-ID only: known with
    another identity, the mail is another one under the same id and to be held. `recipients` counts the addresses of
    the envelope: more than one of ours means that one mail went to two rooms.
    """

    token: Token
    token_hash: str
    envelope_from: str = field(repr=False)
    raw: bytes = field(repr=False)
    identity: str
    same_message: str
    recipients: int
    counted: tuple[Counted, ...] = ()
    """Where several processes take mail, each keeps to the limits for all of them."""


class InboxVerdict(Enum):
    """What became of a mail that was offered to the inbox."""

    STORED = auto()
    """Committed, now or by an earlier delivery of the same mail."""
    BUSY = auto()
    """Can't be stored at the moment; the mail server is to try again."""
    UNKNOWN = auto()
    """Nobody has that address, or any more."""
    OVER_CAP = auto()
    """The address has had all it may have within the hour, by what `Reception` has counted; or, where several processes
    take mail, by what all of them have."""


class MailInbox(Protocol):
    """Where mail is kept. An exception of either method counts as "can't at the moment"."""

    async def knows(self, token_hash: str) -> bool:
        """Whether mail for that token is taken. Called for every RCPT, probes included: must change nothing."""
        ...

    async def vouches(self, mail: ReceivedMail) -> bool:
        """Whether its header proves that the owner of the address wrote it. Quick, and changes nothing."""
        ...

    async def accept(self, mail: ReceivedMail) -> InboxVerdict:
        """Store a mail durably, committed before it returns; decide nothing. Must be idempotent by `identity`."""
        ...


class Entrance(Protocol):
    """A way by which mail comes in, between `start` and `stop`."""

    way: str
    """What is done there, as a sentence about mail."""
    remedy: str
    """What to do when it does not work."""

    async def start(self) -> None:
        """Begin to take mail."""
        ...

    async def stop(self) -> None:
        """Take no more; what is being stored is."""
        ...

    async def trouble(self) -> str | None:
        """Why no mail can come now, None if it can: tried."""
        ...


class Reception:
    """Takes mails, each for one address."""

    def __init__(self, inbox: MailInbox, cap: RateCap) -> None:
        self._inbox, self._cap = inbox, cap
        self._strangers = RateCap(cap.now, limit=STRANGERS_MOST), RateCap(cap.now, limit=STRANGER_MOST)

    async def knows(self, token: Token) -> bool:
        """Whether somebody has that address; changes nothing. Raises what the inbox raises."""
        return await self._inbox.knows(token_hash(token))

    def is_full(self, token: Token) -> bool:
        """Whether that address gets nothing more for now, whoever wrote it."""
        return all(self._cap.is_full(key) for key in _cap_keys(token_hash(token)))

    def is_full_of_unproven(self, token: Token) -> bool:
        """Whether that address gets nothing more for now that its owner is not proven to have written."""
        return self._cap.is_full(_cap_keys(token_hash(token))[1])

    async def take(self, mail: ReceivedMail) -> InboxVerdict:
        """Store one mail, unless that is too much. Raises nothing."""
        if self.is_full(mail.token):
            return InboxVerdict.OVER_CAP
        try:
            key = _cap_keys(mail.token_hash)[0 if await self._inbox.vouches(mail) else 1]
            caps = ((self._cap, key), *zip(self._strangers, _keys_of_a_stranger(mail, key), strict=False))
            if any(cap.is_full(counted) for cap, counted in caps):
                return InboxVerdict.OVER_CAP
            counts = tuple(Counted(counted, cap.limit) for cap, counted in caps)
            verdict = await self._inbox.accept(replace(mail, counted=counts))
        except Exception as error:  # noqa: BLE001 - whatever went wrong, the mail server keeps the mail
            logger.error("a mail could not be stored: %s", type(error).__name__)
            return InboxVerdict.BUSY
        if verdict is InboxVerdict.STORED:
            for cap, counted in caps:
                cap.count(counted)
        return verdict


def received(token: Token, envelope_from: str, raw: bytes, *, recipients: int) -> ReceivedMail:
    """A mail as it came, with what tells it from others."""
    hashed = token_hash(token)
    identity, same_message = mail_identity(hashed, raw)
    return ReceivedMail(
        token=token,
        token_hash=hashed,
        envelope_from=envelope_from,
        raw=raw,
        identity=identity,
        same_message=same_message,
        recipients=recipients,
    )


def _keys_of_a_stranger(mail: ReceivedMail, key: str) -> tuple[str, ...]:
    """Under what those are counted who write to the address of strangers from one domain, and from one address; none
    for every other mail. `key` tells proven mail from other: who forges a domain keeps nobody out who is there."""
    if not isinstance(mail.token, IntakeAddress):
        return ()
    senders = [sender.lower() for sender in read_head(mail.raw, null_sender=not mail.envelope_from).senders]
    domains = {_registered(sender.rpartition("@")[2]) for sender in senders}
    return f"{key}/{','.join(sorted(domains))}", f"{key}//{','.join(sorted(senders))}"


def _registered(domain: str) -> str:
    """What somebody had to register, nearly: of names below it anybody has as many as they like. Of a list of all such
    domains (the Public Suffix List) only this much is needed: two who are taken for one share their limit."""
    labels = domain.rstrip(".").split(".")
    is_deep = len(labels[-1]) == 2 and labels[-2:-1] != [] and labels[-2] in _REGISTRIES
    return ".".join(labels[-3 if is_deep else -2 :])


def _cap_keys(token_hash: str) -> tuple[str, str]:
    """Proven and unproven mail are counted apart: else a stranger who knows the address could silence its owner."""
    return token_hash, f"{token_hash}/unproven"
