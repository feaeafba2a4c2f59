"""What was done on the page, from the inbox: said, answered, confirmed, paused; like any other word of theirs."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Final

from appservice.portal.acts import ACTS, Act
from appservice.portal.page import Press, store_press
from appservice.portal.store import Whose
from appservice.ports import ServiceWork
from appservice.worker import Fate, Finished
from policies.networks.mailbox import waits_for
from rooms.handle import Handler
from rooms.held import waiting
from rooms.house import House
from rooms.outgoing import Codec
from rooms.queue import Item

_HANDLED: Final = "handled"


class PortalReader:
    """Reads acts of the page."""

    def __init__(self, codec: Codec, house: House) -> None:
        self._codec, self._house = codec, house

    async def read(self, work: ServiceWork, item: Item) -> Fate:
        """Have one act handled. Whoever takes part no more has done nothing."""
        stored = json.loads(item.body)
        case = await work.cases.load(item.case, lock=True) if item.case else None
        person = case.person(stored["person"]) if case else None
        if case and person:
            handler = Handler(work, self._codec, self._house, item.id, datetime.now(UTC))
            facts = self._house.facts(item.received_at, person.id, "", {})
            act, what = Act(item, case, person, stored["values"], facts), stored["what"]
            if what == "enrol":
                await self._enrolled(work, handler, act, stored.get("channel"))
            elif what in ACTS:
                await ACTS[what](handler, act)
            else:
                raise ValueError("an act that the page does not have")
        await work.inbox.done(item.id, _HANDLED)
        return Finished()

    async def _enrolled(self, work: ServiceWork, handler: Handler, act: Act, channel: str | None) -> None:
        """The mailbox to which the link went is theirs; what came from there before counts, each in its turn. That it
        is theirs says nothing of another to which they have moved meanwhile."""
        case, person, at = act.case, act.person, act.item.received_at
        if channel != person.endpoint.id:
            return
        await handler.enrolled(case, person, words=act.values.get("words") == "yes")
        for one in await waiting(work, case.id):
            entry = await work.journal.get(case.id, one.message)
            if entry and entry.message.author == person.id and waits_for(entry.message, person.endpoint.mailbox):
                values = {"message": one.message}
                await store_press(work, Press(Whose(case.id, person.id), one.message, "counts", values), at)
