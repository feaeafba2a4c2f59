"""What a mediator wrote in the wrong room is taken back: out of its room, and from whomever it has not left for (M11).

A mediator's post waits for a moment before it leaves to other networks (`Relay.not_before`). Until then it can be
stopped; what has left can only be followed by word that it was removed. Whoever was in the room may have seen it.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import datetime

from policies.case import DESK, Case, Conversation, Person
from policies.effects import Decision, Effect, Redact, Relay, Tell, Withhold
from policies.message import Message, MessageId, Removal
from policies.networks.way import CARRIED_BY
from policies.outcome import Done, Facts
from policies.people.membership import bridged_readers
from policies.plan import desk_label


def name_of_removal(message: MessageId) -> MessageId:
    """Under which name readers are told that a message was removed, however often: never its own, for whatever sends
    words again finds them by their name."""
    return MessageId(hashlib.sha256(f"removed/{message}".encode()).hexdigest()[:40])


def recalled(case: Case, message: MessageId, where: Conversation, facts: Facts) -> Done:
    """It is taken out of its room by the bot, with all its changes, and kept from whomever it has not left for."""
    effects = (Redact(where, message), *_changes(where, facts), *letters_back(case, message, where, facts))
    answer = f"Taken back in {desk_label(where, case)}. {what_became(case, where, facts)}"
    return Done(without(case, message), answer, effects)


def decide_removal(case: Case, message: Message, author: Person, target: MessageId | None, facts: Facts) -> Decision:
    """A message was removed. Whoever holds a homeserver token can do that: a fact, not a person's act (I4). All the
    same, what a mediator removed doesn't leave any more: that narrows, and the desk hears of it."""
    if target is None:
        return Decision(case, (), "removal", "of nothing we carried")
    where, there = desk_label(message.conversation, case), bridged_readers(case, message.conversation)
    if facts.takes_back and message.conversation != DESK and there:
        became = what_became(case, message.conversation, facts)
        told = Tell(DESK, f"{author.name} removed a message in {where}. {became}")
        letters = letters_back(case, target, message.conversation, facts)
        effects = (*_changes(message.conversation, facts), *letters, told)
        return Decision(without(case, target), effects, "taken-back", became)
    name = name_of_removal(target)
    relays = (
        Relay(name, message.conversation, None, message.content, p.id)
        for p in there
        if not case.same_voice(p.id, author.id)
    )
    notice = () if case.is_staff(author.id) else (Tell(DESK, f"A message was removed in {where}."),)
    return Decision(case, (*relays, *notice), "removal", "its readers are told")


def letters_back(case: Case, target: MessageId, where: Conversation, facts: Facts) -> tuple[Effect, ...]:
    """Nothing of it leaves any more; who may have it already is told that it was removed."""
    stopped, gone = _those(case, where, facts)
    told = tuple(Relay(name_of_removal(target), where, None, Removal(target), person.id) for person in gone)
    everybody = frozenset(person.id for person in (*stopped, *gone))
    kept = (Withhold(target, everybody),) if everybody else ()
    return (*kept, *told)


def _changes(where: Conversation, facts: Facts) -> tuple[Effect, ...]:
    """Each stands in the room as an event of its own."""
    return tuple(Redact(where, change) for change in facts.changed_by)


def what_became(case: Case, where: Conversation, facts: Facts) -> str:
    """Who may have it, for the desk and the record; never a word of it."""
    stopped, gone = _those(case, where, facts)
    said = ["Whoever was in that room in Matrix may have seen it."]
    if stopped:
        said.append(f"Not sent to {_names(stopped)}: it had not left yet.")
    if gone:
        said.append(
            f"Sent already, and possibly seen, by {_names(gone)}: it can't be called back from there. A second message"
            " says that it was removed."
        )
    return " ".join(said)


def is_early(effect: Relay, at: datetime) -> bool:
    """Whether its author may still take it back."""
    return effect.not_before is not None and at < effect.not_before


def without(case: Case, message: MessageId) -> Case:
    """The case in which that is not what a mediator wrote last."""
    return replace(case, posted=None) if case.posted and case.posted.message == message else case


def _those(case: Case, where: Conversation, facts: Facts) -> tuple[list[Person], list[Person]]:
    """Of those who read there outside of Matrix: whom it has not left for, and who may have it."""
    there = bridged_readers(case, where)
    return [p for p in there if p.id in facts.unsent], [p for p in there if p.id not in facts.unsent]


def _names(people: list[Person]) -> str:
    return ", ".join(f"{person.name} ({CARRIED_BY[person.endpoint.network]})" for person in people)
