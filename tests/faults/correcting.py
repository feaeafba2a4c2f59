"""Somebody corrects what they wrote in private, and takes it away, while something is cut off (B3)."""

import re

from policies.case import DESK
from rooms.queue import State
from tests.faults.house import House
from tests.faults.scenarios import Broken, Scenario
from tests.invariants.world import BOB, CARL, MIA


async def bob_corrects_himself(house: House, word: str) -> None:
    private = await house.room(await house.caucus_of("Bob"))
    await house.post(BOB, private, f"{word} first")
    said = next(event.event_id for event in reversed(private.timeline) if event.sender == BOB)
    await house.drain()
    new = {"msgtype": "m.text", "body": f"{word} second"}
    relation = {"rel_type": "m.replace", "event_id": said}
    await house.post(BOB, private, f"* {word} second", **{"m.new_content": new, "m.relates_to": relation})
    await house.drain()
    async with house.calm():
        gone = {"redacts": said}
        await house.synapse.rooms.send(private.id, "m.room.redaction", gone, f"gone {said}", as_user=BOB)
    await house.drain()


async def each_step_is_known_once(house: House, word: str) -> None:
    """Carl is mailed each at most once, in order; in Matrix each stands once, and the desk heard of each once."""
    mails = [mail.text for mail in house.post_office.mailbox(CARL)]
    steps = [f"| {word} first\n", f"| {word} second\n", "An earlier message was removed from this room"]
    mailed = "".join(mails[house.mailed :])
    found = re.findall("|".join(map(re.escape, steps)), mailed)
    unknown = await house.items(State.UNKNOWN)
    if found != [step for step in steps if step in found] or len(found) + unknown < len(steps):
        raise Broken(f"mailed {found}, and {unknown} are unknown")
    house.mailed = len(mails)
    private, desk = await house.room(await house.caucus_of("Bob")), await house.room(DESK)
    shown = [text for text in await house.reads(MIA, private) if word in text]
    if shown != [f"{word} first", f"* {word} second"]:
        raise Broken(f"Mia reads {shown}")
    texts = await house.reads(MIA, desk)
    house.noticed += 1
    for notice in ("Bob wrote in PRIVATE", "Bob changed a message in PRIVATE", "A message was removed in PRIVATE"):
        if (times := len([text for text in texts if text.startswith(notice)])) != house.noticed:
            raise Broken(f"the desk heard {times} times, instead of {house.noticed}: {notice}")


CORRECTING = Scenario("somebody corrects what they wrote", bob_corrects_himself, each_step_is_known_once)
