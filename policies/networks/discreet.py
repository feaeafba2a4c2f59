"""Discreet contact: what is sent to somebody's mailbox or telephone tells nothing to whoever sees it there (B5).

By mail they get links alone, under words that say nothing of a mediation, of us, or of anybody. On WhatsApp the words
themselves would stand on a locked screen: so they are sent while their reader is in the chat, and before that there is
one line that says nothing. What can't be hidden is said when it is set (I8).
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from policies.names import Network
from policies.words.phrase import Phrase, phrase


class Discreet(StrEnum):
    """Who asked for it. What somebody asked for themselves, nobody else ends: it is their safety."""

    OWN = "own"
    MEDIATOR = "mediator"


LOOKS: Final = timedelta(minutes=5)
"""So long after somebody has written they are taken to be in the chat."""
SHOW: Final = frozenset({"show", "zeigen", "mostrar", "montrer"})
"""What is for the service alone: that they are looking now."""
WAITING: Final = phrase("A message for you. Write SHOW to read it.")
"""All that stands in the chat before that."""


def may_show(discreet: Discreet | None, heard: datetime | None, at: datetime) -> bool:
    """Whether words may be sent to a telephone now, from which somebody last wrote then."""
    return discreet is None or (heard is not None and at < heard + LOOKS)


def base_for(discreet: Discreet | None, usual: str | None, hidden: str | None) -> str | None:
    """What links of somebody begin with: under a name that tells nothing, where that was asked for and we have one."""
    return hidden or usual if discreet and usual else usual


def discreet_text(network: Network, *, is_on: bool) -> Phrase:
    """What the person is told, and the mediator: what changes, and what can't be hidden."""
    if not is_on:
        return phrase("What is sent to you shows words, and who we are, as before. !discreet on ends that.")
    if network is Network.WHATSAPP:
        return phrase(
            "From now on one line comes here that tells nothing, and what there is once SHOW is written, or anything"
            " else; what comes within five minutes of that comes at once. It can't be hidden that something came, nor"
            " the name and picture of our number, nor what stands in this chat already: delete it. !discreet off ends"
            " that."
        )
    return phrase(
        "From now on a mail holds a link, and nothing of what it is about, who we are, or who wrote; the link opens"
        " with the PIN. It can't be hidden that a mail came, the address that it came from, where its link leads, nor"
        " mails that came before: delete them. !discreet off ends that."
    )
