"""Between what people say and the content of Matrix events (Matrix spec, client-server API, "Instant messaging")."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any, assert_never

from appservice.matrix.formatting import HTML, agree, formatted, same_words
from appservice.matrix.ids import EventId, JsonObject, is_identifier
from appservice.matrix.places import place
from policies.documents.recordings import is_voice
from policies.frozen import frozen
from policies.message import Content, Edit, File, FileRef, MessageId, Reaction, Removal, Text, Unreadable

_FILES = frozenset({"m.file", "m.image", "m.audio", "m.video"})
_SHOWN_AS = {"audio": "m.audio", "video": "m.video"}
"""How clients show what can be no document; pictures are documents."""
_VOICE: Mapping[str, Any] = {"org.matrix.msc1767.audio": {}, "org.matrix.msc3245.voice": {}}
"""What makes a recording a voice message for clients (MSC3245)."""
_WORDS = frozenset({"m.text", "m.notice", "m.emote"})
_TURNING = frozenset("\u202d\u202e")
"""Unicode's overrides of direction: clients obey them, and mail goes without them. No language needs them."""


@frozen
class Said:
    """What an event says. Targets are event ids, not yet messages."""

    content: Content
    target: EventId | None = None
    """The event that is edited, reacted to, or removed."""
    reply_to: EventId | None = None
    repeated: str = ""
    """What a reply claims to repeat of the message that it answers, as older clients do (MSC2781)."""


def read(event_type: str, content: Mapping[str, Any], outer: Mapping[str, Any]) -> Said:
    """What an event says. `outer` is the content as it travelled: relations stand there in clear (spec, 11.12.3).

    Never raises: what isn't of a known shape is Unreadable.
    """
    relation = _mapping(outer.get("m.relates_to")) or _mapping(content.get("m.relates_to"))
    target = _event_id(relation.get("event_id"))
    reply_to = _event_id(_mapping(relation.get("m.in_reply_to")).get("event_id"))
    match event_type:
        case "m.reaction":
            key = relation.get("key")
            return Said(Reaction(None, key if isinstance(key, str) else ""), target)
        case "m.room.message" if relation.get("rel_type") == "m.replace":
            new = _mapping(content.get("m.new_content"))
            body = new.get("body")
            if isinstance(body, str) and _is_one_of(_WORDS, new.get("msgtype")):
                problem = _problem(body, new)
                return Said(problem or Edit(None, body), target)
            return Said(Unreadable("it changes a message into something that is not words"), target)
        case "m.room.message" if "m.new_content" in content:
            return Said(Unreadable("it changes a message, and does not say which"))
        case "m.room.message":
            body = content.get("body")
            who, repeated, words = _split_reply(body) if reply_to and isinstance(body, str) else ("", "", body)
            answers = f"{who} {repeated}" if reply_to else None
            return Said(_message(content, words, answers), reply_to=reply_to, repeated=repeated)
        case _:
            return Said(Unreadable(f"it is of a kind that I can't carry ({_kind(event_type)})"))


def redacted_event(event: Mapping[str, Any]) -> Said:
    """What an `m.room.redaction` says: from room version 11 the target stands in the content."""
    content = _mapping(event.get("content"))
    return Said(Removal(None), _event_id(content.get("redacts")) or _event_id(event.get("redacts")))


def replacing(content: JsonObject, event: EventId) -> JsonObject:
    """The same, in the place of an earlier message of the same sender (spec, "Event replacements")."""
    relation = {"rel_type": "m.replace", "event_id": event}
    return {**content, "body": f"* {content['body']}", "m.new_content": dict(content), "m.relates_to": relation}


def with_html(content: JsonObject, html: str) -> JsonObject:
    """The same, with the words as HTML besides."""
    return {**content, "format": HTML, "formatted_body": html}


def write(content: Content, reply_to: EventId | None, *, is_notice: bool) -> JsonObject:
    """The content of an `m.room.message` for words or a file; what can't be written as one is not for Matrix."""
    relation = {"m.relates_to": {"m.in_reply_to": {"event_id": reply_to}}} if reply_to else {}
    match content:
        case Text(body):
            return {"msgtype": "m.notice" if is_notice else "m.text", "body": body, "m.mentions": {}, **relation}
        case File(name, mime, size, ref, words):
            info = {"mimetype": mime, "size": size}
            kind = _SHOWN_AS.get(mime.partition("/")[0], "m.file")
            # The words beside a file stand in `body` (spec, "Media captions").
            named = {"msgtype": kind, "body": words or name, "filename": name, "m.mentions": {}}
            voice = _VOICE if is_voice(mime) else {}
            return {**named, "info": info, "file": json.loads(ref), **voice, **relation}
        case Edit() | Reaction() | Removal() | Unreadable():
            raise ValueError(f"{type(content).__name__} is not written into Matrix")
        case _:
            assert_never(content)


