"""A mediator takes back what she wrote in the wrong room, in time and too late, while something is cut off (M11)."""

import re
from datetime import timedelta
from pathlib import Path

from appservice.setup.config import Config, Rooms
from policies.case import DESK
from tests.faults.audience import read_only_by
from tests.faults.clock import Clock
from tests.faults.house import House, Setting
from tests.faults.scenarios import Broken, Scenario, the_rest_is_unknown
from tests.invariants.world import ALICE, BOB, CARL, MIA, configuration

_UNDO = timedelta(minutes=5)


def with_time_to_think(_: Path) -> Config:
    """Longer than any of this takes, so that what must not have left yet has not."""
    return configuration().model_copy(update={"rooms": Rooms(undo_seconds=int(_UNDO.total_seconds()))})


async def mia_takes_back_some_of_it(house: House, word: str) -> None:
    """The first at once, the second never, the third when it has left."""
    desk, joint = await house.room(DESK), await house.room()
    for text in ("at once", "never"):
        await house.post(MIA, joint, f"{word} {text}")
        await house.work_off()
        if text == "at once":
            await house.post(MIA, desk, "!undo post")
            await house.work_off()
    Clock.ahead += _UNDO
    await house.drain()
    await house.post(MIA, joint, f"{word} late")
    await house.work_off()
    Clock.ahead += _UNDO
    await house.drain()
    await house.post(MIA, desk, "!undo post")
    await house.drain()


async def what_was_taken_back_in_time_never_left(house: House, word: str) -> None:
    """Each stood in its room once, and those taken back are redacted, the other is not; the desk heard what became."""
    desk, joint = await house.room(DESK), await house.room()
    said = [f"{word} at once", f"{word} never", f"{word} late"]
    await read_only_by(house, word, [(user, joint, said) for user in (ALICE, BOB)])
    first, kept, last = [event.event_id for event in joint.timeline if _is_hers(event.sender, event.type)][-3:]
    gone = [event.content["redacts"] for event in joint.timeline if event.type == "m.room.redaction"]
    if [gone.count(one) for one in (first, kept, last)] != [1, 0, 1]:
        raise Broken(f"redacted: {gone} of {first}, {kept} and {last}")
    mails = house.post_office.mailbox(CARL)
    mailed = "\n".join(mail.text for mail in mails[house.mailed :])
    house.mailed = len(mails)
    if f"{word} at once" in mailed:
        raise Broken("what was taken back in time was mailed")
    wanted = [f"| {word} never\n", f"| {word} late\n", "An earlier message was removed from this room"]
    found = re.findall("|".join(map(re.escape, wanted)), mailed)
    if found != [one for one in wanted if one in found]:
        raise Broken(f"mailed {found}")
    await the_rest_is_unknown(house, len(found), len(wanted))
    told = [text for text in await house.reads(MIA, desk) if text.startswith("Taken back in EVERYONE")]
    house.noticed += 2
    if len(told) != house.noticed:
        raise Broken(f"the desk heard {len(told)} times, instead of {house.noticed}")
    early, late = told[-2:]
    if "Not sent to Carl" not in early or "Sent already, and possibly seen, by Carl" not in late:
        raise Broken(f"the desk heard {told[-2:]}")


def _is_hers(sender: str, kind: str) -> bool:
    return sender == MIA and kind == "m.room.encrypted"


UNDO = Scenario(
    "a mediator takes back what she wrote",
    mia_takes_back_some_of_it,
    what_was_taken_back_in_time_never_left,
    Setting(with_time_to_think),
)
