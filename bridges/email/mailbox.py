"""Mail that is fetched from a mailbox (IMAP, RFC 9051), where no mail server can hand it to us.

    what is not flagged, oldest first ▶ its head: for whom? ▶ the mail, stored ▶ deleted from the mailbox
                                        nobody's, or too large ………… flagged, and left to the administrator
                                        too much, or not now ………………… left until the next time

Nothing is deleted before it is stored; what was stored and not deleted is stored again as the same. Less is possible
than by LMTP: nobody is refused at the door, so whoever mistypes an address is not told; and mail comes later.
"""

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from dataclasses import field
from datetime import UTC, datetime, timedelta
from email.parser import BytesHeaderParser
from itertools import islice
from typing import Any, Final, Protocol, TypeVar, assert_never

from imapclient import IMAPClient
from imapclient.exceptions import IMAPClientError, LoginError

from bridges.email.api import Security
from bridges.email.ids import BounceToken, Token, parse_recipient
from bridges.email.mime import LIMITS
from bridges.email.reception import InboxVerdict, Reception, received
from policies.frozen import frozen

logger = logging.getLogger(__name__)
T = TypeVar("T")

_AT_ONCE: Final = 100
"""So many heads are asked for together."""
_TIMEOUT: Final = 15.0
"""Seconds for each answer of the server."""


@frozen
class Account:
    """A mailbox of ours alone. `recipient_field` is what the server that delivers puts on top with the address that a
    mail was for, like `Delivered-To`; it also adds `Return-Path` (RFC 5321, 4.4)."""

    host: str
    port: int
    security: Security
    username: str
    password: str = field(repr=False)
    folder: str = "INBOX"
    recipient_field: str = "Delivered-To"
    tls_context: ssl.SSLContext | None = field(default=None, repr=False)


@frozen
class Head:
    """What is looked at before a mail is fetched: its size in bytes, for whom it is, and its envelope's sender, empty
    for the null sender; None for what the server did not write down."""

    size: int
    recipient: str | None = field(repr=False)
    sender: str | None = field(repr=False)


class MailboxTrouble(Exception):
    """The mailbox can't be used for now; the text is for the operator, without addresses."""


class Mailbox(Protocol):
    """An open mailbox. Each method waits for the server, and raises IMAPClientError or OSError."""

    def waiting(self) -> Sequence[int]:
        """What is neither flagged nor deleted, oldest first, by numbers that stay."""

    def heads(self, numbers: Sequence[int]) -> Mapping[int, Head]:
        """The heads of those that are still there."""

    def mail(self, number: int) -> bytes | None:
        """One mail whole, None if it is gone; it is not marked as read."""

    def delete(self, number: int) -> None:
        """Take one out for good."""

    def flag(self, number: int) -> None:
        """Leave one for a person to look at."""

    def close(self) -> None:
        """Log out."""


