"""Sweeps: what the homeserver lost is found, in its order, and nothing that was not said to us."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast

import pytest

from appservice.crypto.ids import Curve25519Key, DeviceId, Ed25519Key
from appservice.crypto.rows import StoredIdentity
from appservice.e2ee import sweeping
from appservice.e2ee.sweeping import REST_AT_MOST, RESTS_FOR, SWEPT, Sweeper
from appservice.matrix.errors import MatrixError
from appservice.matrix.homeserver import Homeserver
from appservice.matrix.transaction import Transaction
from policies.case import PersonId, Phase
from rooms.ids import RoomId, UserId
from tests.fakes.memory import MemoryDatabase
from tests.policies.builders import both_sides

BOT, GHOST, ALICE = (UserId(f"@{name}:example.org") for name in ("_mediatrix_bot", "_mediatrix_g1", "alice"))
AFTER = UserId("@_mediatrix_g2:example.org")
Json = dict[str, Any]


@dataclass
class Synapse:
    """As much of a homeserver as a sweep asks: it stands in for `Homeserver`, its `accounts` and its `rooms`."""

    answers: list[Json] = field(default_factory=list)
    """To the syncs to come; empty ones after that."""
    older: Sequence[Sequence[Json]] = ()
    """What lies in a gap of a timeline, newest first, page by page."""
    data: dict[str, Json] = field(default_factory=dict)
    asked: list[tuple[UserId, str | None, bool]] = field(default_factory=list)
    gaps: list[tuple[str, str, str]] = field(default_factory=list)
    refused: MatrixError | None = None
    """To a sync of the ghost."""

    @property
    def accounts(self) -> "Synapse":
        return self

    @property
    def rooms(self) -> "Synapse":
        return self

    async def sync(self, user: UserId, device: DeviceId, since: str | None, *, timelines: bool) -> Json:
        if user == GHOST and self.refused:
            raise self.refused
        self.asked.append((user, since, timelines))
        answer = self.answers.pop(0) if self.answers else {}
        return {"next_batch": f"t{len(self.asked)}", **answer}

    async def between(self, room: RoomId, newer: str, older: str, *, as_user: UserId) -> AsyncIterator[Sequence[Json]]:
        self.gaps.append((room, newer, older))
        for page in self.older:
            yield page

    async def account_data(self, user: UserId, kind: str) -> Json | None:
        return self.data.get(kind)

    async def set_account_data(self, user: UserId, kind: str, content: Json) -> None:
        assert user == BOT
        self.data[kind] = content


@dataclass
class Store:
    """Remembers what was stored, and can fail."""

    events: list[str] = field(default_factory=list)
    nonces: list[Any] = field(default_factory=list)
    transactions: list[tuple[list[str], list[Any]]] = field(default_factory=list)
    """The events and the nonces of each."""
    broken: bool = False

    async def accept(self, transaction: Transaction) -> None:
        if self.broken:
            raise OSError("no disk")
        events: list[str] = [event.event_id for event in transaction.events]
        nonces = [message.content["nonce"] for message in transaction.to_device]
        self.transactions.append((events, nonces))
        self.events += events
        self.nonces += nonces


@pytest.fixture
def synapse() -> Synapse:
    return Synapse(data={SWEPT: {"next_batch": "t0"}})


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture(autouse=True)
def _no_rests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweeping, "REST", 0)


@pytest.fixture
def rests(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long the homeserver was left to others, each time."""
    found: list[float] = []

    async def sleep(seconds: float) -> None:
        found.append(seconds)

    monkeypatch.setattr("appservice.e2ee.sweeping.asyncio.sleep", sleep)
    return found


@pytest.fixture
def database() -> MemoryDatabase:
    return MemoryDatabase()


@pytest.fixture
async def sweeper(database: MemoryDatabase, synapse: Synapse, store: Store) -> Sweeper:
    """Of a service that has just started, with the bot and a ghost."""
    async with database.begin() as work:
        for user in (BOT, GHOST):
            await work.crypto.put_identity(identity(user))
    return Sweeper(database, cast(Homeserver, synapse), store, BOT)


