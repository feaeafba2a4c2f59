"""Verification of the bot by emoji: driven by what people's devices say, and by the administrator at the machine.

    a request to the bot, by to-device message or in a room of ours → the state machine → its replies
    both sides know the emoji → the person's client shows them, `mediatrix trust` shows ours
    the administrator's answer, through the API → stored, then told to the state machine, like everything else
    ten minutes without an end → cancelled

The bot has no screen, and showing its emoji in a room would prove nothing: whoever sits between a client and us could
write there, too. So they are shown at the machine alone; the administrator compares them with the person over another
channel (side by side, or by telephone), and only the administrator's yes makes the bot prove its keys. Then the
person's client has seen the bot's master key proven, and we have seen theirs: a fact that `!identity` shows to
mediators, who decide.

Only people of our cases and the organisation's mediators are answered, one verification at a time each.
"""

from __future__ import annotations

import base64
import hashlib
import json
import logging
from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import TypeAdapter

from appservice.crypto.ids import DeviceId, UserId
from appservice.crypto.machine import OlmMachine, people
from appservice.crypto.rows import StoredIdentity, StoredMasterKey, StoredVerification
from appservice.crypto.sealing import Sealer
from appservice.crypto.to_device import OtherMessage
from appservice.crypto.verification import (
    PREFIX,
    REQUEST,
    Cancelled,
    Code,
    Comparing,
    Device,
    Keys,
    Reply,
    Step,
    Verification,
    Verified,
    answer,
    cancel,
    confirm,
    decimals,
    emoji,
    hear,
    refusal,
)
from appservice.e2ee.exchange import now_ms
from appservice.matrix.ids import is_identifier
from appservice.ports import ServiceWork
from appservice.storage.documents import Document
from appservice.worker import Fate, Finished
from policies.case import Network
from policies.frozen import frozen
from policies.outside import decide_judged
from policies.schedule import Schedule
from rooms.apply import Applier
from rooms.clock import alarm
from rooms.handle import Answer
from rooms.ids import RoomId
from rooms.outgoing import Codec, Say, Signal
from rooms.queue import Item, item_id

logger = logging.getLogger(__name__)

JUDGEMENT = "verification.judgement"
"""The kind of the inbox item that says: the administrator has compared."""

LASTS = timedelta(minutes=10)
"""How long a verification may take (spec, "Key verification framework")."""

_COMPARE = (
    "Your client is about to show you emoji. Compare them with those that your administrator sees at the machine"
    " (mediatrix trust), side by side or by telephone: they must be the same. I don't show them here, because whoever"
    " could sit between you and me could write here, too."
)
VERIFICATION_PURPOSE = "verification"
_DOCUMENT: Document[Verification] = Document(Verification)
_ANSWER = TypeAdapter(Answer)


@frozen
class Waiting:
    """One verification that waits for the administrator to compare."""

    code: str
    user: UserId
    emoji: tuple[str, ...]
    numbers: tuple[int, ...]
    since: datetime


@frozen
class Shown:
    """What is shown at the machine: who the bot is, and what is to be compared. Keys are public, unpadded base64."""

    device_id: str
    device_key: str
    master_key: str
    waiting: tuple[Waiting, ...]


@frozen
class _Turn:
    """One item's unit of work, and what writes down what follows from it."""

    work: ServiceWork
    item: Item
    applier: Applier


@frozen
class Heard:
    """A message of a verification, however it came. `kind` is its type without the prefix."""

    sender: UserId
    flow: str
    room: RoomId | None
    kind: str
    content: Mapping[str, object]
    sent: object
    """When a request was made, in milliseconds, as its sender or its homeserver claims: an old one gets no answer."""


def read_to_device(message: OtherMessage) -> Heard | None:
    """The message of a verification that came to a device, if it is one."""
    flow, content = message.content.get("transaction_id"), message.content
    if not message.type.startswith(PREFIX) or not is_identifier(flow):
        return None
    return Heard(message.sender, flow, None, message.type.removeprefix(PREFIX), content, content.get("timestamp"))


