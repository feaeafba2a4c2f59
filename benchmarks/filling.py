"""Cases put straight into a service's database: thousands that are over, or a few that can be written in.

What stands there afterwards is what the service itself would have stored, but nothing of it is known to a homeserver.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from vodozemac import Account, GroupSession, InboundGroupSession

from appservice.casefile import parse
from appservice.codec import JsonCodec
from appservice.crypto.ids import Curve25519Key, DeviceId, Ed25519Key, MegolmSessionId
from appservice.crypto.rows import (
    KeyOrigin,
    Pin,
    StoredDevice,
    StoredDeviceList,
    StoredIdentity,
    StoredInbound,
)
from appservice.crypto.sealing import Sealer
from appservice.provisioning import case_command
from appservice.setup import config
from appservice.storage.database import SqlDatabase
from appservice.storage.work import SqlWork
from benchmarks.scene import case_file, mail
from benchmarks.senders import written
from policies.acts import create
from policies.case import DESK, JOINT, Case, Network, Phase
from policies.commands.question import AskQuestion
from policies.effects import Decision, Relay, Tell
from policies.message import Message, MessageId, SignedDevice, Text
from policies.outcome import Done, Facts
from policies.plan import plan, room_key
from rooms.apply import Applier
from rooms.ids import EventId, RoomId, UserId
from rooms.ports import Entry, RoomRecord, Standing
from rooms.queue import Item, ItemId, Lane, State

WORDS: Final = (
    "We could meet on Tuesday at ten, in the small room on the second floor; the other side has not answered."
)
SAID: Final = 5
"""Messages of each case that is over."""
_AT_ONCE: Final = 100
_SERVER: Final = "mediatrix.localhost"
_AT: Final = datetime(2026, 1, 5, 10, 0, tzinfo=UTC)
_FACTS: Final = Facts(_AT, None, "4F2A", _SERVER, "_mediatrix_", "reply.example.org")


@dataclass(slots=True)
class Writer:
    """A mediator's device in one joint room, whose key the service has."""

    user: UserId
    room: RoomId
    session: GroupSession = field(default_factory=GroupSession)
    account: Account = field(default_factory=Account)
    device: DeviceId = field(default_factory=lambda: DeviceId(secrets.token_hex(5).upper()))

    def event(self, words: str) -> dict[str, Any]:
        """One more event of it, as a transaction carries it."""
        content = written(self.session, self.account, self.device, self.room, words)
        ids = {"event_id": f"${secrets.token_urlsafe(32)}", "room_id": self.room, "sender": self.user}
        return {**ids, "type": "m.room.encrypted", "content": content, "origin_server_ts": 1}


class Filler:
    """Fills one service's database. The service may run meanwhile, if the database is PostgreSQL."""

    def __init__(self, database: SqlDatabase, sealer: Sealer) -> None:
        self._database, self._sealer = database, sealer

    async def over(self, count: int) -> None:
        """Cases that are over, with their rooms, their ghost, what was said, decided and sent in each."""
        for first in range(0, count, _AT_ONCE):
            async with self._database.begin() as work:
                for number in range(first, min(first + _AT_ONCE, count)):
                    await self._over(work, number)

    async def live(self, count: int) -> Sequence[Writer]:
        """Cases in session, each with a mediator who can write in its joint room; a party by mail is to read it."""
        writers: list[Writer] = []
        for number in range(count):
            async with self._database.begin() as work:
                case = await _case(work, number)
                joint = await _rooms(work, case)
                writer = Writer(UserId(case.people[0].endpoint.address), joint)
                await self._known(work, writer)
                writers.append(writer)
        return writers

    async def waiting(self, count: int, mediator: UserId) -> None:
        """Cases in session of that mediator, in each of which somebody is asked something; their rooms never stood."""
        for first in range(0, count, _AT_ONCE):
            async with self._database.begin() as work:
                for number in range(first, min(first + _AT_ONCE, count)):
                    await work.cases.save(_asked(await _case(work, number, mediator)))

    async def _over(self, work: SqlWork, number: int) -> None:
        case = replace(await _case(work, number), phase=Phase.CLOSED)
        await work.cases.save(case)
        await _rooms(work, case)
        for person in case.people:
            if person.endpoint.network is Network.EMAIL:
                ghost = UserId(f"@_mediatrix_{secrets.token_hex(10)}:{_SERVER}")
                await work.ghosts.save(case.id, person.id, ghost)
                await work.crypto.put_identity(_identity(self._sealer, ghost))
        for said in range(SAID):
            await _said(work, case, f"{case.id}/{said}")

    async def _known(self, work: SqlWork, writer: Writer) -> None:
        """Its owner's device list, and its session, as the bot has them."""
        curve, ed = writer.account.curve25519_key.to_base64(), writer.account.ed25519_key.to_base64()
        master = Ed25519Key(f"master of {writer.user}")
        device = StoredDevice(writer.device, Curve25519Key(curve), Ed25519Key(ed), cross_signed=True)
        devices = StoredDeviceList(writer.user, 1, 1, Pin.PINNED, master, master, (device,), _later())
        await work.crypto.track([writer.user])
        await work.crypto.put_device_list(devices)
        session = InboundGroupSession(writer.session.session_key)
        copy = StoredInbound(
            user_id=UserId(f"@_mediatrix_bot:{_SERVER}"),
            room_id=writer.room,
            session_id=MegolmSessionId(session.session_id),
            sender=writer.user,
            sender_key=device.curve25519,
            sender_ed25519=device.ed25519,
            sender_device=device.device_id,
            vouched_by=master,
            origin=KeyOrigin.SHARED,
            pickle=self._sealer.pickle(session),
            first_known_index=0,
            received_at_ms=0,
        )
        await work.crypto.put_inbound([copy])


