"""Somebody meddles with the joint room, and it is put right before anything is said there, while something is cut off
(I9, R6)."""

from policies.case import DESK
from rooms.ids import UserId
from tests.fakes.synapse import Room
from tests.faults.audience import read_only_by
from tests.faults.house import House, in_session
from tests.faults.scenarios import Broken, Scenario, code_asked, each_question_had_one_poll, left_once
from tests.invariants.world import ALICE, BOB, BOT, CARL, MIA

ADMIN = UserId("@admin:example.org")
EVE = UserId("@eve:example.org")
_TOLD = {
    "ALARM: EVERYONE · 1001: the power levels were changed. I am putting it back": 1,
    "EVERYONE · 1001: @eve:example.org had joined and does not belong there": 1,
    "Bob left EVERYONE · 1001": 1,
    "A repair would:\nEVERYONE · 1001: invite @bob:example.org": 1,
    "The rooms are being mended": 1,
}
"""What the desk hears, and how often."""
_SUSPENDED = (
    "EVERYONE · 1001: nothing is sent there for now: @eve:example.org joined a room that is not theirs",
    "EVERYONE · 1001: the room is in order again, and what waited for it is sent",
)
"""What it hears besides, of each as often: whether she is found first as something is to be sent is chance."""


async def eve_has_a_device(house: House) -> None:
    """She takes part in nothing."""
    house.synapse.register(EVE)
    async with house.calm():
        await house.clients.log_in(EVE, signed=True)
    await in_session(house)


async def the_joint_room_is_meddled_with(house: House, word: str) -> None:
    """The homeserver's administrator changes who may do what; lets somebody in, of which nothing is told; and Bob
    leaves."""
    desk, joint = await house.room(DESK), await house.room()
    levels = joint.content("m.room.power_levels")
    house.synapse.append(joint, ADMIN, "m.room.power_levels", {**levels, "users": {**levels["users"], EVE: 50}}, "")
    await house.drain()
    house.synapse.member(joint, ADMIN, EVE, "join")
    house.synapse.forget()
    await house.mail(house.letter(CARL, "EVERYONE"), f"{word} by mail")
    await house.drain()
    house.synapse.member(joint, BOB, BOB, "leave")
    await house.drain()
    await house.post(MIA, desk, "!repair")
    await house.drain()
    await house.post(ALICE, joint, f"{word} without Bob")
    await house.drain()
    await house.post(MIA, desk, await code_asked(house, desk))
    await house.drain()
    await house.post(ALICE, joint, f"{word} with Bob")
    await house.drain()


async def it_was_put_right_first(house: House, word: str) -> None:
    """Eve can read nothing that we sent; the desk heard of each once; and nobody came in but by the mediator's yes."""
    desk, joint = await house.room(DESK), await house.room()
    if EVE in joint.joined or BOB not in joint.joined:
        raise Broken(f"in the joint room are {sorted(joint.joined)}")
    if EVE in joint.content("m.room.power_levels")["users"]:
        raise Broken("the levels are as she wants them")
    read = [text for text in await house.reads(EVE, joint) if not text.startswith("UNDECRYPTABLE")]
    if read:
        raise Broken(f"Eve reads {read}")
    mailed, rest = f"{word} by mail", [f"{word} without Bob", f"{word} with Bob"]
    await read_only_by(
        house,
        word,
        [(MIA, joint, [mailed, *rest]), (ALICE, joint, [mailed]), (BOB, joint, [mailed, rest[1]])],
    )
    await left_once(house, rest, [mail.text for mail in house.post_office.mailbox(CARL)])
    house.noticed += 1
    shown = "\n".join(await house.reads(MIA, desk))
    for text, times in _TOLD.items():
        if (heard := shown.count(text)) != times * house.noticed:
            raise Broken(f"the desk heard {heard} times, instead of {times * house.noticed}: {text}")
    stood, again = map(shown.count, _SUSPENDED)
    if stood != again or stood > house.noticed:
        raise Broken(f"the desk heard {stood} times that nothing is sent, and {again} times that it is")
    if (invited := _invited(joint)) != house.noticed:
        raise Broken(f"Bob was invited {invited} times again")
    await each_question_had_one_poll(house, MIA, desk)


def _invited(joint: Room) -> int:
    """How often Bob was, after he was invited first."""
    about = [event for event in joint.timeline if event.type == "m.room.member" and event.state_key == BOB]
    return len([event for event in about if event.content["membership"] == "invite" and event.sender == BOT]) - 1


MEDDLED = Scenario(
    "a room is meddled with", the_joint_room_is_meddled_with, it_was_put_right_first, begins=eve_has_a_device
)