def read_in_room(event: Mapping[str, Any], kind: str, content: Mapping[str, object]) -> Heard | None:
    """The message of a verification that an event is, with whomever; `kind` and `content` as decrypted."""
    sender, room, sent = UserId(event["sender"]), RoomId(event["room_id"]), event.get("origin_server_ts")
    if kind == "m.room.message" and content.get("msgtype") == REQUEST:
        return Heard(sender, event["event_id"], room, "request", content, sent)
    outer = event.get("content")
    relation = content.get("m.relates_to") or (outer.get("m.relates_to") if isinstance(outer, dict) else None)
    flow = relation.get("event_id") if isinstance(relation, dict) else None
    if not kind.startswith(PREFIX) or not isinstance(flow, str):
        return None
    return Heard(sender, flow, room, kind.removeprefix(PREFIX), {**content, "m.relates_to": relation}, sent)


class Verifications:
    """The bot's verifications. Each method is a part of the caller's unit of work."""

    def __init__(self, sealer: Sealer, codec: Codec, bot: UserId, mediators: Collection[UserId]) -> None:
        self._sealer, self._codec, self._bot, self._mediators = sealer, codec, bot, mediators

    async def hear(self, work: ServiceWork, item: Item, heard: Heard) -> None:
        """Take in what somebody's device said to the bot, or to somebody else in a room of ours."""
        me = await work.crypto.identity(self._bot, lock=True)
        if me is None or not await self._is_known(work, heard.sender):
            return
        turn = self._turn(work, item)
        row = await work.crypto.verification(heard.sender)
        now = self._open(row) if row else None
        if heard.kind == "request":
            if _is_recent(heard.sent) and (heard.room is None or heard.content.get("to") == self._bot):
                await self._begin(turn, me, heard, now)
        elif row and now and (now.flow, now.room) == (heard.flow, heard.room):
            step = hear(now, heard.kind, heard.content, await _keys_of(work, now.them))
            await self._keep(turn, row, step)
        elif heard.kind == "start" and heard.room is None and isinstance(heard.content.get("from_device"), str):
            device = Device(heard.sender, DeviceId(str(heard.content["from_device"])))
            await self._send_to(work, device, refusal(heard.flow, Code.UNKNOWN_TRANSACTION))

    async def time_is_up(self, work: ServiceWork, item: Item, key: str) -> None:
        """Cancel the verification whose time is up, if it is still under way."""
        user, _, flow = key.partition(" ")
        await work.crypto.identity(self._bot, lock=True)
        row = await work.crypto.verification(UserId(user))
        if row and self._open(row).flow == flow:
            await self._keep(self._turn(work, item), row, cancel(self._open(row), Code.TIMEOUT))

    # --- what the administrator sees and says

    async def shown(self, work: ServiceWork) -> Shown | None:
        """What the administrator sees; None before the bot has an identity."""
        me = await work.crypto.identity(self._bot)
        waiting = [
            Waiting(row.code, row.peer_user, emoji(now), decimals(now), _time(row.started_at_ms))
            for row in await work.crypto.verifications()
            if isinstance((now := self._open(row)).state, Comparing) and not now.state.confirmed
        ]
        return Shown(me.device_id, me.ed25519, me.master_key, tuple(waiting)) if me else None

    async def judged(self, work: ServiceWork, item: Item) -> Fate:
        """The administrator has compared."""
        judgement = json.loads(item.body)
        me = await work.crypto.identity(self._bot, lock=True)
        row = next((r for r in await work.crypto.verifications() if r.code == judgement["code"].upper()), None)
        now = self._open(row) if row else None
        if me is None or row is None or now is None or not isinstance(now.state, Comparing) or now.state.confirmed:
            said = Answer(False, "Nothing of that code is waiting to be compared.", None)
        elif not judgement["same"]:
            await self._keep(self._turn(work, item), row, cancel(now, Code.MISMATCHED_SAS))
            said = Answer(True, "Cancelled. Somebody may be listening between that client and this server.", None)
        else:
            ours = Keys(me.ed25519, me.master_key)
            step = confirm(now, ours, await _keys_of(work, now.them))
            await self._keep(self._turn(work, item), row, step)
            said = Answer(not isinstance(step.after.state, Cancelled), _outcome(step.after.state), None)
        if row is not None and said.ok:
            await self._tell_desks(work, item, UserId(row.peer_user), same=judgement["same"])
        await work.inbox.done(item.id, _ANSWER.dump_json(said).decode())
        return Finished()

    # --- inside

    async def _tell_desks(self, work: ServiceWork, item: Item, user: UserId, *, same: bool) -> None:
        """Of each case in which they take part, that an administrator had their keys believed, or not."""
        for number in await work.cases.of_matrix_user(user):
            case = await work.cases.load(number, lock=True)
            person = case.at_address(Network.MATRIX, user) if case else None
            if case and person:
                applier = Applier(work, self._codec, item_id(f"{item.id}/{number}"), datetime.now(UTC))
                await applier.apply(case, decide_judged(case, person.name, same=same))

    def _turn(self, work: ServiceWork, item: Item) -> _Turn:
        return _Turn(work, item, Applier(work, self._codec, item.id, datetime.now(UTC)))

    async def _begin(self, turn: _Turn, me: StoredIdentity, heard: Heard, before: Verification | None) -> None:
        step = answer(heard.flow, heard.room, Device(self._bot, me.device_id), heard.sender, heard.content)
        if step is None or (before and before.flow == heard.flow):
            return
        if before:
            await self._send(turn, cancel(before, Code.USER))
        await people(turn.work.crypto, [heard.sender])
        row = StoredVerification(heard.sender, await _code(turn.work, heard), "", now_ms())
        await self._keep(turn, row, step)
        if not step.after.ended:
            now = datetime.now(UTC)
            up = Schedule(now + LASTS, f"{heard.sender} {heard.flow}")
            await turn.work.inbox.put(alarm(turn.item.id, turn.item.lane, None, up, now))

    async def _keep(self, turn: _Turn, row: StoredVerification, step: Step) -> None:
        """Store where it stands now, and what is to be sent."""
        await self._send(turn, step)
        crypto = turn.work.crypto
        match step.after.state:
            case Verified(master):
                await crypto.delete_verification(row.peer_user)
                if master is not None:
                    await crypto.put_master_key(StoredMasterKey(row.peer_user, master, now_ms(), now_ms()))
            case Cancelled():
                await crypto.delete_verification(row.peer_user)
            case _:
                state = self._sealer.seal_text(VERIFICATION_PURPOSE, row.peer_user, _DOCUMENT.dump(step.after).decode())
                await crypto.put_verification(replace(row, state=state))

    async def _send(self, turn: _Turn, step: Step) -> None:
        room, them = step.after.room, step.after.them
        for reply in step.replies:
            if room is None:
                await self._send_to(turn.work, them, reply)
            else:
                await turn.applier.outside(Signal(room, them.user_id, reply.type, json.dumps(reply.content)))
        record = await turn.work.rooms.by_room_id(room) if room else None
        if room and record and record.case is None and any(reply.type == f"{PREFIX}key" for reply in step.replies):
            await turn.applier.outside(Say(room, them.user_id, _COMPARE))

    async def _send_to(self, work: ServiceWork, device: Device, reply: Reply) -> None:
        messages = {device.user_id: {device.device_id: reply.content}}
        machine = OlmMachine(self._bot, self._sealer)
        await machine.send_to_device(work.crypto, reply.type, messages, now_ms=now_ms())

    async def _is_known(self, work: ServiceWork, user: UserId) -> bool:
        return user in self._mediators or bool(await work.cases.of_matrix_user(user))

    def _open(self, row: StoredVerification) -> Verification:
        return _DOCUMENT.load(self._sealer.open_text(VERIFICATION_PURPOSE, row.peer_user, row.state).encode())


async def _keys_of(work: ServiceWork, them: Device) -> Keys:
    """What we know of them."""
    (row,) = await people(work.crypto, [them.user_id])
    device = next((device.ed25519 for device in row.devices if device.device_id == them.device_id), None)
    return Keys(device, row.master_key)


async def _code(work: ServiceWork, heard: Heard) -> str:
    """A short word that no other verification under way has."""
    taken = {row.code for row in await work.crypto.verifications()}
    whole = base64.b32encode(hashlib.sha256(f"{heard.sender} {heard.flow}".encode()).digest()).decode()
    return next(whole[:length] for length in range(4, len(whole)) if whole[:length] not in taken)


def _is_recent(sent: object) -> bool:
    return isinstance(sent, int) and abs(now_ms() - sent) <= LASTS / timedelta(milliseconds=1)


def _outcome(state: object) -> str:
    match state:
        case Verified(master) if master:
            return "Verified: their client has proven its keys, and ours are proven to it."
        case Verified():
            return "Their device is verified; it proved no identity of its owner."
        case Cancelled():
            return "Cancelled: their client did not prove the keys that we know."
        case _:
            return "Noted. It is done as soon as the person has confirmed, too."


def _time(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
