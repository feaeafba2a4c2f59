"""A mediator's reaction on its way to a telephone: onto the very message that its owner wrote, or onto none."""

from __future__ import annotations

from datetime import datetime

from appservice.ports import ServiceWork
from bridges.whatsapp.convert_out import Json, reaction
from policies.case import Person
from policies.message import Reaction, SignedWebhook
from policies.networks.discreet import may_show
from policies.networks.reactions import not_shown, still_stands
from rooms.letters import Letter
from rooms.outcome import Cancelled


async def reacting(work: ServiceWork, letter: Letter, person: Person, number: str, at: datetime) -> Json | Cancelled:
    """The reaction as it is sent from that number of ours, or why it is not. What was written to another number, from
    another channel or for another room, stands in another chat."""
    content = letter.content
    target = content.target if isinstance(content, Reaction) else None
    entry = await work.journal.get(letter.case.id, target) if target else None
    said, there = entry.message if entry else None, SignedWebhook(number, person.endpoint.id)
    stands = said and (said.author, said.conversation, said.proof) == (person.id, letter.conversation, there)
    if not isinstance(content, Reaction) or said is None or not stands or entry is None or entry.mail_id is None:
        return Cancelled("what it is on stands in no chat there")
    if not still_stands(letter.case, content.key, await work.journal.reactions(letter.case.id, said.id)):
        return Cancelled("it was taken back before it left", quietly=True)
    thread = await work.whatsapp.thread(letter.case.id, person.endpoint.id, number)
    quietly = may_show(person.discreet, thread.heard_at, at)
    why = not_shown(said.at, at, is_open=thread.is_open(at), may_show=quietly)
    return Cancelled(why) if why else reaction(entry.mail_id, content.key)
