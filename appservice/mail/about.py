"""What a mail of ours is about, as a mediator is shown it beside what became of it: no words of anybody."""

from __future__ import annotations

from typing import assert_never

from policies.case import Person
from policies.documents.carrying import Enclose
from policies.effects import AskWhose, Inform, Pose, Publish
from policies.message import Edit, File, Reaction, Removal, Text, Unreadable
from policies.networks.delivery import by_link
from policies.plan import desk_label
from rooms.letters import Letter


def about(letter: Letter, to: Person) -> str:
    """For which room it is, what it brings, and how much else with it."""
    more = f" and {len(letter.more)} more" if letter.more else ""
    link = ", as a link" if by_link(to) else ""
    return f"{desk_label(letter.conversation, letter.case)}: {_what(letter)}{more}{link}"


def _what(letter: Letter) -> str:  # noqa: C901 (one arm a kind of content)
    author = letter.author or "somebody"
    match letter.content:
        case None:
            return "the first letter"
        case Pose():
            return "a question"
        case Inform():
            return "a notice"
        case AskWhose():
            return "whose a mail was"
        case Publish():
            return "released words"
        case Enclose():
            return "a document"
        case Text() | Unreadable():
            return f"words of {author}"
        case Edit():
            return f"a correction by {author}"
        case File():
            return f"that {author} shared a file"
        case Removal():
            return f"that {author} took something back"
        case Reaction():
            return f"a reaction of {author}"
        case _:
            assert_never(letter.content)
