"""A new agreement to mediate is accepted by one after another, while something is cut off (M2)."""

import re
from collections import Counter
from pathlib import Path

from appservice.setup.config import AgreementToMediate, Config
from policies.case import DESK
from policies.moderation.agreement import Confidentiality
from rooms.ids import UserId
from rooms.queue import State
from tests.faults.audience import read_only_by
from tests.faults.house import CASE, House, Setting, in_session
from tests.faults.scenarios import Broken, Scenario, agreed_by_mia, code_asked, left_once
from tests.invariants.world import ALICE, BOB, CARL, MIA, configuration

ON_PAPER = "!agreement accepted Carl: on paper"


def with_an_agreement(_: Path) -> Config:
    """Of one sentence."""
    agreement = AgreementToMediate.model_construct(file="1. We talk.")
    return configuration().model_copy(update={"agreement": agreement})


async def everybody_has_accepted(house: House) -> None:
    """The first version, and reads the joint room."""
    await in_session(house)
    for user, name in ((ALICE, "Alice"), (BOB, "Bob")):
        await _accepts(house, user, name)
    await house.post(MIA, await house.room(DESK), ON_PAPER)
    await house.drain()


async def another_agreement_is_accepted(house: House, word: str) -> None:
    """By one after another, and something is said to all before, between and after."""
    desk, joint = await house.room(DESK), await house.room()
    async with house.calm(), house.database.begin() as work:
        case = await work.cases.load(CASE)
    assert case
    assert case.agreement
    strict = case.agreement.confidentiality is Confidentiality.STRICT
    await agreed_by_mia(house, f"!agreement mode {Confidentiality.SHARE if strict else Confidentiality.STRICT}")
    await house.post(MIA, joint, f"{word} to nobody")
    await house.drain()
    await _accepts(house, ALICE, "Alice")
    await house.post(MIA, joint, f"{word} to Alice")
    await house.drain()
    await _accepts(house, BOB, "Bob")
    await house.post(MIA, desk, ON_PAPER)
    await house.drain()
    await house.post(MIA, joint, f"{word} to all")
    await house.drain()


async def _accepts(house: House, user: UserId, name: str) -> None:
    room = await house.room(await house.caucus_of(name))
    await house.post(user, room, await code_asked(house, room, user))
    await house.drain()


async def only_who_had_accepted_read_it(house: House, word: str) -> None:
    """Each was asked once, in their own room, and their yes is told once; Carl is mailed what was said after his."""
    desk, joint = await house.room(DESK), await house.room()
    alice, all_ = [f"{word} to Alice"], [f"{word} to all"]
    await read_only_by(house, word, [(ALICE, joint, [*alice, *all_]), (BOB, joint, all_)])
    mails = [mail.text for mail in house.post_office.mailbox(CARL)]
    if any(f"{word} to Alice" in mail or f"{word} to nobody" in mail for mail in mails):
        raise Broken("Carl was mailed what was said before he had accepted")
    await left_once(house, all_, mails)
    async with house.calm(), house.database.begin() as work:
        case = await work.cases.load(CASE)
    assert case
    assert case.agreement
    version, people = case.agreement.version, [person for person in case.people if not case.is_staff(person.id)]
    accepted = Counter(one.person for one in case.acceptances if one.version == version)
    if accepted != Counter(person.id for person in people):
        raise Broken(f"of version {version} accepted: {accepted}")
    asked = f", before the mediation begins: this is the agreement to mediate (version {version})"
    for user, name in ((ALICE, "Alice"), (BOB, "Bob")):
        own = await house.room(await house.caucus_of(name))
        texts = [text.splitlines()[0].partition(". Do")[0] for text in await house.reads(user, own) if asked in text]
        told = [text for text in await house.reads(user, own) if f"(version {version}) is on record" in text]
        if texts != [f"{name}{asked}"] or len(told) != 1:
            raise Broken(f"{name} was asked {texts}, and told {told}")
    shown = await house.reads(MIA, desk)
    heard = Counter(re.findall(r"^(\w+) accepted the agreement", "\n".join(shown), re.MULTILINE))
    if heard != {"Alice": version, "Bob": version} or sum(f"Version {version} (" in text for text in shown) != 1:
        raise Broken(f"the desk heard {heard}")
    letters = [mail for mail in mails if f"mediate (version {version})" in " ".join(mail.split()).replace("| ", "")]
    if len(letters) > 1 or len(letters) + await house.items(State.UNKNOWN) < 1:
        raise Broken(f"Carl was asked {len(letters)} times")


AGREEMENT = Scenario(
    "another agreement is accepted",
    another_agreement_is_accepted,
    only_who_had_accepted_read_it,
    Setting(with_an_agreement),
    everybody_has_accepted,
)
