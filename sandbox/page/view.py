"""What one person sees in a Matrix client, as plain data for the page: rooms, and in each what was said."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from sandbox.client import Client
from sandbox.seen import Member, Room, SeenEvent

Kind = Literal["desk", "private", "everyone", "chat"]
"""Whom a room is for; the page gives each its colour."""


@dataclass(slots=True)
class Line:
    """One message as its reader sees it.

    `closed` says why it can't be read, `warning` is the shield that a client draws beside it. Times in milliseconds.
    """

    id: str
    author: str
    mine: bool
    bot: bool
    at: int
    text: str
    file: bool = False
    encrypted: bool = True
    edited: bool = False
    removed: bool = False
    closed: str | None = None
    warning: str | None = None
    reply_to: str | None = None
    reactions: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Conversation:
    """One room. `people` are the others who have joined it, as this person knows them."""

    id: str
    name: str
    kind: Kind
    people: tuple[str, ...]
    lines: tuple[Line, ...]


_KINDS: Mapping[str, Kind] = {"Desk": "desk", "PRIVATE": "private", "EVERYONE": "everyone"}
_UNSEEN = frozenset(
    {
        "m.room.redaction",
        "org.matrix.msc3381.poll.response",
        "org.matrix.msc3381.poll.end",
        "com.beeper.message_send_status",
    }
)
"""What a client draws elsewhere, or not at all."""
_ORDER: Sequence[Kind] = ("everyone", "private", "desk", "chat")
_WHY = {
    "HISTORICAL_MESSAGE_NO_KEY_BACKUP": "written before this device existed",
    "HISTORICAL_MESSAGE_BACKUP_UNCONFIGURED": "written before this device existed",
    "HISTORICAL_MESSAGE_WORKING_BACKUP": "written before this device existed",
}


async def conversations(client: Client, bot: str) -> tuple[Conversation, ...]:
    """All rooms that this client's user is in, Spaces apart, in the order of their tabs."""
    rooms = [room for room in await client.rooms() if room.membership == "join" and not room.is_space]
    found = [await _conversation(client, room, bot) for room in rooms]
    return tuple(sorted(found, key=lambda c: (_ORDER.index(c.kind), c.people)))


async def _conversation(client: Client, room: Room, bot: str) -> Conversation:
    members = {member.user_id: member for member in await client.members(room.room_id)}
    others = [m for m in members.values() if m.membership == "join" and m.user_id not in {bot, client.user_id}]
    names = {user: _name(member) for user, member in members.items()}
    timeline = await client.timeline(room.room_id)
    kind = _KINDS.get(room.name.split()[0] if room.name else "", "chat")
    people = tuple(sorted(_name(member) for member in others))
    return Conversation(room.room_id, room.name, kind, people, lines(timeline, names, client.user_id, bot))


def lines(timeline: Sequence[SeenEvent], names: Mapping[str, str], me: str, bot: str) -> tuple[Line, ...]:
    """The messages of a timeline, with what later events did to them."""
    shown: dict[str, Line] = {}
    for event in timeline:
        relation = event.relates_to or {}
        target = shown.get(str(relation.get("event_id")))
        if event.state_key is not None or event.type in _UNSEEN:
            continue
        if event.type == "m.reaction":
            if target and not event.redacted:
                key = str(relation.get("key"))
                target.reactions[key] = target.reactions.get(key, 0) + 1
        elif relation.get("rel_type") == "m.replace":
            new = event.content.get("m.new_content", {}).get("body")
            if target and isinstance(new, str) and event.sender == _sender(timeline, target.id):
                target.text, target.edited = new, True
        else:
            shown[event.event_id] = _line(event, shown, names, me, bot)
    return tuple(shown.values())


def _line(event: SeenEvent, shown: Mapping[str, Line], names: Mapping[str, str], me: str, bot: str) -> Line:
    quoted = shown.get(str(((event.relates_to or {}).get("m.in_reply_to") or {}).get("event_id")))
    closed = None
    if event.failure:
        closed = _WHY.get(event.failure, event.failure.replace("_", " ").lower())
    elif event.pending:
        closed = "being decrypted"
    return Line(
        event.event_id,
        "Mediatrix" if event.sender == bot else names.get(event.sender, event.sender),
        mine=event.sender == me,
        bot=event.sender == bot,
        at=event.origin_server_ts,
        text=event.body or str(event.content.get("org.matrix.msc1767.text", "")),
        file="file" in event.content,
        encrypted=event.encrypted,
        removed=event.redacted,
        closed=closed,
        warning=event.shield,
        reply_to=f"{quoted.author}: {quoted.text}" if quoted else None,
    )


def _sender(timeline: Sequence[SeenEvent], event: str) -> str | None:
    return next(itertools.chain((e.sender for e in timeline if e.event_id == event), [None]))


def _name(member: Member) -> str:
    return member.name or member.user_id
