"""What people do: mediators give commands, everybody writes, from Matrix or by mail, honestly and not."""

import re
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import SMTP
from enum import StrEnum
from typing import Any

from appservice.matrix.rooms import NewRoom
from rooms.ids import EventId, UserId
from tests.fakes.post_office import Delivered
from tests.fakes.synapse import Room
from tests.invariants.world import AUTHSERV_ID, BOT, MIA, World


class Form(StrEnum):
    """What kind of thing somebody posts in Matrix."""

    TEXT = "text"
    REPLY = "reply"
    EDIT = "edit"
    FILE = "file"
    REACTION = "reaction"
    REMOVAL = "removal"
    GARBAGE = "garbage"
    STATE = "state"


class Sealing(StrEnum):
    """How it travels."""

    SIGNED = "signed"
    UNSIGNED = "by an unsigned device"
    CLEAR = "in clear"
    LATE = "with a key that comes late"
    STOLEN = "with somebody else's ciphertext"


class Post(StrEnum):
    """What kind of mail somebody writes."""

    REPLY = "a reply"
    FRESH = "without a quote"
    FORGED = "from another address"
    UNVOUCHED = "which our mail server does not vouch for"
    CROSS = "quoting another room's mail"
    TWO = "to two of our addresses"
    FOREIGN = "to somebody else's address"
    AUTOMATIC = "by a machine"
    ATTACHED = "with a file"
    GARBAGE = "not a mail at all"


NATIVE_FILE = {"url": "mxc://example.org/file", "key": {}, "iv": "", "hashes": {}, "v": "v2"}


async def open_chat(world: World) -> None:
    """The mediator opens a direct chat with the bot."""
    async with world.calm():
        encryption = {"type": "m.room.encryption", "state_key": "", "content": {"algorithm": "m.megolm.v1.aes-sha2"}}
        chat = NewRoom(name="bot", power_levels={}, initial_state=[encryption], invite=[BOT])
        world.lobby = await world.synapse.rooms.create(chat, as_user=MIA)
    await world.settle()


async def order(world: World, room: Room, text: str, by: UserId = MIA) -> EventId | None:
    """A command, in the desk or elsewhere."""
    return await world.seal(by, room, {"msgtype": "m.text", "body": text})


@dataclass(frozen=True)
class Words:
    """What somebody posts, and how; `pick` chooses what it refers to."""

    form: Form = Form.TEXT
    sealing: Sealing = Sealing.SIGNED
    pick: int = 0


PLAIN = Words()


async def write(world: World, user: UserId, room: Room, words: Words) -> None:
    """Somebody posts something in a room."""
    place = world.place(room.id)
    if place is None or user not in room.joined:
        return
    form, sealing, pick = words.form, words.sealing, words.pick
    earlier = [event.event_id for event in world.synapse.events() if event.state_key is None]
    target = earlier[pick % len(earlier)] if earlier else EventId("$none")
    if form is Form.REACTION:
        relation = {"rel_type": "m.annotation", "event_id": target, "key": "👍"}
        await world.send(user, room, "m.reaction", {"m.relates_to": relation})
    elif form is Form.REMOVAL:
        await world.send(user, room, "m.room.redaction", {"redacts": target})
    elif form is Form.STATE:
        await world.send(user, room, "m.room.encrypted", {"envelope": -1})
    elif sealing is Sealing.STOLEN:
        stolen = [e for e in world.envelopes.made.values() if not e.by_service]
        number = stolen[pick % len(stolen)].id if stolen else -1
        await world.send(user, room, "m.room.encrypted", {"envelope": number})
    else:
        clear, signed = sealing is Sealing.CLEAR, sealing is not Sealing.UNSIGNED
        said = world.canary(
            *place,
            native=True,
            proven=signed and not clear,
            readable=form is not Form.GARBAGE,
            did={Form.EDIT: "changed a message", Form.FILE: "shared a file"}.get(form, "wrote"),
            traceable=form is not Form.FILE,
            late=sealing is Sealing.LATE,
        )
        content = body_of(form, f"{said.canary} said by {user}", target)
        if clear:
            said.event = await world.send(user, room, "m.room.message", content)
        else:
            readable = sealing is not Sealing.LATE
            said.event = await world.seal(user, room, content, signed=signed, readable=readable)
        if said.event is None:
            del world.said[said.canary]