@asynccontextmanager
async def filler(config_file: Path) -> AsyncIterator[Filler]:
    """Fills the database of that service."""
    loaded = config.load(config_file)
    sealer = Sealer(loaded.secrets.masters)
    database = SqlDatabase(loaded.database.url.get_secret_value(), sealer)
    await database.open()
    try:
        yield Filler(database, sealer)
    finally:
        await database.close()


async def _case(work: SqlWork, number: int, mediator: UserId | None = None) -> Case:
    """One more case in session: two mediators, a party in Matrix, and one by mail, to whom nothing is sent."""
    people = [mediator or f"@mia{number}:{_SERVER}", f"@max{number}:{_SERVER}", f"@alice{number}:{_SERVER}"]
    command = case_command(parse(case_file(people[:2], [people[2:], [mail(number)]]), "a benchmark"))
    made = create(Case(await work.cases.new_number(), command.title), command, _FACTS)
    assert isinstance(made, Done), made
    by_mail = made.case.people[-1]
    paused = replace(by_mail, endpoint=replace(by_mail.endpoint, stopped="paused by a benchmark"))
    case = made.case.with_person(paused)
    await work.cases.save(case)
    return case


def _asked(case: Case) -> Case:
    """The party in Matrix is asked something, and has not answered."""
    alice = case.people[2]
    asked = AskQuestion(alice.name, "Can you come on Tuesday?").perform(case, replace(_FACTS, by=case.people[0].id))
    assert isinstance(asked, Done), asked
    return asked.case


async def _rooms(work: SqlWork, case: Case) -> RoomId:
    """The records of its rooms; the joint room's id."""
    joint = RoomId("")
    for wanted in plan(case):
        room = RoomId(f"!{secrets.token_urlsafe(32)}")
        await work.rooms.save(RoomRecord(case.id, wanted.key, Standing.MADE, secrets.token_hex(16), room))
        joint = room if wanted.key == room_key(JOINT) else joint
    return joint


async def _said(work: SqlWork, case: Case, name: str) -> None:
    """Something that was said, carried to the party by mail, and noticed at the desk; all of it done with."""
    item, author, reader = ItemId(f"item {name}"), case.people[0].id, case.people[-1].id
    await work.inbox.put(Item(item, Lane(f"case:{case.id}"), "matrix.event", case.id, b"", _AT))
    await work.inbox.done(item, "handled")
    message = Message(MessageId(name), author, JOINT, Text(WORDS), SignedDevice(), _AT, native=True)
    await work.journal.append(Entry(case.id, message, EventId(f"${secrets.token_urlsafe(32)}")))
    relay = Relay(message.id, JOINT, author, message.content, reader)
    decision = Decision(case, (relay, Tell(DESK, "Somebody wrote in the joint room.")), "said", "its readers")
    await Applier(work, JsonCodec(), item, _AT).apply(case, decision)
    for queue in (work.inbox, work.outbox):
        for left in await queue.in_state({State.READY, State.PARKED}, case.id):
            await queue.done(left.id, "done with")


def _identity(sealer: Sealer, ghost: UserId) -> StoredIdentity:
    account = Account()
    keys = Curve25519Key(account.curve25519_key.to_base64()), Ed25519Key(account.ed25519_key.to_base64())
    pickle = sealer.pickle(account)
    return StoredIdentity(ghost, DeviceId("GHOST"), True, pickle, "", *keys, keys[1], "{}", _later(), 0)


def _later() -> int:
    """Now, in milliseconds: nothing of it is old."""
    return int(datetime.now(UTC).timestamp() * 1000)
