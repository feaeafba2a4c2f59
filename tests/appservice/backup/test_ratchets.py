"""No Megolm index of ours is ever used twice, across any number of backups and restores, and people read on."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appservice.crypto import account
from appservice.crypto.ids import RoomId, UserId
from appservice.crypto.inbound import Decrypted, EncryptedEvent
from appservice.crypto.machine import OlmMachine, old_devices_changed
from appservice.crypto.outbound import Audience, Rotation
from tests.appservice.crypto.homeserver import FakeHomeserver
from tests.appservice.crypto.megolm import message_index
from tests.appservice.crypto.memory_store import MemoryCryptoStore, Tables
from tests.appservice.crypto.people import ALICE, BOT, GHOST
from tests.appservice.crypto.service import Service

ROOMS = (RoomId("!desk"), RoomId("!joint"))
OURS = (BOT, GHOST)

Act = tuple[str, int, int]
ACTS: st.SearchStrategy[Act] = st.tuples(
    st.sampled_from(["write", "write", "write", "encrypt", "back up", "restore", "device"]),
    st.integers(0, 1),
    st.integers(0, 1),
)


class ReusedIndex(AssertionError):
    """An index of a ratchet was used for two events."""


class Case:
    """Our service, which is backed up and restored, and Alice's client, which isn't."""

    def __init__(self) -> None:
        """Use `begin`."""
        self.homeserver = FakeHomeserver()
        self.ours, self.alice = Service(self.homeserver), Service(self.homeserver)
        self.backups: list[Tables] = []
        self.used: set[tuple[str, int]] = set()
        self.written: list[EncryptedEvent] = []

    async def begin(self) -> None:
        """Everybody is there."""
        for user in OURS:
            await self.ours.create(user)
        await self.alice.create(ALICE)
        self.backups.append(self.ours.database.committed.copy())

    async def play(self, acts: Sequence[Act]) -> None:
        """One thing after another happens."""
        for act in acts:
            await self._act(act)

    async def _act(self, act: Act) -> None:
        kind, which, where = act
        user, room = OURS[which], ROOMS[where]
        self.ours.now_ms += 1000
        match kind:
            case "write":
                self.written.append(await self._write(user, room))
            case "encrypt":
                await self._encrypt_only(user, room)
            case "back up":
                self.backups.append(self.ours.database.committed.copy())
            case "restore":
                await self._restore(self.backups[-1 - which % len(self.backups)])
            case _:
                async with self.ours.database.begin() as tx:
                    await tx.mark_changed([ALICE])

    async def _write(self, user: UserId, room: RoomId) -> EncryptedEvent:
        event = await self.ours.write(user, room, {ALICE}, f"text {len(self.used)}")
        self._note(event)
        return event

    async def _encrypt_only(self, user: UserId, room: RoomId) -> None:
        """Used up, and never sent: the process died in between."""
        audience = Audience(room, frozenset({ALICE}), Rotation())
        result = await self.ours.try_encrypt(user, audience, "lost")
        if hasattr(result, "content"):
            self._note(self.ours.event(user, room, result.content))

    def _note(self, event: EncryptedEvent) -> None:
        index = (str(event.content["session_id"]), message_index(str(event.content["ciphertext"])))
        if index in self.used:
            raise ReusedIndex(index)
        self.used.add(index)

    async def _restore(self, backup: Tables) -> None:
        """As `appservice.backups.restore` does."""
        self.ours.database.committed = backup.copy()
        async with self.ours.database.begin() as tx:
            await old_devices_changed(tx, before_ms=self.ours.now_ms + 1, limit=1000)
            for user in OURS:
                await OlmMachine(user, self.ours.sealer).renew(tx, display_name="Device", now_ms=self.ours.now_ms)
        for user in OURS:
            await self.ours.send_outgoing(user)

    async def read(self) -> Sequence[Decrypted]:
        """What Alice reads of what was written, all of it."""
        await self.alice.know(ALICE, *OURS)
        await self.alice.receive(ALICE)
        readings = await self.alice.read(*self.written)
        assert all(isinstance(reading, Decrypted) for reading in readings), readings
        return [reading for reading in readings if isinstance(reading, Decrypted)]


@given(st.lists(ACTS, max_size=25))
async def test_no_index_is_used_twice_and_alice_reads_everything_that_was_sent(acts: list[Act]) -> None:
    case = Case()
    await case.begin()
    await case.play(acts)
    assert len(await case.read()) == len(case.written)


HISTORY: list[Act] = [
    ("write", 0, 0),
    ("back up", 0, 0),
    ("write", 0, 0),
    ("restore", 0, 0),
    ("write", 0, 0),
]


async def test_a_restore_that_keeps_the_ratchets_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """The planted fault: sessions to write with come back out of the backup."""
    forget = MemoryCryptoStore.forget_device

    async def keep_ratchets(self: MemoryCryptoStore, user_id: UserId) -> None:
        outbound, shares = dict(self.tables.outbound), dict(self.tables.shares)
        await forget(self, user_id)
        self.tables.outbound, self.tables.shares = outbound, shares

    monkeypatch.setattr(MemoryCryptoStore, "forget_device", keep_ratchets)
    case = Case()
    await case.begin()
    with pytest.raises(ReusedIndex):
        await case.play(HISTORY)


async def test_the_same_history_with_a_true_restore_reuses_nothing_and_shows_no_new_identity() -> None:
    case = Case()
    await case.begin()
    await case.play(HISTORY)
    readings = await case.read()
    assert [reading.message_index for reading in readings] == [0, 1, 0]
    assert len({event.content["session_id"] for event in case.written}) == 2
    async with case.alice.database.begin() as tx:
        (known,) = await tx.device_lists([BOT])
    assert known.pin.value == "pinned"


async def test_a_restored_identity_that_never_was_is_none() -> None:
    store = MemoryCryptoStore(Tables())
    service = Service(FakeHomeserver())
    assert await account.renew(store, service.sealer, BOT, display_name="x", now_ms=1) is None
