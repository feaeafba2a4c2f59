"""The triage desk among the cases: it is shown what strangers write, and what is sent to those."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from policies.case import DESK, Case, CaseId, Network, PersonId
from policies.commands.taking_on import OpenFor
from policies.effects import Tell, WriteToStranger
from policies.message import Content, Message, MessageId, Proof
from policies.outcome import Facts
from policies.people.intake import TURNED_AWAY, decide_written, greeting, may_write
from policies.people.stranger import TRIAGE, Writer
from policies.people.telephone import spellings
from rooms.apply import Applier
from rooms.carriers import StrangerCourier
from rooms.clearance import stopped, until_confirmed
from rooms.homeserver import Trouble
from rooms.house import House
from rooms.manning import man_triage
from rooms.outcome import Outcome
from rooms.outgoing import Codec
from rooms.ports import Database, Entry, Work
from rooms.queue import Item, ItemId

_SOMEBODY = PersonId("stranger")


async def written(
    work: Work, codec: Codec, house: House, item: ItemId, *, writer: Writer, said: tuple[Content, Proof, datetime]
) -> bool:
    """Somebody wrote who takes part in no case. `said`: what, what proves it, and when it was received. False if too
    many wait: then nothing of it was kept here, and the item is the only one who has it (I5)."""
    content, proof, at = said
    case = await work.cases.load(TRIAGE, lock=True) or await man_triage(work, codec, house, ItemId(f"{item}/desk"), at)
    message = Message(MessageId(item), _SOMEBODY, DESK, content, proof, at, native=False)
    decision = decide_written(case, writer, message, greeting(house.organisation, house.telephone))
    await Applier(work, codec, item, at).apply(case, decision)
    triage = decision.case.triage
    who = triage.who(writer) if triage else None
    if who and any(isinstance(effect, Tell) and effect.about == message.id for effect in decision.effects):
        await work.journal.append(Entry(TRIAGE, replace(message, author=PersonId(who.id))))
    return decision.rule != TURNED_AWAY


async def about(work: Work, case: Case, command: OpenFor, facts: Facts) -> Facts:
    """The facts, with the number of the case that would be opened, and what its party wrote first."""
    stranger = case.triage.get(command.stranger) if case.triage else None
    if stranger is None:
        return facts
    entry = await work.journal.get(case.id, stranger.first)
    return replace(facts, fresh=await work.cases.new_number(), first=entry.message if entry else None)


def on_whatsapp(case: Case, command: OpenFor) -> frozenset[str]:
    """The names on WhatsApp of whom a case would be opened for: none of them may take part in another."""
    stranger = case.triage.get(command.stranger) if case.triage else None
    if stranger is None or stranger.writer.network is not Network.WHATSAPP:
        return frozenset()
    writer = stranger.writer
    names = {writer.user, writer.phone, *(spellings(writer.phone) if writer.phone else ())}
    return frozenset(name for name in names if name)


class StrangerWork:
    """Sends what is for those who take part in no case."""

    def __init__(self, database: Database, couriers: Mapping[Network, StrangerCourier]) -> None:
        """`couriers`: of the networks that are set up."""
        self._database, self._couriers = database, couriers

    async def carry(self, item: Item, case_id: CaseId, effect: WriteToStranger) -> Outcome:
        """Send one item, if it still may go (I3). Raises Trouble."""
        async with self._database.begin() as work:
            case = await work.cases.load(case_id)
            is_unconfirmed = await work.epochs.unconfirmed(case_id)
        if case is None or is_unconfirmed:
            return until_confirmed(case_id)
        if why := stopped(may_write(case, effect.to)):
            return why
        stranger = case.triage.get(effect.to) if case.triage else None
        courier = self._couriers.get(stranger.writer.network) if stranger else None
        if stranger is None or courier is None:
            raise Trouble("the network on which they wrote is not set up on this server", transient=False)
        return await courier.write(item, stranger, effect.text)
