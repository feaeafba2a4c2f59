"""A mail comes back, and nothing more is sent there until a mediator says so, while something is cut off (E3)."""

from dataclasses import replace

from policies.case import DESK
from tests.bridges.email.test_reports import BLOCK, dsn
from tests.fakes.post_office import Delivered
from tests.fakes.synapse import Room
from tests.faults.house import PEOPLE, House
from tests.faults.scenarios import Broken, Scenario, left_once
from tests.invariants.world import BOB, BOT, CARL, MIA

_TOLD = "A mail to Carl came back (5.1.1)"
_NOT = "Not delivered to Carl"


async def what_bob_writes_comes_back(house: House, word: str) -> None:
    """He writes once more before mails go there again."""
    private = await house.room(await house.caucus_of("Bob"))
    await house.post(BOB, private, f"{word} first")
    await house.rest()
    await _comes_back(house, f"{word} first")
    await house.rest()
    await house.post(BOB, private, f"{word} second")
    await house.rest()
    if _arrived(house, f"{word} first") and _arrived(house, f"{word} second"):
        raise Broken("something was sent to a mailbox that takes nothing")
    await house.post(MIA, await house.room(DESK), "!mail resume Carl")
    await house.drain()


async def _comes_back(house: House, text: str) -> None:
    """His mail server says that no such mailbox is there, twice; unless that mail never left."""
    for letter in _arrived(house, text):
        [sent] = [mail for mail in house.post_office.taken if letter.message_id.encode() in mail.raw]
        report = replace(letter, to="", reply_address=sent.envelope_from)
        for _ in range(2):
            await house.hand_in(report, dsn(BLOCK.format(action="failed", status="5.1.1")))
        house.came_back += 1


def _arrived(house: House, text: str) -> list[Delivered]:
    return [mail for mail in house.post_office.mailbox(CARL) if f"| {text}\n" in mail.text]


async def it_is_told_once_where_it_was_said(house: House, word: str) -> None:
    """At the desk, and in his private room, beside what he wrote; in no other room."""
    words, mails = [f"{word} first", f"{word} second"], house.post_office.mailbox(CARL)
    await left_once(house, words, [mail.text for mail in mails])
    private, desk = await house.room(await house.caucus_of("Bob")), await house.room(DESK)
    wanted = {(MIA, desk.id, _TOLD), (MIA, private.id, _NOT), (BOB, private.id, _NOT)}
    for user in PEOPLE:
        for room in house.synapse.all_rooms.values():
            texts = await house.reads(user, room)
            for told in (_TOLD, _NOT):
                times = len([text for text in texts if text.startswith(told)])
                if times != (house.came_back if (user, room.id, told) in wanted else 0):
                    raise Broken(f"{user} read {times} times, instead of {house.came_back}: {told}")
    marked = {room.id: times for room in house.synapse.all_rooms.values() if (times := await _marks(house, room))}
    if marked != ({private.id: house.came_back} if house.came_back else {}):
        raise Broken(f"marked as failed: {marked}, instead of {house.came_back} in {private.id}")


async def _marks(house: House, room: Room) -> int:
    """How many messages of a room Mia is shown as failed."""
    found = []
    for event in room.timeline:
        if event.type == "m.room.encrypted" and event.sender == BOT and MIA in event.seen_by:
            async with house.calm():
                found.append(await house.clients.content(house.device(MIA), event))
    return len([content for content in found if content and content.get("status") == "FAIL_PERMANENT"])


BOUNCE = Scenario(
    "a mail comes back", what_bob_writes_comes_back, it_is_told_once_where_it_was_said, fails="Not delivered"
)
