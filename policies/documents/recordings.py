"""Voice messages and films that stand in a private room, over the channels of those who read it elsewhere.

They can be no documents, so nobody agrees to them one by one: they are somebody's words, and go where words go.
"""

from __future__ import annotations

from policies.case import Case, Kind, Network
from policies.effects import Post, Relay
from policies.message import File
from policies.networks.capabilities import CAPABILITIES, FILM, VOICE
from policies.outcome import Facts
from policies.people.membership import bridged_readers


def is_voice(mime: str) -> bool:
    """Whether it is of the one form that telephones record voice messages in."""
    return mime.replace(" ", "").lower() == VOICE.replace(" ", "")


def is_film(mime: str) -> bool:
    """Whether it was seen to be of the one form of film that telephones play."""
    return mime == FILM


def relayed(case: Case, said: Post | None, facts: Facts) -> tuple[Relay, ...]:
    """To each reader but its author whose network carries it, out of a private room alone: a mediator's after the time
    in which it can be taken back."""
    file = said.content if said else None
    if said is None or said.conversation.kind is not Kind.CAUCUS or not isinstance(file, File):
        return ()
    undoable = facts.at + facts.undo if facts.undo and case.is_staff(said.author) else None
    return tuple(
        Relay(said.message, said.conversation, said.author, file, reader.id, said.reply_to, undoable)
        for reader in bridged_readers(case, said.conversation)
        if not case.same_voice(reader.id, said.author) and 0 < file.size <= _most(reader.endpoint.network, file.mime)
    )


def _most(network: Network, mime: str) -> int:
    carried = CAPABILITIES[network]
    return carried.voice if is_voice(mime) else carried.film if is_film(mime) else 0
