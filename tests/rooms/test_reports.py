"""What work on rooms finds is told, and once, wherever it is cut off: done again, it would find nothing any more."""

from collections.abc import Callable
from itertools import count

import pytest

from policies.case import DESK, JOINT
from policies.effects import Inform, Reconcile, Tell
from rooms.outgoing import ROOMS
from rooms.ports import Standing
from tests.rooms.builders import ALICE, STRANGER, Site, item_of

Fault = Callable[[Site], None]


class Killed(BaseException):
    """The process is gone."""


def upgraded(site: Site) -> None:
    site.synapse.append(site.room(JOINT), ALICE, "m.room.tombstone", {"replacement_room": "!x"}, "")


def tampered_with(site: Site) -> None:
    room = site.room(JOINT)
    levels = {**room.content("m.room.power_levels"), "users": {ALICE: 100}}
    site.synapse.append(room, ALICE, "m.room.power_levels", levels, "")


def entered(site: Site) -> None:
    site.synapse.member(site.room(JOINT), STRANGER, STRANGER, "join")


def told(site: Site, words: str) -> int:
    return sum(isinstance(o, Tell) and o.conversation == DESK and words in o.text for o in site.outbox())


async def repaired(fault: Fault, at: int) -> tuple[Site, bool]:
    """The rooms are worked on, killed at one of the calls of the homeserver, and by whoever comes after; and whether
    that was reached."""
    site, calls = await Site().begin(), count(1)
    fault(site)
    await site.changed(site.room(JOINT).id)

    async def deadly(_: str) -> None:
        if next(calls) == at:
            raise Killed

    calm, site.synapse.hazard = site.synapse.hazard, deadly
    work, item = Reconcile(), item_of(Reconcile(), site.case.id, kind=ROOMS)
    try:
        await site.deliverer.deliver(item, work)
    except Killed:
        site.synapse.hazard = calm
        await site.changed(*site.synapse.all_rooms)
        await site.deliverer.deliver(item, work)
        return site, True
    return site, False


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (upgraded, "can't be used any more: somebody upgraded it"),
        (tampered_with, "ALARM"),
        (entered, "had joined and does not belong there"),
    ],
)
async def test_what_was_found_is_told_wherever_the_work_is_cut_off(fault: Fault, words: str) -> None:
    for at in count(1):
        site, was_cut = await repaired(fault, at)
        assert told(site, words) == 1, at
        assert site.database.committed.rooms[site.case.id, "joint"].standing is Standing.MADE  # type: ignore[index]
        if fault is upgraded:
            informed = [o.to for o in site.outbox() if isinstance(o, Inform) and o.conversation == JOINT]
            assert len(informed) == len(set(informed)) == 2, at
        if not was_cut:
            break
    assert at > 10