def with_repeated(said: Said, quoted: Content | None) -> Content:
    """What a message says, with what it claims to repeat, unless that is indeed what it answers (`quoted`)."""
    content = said.content
    if not said.repeated or not isinstance(content, Text):
        return content
    if isinstance(quoted, Text | Edit) and same_words(said.repeated, quoted.body):
        return content
    lines = "\n".join(f"> {line}" for line in said.repeated.split("\n"))
    return Text(f"{lines}\n\n{content.body}")


def with_target(content: Content, target: MessageId | None) -> Content:
    """The content with the message that it is about, now that it is known."""
    match content:
        case Edit(body=body):
            return Edit(target, body)
        case Reaction(key=key):
            return Reaction(target, key)
        case Removal():
            return Removal(target)
        case Text() | File() | Unreadable():
            return content
        case _:
            assert_never(content)


def _message(content: Mapping[str, Any], body: object, answers: str | None) -> Content:
    kind = content.get("msgtype")
    if not isinstance(body, str):
        return Unreadable("it has no words")
    if _is_one_of(_WORDS, kind):
        return _problem(body, content, answers) or Text(body)
    if _is_one_of(_FILES, kind):
        return _file(content, body)
    if kind == "m.location":
        words = place(content, body)
        return (_problem(words, content) or Text(words)) if words else Unreadable("it shows no one place", body)
    # Clients that don't know the kind show these words.
    return Unreadable(f"it is of a kind that I can't carry ({_kind(kind)})", body)


def _problem(
    words: str, content: Mapping[str, Any], answers: str | None = None, *, shown: str | None = None
) -> Unreadable | None:
    """Why whoever reads by another network would read something else than people in Matrix; None: they would not.

    `shown` is what stands there for the mediator, where that is more than `words`.
    """
    shown = words if shown is None else shown
    if _TURNING & set(words):
        return Unreadable("it has signs in it that show words backwards", shown)
    if agree(words, content, answers):
        return None
    return Unreadable("its plain and its formatted words differ", f"{shown}\n\nFormatted:\n{formatted(content)}")


def _file(content: Mapping[str, Any], body: str) -> Content:
    """Only files encrypted like the message: a plain `url` would lie on the homeserver for all to read."""
    info, encrypted = _mapping(content.get("info")), _mapping(content.get("file"))
    name, mime, size = content.get("filename", body), info.get("mimetype"), info.get("size")
    name = name if isinstance(name, str) else body
    # Words beside a file stand in `body`, with the file's name apart (spec, "Media captions").
    words = body if name != body else ""
    if not encrypted:
        return Unreadable("it is a file that was uploaded without encryption", words)
    problem = _problem(words or name, content, shown=body)
    if problem:
        return problem
    return File(
        name,
        mime if isinstance(mime, str) else "application/octet-stream",
        size if type(size) is int and size >= 0 else 0,
        FileRef(json.dumps(encrypted)),
        words,
    )


def _split_reply(body: str) -> tuple[str, str, str]:
    """Whom a reply answers, what it repeats of that, and its own words (MSC2781)."""
    if not body.startswith("> <@"):
        return "", "", body
    lines = body.split("\n")
    first = next((i for i, line in enumerate(lines) if not line.startswith("> ")), len(lines))
    who, _, repeated = "\n".join(line.removeprefix("> ") for line in lines[:first]).partition("> ")
    return who.removeprefix("<"), repeated, "\n".join(lines[first:]).lstrip("\n")


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _event_id(value: object) -> EventId | None:
    return EventId(value) if is_identifier(value) and value.startswith("$") else None


def _is_one_of(kinds: Collection[str], value: object) -> bool:
    """Whether a type is one of these; it came from outside, so it may be anything."""
    return isinstance(value, str) and value in kinds


def _kind(value: object) -> str:
    """A type as it may be shown: it came from outside, so only its harmless characters."""
    return (
        "".join(c for c in value if c.isascii() and (c.isalnum() or c in "._-"))[:60]
        if isinstance(value, str)
        else "none"
    )
