"""Keys that come late, run out, or belong to devices that come and go: in the end everybody reads everything.

The cases of complement-crypto and of other bridges that concern the whole service; the others stand where encryption is
tested (`tests/appservice/crypto`) and in `tests/e2e`.
"""

from collections.abc import Awaitable, Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from appservice.crypto.ids import UserId as CryptoUserId
from tests.fakes.synapse import Event, Room
from tests.faults.house import House, standing
from tests.faults.scenarios import nothing_is_wrong
from tests.invariants.world import ALICE, BOB, BOT, CARL, MIA

pytestmark = pytest.mark.e2e


def mailed(house: House, *texts: str) -> list[str]:
    """Which of these Carl was mailed, in order."""
    return [text for mail in house.post_office.mailbox(CARL) for text in texts if f"| {text}\n" in mail.text]


async def test_keys_that_come_after_their_events_open_them_in_their_order(tmp_path: Path) -> None:
    async with standing(tmp_path) as house:
        late: list[dict[str, Any]] = []
        genuine = house.next_transaction

        def without_keys() -> dict[str, Any]:
            body = genuine()
            late.extend(body["to_device"])
            return {**body, "to_device": []}

        house.next_transaction = without_keys
        await house.rotate()
        for text in ("first", "second"):
            await house.post(ALICE, await house.room(), text)
        await house.work_off()
        assert late
        assert mailed(house, "first", "second") == []
        house.next_transaction = lambda: {"events": [], "to_device": [late.pop()]} if late else genuine()
        await house.work_off()
        assert mailed(house, "first", "second") == ["first", "second"]
        await house.drain()
        await nothing_is_wrong(house)


async def test_somebody_who_logs_out_and_in_is_read_and_reads_though_all_one_time_keys_are_gone(
    tmp_path: Path,
) -> None:
    async with standing(tmp_path) as house:
        keys, joint = house.synapse.keys, await house.room()
        (ours,) = [device for device in keys.devices if device[0] == BOT]
        async with house.calm():
            keys.one_time_keys[ours].clear()
            former = house.device(ALICE)
            for device in (former, house.device(BOB)):
                keys.delete_device((CryptoUserId(device.user), device.id))
                house.clients.devices.remove(device)
                await house.clients.log_in(device.user, signed=True)
        await house.post(ALICE, joint, "from the new phone")
        await house.post(BOB, joint, "from mine, on the same key")
        await house.drain()
        assert ours in keys.used_fallback
        words = ["from the new phone", "from mine, on the same key"]
        assert mailed(house, *words) == words
        news: list[dict[str, Any]] = [{"device_one_time_keys_count": {BOT: {ours[1]: {"signed_curve25519": 0}}}}]
        genuine = house.next_transaction
        house.next_transaction = lambda: {"events": [], **news.pop()} if news else genuine()
        await house.drain()
        assert keys.count(ours) >= 25
        await house.mail(house.letter(CARL, "EVERYONE"), "to the new phone")
        await house.drain()
        for user in (ALICE, MIA):
            assert "to the new phone" in await house.reads(user, joint)
        event = joint.timeline[-1]
        assert await house.clients.reads(former, event) is None, "who logged out was given a key"


@pytest.mark.parametrize("change", ["join", "leave"])
async def test_who_comes_or_goes_in_the_middle_of_a_send_reads_what_the_homeserver_shows_them(
    change: str, tmp_path: Path
) -> None:
    async with standing(tmp_path) as house:
        joint, bob = await house.room(), house.device(BOB)
        for call in count():
            house.synapse.member(joint, BOB, BOB, "leave" if change == "join" else "join")
            await house.work_off()
            await house.rotate()
            await house.mail(house.letter(CARL, "EVERYONE"), f"words {call}")
            house.synapse.hazard, changed = at_call(house, call, lambda: house.synapse.member(joint, BOB, BOB, change))
            await house.work_off()
            house.synapse.hazard = house.boundaries.outside
            (event,) = [e for e in joint.timeline if await house.clients.reads(house.device(MIA), e) == f"words {call}"]
            if BOB in event.seen_by:
                assert await house.clients.reads(bob, event) == f"words {call}"
            elif change == "join":
                assert await house.clients.reads(bob, event) is None, "who was not there yet was given a key"
            if not changed:
                break
            if change == "leave":
                await house.mail(house.letter(CARL, "EVERYONE"), f"later {call}")
                await house.work_off()
                (event,) = [
                    e for e in joint.timeline if await house.clients.reads(house.device(MIA), e) == f"later {call}"
                ]
                assert await house.clients.reads(bob, event) is None, "who had left was given a key"
        assert call > 4, "so many calls there are at least"
        await house.drain()
        await nothing_is_wrong(house)


async def posted(house: House, room: Room, text: str) -> Event:
    """The event of the last words there, which are these."""
    event = [event for event in room.timeline if event.type == "m.room.encrypted"][-1]
    assert await house.clients.reads(house.device(MIA), event) == text
    return event


def at_call(house: House, call: int, act: Callable[[], object]) -> tuple[Callable[[str], Awaitable[None]], list[str]]:
    """A hazard that does something at one of the service's calls of the homeserver; and where it has."""
    left, changed = count(), list[str]()

    async def hazard(name: str) -> None:
        if house.boundaries.watching and next(left) == call:
            changed.append(name)
            act()
        await house.boundaries.outside(name)

    return hazard, changed
