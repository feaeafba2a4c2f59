"""Reactions: an emoji on a message binds nobody, and hardly any leaves Matrix (I4, ADR 54).

    a party's ─▶ nowhere: WhatsApp would show it as ours, and whoever runs the homeserver could have made it up
    a mediator's ─▶ to whoever wrote that message by WhatsApp, on that message alone, as the organisation's
    ⚠️ ─▶ the mediators alone (`policies.moderation.warning`)

Who reacts is told once how far that goes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from policies.case import DESK, Case, Person, PersonId
from policies.effects import Decision, Effect, Explain, Relay, Tell
from policies.message import Content, Message, Reaction, Removal, SignedWebhook
from policies.moderation.warning import is_report, sign_of_warning
from policies.networks.capabilities import CAPABILITIES
from policies.networks.delivery import Cancel, Go, Verdict
from policies.networks.way import CARRIED_BY
from policies.outcome import Reacted
from policies.people.membership import alone_with_mediators, bridged_readers, readers
from policies.plan import desk_label
from policies.words.emoji import emoji_of
from policies.words.phrase import phrase, together

LASTS: Final = timedelta(days=30)
"""How old a message may be to be reacted to (Cloud API, reaction messages)."""


def decide_reacted(case: Case, message: Message, author: Person, on: Reacted | None) -> Decision:
    """What follows from a reaction. Where it was put binds nobody, and carries it nowhere else (I1)."""
    if is_report(message.content):
        reported = sign_of_warning(case, message, author)
        return Decision(case, reported, "reaction", "a reaction binds nobody and is not carried")
    after, told = _hinted(case, message, author)
    to = _written_by(case, message, on) if on and case.is_staff(author.id) else None
    if on is None or to is None:
        return Decision(after, told, "reaction", "a reaction binds nobody and is not carried")
    emoji = _shown(message.content)
    if emoji is None:
        by = CARRIED_BY[to.endpoint.network]
        text = f"A reaction to what {to.name} wrote is NOT shown {by}: only one that is a single emoji is."
        return Decision(after, (*told, Tell(DESK, text)), "reaction", "a reaction that is no emoji is not carried")
    shown = Relay(message.id, message.conversation, author.id, Reaction(on.target.id, emoji), to.id)
    return Decision(after, (shown, *told), "reaction-carried", "a mediator's, to whoever wrote it; it binds nobody")


def decide_reaction_removed(case: Case, message: Message, on: Reacted) -> Decision:
    """A reaction was taken back, by whomever: if it was the one that is shown, an earlier one is again, or none."""
    removed = message.content.target if isinstance(message.content, Removal) else None
    shown = [(one.id, emoji) for one in on.standing if case.is_staff(one.author) and (emoji := _shown(one.content))]
    if not shown or shown[-1][0] != removed:
        return Decision(case, (), "reaction-removed", "another one is shown, or none")
    to = _written_by(case, message, on)
    if to is None:
        return _out_of_reach(case, message, on)
    then = shown[-2][1] if len(shown) > 1 else ""
    relay = Relay(message.id, message.conversation, None, Reaction(on.target.id, then), to.id)
    return Decision(case, (relay,), "reaction-removed", "it is not shown any more to whoever wrote that")


def _out_of_reach(case: Case, message: Message, on: Reacted) -> Decision:
    """It was shown in Matrix alone; or on a telephone by which whoever wrote that is not reached any more."""
    there = isinstance(on.target.proof, SignedWebhook) and message.conversation == on.target.conversation
    why = "that was written over another channel than theirs is now, or they take part there no more"
    told = (Tell(DESK, untold(why, case.name_of(on.target.author), removed=True)),) if there else ()
    return Decision(case, told, "reaction-removed", "it can't be taken away anywhere but in Matrix")


def untold(why: str, name: str, *, removed: bool) -> str:
    """That a mediator's reaction, or that one was taken back, did not reach that person, for the desk."""
    if removed:
        return f"A reaction was NOT taken away on WhatsApp: {why} ({name}). If it was shown there, it still is."
    return f"A reaction is NOT shown on WhatsApp: {why} ({name})."


def decide_reaction_failed(case: Case, person: Person, why: str, *, removed: bool) -> Decision:
    """The network reports that a reaction was not shown, or not taken away: it is not worth another attempt."""
    told = Tell(DESK, untold(why, person.name, removed=removed))
    return Decision(case, (told,), "reaction-failed", why)


def may_react(case: Case, to: PersonId) -> Verdict:
    """Whether a reaction may still go to a person: only over a channel that shows them."""
    person = case.person(to)
    return Cancel("they are reached by another channel now") if person and not _sees_reactions(person) else Go()


def still_stands(case: Case, emoji: str, standing: Sequence[Message]) -> bool:
    """Whether what was decided to be shown is to be shown still: `standing` are the reactions to that message that
    were not taken back. An empty one takes away what may be there, always."""
    return not emoji or any(case.is_staff(one.author) and _shown(one.content) == emoji for one in standing)


def not_shown(said: datetime, at: datetime, *, is_open: bool, may_show: bool) -> str | None:
    """Why no reaction can be shown on what somebody said then; None: it can. It never waits for them to write.
    `may_show`: whether words may stand on their telephone now, for it would repeat theirs."""
    if at >= said + LASTS:
        return "that message is older than 30 days"
    if not is_open:
        return "they have not written for 24 hours"
    return None if may_show else "it would show on their telephone while they are not in the chat (!discreet)"


def _shown(reaction: Content) -> str | None:
    """As what a mediator's reaction is shown on WhatsApp; None: it is not."""
    if not isinstance(reaction, Reaction) or is_report(reaction):
        return None
    return emoji_of(reaction.key)


def _written_by(case: Case, message: Message, on: Reacted) -> Person | None:
    """Who wrote what is reacted to, over the channel that they have now, and reads there still: WhatsApp shows a
    reaction on what somebody wrote, to them alone."""
    person, proof = case.person(on.target.author), on.target.proof
    if person is None or message.conversation != on.target.conversation or person.id == message.author:
        return None
    carried = _sees_reactions(person)
    theirs = isinstance(proof, SignedWebhook) and proof.channel == person.endpoint.id
    return person if carried and theirs and person.id in readers(case, message.conversation) else None


def _sees_reactions(person: Person) -> bool:
    return person.endpoint.is_bridged and CAPABILITIES[person.endpoint.network].reactions


def _hinted(case: Case, message: Message, author: Person) -> tuple[Case, tuple[Effect, ...]]:
    """Once, in private, and where it matters: how far reactions go."""
    away = [
        person for person in bridged_readers(case, message.conversation) if not case.same_voice(person.id, author.id)
    ]
    if not away or message.conversation == DESK or author.id in case.reacted or author.endpoint.is_bridged:
        return case, ()
    after = replace(case, reacted=(*case.reacted, author.id))
    if case.is_staff(author.id):
        text = (
            f"{author.name}, about reactions: yours in {desk_label(message.conversation, case)} is seen in Matrix. On"
            " WhatsApp whoever wrote the message sees it, as the organisation's and without your name, if they have"
            " written within 24 hours; nobody else does, and by mail nobody. It binds nobody. This is said once."
        )
        return after, (Tell(DESK, text),)
    own = alone_with_mediators(case, author.id, message.conversation)
    if not own:
        return case, ()
    names = together([person.name for person in away], by=", ")
    text = phrase(
        "A reaction of yours is seen in Matrix alone: {names} can't see it. It counts as no answer to anything. To say"
        " something to them, write it.",
        names=names,
    )
    return after, tuple(Explain(author.id, where, text) for where in own)
