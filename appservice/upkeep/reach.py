"""Whether the networks outside can be reached, each way: tried, never inferred from silence.

homeserver    it serves the bot         deliveries    it reaches us (MSC2659), with the right token
mail out      the mail server lets us in              mail in       our LMTP port greets, or the mailbox lets us in
whatsapp      Meta lets us in with our numbers
scanner       clamd answers                           vault         documents can be kept and read
"""

from __future__ import annotations

import asyncio
import secrets
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from typing import Protocol

from appservice.documents.pipeline.scanner import Clamd
from appservice.documents.shelf import Shelf
from appservice.matrix.errors import MatrixError
from appservice.matrix.homeserver import Homeserver
from appservice.matrix.ids import DeviceId
from appservice.ports import ServiceWork
from appservice.storage.errors import StorageError
from appservice.whatsapp.access import Access
from bridges.email.api import MailServer, greet
from bridges.email.reception import Entrance
from policies.frozen import frozen
from rooms.ids import UserId


@frozen
class Leg:
    """One way, and what was seen of it when it was last tried. `works` is None where that can't be told.

    `remedy` is empty where it works.
    """

    name: str
    works: bool | None
    seen: str
    remedy: str = ""


class Questions(Protocol):
    """A database that can be asked."""

    def read(self) -> AbstractAsyncContextManager[ServiceWork]:
        """The stores, for questions only."""


class Reach:
    """Tries all of them."""

    every = timedelta(minutes=1)

    def __init__(
        self,
        database: Questions,
        matrix: Homeserver,
        bot: UserId,
        registration: str,
        *,
        mail_server: MailServer | None,
        mail_in: Entrance | None,
        whatsapp: Access | None = None,
        scanner: Clamd | None = None,
        shelf: Shelf | None = None,
    ) -> None:
        """`registration`: our id at the homeserver. Without mail, its two legs are left out, as are that of
        WhatsApp and those of what documents need, where they are not there."""
        self._database, self._matrix, self._bot, self._registration = database, matrix, bot, registration
        self._mail_server, self._entrance = mail_server, mail_in
        self._whatsapp, self._scanner, self._shelf = whatsapp, scanner, shelf
        self.last: tuple[Leg, ...] = ()
        """What was seen last; nothing before the first look."""

    async def look(self) -> tuple[Leg, ...]:
        """Try each once, all at the same time. Never raises; takes as long as the slowest needs to fail."""
        found = await asyncio.gather(
            *(self._homeserver(), self._deliveries(), self._mail_out(), self._mail_in()),
            *(self._cloud(), self._malware(), self._vault()),
        )
        self.last = tuple(leg for leg in found if leg is not None)
        return self.last

    async def _homeserver(self) -> Leg:
        try:
            await self._matrix.accounts.whoami(self._bot, await self._device())
        except MatrixError as error:
            if error.errcode == "M_UNKNOWN_DEVICE":
                seen = "the bot's device is gone, so nothing can be encrypted; was its account deactivated?"
                return Leg("homeserver", False, seen, "docs/runbook.md, The bot was deactivated, has the steps")
            remedy = "is it running, and is homeserver.url right? mediatrix registration check says more"
            return Leg("homeserver", False, f"the homeserver does not serve us: {error.errcode}", remedy)
        return Leg("homeserver", True, "the homeserver answers, and knows the bot's device")

    async def _device(self) -> DeviceId | None:
        """The bot's, if it has one and the database tells."""
        try:
            async with self._database.read() as work:
                identity = await work.crypto.identity(self._bot)
        except StorageError:
            return None
        return identity.device_id if identity is not None and identity.ready else None

    async def _deliveries(self) -> Leg:
        try:
            await self._matrix.accounts.ping(self._registration, secrets.token_hex(8))
        except MatrixError as error:
            remedy = "nothing that people write comes in; mediatrix registration check says what to correct"
            return Leg("deliveries", False, f"the homeserver does not reach us: {error.errcode}", remedy)
        return Leg("deliveries", True, "the homeserver reaches us")

    async def _mail_out(self) -> Leg | None:
        if self._mail_server is None:
            return None
        trouble = await greet(self._mail_server)
        if trouble is not None:
            remedy = "letters wait, for a day at most; is the mail server running, and is email.smtp right?"
            return Leg("mail out", False, trouble.reason, remedy)
        return Leg("mail out", True, "the mail server lets us in")

    async def _mail_in(self) -> Leg | None:
        if self._entrance is None:
            return None
        if trouble := await self._entrance.trouble():
            return Leg("mail in", False, trouble, self._entrance.remedy)
        return Leg("mail in", True, self._entrance.way)

    async def _cloud(self) -> Leg | None:
        if self._whatsapp is None:
            return None
        seen = await self._whatsapp.look()
        if seen.trouble:
            remedy = "messages by WhatsApp wait or are given up; are whatsapp.access_token and the numbers still right?"
            return Leg("whatsapp", False, seen.trouble, remedy)
        if seen.untold:
            remedy = "may whatsapp.access_token look (whatsapp_business_management)? Or was the number taken away?"
            return Leg("whatsapp", None, seen.untold, remedy)
        return Leg("whatsapp", True, f"WhatsApp let us in with our numbers at {seen.at:%H:%M} UTC")

    async def _malware(self) -> Leg | None:
        if self._scanner is None:
            return None
        if not await self._scanner.greets():
            remedy = "files wait, and nobody gets them; is clamd running, and is documents.clamd right?"
            return Leg("scanner", False, "clamd does not answer", remedy)
        return Leg("scanner", True, "clamd answers")

    async def _vault(self) -> Leg | None:
        if self._shelf is None:
            return None
        try:
            await asyncio.to_thread(self._shelf.check)
        except OSError as error:
            remedy = "files wait, and nobody gets them; is documents.folder, or documents.s3, right, and ours to write?"
            return Leg("vault", False, str(error), remedy)
        return Leg("vault", True, "documents can be kept")
