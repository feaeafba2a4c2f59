"""What becomes of a held mail that lacked nothing but a confirmed mailbox, once its author has confirmed that.

words for its author's side   ─▶ as if they had come then, headed by their date
a command, or an answer       ─▶ stands in its author's room as words: much may have been done since
what is meant for others, too ─▶ stands aside, and its author is asked
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from policies.case import DESK, Case, Kind
from policies.commands.vocabulary import is_command
from policies.effects import Announce, Decision, Effect, EndHold, Tell
from policies.message import AuthenticatedMail, Message, MessageId, Text, Unreadable
from policies.moderation.floor import objection
from policies.moderation.hold import HoldEnd
from policies.people.membership import zone_in
from policies.releases.releasing import closed_all
from policies.words.phrase import phrase, when
from policies.words.text import moment

LATE: Final = phrase("it was written before the mailbox was confirmed")
NOT_DONE: Final = phrase(
    "it is a command or an answer from before the mailbox was confirmed, and is not carried out: give it again if it"
    " holds"
)


def counting(message: Message, name: MessageId) -> Message:
    """A message that waited for that, under another name. Meant for others than its author's side, it stands aside:
    much may have been said since, and others may read there. So does what would be carried out: no command is carried
    out long after it was given."""
    now = replace(message, id=name, proof=AuthenticatedMail())
    if not isinstance(message.content, Text):
        return now
    words = message.content.body
    if is_command(words):
        return replace(now, content=Unreadable(NOT_DONE, words, words))
    if message.conversation.kind is Kind.CAUCUS:
        return now
    return replace(now, content=Unreadable(LATE, words, words))


def decide_counting(case: Case, message: Message, held: MessageId) -> Decision:
    """What was held counts from now on. Where it is shown, its readers learn that it is an older mail; what follows
    from it is decided as ever."""
    name = case.name_of(message.author)
    effects: list[Effect] = [EndHold(held, HoldEnd.CLAIMED)]
    if _is_shown(case, message):
        at = when(message.at, zone_in(case, message.conversation))
        text = phrase(
            "What follows is a mail of {name}'s of {time}: {name} has confirmed the mailbox since.", name=name, time=at
        )
        effects.append(Announce(message.conversation, text))
    told = f"The mail of {moment(message.at, case.zone)} that was held counts as {name}'s: the mailbox is confirmed."
    return Decision(closed_all(case, held), (*effects, Tell(DESK, told)), "mail-counts", "its mailbox was confirmed")


def _is_shown(case: Case, message: Message) -> bool:
    """What stands aside instead has a heading of its own."""
    shown = isinstance(message.content, Text) and message.conversation.kind is Kind.CAUCUS
    return shown and objection(case, message.author, message.conversation) is None
