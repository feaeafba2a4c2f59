"""Who reads what, in every room there is: nothing may stand where it was not meant to."""

from collections.abc import Mapping, Sequence

from rooms.ids import UserId
from tests.fakes.synapse import Room
from tests.faults.house import PEOPLE, House
from tests.faults.scenarios import Broken

Read = Mapping[tuple[UserId, str], Sequence[str]]
"""What somebody reads in the room of that id, in order."""


async def read_only_by(house: House, marker: str, wanted: Sequence[tuple[UserId, Room, Sequence[str]]]) -> None:
    """All that has that in it, is read by those, there, in that order, once each, and by nobody anywhere else."""
    found: Read = {
        (user, room.id): texts
        for user in PEOPLE
        for room in house.synapse.all_rooms.values()
        if (texts := [text for text in await house.reads(user, room) if marker in text])
    }
    if found != {(user, room.id): list(texts) for user, room, texts in wanted if texts}:
        raise Broken(f"of “{marker}” is read {found}")
