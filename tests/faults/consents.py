"""Whose words go by mail, while something is cut off: what waits for their yes, and what is said under a no (B2)."""

from policies.case import DESK
from tests.faults.house import PLAIN, House, Setting
from tests.faults.scenarios import Broken, Scenario, code_asked, left_once
from tests.invariants.world import ALICE, BOB, CARL, MIA

ASKING = Setting(PLAIN.configured, PLAIN.around, has_agreed=False)
"""Nobody has agreed to anything by themselves."""
_ANSWERS = {
    "Your yes is on record": 1,
    "The mediator has noted that you said no": 1,
}
"""What Bob is told, and how often."""
_TOLD = {
    "Bob agreed that their words also go": 1,
    "Alice agreed that their words also go": 1,
    "On record (“by telephone”)": 2,
    "Bob wrote in PRIVATE": 3,
    "Alice wrote in EVERYONE": 1,
}
"""What the desk is told."""


async def bob_agrees_and_takes_it_back(house: House, word: str) -> None:
    """He writes before his yes, after a no, and after another yes; she, once she has agreed and so may write there."""
    desk, joint = await house.room(DESK), await house.room()
    bobs, alices = [await house.room(await house.caucus_of(name)) for name in ("Bob", "Alice")]
    await house.post(BOB, bobs, f"{word} waits")
    await house.work_off()
    for user, room in ((BOB, bobs), (ALICE, alices)):
        await house.post(user, room, await code_asked(house, room, user))
    await house.drain()
    await house.post(ALICE, joint, f"{word} together")
    await house.drain()
    await house.post(MIA, desk, "!agreement refused Bob: by telephone")
    await house.drain()
    await house.post(BOB, bobs, f"{word} under a no")
    await house.drain()
    await house.post(MIA, desk, "!agreement accepted Bob: by telephone")
    await house.drain()
    await house.post(BOB, bobs, f"{word} after")
    await house.drain()


async def what_was_agreed_to_is_mailed(house: House, word: str) -> None:
    """Once each at most, in its order; what was said under the no never, and everybody in Matrix reads all of it."""
    mails = [mail.text for mail in house.post_office.mailbox(CARL)]
    if any(f"{word} under a no" in mail for mail in mails):
        raise Broken("what was said under a no was mailed")
    await left_once(house, [f"{word} waits", f"{word} together", f"{word} after"], mails)
    bobs, desk = await house.room(await house.caucus_of("Bob")), await house.room(DESK)
    shown = [text for text in await house.reads(MIA, bobs) if text.startswith(f"{word} ")]
    if shown != [f"{word} waits", f"{word} under a no", f"{word} after"]:
        raise Broken(f"Mia reads {shown}")
    if [text for text in await house.reads(BOB, await house.room()) if text.startswith(word)] != [f"{word} together"]:
        raise Broken("what Alice said when she might is not there once")
    for user, room, wanted in ((BOB, bobs, _ANSWERS), (MIA, desk, _TOLD)):
        texts = await house.reads(user, room)
        told = {begin: len([text for text in texts if text.startswith(begin)]) for begin in wanted}
        if told != wanted:
            raise Broken(f"{user} was told {told}")


CONSENTS = Scenario("whose words go by mail", bob_agrees_and_takes_it_back, what_was_agreed_to_is_mailed, ASKING)
