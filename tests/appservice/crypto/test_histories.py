"""Whatever happens in a room: who may read reads, nobody else does, and no index is used twice.

Each promise is also broken on purpose, and the same histories are shown to notice.
"""

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from appservice.crypto import devices, outbound
from appservice.crypto.rows import Pin, StoredDeviceList, StoredIndex, StoredOutbound, StoredRequest
from tests.appservice.crypto.memory_store import MemoryCryptoStore
from tests.appservice.crypto.people import ALICE
from tests.appservice.crypto.world import OURS, PEOPLE, World

Step = tuple[Any, ...]

senders, people, numbers = st.sampled_from(OURS), st.sampled_from(PEOPLE), st.integers(0, 5)
steps: st.SearchStrategy[Step] = st.one_of(
    st.tuples(st.just("write"), senders, st.just("never")),
    st.tuples(st.just("write"), senders, st.sampled_from(["prepared", "sent", "encrypted"])),
    st.tuples(st.sampled_from(["join", "leave", "reset", "confirm"]), people),
    st.tuples(st.sampled_from(["join", "leave"]), people),
    st.tuples(st.just("add_device"), people, st.booleans()),
    st.tuples(st.sampled_from(["sign", "remove", "answer"]), numbers),
    st.tuples(st.just("receive"), numbers, st.booleans()),
    st.tuples(st.just("retire"), senders),
    st.tuples(st.just("restart")),
)
histories = st.lists(steps, min_size=1, max_size=20)

BEGINNING: Sequence[Step] = (("join", ALICE), ("add_device", ALICE, True))


async def play(history: Sequence[Step]) -> None:
    world = World()
    await world.begin()
    for step in (*BEGINNING, *history):
        await take(world, step)
    await world.check()


async def take(world: World, step: Step) -> None:
    """One step; those that need a device take one of those that are logged in."""
    name, *arguments = step
    if isinstance(arguments[0] if arguments else None, int):
        present = [device for device in world.clients if device in world.homeserver.devices]
        if not present:
            return
        arguments[0] = present[arguments[0] % len(present)]
    await getattr(world, name)(*arguments)


SLOW = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture]


@settings(suppress_health_check=SLOW)
@given(histories)
def test_in_every_history_exactly_the_eligible_devices_read(history: Sequence[Step]) -> None:
    asyncio.run(play(history))


def search() -> None:
    """Look for a broken promise as the test above does, without taking the trouble to make it small."""

    @settings(
        max_examples=300,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=SLOW,
        phases=[Phase.generate],
        report_multiple_bugs=False,
    )
    @given(histories)
    def run(history: Sequence[Step]) -> None:
        asyncio.run(play(history))

    run()


def test_a_store_that_forgets_to_save_the_ratchet_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    async def forget(self: MemoryCryptoStore, row: StoredOutbound) -> None:
        self.tables.outbound.setdefault((row.user_id, row.room_id), row)

    monkeypatch.setattr(MemoryCryptoStore, "put_outbound", forget)
    with pytest.raises(AssertionError, match=r"used twice|never became possible"):
        search()


def test_a_session_that_goes_on_after_somebody_left_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    def usable(_work: Any, session: StoredOutbound, *_: Any) -> bool:
        return not session.retired

    monkeypatch.setattr(outbound, "_usable", usable)
    with pytest.raises(AssertionError, match="not for it"):
        search()


def test_a_key_for_an_unsigned_device_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbound, "eligible", lambda row: row.devices)
    with pytest.raises(AssertionError, match="not for it"):
        search()


def test_a_replaced_identity_that_is_pinned_without_asking_is_noticed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def believe(row: StoredDeviceList) -> StoredDeviceList:
        return replace(row, pin=Pin.PINNED, pinned_key=row.master_key)

    monkeypatch.setattr(devices, "_pinned", believe)
    with pytest.raises(AssertionError, match="believed"):
        search()


def test_a_request_that_is_not_written_down_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    async def forget(self: MemoryCryptoStore, rows: Collection[StoredRequest]) -> None:
        kept = [row for row in rows if row.kind != "to_device"]
        self.tables.requests.update({row.request_id: row for row in kept})

    monkeypatch.setattr(MemoryCryptoStore, "put_requests", forget)
    with pytest.raises(AssertionError, match=r"can't read|never became possible"):
        search()


def test_an_index_that_two_events_may_claim_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    async def give_away(_: MemoryCryptoStore, rows: Collection[StoredIndex]) -> Collection[StoredIndex]:
        return rows

    monkeypatch.setattr(MemoryCryptoStore, "claim_indexes", give_away)
    with pytest.raises(AssertionError, match="replay"):
        search()
