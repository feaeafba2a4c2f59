"""Takes mail as the service does, in a process of its own, and dies once between the commit and the answer.

python -m tests.mailserver.taker DATABASE PORT MARKER
"""

import asyncio
import os
import signal
import sys
import time
from pathlib import Path

from appservice.crypto.sealing import Sealer
from appservice.storage.database import SqlDatabase
from appservice.storage.mail_inbox import MailInbox
from bridges.email.proof import Trust
from bridges.email.rate import RateCap
from bridges.email.reception import InboxVerdict, ReceivedMail, Reception
from bridges.email.server import LmtpServer
from tests.appservice.storage.master import MASTER

TRUST = Trust("mx.example.org", "reply.example.org")


class Mortal(MailInbox):
    """Is killed after the first mail was stored, before anybody hears of it."""

    marker: Path

    async def accept(self, mail: ReceivedMail) -> InboxVerdict:
        verdict = await super().accept(mail)
        if not self.marker.exists():
            self.marker.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return verdict


async def take(url: str, port: int, marker: Path) -> None:
    """Until killed."""
    database = SqlDatabase(url, Sealer([MASTER]))
    await database.open()
    inbox = Mortal(database, TRUST)
    inbox.marker = marker
    server = LmtpServer(Reception(inbox, RateCap(time.monotonic)), TRUST.own_domain, host="127.0.0.1", port=port)
    await server.start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(take(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])))
