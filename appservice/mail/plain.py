"""Plain mails of the service's own, to the organisation's people and to strangers: each leaves once (I5)."""

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
from rooms.queue import Item


class PlainMails:
    """Sends them by SMTP."""

    def __init__(
        self, database: ServiceDatabase, server: MailServer, sender: Sender, address: str | None = None
    ) -> None:
        """`address`: at which they are answered; None where nobody answers them."""
        self._database, self._server, self._sender, self._address = database, server, sender, address

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
        letter = mails.PlainLetter(
            organisation=self._sender.organisation,
            subject=subject,
            text=text,
            from_address=self._address or f"noreply@{domain}",
            recipient=recipient,
            message_id=ids.message_id(item.id, domain),
            at=datetime.now(UTC),
        )
        return mails.render_note(letter) if self._address else mails.render_plain(letter)
