"""Words to somebody on WhatsApp who takes part in no case: one message, once, and only while their window is open."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import assert_never

from appservice.mail.leaving import is_with_another
from appservice.ports import ServiceDatabase
from appservice.whatsapp.callback import Ours
from appservice.whatsapp.courier import Sends
from bridges.unsent import NotSent, Unknown
from bridges.whatsapp.api import Accepted, Refused, SendResult
from bridges.whatsapp.convert_out import Addressee, addressed, plain
from bridges.whatsapp.faults import Remedy, fault
from bridges.whatsapp.pace import Pace
from policies.stranger import Stranger
from policies.whatsapp import WINDOW
from rooms.homeserver import Trouble
from rooms.outcome import Outcome, Sent, TakenOver, Unanswered
from rooms.ports import Item


class StrangersWhatsApp:
    """Carries the organisation's words by WhatsApp: a `rooms.carriers.StrangerCourier`."""

    def __init__(
        self,
        database: ServiceDatabase,
        network: Sends,
        pace: Pace,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._database, self._network, self._pace, self._clock = database, network, pace, clock

    async def write(self, item: Item, to: Stranger, text: str) -> Outcome:
        """Send it once, from the number that they wrote to: what was begun and never answered is not repeated (I5).

        There is no template for strangers: nobody is written to who has not just written.
        """
        if item.sending:
            return Unanswered("the service stopped while it was on its way")
        if self._clock() >= to.heard + WINDOW:
            raise Trouble("they have not written for 24 hours, and WhatsApp takes nothing then", transient=False)
        if not self._pace.may_send(to.writer.to, to.writer.name):
            raise Trouble("more is to be sent than WhatsApp takes at once", transient=True)
        async with self._database.begin() as work:
            if await is_with_another(work, item):
                return TakenOver()
            await work.outbox.mark_sending(item.id, None)
        addressee = Addressee(to.writer.name, to.writer.user, to.writer.key)
        message = addressed(plain(text), addressee, str(Ours(item.id, 0)))
        return _outcome(await self._network.send(to.writer.to, message))


def _outcome(result: SendResult) -> Outcome:
    """What became of it. Raises Trouble where it certainly did not leave."""
    match result:
        case Accepted(wamid):
            return Sent(wamid)
        case Unknown(reason):
            return Unanswered(reason)
        case NotSent(reason):
            raise Trouble(reason, transient=True)
        case Refused(code):
            wrong = fault(code)
            raise Trouble(f"{wrong.words} ({code})", transient=wrong.remedy in {Remedy.RETRY, Remedy.ALARM})
        case _:
            assert_never(result)
