"""That something waits at a desk, by WhatsApp to a mediator: a message that Meta approved, with no word of anybody's.

What begins a conversation there must be such a template, and Meta charges for it.
"""

from __future__ import annotations

from appservice.ports import ServiceDatabase
from appservice.whatsapp.courier import Template
from appservice.whatsapp.single import SingleMessages
from bridges.whatsapp.convert_out import Addressee, code_template, template
from policies.case import Network
from policies.frozen import frozen
from policies.names import MEDIATORS, CaseId
from policies.people.stranger import TRIAGE
from rooms.homeserver import Trouble
from rooms.noticing import DeskNotice
from rooms.outcome import Cancelled, Outcome
from rooms.queue import Item


@frozen
class NoticeTemplates:
    """That something waits, and the code that shows whose number it is; in one language each."""

    notice: Template
    code: Template


class NoticeWhatsApp:
    """Carries notices by WhatsApp: a `rooms.carriers.NoticeCourier`."""

    def __init__(
        self, database: ServiceDatabase, messages: SingleMessages, templates: NoticeTemplates, number: str
    ) -> None:
        """`number`: of ours, from which they are sent."""
        self._database, self._messages, self._templates, self._number = database, messages, templates, number

    async def carry(self, item: Item, notice: DeskNotice, case: CaseId) -> Outcome:
        """Send it once; nothing to whoever wrote STOP. Raises Trouble."""
        if await self._wants_nothing(notice.to):
            why = "from that number STOP was written to us on WhatsApp, and START was not"
            if notice.code:
                raise Trouble(why, transient=False)
            return Cancelled(why)
        wanted = self._templates.code if notice.code else self._templates.notice
        message = (
            code_template(wanted.name, wanted.language, notice.code)
            if notice.code
            else template(wanted.name, wanted.language)
        )
        return await self._messages.send(item, self._number, Addressee(notice.to), message)

    async def _wants_nothing(self, number: str) -> bool:
        """What somebody wrote there who takes part in no case, is known at the triage desk; what a mediator wrote who
        is reached there as one, in the mediators' room."""
        async with self._database.begin() as work:
            desk, room = await work.cases.load(TRIAGE), await work.cases.load(MEDIATORS)
        colleague = room.at_address(Network.WHATSAPP, number) if room else None
        if colleague and colleague.endpoint.declined:
            return True
        strangers = desk.triage.strangers if desk and desk.triage else ()
        return any(one.stopped and number in {one.writer.name, one.writer.phone} for one in strangers)
