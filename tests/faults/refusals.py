"""What WhatsApp does not take, or not yet, while something is cut off: nobody is lost on the way (W1, B5)."""

import re
from datetime import UTC

from policies.case import DESK
from rooms.queue import State
from tests.bridges.whatsapp.builders import BEA, JOINT_NUMBER
from tests.faults.clock import Clock
from tests.faults.house import PEOPLE, House
from tests.faults.networks import ON_WHATSAPP, bea_takes_part, bea_writes, in_order, telephone
from tests.faults.scenarios import Broken, Scenario, the_rest_is_unknown
from tests.invariants.world import ALICE, CARL, MIA

_ALARM = "ALARM: Bea on WhatsApp may be another person by now"


async def bea_has_a_key(house: House) -> None:
    """And has written to both numbers with it."""
    await bea_takes_part(house)
    telephone(house).key = "a key"
    await bea_writes(house, "hello to all", JOINT_NUMBER)
    await house.drain()


async def bea_may_be_another_person(house: House, word: str) -> None:
    """Whoever has her telephone now reads nothing, and says nothing, until Mia has made sure."""
    telephone(house).key = f"a key of {word}"
    for text in (f"{word} first", f"{word} second"):
        await house.post(ALICE, await house.room(), text)
    await house.rest()
    await bea_writes(house, f"{word} perhaps", JOINT_NUMBER)
    await house.rest()
    if any(word in text for text in telephone(house).texts):
        raise Broken("somebody else may have read it")
    desk = await house.room(DESK)
    await house.post(MIA, desk, "!identity Bea")
    await house.drain()
    shown = [found for text in await house.reads(MIA, desk) for found in re.findall(r"!confirm Bea: [0-9a-f ]+", text)]
    await house.post(MIA, desk, shown[-1])
    await house.drain()


async def she_reads_it_once_it_is_certain(house: House, word: str) -> None:
    """What came meanwhile from there is held, and read by nobody; the desk heard of each once."""
    await each_left_once(house, [f"{word} first", f"{word} second"])
    for user in PEOPLE:
        for room in house.synapse.all_rooms.values():
            if any(f"{word} perhaps" in text for text in await house.reads(user, room)):
                raise Broken(f"{user} reads in {room.id} what somebody else may have written")
    texts = await house.reads(MIA, await house.room(DESK))
    for told in (f"{_ALARM}: the enc", f"{_ALARM}: the account has", "Held: something from Bea", "Confirmed: Bea is"):
        if (times := len([text for text in texts if text.startswith(told)])) != house.played:
            raise Broken(f"the desk heard {times} times, instead of {house.played}: {told}")


async def each_left_once(house: House, words: list[str]) -> None:
    """To Bea and to Carl, in order; what is missing, a mediator sees as unknown."""
    bea, carl = "\n".join(telephone(house).texts), "\n".join(mail.text for mail in house.post_office.mailbox(CARL))
    arrived = [text for where in (bea, carl) for text in in_order(where, words)]
    await the_rest_is_unknown(house, len(arrived), 2 * len(words))


async def bea_has_been_silent(house: House, word: str) -> None:
    """For more than a day, by WhatsApp's clock; she writes when she has been asked to."""
    house.graph.windows[JOINT_NUMBER, BEA] = Clock.now(UTC)
    house.asked = len(_asked(house))
    for text in (f"{word} first", f"{word} second"):
        await house.post(ALICE, await house.room(), text)
    await house.rest()
    if any(word in text for text in telephone(house).texts):
        raise Broken("WhatsApp should not have taken it")
    if await house.items(State.UNKNOWN) < 2 and not 1 <= len(_asked(house)) - house.asked <= 2:
        raise Broken(f"she was asked {len(_asked(house)) - house.asked} times")
    await bea_writes(house, f"{word} yes", JOINT_NUMBER)
    await house.drain()


def _asked(house: House) -> list[str]:
    return [text for text in telephone(house).texts if text.startswith("[template")]


async def she_reads_it_once_she_has_written(house: House, word: str) -> None:
    await each_left_once(house, [f"{word} first", f"{word} second"])
    for user in PEOPLE:
        for room in house.synapse.all_rooms.values():
            found = [text for text in await house.reads(user, room) if text == f"{word} yes"]
            if len(found) != (room is await house.room()):
                raise Broken(f"{user} reads what she wrote {len(found)} times in {room.id}")


async def bea_has_no_whatsapp_for_a_while(house: House, word: str) -> None:
    """A mediator has it sent again when she has."""
    away = house.graph.phones.pop(BEA)
    await house.post(ALICE, await house.room(), f"{word} first")
    await house.rest()
    house.graph.phones[BEA] = away
    desk = await house.room(DESK)
    await house.post(MIA, desk, "!dead")
    await house.drain()
    lists = [text for text in await house.reads(MIA, desk) if text.startswith("Not delivered:\n")]
    if not (listed := re.findall(r"^([0-9]+)[.] a WhatsApp message to Bea", lists[-1], re.MULTILINE)):
        raise Broken(f"what she did not get is not listed: {lists[-1]}")
    await house.post(MIA, desk, f"!dead retry {listed[0]}")
    await house.drain()


async def she_reads_it_once_it_was_sent_again(house: House, word: str) -> None:
    """And the desk heard of each time that she did not."""
    await each_left_once(house, [f"{word} first"])
    texts = await house.reads(MIA, await house.room(DESK))
    told = len([text for text in texts if re.match("(Not|Perhaps not) delivered: a WhatsApp message to Bea", text)])
    again = len([item for item in await house.unfinished() if "a WhatsApp message to Bea" in item])
    house.refused, before = told, house.refused
    if told - before != 1 + again:
        raise Broken(f"the desk heard {told - before} times, and {again} may have arrived")


DOUBT = Scenario(
    "somebody may be another person",
    bea_may_be_another_person,
    she_reads_it_once_it_is_certain,
    ON_WHATSAPP,
    bea_has_a_key,
)
WINDOW = Scenario(
    "somebody has been silent for a day",
    bea_has_been_silent,
    she_reads_it_once_she_has_written,
    ON_WHATSAPP,
    bea_has_a_key,
)
REFUSED = Scenario(
    "somebody has no WhatsApp for a while",
    bea_has_no_whatsapp_for_a_while,
    she_reads_it_once_it_was_sent_again,
    ON_WHATSAPP,
    bea_has_a_key,
    fails="Not delivered",
)
