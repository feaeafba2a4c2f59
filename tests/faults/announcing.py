"""The mediator writes to every side, and a party has it rest, while something is cut off (M11, R5)."""

import re

from policies.case import DESK
from tests.faults.audience import read_only_by
from tests.faults.boards import the_board_is_up_to_date, with_a_board
from tests.faults.house import House
from tests.faults.scenarios import Broken, Scenario, code_asked, each_question_had_one_poll, the_rest_is_unknown
from tests.invariants.world import ALICE, BOB, CARL, MIA

# --- to every side separately


async def mia_writes_to_every_side(house: House, word: str) -> None:
    """She thinks better of the first words."""
    desk = await house.room(DESK)
    for text, answer in ((f"{word} rather not", "no"), (f"{word} for each", "yes")):
        await house.post(MIA, desk, f"!broadcast: {text}")
        await house.drain()
        await house.post(MIA, desk, (await code_asked(house, desk)).replace("yes", answer))
        await house.drain()


async def each_side_reads_it_once_by_itself(house: House, word: str) -> None:
    """In its private room; Carl is mailed it there, and nobody is sent what she thought better of."""
    desk, text = await house.room(DESK), f"Mia writes to each side:\n> {word} for each"
    smith, jones = [await house.room(await house.caucus_of(name)) for name in ("Alice", "Bob")]
    there = [(MIA, smith), (ALICE, smith), (MIA, jones), (BOB, jones)]
    await read_only_by(house, f"Mia writes to each side:\n> {word}", [(user, room, [text]) for user, room in there])
    asked = [shown for shown in await house.reads(MIA, desk) if shown.startswith("To each side") and word in shown]
    if len(asked) != 2:
        raise Broken(f"Mia was asked {asked}")
    for room in (smith, jones, await house.room()):
        if any(f"{word} rather not" in shown for shown in await house.reads(MIA, room)):
            raise Broken("what she thought better of was sent")
    await each_question_had_one_poll(house, MIA, desk)
    if any(word in mail.text and mail.to != CARL for mail in house.post_office.delivered):
        raise Broken("somebody else was mailed")
    letters = [mail for mail in house.post_office.mailbox(CARL) if word in mail.text]
    if len(letters) > 1 or any("PRIVATE" not in mail.subject or "rather" in mail.text for mail in letters):
        raise Broken(f"Carl was mailed {[(mail.subject, mail.text) for mail in letters]}")
    await the_rest_is_unknown(house, len(letters), 1)
    await the_board_is_up_to_date(house)


# --- it rests


async def alice_has_it_rest(house: House, word: str) -> None:
    """What Carl mails for all meanwhile is not posted; then it goes on."""
    private = await house.room(await house.caucus_of("Alice"))
    await house.post(ALICE, private, "!pause for 2h")
    await house.drain()
    await house.mail(house.letter(CARL, "EVERYONE"), f"{word} meanwhile")
    await house.post(ALICE, private, f"{word} in private")
    await house.drain()
    await house.post(ALICE, private, "!resume")
    await house.drain()
    await house.mail(house.letter(CARL, "EVERYONE"), f"{word} after")
    await house.drain()


_IN_THEIR_MAILS = ("is paused until", "was not passed on", "The mediation goes on")
"""What Carl is mailed, in its order."""


async def it_rested_and_goes_on(house: House, word: str) -> None:
    """Each is told once in each of their rooms, and not by whom; what came for all meanwhile is held, and no more."""
    desk, joint = await house.room(DESK), await house.room()
    smith, jones = [await house.room(await house.caucus_of(name)) for name in ("Alice", "Bob")]
    house.noticed += 1
    for user, room, *wanted in ((ALICE, joint, 1, 0), (BOB, joint, 1, 0), (ALICE, smith, 2, 1), (BOB, jones, 1, 1)):
        texts = await house.reads(user, room)
        told = [text for text in texts if text.startswith(("The mediation is paused", "The mediation goes on"))]
        rests, on = ([text for text in told if here in text] for here in ("is paused until", "goes on"))
        if [len(rests), len(on)] != [times * house.noticed for times in wanted]:
            raise Broken(f"{user} was told {told} in {room.id}")
        if room is not smith and any("Alice paused" in text or "Alice took" in text for text in texts):
            raise Broken(f"{user} was told who has it rest")
    told = await house.reads(MIA, desk)
    for begin in ("Alice paused the mediation until", "Held: something from Carl for EVERYONE", "Alice took the pause"):
        if (times := len([text for text in told if text.startswith(begin)])) != house.noticed:
            raise Broken(f"the desk heard {times} times, instead of {house.noticed}: {begin}")
    everybody = [(user, joint, [f"{word} after"]) for user in (MIA, ALICE, BOB)]
    await read_only_by(house, word, [(MIA, smith, [f"{word} in private"]), *everybody])
    mails = house.post_office.mailbox(CARL)
    mailed = "\n".join(mail.text for mail in mails[house.mailed :])
    house.mailed = len(mails)
    found = re.findall("|".join(_IN_THEIR_MAILS), mailed)
    if word in mailed or found != [one for one in _IN_THEIR_MAILS if one in found]:
        raise Broken(f"Carl was mailed {mailed}")
    await the_rest_is_unknown(house, len(found), len(_IN_THEIR_MAILS))
    await the_board_is_up_to_date(house)


BROADCAST = Scenario(
    "a mediator writes to every side", mia_writes_to_every_side, each_side_reads_it_once_by_itself, begins=with_a_board
)
PAUSE = Scenario("a party has it rest", alice_has_it_rest, it_rested_and_goes_on, begins=with_a_board)
