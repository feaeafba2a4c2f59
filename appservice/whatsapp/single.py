"""Single messages of the service's own by WhatsApp, which belong to no conversation: each leaves once (I5)."""

from __future__ import annotations

from typing import assert_never

from appservice.mail.leaving import is_with_another
from appservice.ports import ServiceDatabase
from appservice.whatsapp.callback import Ours
from appservice.whatsapp.courier import Sends
from bridges.unsent import NotSent, Unknown
from bridges.whatsapp.api import Accepted, Refused, SendResult
from bridges.whatsapp.convert_out import Addressee, Json, addressed
from bridges.whatsapp.faults import Remedy, fault
from bridges.whatsapp.pace import Pace
from rooms.homeserver import Trouble
from rooms.outcome import Outcome, Sent, TakenOver, Unanswered
from rooms.queue import Item

SILENT = "the service stopped while it was on its way"


class SingleMessages:
    """Sends them."""

    def __init__(self, database: ServiceDatabase, network: Sends, pace: Pace) -> None:
        self._database, self._network, self._pace = database, network, pace

    async def send(self, item: Item, number: str, to: Addressee, message: Json) -> Outcome:
        """From that number of ours. What was begun and never answered is not repeated. Raises Trouble."""
        if item.sending:
            return Unanswered(SILENT)
        if not self._pace.may_send(number, to.name):
            raise Trouble("more is to be sent than WhatsApp takes at once", transient=True)
        async with self._database.begin() as work:
            if await is_with_another(work, item):
                return TakenOver()
            await work.outbox.mark_sending(item.id, None)
        return _outcome(await self._network.send(number, addressed(message, to, str(Ours(item.id, 0)))))


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
