"""A mail server in memory: takes what the service sends, keeps who got which mail, and says no when a test says so."""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from email.utils import parseaddr

from bridges.email.api import Accepted, MailServer, SendResult
from bridges.email.convert_out import OutgoingMail
from bridges.unsent import Unknown


@dataclass(frozen=True)
class Delivered:
    """One mail as its reader has it."""

    to: str
    reply_address: str
    subject: str
    text: str
    message_id: str
    at: int

    @property
    def everything(self) -> str:
        """All that can be read of it."""
        return f"{self.subject}\n{self.text}"


@dataclass(frozen=True)
class LinkMail:
    """A mail with nothing but a link in it."""

    to: str
    everything: str

    @property
    def link(self) -> str:
        """The link's secret."""
        (found,) = set(re.findall(r"/p/([A-Za-z0-9_-]{22,64})(?![A-Za-z0-9_-])", self.everything.replace("=\n", "")))
        return str(found)


class PostOffice:
    """Takes mail."""

    def __init__(self, clock: Callable[[], int] = lambda: 0) -> None:
        """`clock` tells when a mail arrived."""
        self.delivered: list[Delivered] = []
        self.links: list[LinkMail] = []
        """Mails without words."""
        self.taken: list[OutgoingMail] = []
        self.envelopes: list[str] = []
        """The envelopes' senders."""
        self.verdicts: list[SendResult] = []
        """What it answers to the next mails, before it says yes again; only a yes delivers, and silence (below)."""
        self.silence_delivers = False
        """Whether a mail arrives for which nobody answers (`Unknown`)."""
        self.hazard: Callable[[str], Awaitable[None]] = _calm
        self._clock = clock

    async def send(self, mail: OutgoingMail, server: MailServer) -> SendResult:
        """Stands in for `bridges.email.api.send`."""
        await self.hazard("smtp")
        verdict = self.verdicts.pop(0) if self.verdicts else Accepted("queued")
        if isinstance(verdict, Accepted) or (isinstance(verdict, Unknown) and self.silence_delivers):
            self.taken.append(mail)
            found = self._read(mail)
            self.delivered += [found] if found else []
            self.envelopes.append(mail.envelope_from)
        await self.hazard("smtp")
        return verdict

    def _read(self, mail: OutgoingMail) -> Delivered | None:
        message = message_from_bytes(mail.raw, policy=default)
        assert isinstance(message, EmailMessage)
        body, html = message.get_body(("plain",)), message.get_body(("html",))
        assert isinstance(body, EmailMessage)
        if message.get_content_type() == "text/plain":
            return None
        assert isinstance(html, EmailMessage)
        text = "\n".join(str(body.get_content()).splitlines())
        if "Reply-To" not in message:
            self.links.append(LinkMail(mail.recipient, f"{message}"))
            return None
        address = parseaddr(str(message["Reply-To"]))[1]
        return Delivered(
            mail.recipient, address, str(message["Subject"]), text, str(message["Message-ID"]), self._clock()
        )

    def mailbox(self, address: str) -> list[Delivered]:
        """What somebody got, oldest first."""
        return [mail for mail in self.delivered if mail.to == address]


async def _calm(call: str) -> None:
    """Nothing goes wrong."""
