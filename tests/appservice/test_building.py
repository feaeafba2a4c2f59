"""The bot looks at a room again when any process learns that it changed, and not before."""

from appservice.building import Builder, Namespace
from appservice.crypto.outbound import Rotation
from appservice.matrix.rooms import NewRoom
from policies.case import JOINT
from rooms.ids import UserId
from rooms.reconcile import Membership, Remove
from tests.rooms.builders import ALICE, BOT, PREFIX, STRANGER, Site


class Looks:
    """Counts how often the homeserver is asked for a room."""

    def __init__(self, site: Site) -> None:
        self.count = 0
        site.synapse.hazard = self._count

    async def _count(self, call: str) -> None:
        self.count += call == "state"


def process(site: Site) -> Builder:
    """One more process on the same database."""

    async def no_ghost(ghost: UserId, name: str) -> None:
        raise AssertionError

    ours = Namespace(PREFIX, "example.org")
    return Builder(site.database, site.synapse, BOT, ours, rotation=Rotation(), make_ghost=no_ghost)  # type: ignore[arg-type]


async def test_a_room_that_did_not_change_is_looked_at_once() -> None:
    site = await Site().begin()
    room, looks = site.room(JOINT).id, Looks(site)
    first, second = await site.builder.state(room), await site.builder.state(room)
    assert looks.count == 1
    assert first == second


async def test_what_one_process_learns_of_a_room_no_other_forgets() -> None:
    site = await Site().begin()
    room, other = site.room(JOINT), process(site)
    before = await other.state(room.id)
    assert before
    assert STRANGER not in before.joined
    site.synapse.member(room, STRANGER, STRANGER, "join")
    await site.changed(room.id)
    after = await other.state(room.id)
    assert after
    assert STRANGER in after.joined


async def test_what_one_process_does_to_a_room_is_seen_by_the_others_at_once() -> None:
    site = await Site().begin()
    room, other = site.room(JOINT), process(site)
    before = await other.state(room.id)
    assert before
    assert ALICE in before.joined
    await site.builder.change(room.id, Remove(ALICE, Membership.JOINED))
    after = await other.state(room.id)
    assert after
    assert ALICE not in after.joined


async def test_a_change_while_the_room_is_looked_at_is_not_missed() -> None:
    site = await Site().begin()
    room = site.room(JOINT)
    await site.changed(room.id)

    async def meanwhile(call: str) -> None:
        if call == "state" and STRANGER not in room.joined:
            site.synapse.member(room, STRANGER, STRANGER, "join")
            await site.changed(room.id)

    await site.builder.state(room.id)
    site.synapse.hazard = meanwhile
    await site.changed(room.id)
    await site.builder.state(room.id)
    after = await site.builder.state(room.id)
    assert after
    assert STRANGER in after.joined


async def test_a_room_that_is_not_ours_is_never_remembered() -> None:
    site = await Site().begin()
    looks = Looks(site)
    elsewhere = await site.synapse.rooms.create(NewRoom(name="Elsewhere", power_levels={}), as_user=BOT)
    await site.builder.state(elsewhere)
    await site.builder.state(elsewhere)
    assert looks.count == 2
