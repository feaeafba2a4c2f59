"""A mail that came without proof, and that its author says, with proof, was theirs: as it stands from then on."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from policies.case import DESK, Case, Conversation, Person
from policies.effects import Announce, Tell
from policies.message import Message, Text, Unreadable
from policies.people.membership import caucuses_of
from policies.plan import desk_label, label
from policies.words.phrase import phrase, together

CONFIRMED: Final = phrase("it came without proof, and was confirmed with the PIN")


def kept_private(case: Case, message: Message) -> Message | None:
    """A message as it stands once its author has confirmed it: as words in the author's own private room, wherever it
    was meant for, and whatever it quotes. Too much said there harms nobody (I2). None for whoever has no such room, or
    several, and for what has no words."""
    own = caucuses_of(case, message.author)
    words = message.content.words if isinstance(message.content, Unreadable) else ""
    if isinstance(message.content, Text):
        words = message.content.body
    placed = len(own) == 1 and words.strip()
    return replace(message, conversation=own[0], content=Text(words), reply_to=None) if placed else None


def notices(case: Case, kept: Message, author: Person, meant: Conversation) -> tuple[Announce, Tell]:
    """What its room is told before it, and the desk after it."""
    where = kept.conversation
    notice = phrase(
        "The next message is a mail of {name}'s, with all that was found in it, because {why}.",
        name=author.name,
        why=CONFIRMED,
    )
    not_there = phrase("It was written to {room}, and NOT posted there.", room=label(meant, case))
    notice = notice if meant == where else together([notice, not_there])
    told = f"{author.name} wrote to {desk_label(meant, case)}; it stands in {desk_label(where, case)}: {CONFIRMED}."
    return Announce(where, notice), Tell(DESK, told)
