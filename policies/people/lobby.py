"""The direct chat of a mediator with the bot, outside of any case."""

from __future__ import annotations

from collections.abc import Mapping

from policies.commands.form import Misunderstood
from policies.commands.opening import ListCases, NewCase
from policies.commands.vocabulary import Help, help_text, is_command, parse
from policies.commands.waiting import ShowBoard
from policies.frozen import frozen
from policies.message import Content, Proof, Text, Unproven, Unreadable

DESK_ONLY = "That is said at a case's desk. Here you can open a case: !case new Smith and Jones"


@frozen
class Answer:
    """The bot says this in the direct chat. `to_unsigned_devices`: in a way that such a device can read."""

    text: str
    to_unsigned_devices: bool = False


@frozen
class Open:
    """A new case, with the writer as its mediator."""

    command: NewCase


@frozen
class Silence:
    """Nothing is said: it wasn't words."""


@frozen
class Board:
    """The board of all cases of that mediator."""


@frozen
class Listing:
    """All cases of that mediator."""


Reply = Answer | Open | Board | Listing | Silence


def decide(content: Content, proof: Proof) -> Reply:
    """What the bot does about what a mediator of the organisation wrote to it."""
    if not isinstance(content, Text | Unreadable):
        return Silence()
    if isinstance(proof, Unproven):
        return Answer(f"I can't act on that: {proof.why}. {proof.remedy}", to_unsigned_devices=True)
    if isinstance(content, Unreadable) or not is_command(content.body):
        return Answer("I understand commands. " + help_text(None, at=None))
    return _obey(content.body)


def listing(cases: Mapping[str, str]) -> str:
    """A mediator's cases, by number."""
    listed = "\n".join(f"{number} – {title}" for number, title in cases.items())
    return listed or "You have no case yet. Open one: !case new Smith and Jones"


def _obey(text: str) -> Reply:
    command = parse(text)
    match command:
        case NewCase():
            return Open(command)
        case ShowBoard():
            return Board()
        case Help(topic):
            return Answer(help_text(topic, at=None))
        case ListCases():
            return Listing()
        case Misunderstood():
            return Answer(str(command))
        case _:
            return Answer(DESK_ONLY)
