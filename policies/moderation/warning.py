"""What mediators are warned of at the desk: their own slips, and messages that somebody marked."""

from __future__ import annotations

from policies.case import DESK, Case, Person
from policies.effects import Effect, Tell
from policies.message import Content, Edit, Message, Reaction, Text
from policies.moderation.guard import echoes
from policies.outcome import Facts
from policies.plan import desk_label


def is_report(content: Content) -> bool:
    """Whether it marks a message for the mediators alone."""
    return isinstance(content, Reaction) and content.key.startswith("⚠")


def sign_of_warning(case: Case, message: Message, author: Person) -> tuple[Effect, ...]:
    """Somebody put a warning sign to a message: the mediators look at it, and nobody else hears of it (M10)."""
    if not is_report(message.content) or message.conversation == DESK:
        return ()
    where = desk_label(message.conversation, case)
    text = (
        f"REPORT: somebody put ⚠️ to a message in {where}, as {author.name}. The homeserver could have done that,"
        f" too: ask {author.name}."
    )
    return (Tell(DESK, text),)


def echo_warning(case: Case, message: Message, facts: Facts) -> list[Effect]:
    """A mediator may have written in the wrong room, or have said more than they may (M11)."""
    body = message.content.body if isinstance(message.content, Text | Edit) else ""
    found = echoes(body, facts.elsewhere, frozenset({message.conversation.id}))
    if not found:
        return []
    text = (
        f"CAREFUL: what you wrote in {desk_label(message.conversation, case)} also stands in another private room:"
        f" {', '.join(f'“{words}”' for words in found)}. If it should not be there, reply !undo to it at once, or"
        " remove it in your client. Whoever has read it, and whoever got it outside of Matrix, has it."
    )
    return [Tell(DESK, text)]
