"""Somebody gets a second channel and leaves it, or is moved to another and back, while something is cut off (B5)."""

import re
from collections import Counter

from policies.case import DESK
from tests.bridges.whatsapp.builders import BEA_PHONE, JOINT_NUMBER, PRIVATE
from tests.faults.house import PEOPLE, House
from tests.faults.networks import ON_WHATSAPP, bea_takes_part, bea_writes, telephone
from tests.faults.scenarios import Broken, Scenario, agreed_by_mia, the_rest_is_unknown
from tests.invariants.world import ALICE, CARL, MIA

MAILBOX = "bea@example.com"
"""Bea's."""


async def bea_has_written_to_both(house: House) -> None:
    """So she can be written to from both numbers."""
    await bea_takes_part(house)
    await bea_writes(house, "hello to all", JOINT_NUMBER)
    await house.drain()


async def bea_is_given_a_mailbox_and_leaves_it(house: House, word: str) -> None:
    """Alice writes while she has both, and afterwards; she writes by each."""
    await agreed_by_mia(house, f"!channel add Bea {MAILBOX}")
    await house.enrol(MAILBOX)
    await house.drain()
    await house.post(ALICE, await house.room(), f"{word} to both")
    await house.drain()
    await bea_writes(house, f"{word} by telephone", JOINT_NUMBER)
    await house.work_off()
    await house.mail(house.letter(MAILBOX, "EVERYONE"), f"{word} by mail")
    await house.drain()
    await agreed_by_mia(house, "!channel leave Bea (mail)")
    await house.post(ALICE, await house.room(), f"{word} to one")
    await house.drain()


async def each_channel_gets_what_others_say(house: House, word: str) -> None:
    """Once, and nothing of her own."""
    both, chat, mail, one = (f"{word} {rest}" for rest in ("to both", "by telephone", "by mail", "to one"))
    shown = "\n".join(telephone(house).texts)
    mailed, carls = (_mailed(house, address) for address in (MAILBOX, CARL))
    for words, where in ((mail, shown), (chat, mailed), (one, mailed)):
        if words in where:
            raise Broken(f"“{words}” went where it should not")
    wanted = ((shown, [both, one]), (mailed, [both]), (carls, [both, chat, mail, one]))
    arrived = sum(_once(text, words) for text, words in wanted)
    await the_rest_is_unknown(house, arrived, sum(len(words) for _, words in wanted))
    for user in PEOPLE:
        texts = [text for text in await house.reads(user, await house.room()) if text.startswith(f"{word} ")]
        if texts != ([chat, mail] if user == ALICE else [both, chat, mail, one]):
            raise Broken(f"{user} reads {texts}")


async def bea_is_moved_to_mail_and_back(house: House, word: str) -> None:
    """Alice writes before, between and afterwards."""
    await house.post(ALICE, await house.room(), f"{word} first")
    await house.work_off()
    for address, text in ((MAILBOX, f"{word} second"), (BEA_PHONE, f"{word} third")):
        await agreed_by_mia(house, f"!channel Bea {address}")
        await house.post(MIA, await house.room(DESK), "!consent Bea: agreed by telephone")
        await house.drain()
        await house.enrol(MAILBOX)
        if address == BEA_PHONE:
            for number in (PRIVATE, JOINT_NUMBER):
                await bea_writes(house, "it is me again", number)
        await house.drain()
        await house.post(ALICE, await house.room(), text)
        await house.drain()


async def each_comes_once_by_the_channel_of_its_time(house: House, word: str) -> None:
    first, second, third = (f"{word} {rest}" for rest in ("first", "second", "third"))
    shown = "\n".join(telephone(house).texts)
    mailed, carls = (_mailed(house, address) for address in (MAILBOX, CARL))
    if second in shown or first in mailed or third in mailed:
        raise Broken("something went by the other channel")
    wanted = ((shown, [first, third]), (mailed, [second]), (carls, [first, second, third]))
    await the_rest_is_unknown(house, sum(_once(text, words) for text, words in wanted), 6)


def _mailed(house: House, address: str) -> str:
    return "\n".join(mail.text for mail in house.post_office.mailbox(address))


def _once(text: str, words: list[str]) -> int:
    """How many of these stand in a text; they must be in their order, and each once."""
    found = re.findall("|".join(words), text)
    if found != [word for word in words if word in found] or max(Counter(found).values(), default=0) > 1:
        raise Broken(f"left as {found}")
    return len(found)


VOICES = Scenario(
    "somebody has two channels",
    bea_is_given_a_mailbox_and_leaves_it,
    each_channel_gets_what_others_say,
    ON_WHATSAPP,
    bea_has_written_to_both,
)
SWITCHING = Scenario(
    "somebody is moved to another channel",
    bea_is_moved_to_mail_and_back,
    each_comes_once_by_the_channel_of_its_time,
    ON_WHATSAPP,
    bea_has_written_to_both,
)
