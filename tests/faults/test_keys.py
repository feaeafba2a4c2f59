"""Keys that come late, run out, or belong to devices that come and go: in the end everybody reads everything.

The cases of complement-crypto and of other bridges that concern the whole service; the others stand where encryption is
tested (`tests/appservice/crypto`) and in `tests/e2e`.
"""

from pathlib import Path
from typing import Any

import pytest

from appservice.crypto.ids import UserId as CryptoUserId
from tests.faults.house import House, standing
from tests.faults.scenarios import nothing_is_wrong
from tests.invariants.world import ALICE, BOT, CARL, MIA

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
            former = house._device(ALICE)
            keys.delete_device((CryptoUserId(ALICE), former.id))
            house.clients.devices.remove(former)
            await house.clients.log_in(ALICE, signed=True)
        await house.post(ALICE, joint, "from the new phone")
        await house.drain()
        assert ours in keys.used_fallback
        assert mailed(house, "from the new phone") == ["from the new phone"]
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
