"""The mail world of a story, with a real mail server in it: what `sandbox.mail` plays, done by Postfix and Dovecot."""

import asyncio
from collections.abc import Callable, Sequence
from email import message_from_bytes
from functools import partial
from pathlib import Path
from typing import Final

from sandbox.mail import MailboxItem, MailSandbox, Stamp
from tests.mailserver.dkim import Signer
from tests.mailserver.servers import OUTSIDE, MailHost

_LOOK_EVERY: Final = 0.2
_ELSEWHERE: Final = "198.51.100.9"


class Postbox(MailSandbox):
    """People's mailboxes are Dovecot's; what they send is signed by their provider, or not, and handed to Postfix."""

    def __init__(self, host: MailHost, provider: Signer) -> None:
        super().__init__(authserv_id="mx.example.org")
        self._real, self._provider = host, provider

    async def start(self) -> None:
        """It runs already."""

    async def stop(self) -> None:
        """Whoever started it stops it."""

    def mailbox(self, recipient: str) -> tuple[MailboxItem, ...]:
        """What lies in a Maildir, oldest first."""
        files = sorted((self._real.folder / "mail" / recipient / "Maildir" / "new").glob("*"), key=_age)
        return tuple(_item(number, recipient, file.read_bytes()) for number, file in enumerate(files))

    async def wait_for(
        self,
        recipient: str,
        matches: Callable[[MailboxItem], bool] = lambda _: True,
        *,
        after: MailboxItem | None = None,
        timeout: float = 120.0,  # noqa: ASYNC109 - as in the sandbox
    ) -> MailboxItem:
        """The first mail that matches, of those that came later than `after`. Raises TimeoutError."""
        start = 0 if after is None else after.number + 1
        async with asyncio.timeout(timeout):
            while True:  # files and other processes have no event for it
                for item in self.mailbox(recipient)[start:]:
                    if matches(item):
                        return item
                await asyncio.sleep(_LOOK_EVERY)

    def stamped(self, raw: bytes, sender: str, stamp: Stamp) -> bytes:
        """As it leaves the sender's provider: what our own mail server thinks of it, it writes itself."""
        return self._provider.sign(raw) if stamp is Stamp.PASS else raw

    async def deliver_raw(self, envelope_from: str, recipients: Sequence[str], raw: bytes) -> list[str]:
        """Hand it to Postfix from outside; what it answers for each recipient.

        What no provider signed comes from somebody else's network, too: else SPF would vouch for it (RFC 7489, 3.1).
        """
        client = OUTSIDE if b"DKIM-Signature:" in raw else _ELSEWHERE
        send = partial(self._real.send, envelope_from, list(recipients), raw, client=client)
        refused = await asyncio.to_thread(send)
        return [str(refused.get(recipient, "250 taken")) for recipient in recipients]


def _age(file: Path) -> tuple[int, str]:
    return file.stat().st_mtime_ns, file.name


def _item(number: int, recipient: str, raw: bytes) -> MailboxItem:
    sender = str(message_from_bytes(raw)["Return-Path"] or "").strip("<>")
    return MailboxItem(number, recipient, sender, raw)