def body_of(form: Form, words: str, target: EventId) -> dict[str, Any]:
    """The content of a message."""
    match form:
        case Form.REPLY:
            relation = {"m.in_reply_to": {"event_id": target}}
            return {"msgtype": "m.text", "body": f"> <@x:y> old\n\n{words}", "m.relates_to": relation}
        case Form.EDIT:
            new = {"msgtype": "m.text", "body": words}
            relation_ = {"rel_type": "m.replace", "event_id": target}
            return {"msgtype": "m.text", "body": f"* {words}", "m.new_content": new, "m.relates_to": relation_}
        case Form.FILE:
            return {"msgtype": "m.file", "body": words, "file": NATIVE_FILE, "info": {"size": 3}}
        case Form.GARBAGE:
            return {"msgtype": ["m.text"], "body": words, "m.relates_to": 7}
        case _:
            return {"msgtype": "m.text", "body": words}


async def send_mail(world: World, address: str, kind: Post, pick: int) -> None:
    """Somebody writes a mail."""
    box = world.post_office.mailbox(address)
    others = [mail for mail in world.post_office.delivered if mail.to != address]
    letters = others if kind is Post.FOREIGN else box
    if not letters:
        return
    letter = letters[pick % len(letters)]
    recipients = [letter.reply_address]
    if kind is Post.TWO:
        recipients = list(dict.fromkeys(mail.reply_address for mail in box))[-2:]
    quoted = box[(pick + 1) % len(box)] if kind is Post.CROSS else letter
    case, conversation = world.conversation_of(letter.reply_address)
    cross = kind is Post.CROSS and quoted.reply_address != letter.reply_address
    said = world.canary(
        case,
        None if len(recipients) > 1 else conversation,
        native=False,
        proven=kind in {Post.REPLY, Post.FRESH, Post.TWO, Post.CROSS, Post.ATTACHED},
        readable=not cross,
        traceable=kind not in {Post.GARBAGE, Post.AUTOMATIC},
    )
    words = f"{said.canary} said by somebody"
    if not await world.mail(raw_mail(kind, address, letter, quoted, words), *recipients):
        del world.said[said.canary]


def raw_mail(kind: Post, address: str, letter: Delivered, quoted: Delivered, words: str) -> bytes:
    """A mail, with what our own mail server writes on top."""
    if kind is Post.GARBAGE:
        return f"\0\xff no header: {words}".encode("latin-1")
    message = EmailMessage(policy=SMTP)
    message["From"] = "eve@example.net" if kind is Post.FORGED and not address.startswith("eve") else address
    if kind is Post.FORGED and address.startswith("eve"):
        message.replace_header("From", "carl@example.net")
    message["To"] = letter.reply_address
    message["Subject"] = f"Re: {letter.subject}"
    message["Message-ID"] = f"<{re.sub(r'[^a-z0-9]', '', words)}@example.net>"
    if kind is Post.AUTOMATIC:
        message["Auto-Submitted"] = "auto-replied"
    text = words
    if kind not in {Post.FRESH, Post.GARBAGE}:
        lines = "\n".join(f"> {line}".rstrip() for line in quoted.text.split("\n"))
        wrote = f"On Mon, Jan 5, 2026 at 10:00 AM {quoted.subject} <\n{quoted.reply_address}> wrote:"
        text = f"{words}\n\n{wrote}\n\n{lines}\n"
    message.set_content(text, cte="quoted-printable")
    if kind is Post.ATTACHED:
        message.add_attachment(b"file", maintype="application", subtype="pdf", filename="file.pdf")
    domain = address.partition("@")[2]
    vouched = f"Authentication-Results: {AUTHSERV_ID}; dkim=pass header.d={domain}; dmarc=pass header.from={domain}\r\n"
    return (vouched.encode() if kind is not Post.UNVOUCHED else b"") + message.as_bytes()
