"""What of a decision goes on record, and in which audience's: never words, but what tells them from all others (A1)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict
from datetime import datetime, timedelta

from policies.case import DESK, CaseId, Conversation
from policies.documents.carrying import Enclose, Hand
from policies.effects import AskWhose, Decision, Effect, Explain, Inform, Introduce, Pose, Post, Publish, Relay, Tell
from policies.frozen import frozen
from policies.message import Content, Message, Text

HEADS_EVERY = timedelta(days=1)
HEADS_RULE = "record-heads"
"""The decision that posts them. It calls for no further one: where nothing else happens, nothing more is posted."""
_SPREAD = 240
"""Minutes over which the cases' heads are spread, so that not all desks are written to at once."""


@frozen
class Part:
    """What one decision did in one audience. `contents` are digests of what was said there."""

    audience: Conversation
    effects: tuple[str, ...]
    contents: tuple[str, ...]


def digest(content: Content) -> str:
    """What tells a content from every other, and doesn't tell the content: kept only under the case's key, for few
    words could be guessed."""
    fields = json.dumps([type(content).__name__, asdict(content)], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(fields.encode()).hexdigest()


def parts(decision: Decision, about: Message | None) -> tuple[Part, ...]:
    """Where something was said, or else at the desk; and in every other room in which something follows from it.

    That the desk is told of what was said elsewhere is no act of its own.
    """
    first = about.conversation if about else DESK
    where = {audience for effect in decision.effects if (audience := _audience(effect)) and audience != DESK}
    # Of a mail that can't be told apart, what of it stands there may be less than what came.
    posted = (digest(e.content) for e in decision.effects if isinstance(e, Post) and e.conversation == first)
    said = tuple(dict.fromkeys([digest(about.content), *posted])) if about else ()
    rest = sorted(where - {first}, key=lambda audience: audience.id)
    return (
        Part(first, _names(e for e in decision.effects if _audience(e) in {None, DESK, first}), said),
        *(
            Part(
                audience,
                _names(e for e in decision.effects if _audience(e) == audience),
                tuple(
                    dict.fromkeys(d for e in decision.effects if _audience(e) == audience and (d := _said(e)))
                ),
            )
            for audience in rest
        ),
    )  # fmt: skip


def in_words(decision: Decision, about: Message | None) -> str:
    """The decision as `!log` shows it, without words of anybody."""
    author = decision.case.person(about.author) if about else None
    who = f"{author.name}: " if author else "someone: " if about else ""
    return f"{who}{decision.rule} ({decision.reason})"


def next_heads(case: CaseId, at: datetime) -> datetime:
    """When the heads of a case's chains are next to leave the machine."""
    number = int(hashlib.sha256(case.encode()).hexdigest()[:4], 16)
    slot = at.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(minutes=number % _SPREAD)
    return slot if at < slot else slot + HEADS_EVERY


def _names(effects: Iterable[Effect]) -> tuple[str, ...]:
    return tuple(type(effect).__name__ for effect in effects)


def _audience(effect: Effect) -> Conversation | None:
    match effect:
        case Post(conversation=where) | Relay(conversation=where) | Tell(where):
            return where
        case (
            Explain(conversation=where)
            | Pose(conversation=where)
            | Inform(conversation=where)
            | Introduce(conversation=where)
            | AskWhose(conversation=where)
        ):
            return where
        case Publish(conversation=where) | Hand(conversation=where) | Enclose(conversation=where):
            return where
        case _:
            return None


def _said(effect: Effect) -> str | None:
    match effect:
        case Post(content=content) | Relay(content=content):
            return digest(content)
        case Hand(sha256=sha256) | Enclose(sha256=sha256):
            return sha256
        case Tell(text=text) | Explain(text=text) | Inform(text=text):
            return digest(Text(text))
        case Pose(words=text) | Publish(words=text):
            return digest(Text(text))
        case _:
            return None
