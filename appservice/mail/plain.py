"""Plain mails of the service's own, to the organisation's people: each leaves once (I5)."""

from __future__ import annotations

from datetime import UTC, datetime

from appservice.mail.courier import Sender
from appservice.mail.leaving import is_with_another, outcome_of
from appservice.ports import ServiceDatabase
from bridges.email import convert_out as mails
from bridges.email import ids
from bridges.email.api import MailServer, send
from rooms.homeserver import Trouble
from rooms.outcome import Outcome, TakenOver, Unanswered
from rooms.ports import Item


class PlainMails:
    """Sends them by SMTP."""

    def __init__(self, database: ServiceDatabase, server: MailServer, sender: Sender) -> None:
        self._database, self._server, self._sender = database, server, sender

    async def send(self, item: Item, to: str, subject: str, text: str) -> Outcome:
        """What was begun and never answered is not repeated. Raises Trouble."""
        if item.sending:
            return Unanswered("the service stopped while the mail was on its way")
        mail = self._written(item, to, subject, text)
        async with self._database.begin() as work:
            if await is_with_another(work, item):
                return TakenOver()
            await work.outbox.mark_sending(item.id, None)
        return outcome_of(await send(mail, self._server))

    def _written(self, item: Item, to: str, subject: str, text: str) -> mails.OutgoingMail:
        recipient = ids.parse_address(to)
        if isinstance(recipient, ids.MalformedAddress):
            raise Trouble(f"the address can't be written to: {recipient.reason}", transient=False)
        domain = self._sender.reply_domain
        return mails.render_plain(
            mails.PlainLetter(
                organisation=self._sender.organisation,
                subject=subject,
                text=text,
                from_address=f"noreply@{domain}",
                recipient=recipient,
                message_id=ids.message_id(item.id, domain),
                at=datetime.now(UTC),
            )
        )
