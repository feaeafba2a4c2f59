"""A room is lost, and made anew, while something is cut off (R12)."""

from policies.case import DESK
from rooms.ids import UserId
from tests.faults.house import PEOPLE, House
from tests.faults.scenarios import ROOMS_OF_A_CASE, Broken, Scenario, left_once
from tests.invariants.world import ALICE, BOT, CARL, MIA

ADMIN = UserId("@admin:example.org")


async def the_joint_room_is_lost(house: House, word: str) -> None:
    """The homeserver's administrator puts everybody out of it. Before and after that something is said there."""
    joint = await house.room()
    await house.post(ALICE, joint, f"{word} before")
    await house.drain()
    for user in sorted(joint.joined):
        house.synapse.member(joint, ADMIN, user, "leave")
    await house.drain()
    await house.mail(house.letter(CARL, "EVERYONE"), f"{word} by mail")
    await house.drain()
    await house.post(ALICE, await house.room(), f"{word} after")
    await house.drain()


async def another_takes_its_place(house: House, word: str) -> None:
    """One, in which everybody is; its readers and the desk were told once."""
    rooms = [room for room in house.synapse.all_rooms.values() if BOT in room.joined]
    if len(rooms) != ROOMS_OF_A_CASE:
        raise Broken(f"the bot is in {len(rooms)} rooms")
    joint = await house.room()
    for user, name in zip(PEOPLE, ("Mia", "Alice", "Bob"), strict=True):
        shown = [text for text in await house.reads(user, joint) if text.startswith(f"{word} ")]
        if shown != [f"{word} by mail", *([] if user == ALICE else [f"{word} after"])]:
            raise Broken(f"{user} reads {shown}")
        told = [
            text for text in await house.reads(user, joint) if text.startswith(f"{name}, this room takes the place")
        ]
        if len(told) != 1:
            raise Broken(f"{user} was told {len(told)} times")
    await left_once(house, [f"{word} before", f"{word} after"], [mail.text for mail in house.post_office.mailbox(CARL)])
    texts = await house.reads(MIA, await house.room(DESK))
    lost = len([text for text in texts if text.startswith("EVERYONE") and "can't be used any more" in text])
    if lost - house.lost != 1:
        raise Broken(f"the desk heard {lost - house.lost} times")
    house.lost = lost


LOST = Scenario("a room is made anew", the_joint_room_is_lost, another_takes_its_place)
