"""Words to somebody on WhatsApp who takes part in no case: one message, once, and only while their window is open."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from appservice.whatsapp.single import SILENT, SingleMessages
from bridges.whatsapp.convert_out import Addressee, plain
from policies.networks.whatsapp import WINDOW
from policies.people.stranger import Stranger
from rooms.homeserver import Trouble
from rooms.outcome import Outcome, Unanswered
from rooms.queue import Item


class StrangersWhatsApp:
    """Carries the organisation's words by WhatsApp: a `rooms.carriers.StrangerCourier`."""

    def __init__(self, messages: SingleMessages, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._messages, self._clock = messages, clock

    async def write(self, item: Item, to: Stranger, text: str) -> Outcome:
        """Send it once, from the number that they wrote to: what was begun and never answered is not repeated (I5).

        There is no template for strangers: nobody is written to who has not just written.
        """
        if item.sending:
            return Unanswered(SILENT)
        if self._clock() >= to.heard + WINDOW:
            raise Trouble("they have not written for 24 hours, and WhatsApp takes nothing then", transient=False)
        addressee = Addressee(to.writer.name, to.writer.user, to.writer.key)
        return await self._messages.send(item, to.writer.to, addressee, plain(text))
