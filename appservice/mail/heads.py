"""The signed heads of the record by mail, to addresses of the organisation's choice: they leave the machine (A1)."""

from __future__ import annotations

from appservice.mail.plain import PlainMails
from rooms.outcome import Cancelled, Outcome
from rooms.outgoing import MailHeads
from rooms.queue import Item


class HeadsMail:
    """Carries heads by SMTP."""

    def __init__(self, mails: PlainMails, addresses: tuple[str, ...]) -> None:
        """`addresses`: who gets them now."""
        self._mails, self._addresses = mails, addresses

    async def carry(self, item: Item, heads: MailHeads) -> Outcome:
        """Send it once: what was begun and never answered is not repeated (I5). Raises Trouble."""
        if heads.to not in self._addresses:
            return Cancelled("that address gets no heads any more")
        return await self._mails.send(item, heads.to, "Signed heads of the record", heads.text)
