"""The signed heads of the record by mail, to addresses of the organisation's choice: they leave the machine (A1)."""

from __future__ import annotations

from datetime import UTC, datetime

from appservice.mail.courier import Sender
from appservice.mail.leaving import is_with_another, outcome_of
from appservice.ports import ServiceDatabase
from bridges.email import convert_out as mails
from bridges.email import ids
from bridges.email.api import MailServer, send
from rooms.apply import MailHeads
from rooms.homeserver import Trouble
from rooms.outcome import Cancelled, Outcome, TakenOver, Unanswered
from rooms.ports import Item


class HeadsMail:
    """Carries heads by SMTP."""

    def __init__(
        self, database: ServiceDatabase, server: MailServer, sender: Sender, addresses: tuple[str, ...]
    ) -> None:
        """`addresses`: who gets them now."""
        self._database, self._server, self._sender, self._addresses = database, server, sender, addresses

    async def carry(self, item: Item, heads: MailHeads) -> Outcome:
        """Send it once: what was begun and never answered is not repeated (I5). Raises Trouble."""
        if heads.to not in self._addresses:
            return Cancelled("that address gets no heads any more")
        if item.sending:
            return Unanswered("the service stopped while the mail was on its way")
        mail = self._written(item, heads)
        async with self._database.begin() as work:
            if await is_with_another(work, item):
                return TakenOver()
            await work.outbox.mark_sending(item.id, None)
        return outcome_of(await send(mail, self._server))

    def _written(self, item: Item, heads: MailHeads) -> mails.OutgoingMail:
        recipient = ids.parse_address(heads.to)
        if isinstance(recipient, ids.MalformedAddress):
            raise Trouble(f"the address for heads can't be written to: {recipient.reason}", transient=False)
        domain = self._sender.reply_domain
        return mails.render_plain(
            mails.PlainLetter(
                organisation=self._sender.organisation,
                subject="Signed heads of the record",
                text=heads.text,
                from_address=f"noreply@{domain}",
                recipient=recipient,
                message_id=ids.message_id(item.id, domain),
                at=datetime.now(UTC),
            )
        )
