"""A stranger is taken on: a case is opened for them, and what they wrote first becomes theirs there (R13)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from policies.case import DESK, Case, CaseId, Consent, Network, Role, Seen
from policies.commands.form import Form
from policies.commands.people import AddPerson
from policies.commands.strangers import TRIAGE_ONLY, found_in, having, split
from policies.effects import Begun, Decision, Heard, Post, Tell
from policies.frozen import frozen
from policies.message import Message, MessageId, Text, Unreadable
from policies.outcome import Done, Facts, Outcome, Refused
from policies.people.membership import caucuses_of
from policies.people.stranger import Stands, Stranger
from policies.words.text import moment

if TYPE_CHECKING:
    from policies.commands.vocabulary import Command


@frozen
class OpenFor:
    """A case for a stranger, who is its party under the name that the mediator gives."""

    stranger: str
    name: str
    title: str

    def perform(self, case: Case, facts: Facts) -> Outcome:
        """Not within the triage desk: `acts.opened_for` does it."""
        return TRIAGE_ONLY


@frozen
class Chosen:
    """A stranger for whom a case is to be opened, and what it begins with."""

    stranger: Stranger
    number: CaseId
    name: str
    steps: tuple[Command, ...]
    first: Message


def chosen_for(case: Case, command: OpenFor, facts: Facts) -> Chosen | Refused:
    """What the case begins with: the mediator who said so, and the stranger, with their consent on record."""
    found, mediator = found_in(case, command.stranger), case.person(facts.by) if facts.by else None
    if isinstance(found, Refused):
        return found
    if mediator is None or facts.fresh is None:
        return Refused("Nobody is there to be its mediator", "Say it at the triage desk")
    if found.writer.doubt:
        return Refused(
            f"Nothing shows that it was they who wrote: {found.writer.doubt}",
            "Ask them by telephone, and open a case by !case new, in the direct chat with me",
        )
    if found.stands is Stands.BLOCKED or facts.first is None:
        return Refused(f"{found.id} is {found.stands}, and nothing of theirs is at hand", "!intake lists who waits")
    if found.stopped:
        return Refused(f"{found.id} wrote STOP", "Telephone them; once they write START, a case can be opened")
    if facts.engaged:
        return Refused(
            f"{found.id} takes part in another case, and nobody could tell which of the two they write to",
            "Remove them there first",
        )
    address = found.writer.phone or found.writer.user or found.writer.name
    agreed = _consent(found, mediator.name, facts) if found.writer.network is Network.WHATSAPP else None
    steps = (
        AddPerson(mediator.name, Network.MATRIX, mediator.endpoint.address, Role.MEDIATOR),
        AddPerson(command.name, found.writer.network, address, consent=agreed),
    )
    return Chosen(found, facts.fresh, command.name, steps, facts.first)


def begun(case: Case, chosen: Chosen, opened: Done) -> Done:
    """The triage desk after the case was opened, and the case, with the stranger's first words where they belong."""
    stranger, party = chosen.stranger, opened.case.named(chosen.name)
    assert party is not None
    writer, (own,) = stranger.writer, caucuses_of(opened.case, party.id)
    seen = Seen(writer.user, writer.phone, writer.key) if writer.network is Network.WHATSAPP else None
    fresh = opened.case.with_person(replace(party, endpoint=replace(party.endpoint, seen=seen)))
    words = _words(chosen.first)
    first = replace(
        chosen.first,
        id=MessageId(f"{chosen.first.id}/{chosen.number}"),
        author=party.id,
        conversation=own,
        content=Text(words),
    )
    posted = (Post(own, party.id, Text(words), first.id),) if words else ()
    why = chosen.first.content.why if isinstance(chosen.first.content, Unreadable) else ""
    note = f" About what they wrote first, mind: {why}." if why else ""
    told = Tell(
        DESK, f"Opened at the triage desk for {stranger.id}, who wrote first on {moment(first.at, case.zone)}.{note}"
    )
    heard = Heard(party.endpoint.id, writer.to, stranger.heard) if writer.network is Network.WHATSAPP else None
    decision = Decision(
        fresh, (*opened.effects, told, *posted), "opened-at-triage", "a mediator opened it for whoever wrote"
    )
    after = having(case, replace(stranger, stands=Stands.OPENED, case=chosen.number))
    answer = (
        f"Case {chosen.number} is open, with {party.name} as its party. Its desk is “Desk · {chosen.number}”, where you"
        " are invited. What they wrote first stands in their private room; what they write from now on goes there, too."
        " From here nothing is sent to them any more; should an answer of yours not have left yet, give it there."
    )
    return Done(after, answer, begins=Begun(decision, first, heard))


def _consent(stranger: Stranger, mediator: str, facts: Facts) -> Consent:
    return Consent(mediator, facts.at, f"wrote to us of their own accord by WhatsApp on {stranger.since:%Y-%m-%d}")


def _words(message: Message) -> str:
    match message.content:
        case Text(body) | Unreadable(words=body):
            return body
        case _:
            return ""


def _open(words: list[str]) -> OpenFor | str:
    found = split(words)
    if isinstance(found, str):
        return found
    number, name, title = found
    return OpenFor(number, name, title) if name and title else "A name for them and a title for the case are missing"


OPENING: Form[OpenFor] = Form(
    "intake open",
    "!intake open S1 NAME: TITLE",
    "opens a case with them as a party; what they wrote first goes to their private room alone",
    "!intake open S1 Bea: Smith and Jones",
    _open,
    desk=False,
    triage=True,
)