def identity(user: UserId) -> StoredIdentity:
    """One that is ready."""
    keys = Curve25519Key("c"), Ed25519Key("e"), Ed25519Key("m")
    return StoredIdentity(user, DeviceId("D"), True, "", "", *keys, "", 0, 0)


def said(number: int, **more: Any) -> Json:
    """One event as a timeline has it: without its room."""
    return {"event_id": f"$e{number}", "type": "m.room.encrypted", "sender": ALICE, "content": {}, **more}


def joined(number: int, user: UserId, **unsigned: Any) -> Json:
    """Somebody came in, or changed their profile."""
    content = {"membership": "join"}
    return said(number) | {"type": "m.room.member", "state_key": user, "content": content, "unsigned": unsigned}


def room(*events: Json, limited: bool = False) -> Json:
    """An answer in which that happened in a room."""
    timeline = {"events": list(events), "limited": limited, "prev_batch": "p"}
    return {"rooms": {"join": {"!room": {"timeline": timeline}}}}


def waiting(nonce: int) -> Json:
    """An answer in which a to-device message waited."""
    return {"to_device": {"events": [{"type": "m.x", "sender": ALICE, "content": {"nonce": nonce}}]}}


async def test_events_that_never_came_are_stored_in_their_order(
    sweeper: Sweeper, synapse: Synapse, store: Store
) -> None:
    synapse.answers = [room(said(1), said(2))]
    await sweeper.sweep_user(BOT)
    assert store.events == ["$e1", "$e2"]
    assert synapse.asked == [(BOT, "t0", True)]
    assert synapse.data[SWEPT] == {"next_batch": "t1"}


async def test_a_gap_in_a_timeline_is_filled_first(sweeper: Sweeper, synapse: Synapse, store: Store) -> None:
    synapse.answers, synapse.older = [room(said(4), limited=True)], [[said(3), said(2)], [said(1)]]
    await sweeper.sweep_user(BOT)
    assert store.transactions[1] == (["$e1", "$e2", "$e3", "$e4"], [])
    assert synapse.gaps == [("!room", "p", "t0")]


@pytest.mark.parametrize(("hurries", "times"), [(False, 2), (True, 0)])
async def test_after_each_page_of_a_gap_the_homeserver_is_left_to_others_unless_a_start_waits(
    sweeper: Sweeper, synapse: Synapse, rests: list[float], hurries: bool, times: int
) -> None:
    synapse.answers, synapse.older = [room(said(4), limited=True)], [[said(3), said(2)], [said(1)]]
    await sweeper.sweep_user(BOT, hurries=hurries)
    assert len(rests) == times


async def test_keys_are_stored_first_and_then_each_room_at_once(
    sweeper: Sweeper, synapse: Synapse, store: Store
) -> None:
    """So that a night's events of all rooms are never in memory together, and none of a room is overtaken."""
    rooms = {"!one": room(said(1), said(2)), "!other": room(said(3))}
    joined = {name: answer["rooms"]["join"]["!room"] for name, answer in rooms.items()}
    synapse.answers = [waiting(7) | {"rooms": {"join": joined}}]
    await sweeper.sweep_user(BOT)
    assert store.transactions[:3] == [([], [7]), (["$e1", "$e2"], []), (["$e3"], [])]


async def test_what_was_said_before_the_bot_came_in_was_not_said_to_it(
    sweeper: Sweeper, synapse: Synapse, store: Store
) -> None:
    synapse.answers = [room(said(1), joined(2, BOT), joined(3, ALICE), said(4))]
    await sweeper.sweep_user(BOT)
    assert store.events == ["$e2", "$e3", "$e4"]


async def test_a_new_name_of_the_bot_hides_nothing(sweeper: Sweeper, synapse: Synapse, store: Store) -> None:
    synapse.answers = [room(said(1), joined(2, BOT, prev_content={"membership": "join"}), said(3))]
    await sweeper.sweep_user(BOT)
    assert store.events == ["$e1", "$e2", "$e3"]