class Fetcher:
    """Fetches what waits in a mailbox, again and again, between `start` and `stop`: an `Entrance`."""

    way = "the mailbox lets us in"
    remedy = "mail waits there; is the mail server running, and is email.imap right?"

    def __init__(
        self,
        reception: Reception,
        domain: str,
        open_mailbox: Callable[[], Mailbox],
        *,
        every: timedelta,
        on_duty: Callable[[], bool],
        looked: Callable[[datetime], Awaitable[None]],
    ) -> None:
        """`domain`: that of our addresses. Of several processes one fetches: the one `on_duty`. `looked` is told, as
        often as all that waited could be stored, when it was begun to fetch that: nothing that came before lies there.
        """
        self._reception, self._domain = reception, domain
        self._open, self._every, self._on_duty = open_mailbox, every, on_duty
        self._note = looked
        self._thread = ThreadPoolExecutor(1, "imap")
        self._task: asyncio.Task[None] | None = None
        self._over = asyncio.Event()
        self._kept_back: dict[int, Token] = {}
        """What was fetched and was over the cap, though the cap of proven mail was not reached: unproven mail."""

    async def start(self) -> None:
        """Begin to fetch."""
        self._task = asyncio.create_task(self._again_and_again())

    async def stop(self) -> None:
        """Fetch no more; nothing is cut off, for the thread would go on without us."""
        self._over.set()
        if self._task is not None:
            await self._task

    async def _again_and_again(self) -> None:
        while not self._over.is_set():
            if self._on_duty():
                try:
                    await self.fetch()
                except MailboxTrouble as trouble:
                    logger.warning("mail is not fetched: %s", trouble)
                except Exception:
                    logger.exception("mail is not fetched")
            with suppress(TimeoutError):
                async with asyncio.timeout(self._every.total_seconds()):
                    await self._over.wait()

    async def fetch(self) -> None:
        """Store everything that waits and may be stored. Raises MailboxTrouble, and what the inbox raises."""
        async with self._mailbox() as mailbox:
            begun, waiting = datetime.now(UTC), await self._wait(mailbox.waiting)
            self._kept_back = {number: token for number, token in self._kept_back.items() if number in set(waiting)}
            left = iter(waiting)
            busy: set[str | None] = set()
            while some := list(islice(left, _AT_ONCE)):
                heads = await self._wait(mailbox.heads, some)
                for number in some:
                    if self._over.is_set():
                        return
                    # Behind a mail that could not be stored, nothing to the same address overtakes it.
                    if number in heads and heads[number].recipient not in busy:
                        verdict = await self._one(mailbox, number, heads[number])
                        busy.update({heads[number].recipient} if verdict is InboxVerdict.BUSY else ())
        if not busy:
            await self._note(begun)

    async def trouble(self) -> str | None:
        """Why no mail can be fetched now; None if it can: tried."""
        try:
            await self._wait(lambda: self._open().close())
        except MailboxTrouble as trouble:
            return str(trouble)
        return None

    @asynccontextmanager
    async def _mailbox(self) -> AsyncIterator[Mailbox]:
        mailbox = await self._wait(self._open)
        try:
            yield mailbox
        finally:
            with suppress(MailboxTrouble):
                await self._wait(mailbox.close)

    async def _one(self, mailbox: Mailbox, number: int, head: Head) -> InboxVerdict | None:
        verdict = await self._offer(mailbox, number, head)
        match verdict:
            case InboxVerdict.STORED:
                await self._wait(mailbox.delete, number)
            case InboxVerdict.UNKNOWN:
                logger.warning("a mail that is for nobody, or too large, was flagged and left in the mailbox")
                await self._wait(mailbox.flag, number)
            case InboxVerdict.OVER_CAP | InboxVerdict.BUSY | None:
                pass
            case _:
                assert_never(verdict)
        return verdict

    async def _offer(self, mailbox: Mailbox, number: int, head: Head) -> InboxVerdict | None:
        """What becomes of a mail; None if it is gone."""
        token = parse_recipient(head.recipient or "", self._domain)
        if token is None or head.sender is None or not await self._is_expected(token, head):
            return InboxVerdict.UNKNOWN
        if self._reception.is_full(token):
            return InboxVerdict.OVER_CAP
        if self._kept_back.get(number) == token and self._reception.is_full_of_unproven(token):
            return InboxVerdict.OVER_CAP  # to fetch it once more would tell nothing new
        raw = await self._wait(mailbox.mail, number)
        if raw is None:
            return None
        verdict = await self._reception.take(received(token, head.sender, raw, recipients=1))
        if verdict is InboxVerdict.OVER_CAP:
            self._kept_back[number] = token
        return verdict

    async def _is_expected(self, token: Token, head: Head) -> bool:
        """Reports have no sender, and nothing may be too large."""
        if head.size > LIMITS.size or (isinstance(token, BounceToken) and head.sender):
            return False
        return await self._reception.knows(token)

    async def _wait(self, act: Callable[..., T], *arguments: object) -> T:
        """Wait for the server on the one thread that does. Raises MailboxTrouble."""
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, act, *arguments)
        except LoginError:
            raise MailboxTrouble("the mailbox refuses our login") from None
        except OSError as error:
            raise MailboxTrouble(f"no connection to the mailbox ({type(error).__name__})") from None
        except IMAPClientError:
            raise MailboxTrouble("the mailbox does not do what we ask, or has gone away") from None


class ImapMailbox:
    """A mailbox at an IMAP server, opened."""

    def __init__(self, account: Account) -> None:
        """Connect, log in, and select the folder."""
        self._field = account.recipient_field
        implicit = account.security is Security.IMPLICIT
        context = account.tls_context or ssl.create_default_context()
        self._client = IMAPClient(
            account.host, account.port, ssl=implicit, ssl_context=context if implicit else None, timeout=_TIMEOUT
        )
        try:
            if account.security is Security.STARTTLS:
                self._client.starttls(context)
            self._client.login(account.username, account.password)
            self._client.select_folder(account.folder)
        except BaseException:
            self._client.shutdown()
            raise

    def waiting(self) -> Sequence[int]:
        return sorted(self._client.search(["UNFLAGGED", "UNDELETED"]))

    def heads(self, numbers: Sequence[int]) -> Mapping[int, Head]:
        wanted = f"BODY.PEEK[HEADER.FIELDS ({self._field} Return-Path)]"
        return {n: self._head(found) for n, found in self._client.fetch(numbers, ["RFC822.SIZE", wanted]).items()}

    def _head(self, found: Mapping[bytes, Any]) -> Head:
        """The first field of each name is the last that was added: by the server that delivered."""
        text: bytes = next((value for key, value in found.items() if key.startswith(b"BODY[HEADER")), b"")
        fields = BytesHeaderParser().parsebytes(text)
        recipient, sender = fields[self._field], fields["Return-Path"]
        return Head(
            size=found.get(b"RFC822.SIZE", 0),
            recipient=None if recipient is None else _bare(str(recipient)),
            sender=None if sender is None else _bare(str(sender)),
        )

    def mail(self, number: int) -> bytes | None:
        raw: bytes | None = self._client.fetch([number], ["BODY.PEEK[]"]).get(number, {}).get(b"BODY[]")
        return raw

    def delete(self, number: int) -> None:
        self._client.delete_messages([number], silent=True)
        if self._client.has_capability("UIDPLUS"):
            self._client.uid_expunge([number])
        else:
            self._client.expunge()

    def flag(self, number: int) -> None:
        self._client.add_flags([number], [rb"\Flagged"], silent=True)

    def close(self) -> None:
        self._client.logout()


def _bare(address: str) -> str:
    return address.strip().removeprefix("<").removesuffix(">")