async def test_the_first_sweep_of_all_only_finds_where_to_go_on_from(
    sweeper: Sweeper, synapse: Synapse, store: Store
) -> None:
    synapse.data.clear()
    await sweeper.sweep_user(BOT)
    assert synapse.asked == [(BOT, None, False)]
    synapse.answers = [room(said(1))]
    await sweeper.sweep_user(BOT)
    assert synapse.asked[-1] == (BOT, "t1", True)
    assert store.events == ["$e1"]


async def test_nothing_counts_as_swept_that_was_not_stored(sweeper: Sweeper, synapse: Synapse, store: Store) -> None:
    synapse.answers, store.broken = [room(said(1))], True
    with pytest.raises(OSError, match="no disk"):
        await sweeper.sweep_user(BOT)
    assert synapse.data[SWEPT] == {"next_batch": "t0"}
    store.broken, synapse.answers = False, [room(said(1))]
    await sweeper.sweep_user(BOT)
    assert synapse.asked[-1] == (BOT, "t0", True)
    assert store.events == ["$e1"]


async def test_messages_for_a_device_are_acknowledged_once_they_are_stored(
    sweeper: Sweeper, synapse: Synapse, store: Store
) -> None:
    synapse.answers = [waiting(1), waiting(2)]
    await sweeper.sweep_user(GHOST)
    assert store.nonces == [1, 2]
    assert synapse.asked == [(GHOST, None, False), (GHOST, "t1", False), (GHOST, "t2", False)]
    assert synapse.data == {SWEPT: {"next_batch": "t0"}}


async def test_a_device_that_the_homeserver_refuses_keeps_no_other_from_being_swept(
    sweeper: Sweeper, synapse: Synapse
) -> None:
    async with sweeper._database.begin() as work:
        await work.crypto.put_identity(identity(AFTER))
    synapse.refused = MatrixError("sync", "M_UNKNOWN_DEVICE", 400, transient=False)
    await sweeper.sweep_all()
    assert (AFTER, None, False) in synapse.asked


async def test_a_homeserver_that_is_away_is_not_asked_on(sweeper: Sweeper, synapse: Synapse) -> None:
    async with sweeper._database.begin() as work:
        await work.crypto.put_identity(identity(AFTER))
    synapse.refused = MatrixError("sync", "M_CONNECTION_FAILED", 0, transient=True)
    with pytest.raises(MatrixError):
        await sweeper.sweep_all()
    assert (AFTER, None, False) not in synapse.asked


async def test_every_identity_is_swept_and_only_the_bot_asks_for_rooms(sweeper: Sweeper, synapse: Synapse) -> None:
    await sweeper.sweep_all()
    assert {(user, timelines) for user, _, timelines in synapse.asked} == {(BOT, True), (GHOST, False)}


@pytest.mark.parametrize(("took", "rest"), [(0.5, RESTS_FOR * 0.5), (60.0, REST_AT_MOST)])
async def test_a_homeserver_that_takes_its_time_is_swept_the_more_seldom_within_limits(
    sweeper: Sweeper, monkeypatch: pytest.MonkeyPatch, rests: list[float], took: float, rest: float
) -> None:
    monkeypatch.setattr(sweeping, "REST", 0.01)
    takes = iter((0.0, took, 100.0, 100.001))
    monkeypatch.setattr("appservice.e2ee.sweeping.monotonic", lambda: next(takes))
    await sweeper.sweep_all()
    assert rests == [rest, 0.01, 0.01]


async def test_a_ghost_is_swept_until_its_case_is_over(
    database: MemoryDatabase, sweeper: Sweeper, synapse: Synapse
) -> None:
    for phase in (Phase.IN_SESSION, Phase.CLOSED):
        async with database.begin() as work:
            await work.cases.save(replace(both_sides(), phase=phase))
            await work.ghosts.save(both_sides().id, PersonId("p1"), GHOST)
        await sweeper.sweep_all()
    assert [user for user, _, _ in synapse.asked] == [BOT, GHOST, BOT]
