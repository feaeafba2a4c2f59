"""A held message from the mail that brought it to where a mediator posts it, through the stores."""

from dataclasses import replace

import pytest

from policies.case import DESK, JOINT, Case
from policies.commands.hold import DiscardHeld, PostHeld
from policies.documents.filing import NO_DOCUMENT, Filing, Refused
from policies.effects import Publish, Tell
from policies.message import (
    AuthenticatedMail,
    File,
    FileRef,
    Message,
    MessageId,
    SignedDevice,
    Text,
    Unproven,
)
from policies.moderation.hold import HoldEnd
from policies.people.membership import readers
from policies.words.phrase import verbatim
from rooms.handle import Handler
from rooms.outcome import Sent
from rooms.outgoing import PEOPLE
from rooms.queue import ItemId
from tests.policies.builders import AT, both_sides, caucus_of, message, named
from tests.rooms.builders import CODEC, HOUSE, Site, handler

CASE = both_sides("!mode released")


@pytest.fixture
async def site() -> Site:
    return await Site(CASE).begin()


async def hears(site: Site, name: str, text: str, number: str, said: Message | None = None) -> None:
    """Somebody says something, as an item of its own."""
    about = said or message(CASE, name, DESK if name == "Mia" else JOINT, Text(text), AuthenticatedMail())
    proof = SignedDevice() if name == "Mia" else about.proof
    async with site.database.begin() as work:
        await handler(work, number).message(CASE.id, replace(about, id=MessageId(number), proof=proof), None, None)


async def case_of(site: Site) -> Case:
    async with site.database.begin() as work:
        case = await work.cases.load(CASE.id)
    assert case
    return case


async def ends(site: Site) -> list[HoldEnd | None]:
    async with site.database.begin() as work:
        return [held.end for held in await work.holds.of_case(CASE.id)]


def published(site: Site) -> list[Publish]:
    return [outgoing for outgoing in site.outbox() if isinstance(outgoing, Publish)]


def told(site: Site) -> list[str]:
    return [o.text for o in site.outbox() if isinstance(o, Tell) and o.conversation == DESK]


async def test_a_file_that_can_be_no_document_waits_for_a_mediator_who_gives_it_back(site: Site) -> None:
    sent = message(CASE, "Alice", JOINT, File("film.mp4", "video/mp4", 3, FileRef("{}")), SignedDevice())
    house = replace(HOUSE, documents=True)
    async with site.database.begin() as work:
        await Handler(work, CODEC, house, ItemId("file"), AT).message(CASE.id, sent, None, None)
    assert await ends(site) == []
    home = caucus_of(CASE, "Smith")
    filing = Filing(
        sent.id, sent.author, JOINT, home, "film.mp4", Refused(verbatim("It is a film.")), readers(CASE, JOINT)
    )
    async with site.database.begin() as work:
        await Handler(work, CODEC, house, ItemId("filed"), AT).filed(CASE.id, filing)
    assert await ends(site) == [None]
    await hears(site, "Mia", "!held", "c1")
    assert "1. " in told(site)[-1]
    assert NO_DOCUMENT in told(site)[-1]
    await hears(site, "Mia", "!held 1 return", "c2")
    assert await ends(site) == [HoldEnd.RETURNED]


async def test_it_waits_is_previewed_and_stands_where_it_was_meant_once(site: Site) -> None:
    await hears(site, "Carl", "June is fine", "mail")
    assert await ends(site) == [None]
    await hears(site, "Mia", "!held 1 post", "c1")
    assert not published(site)
    assert await ends(site) == [None]
    [ask] = (await case_of(site)).asks
    for number in ("c2", "c3"):
        await hears(site, "Mia", f"yes {ask.code}", number)
    [shown] = published(site)
    assert (shown.conversation, shown.words, shown.to) == (JOINT, "June is fine", None)
    assert await ends(site) == [HoldEnd.POSTED]
    outcome, _ = await site.deliver(shown)
    assert isinstance(outcome, Sent)
    [posting] = site.poster.posted
    assert posting.content == Text("Carl’s words, released by the mediator:\n> June is fine")
    await hears(site, "Mia", "!held 1 post", "c4")
    assert "was posted already" in told(site)[-1]
    assert len(published(site)) == 1


async def test_the_number_of_one_stays_its_own_whatever_becomes_of_the_others(site: Site) -> None:
    for number in ("first", "second", "third"):
        await hears(site, "Carl", number, number)
    await hears(site, "Mia", "!held 1 return later", "c1")
    await hears(site, "Mia", "!held 3 discard", "c2")
    await hears(site, "Mia", "!held", "c3")
    assert [line[:2] for line in told(site)[-1].splitlines()[1:]] == ["2."]
    await hears(site, "Mia", "!held 2", "c4")
    assert "> second" in told(site)[-1]
    await hears(site, "Mia", "!held 3 keep", "c5")
    assert await ends(site) == [HoldEnd.RETURNED, None, None]


async def test_what_its_author_claims_can_no_longer_be_posted(site: Site) -> None:
    said = replace(message(CASE, "Carl", JOINT, Text("I accept"), Unproven("no DKIM", "")), native=False)
    await hears(site, "Carl", "", "mail", said)
    await hears(site, "Mia", "!held 1 post", "c1")
    [ask] = (await case_of(site)).asks
    case = await case_of(site)
    async with site.database.begin() as work:
        await handler(work, "mine").mine(case, named(CASE, "Carl"), MessageId("mail"))
    assert await ends(site) == [HoldEnd.CLAIMED]
    await hears(site, "Mia", f"yes {ask.code}", "c2")
    await hears(site, "Mia", "!held 1 post", "c3")
    assert not published(site)
    assert not (await case_of(site)).asks


async def test_what_its_author_has_in_mail_goes_to_the_other_readers_alone() -> None:
    site = await Site(
        both_sides("!party add Bea bea@example.com on Jones", "!consent Bea: x", "!mode released")
    ).begin()
    said = message(site.case, "Carl", JOINT, Text("June"), AuthenticatedMail())
    async with site.database.begin() as work:
        await handler(work, "mail").message(site.case.id, said, None, None)
    for number in ("c1", "c2"):
        asks = (await case_of(site)).asks
        line = f"yes {asks[0].code}" if asks else "!held 1 post"
        async with site.database.begin() as work:
            words = replace(message(site.case, "Mia", DESK, Text(line)), id=MessageId(number))
            await handler(work, number).message(site.case.id, words, None, None)
    assert {shown.to for shown in published(site)} == {None, named(site.case, "Bea").id}
    lanes = [i.lane for i in site.database.committed.outbox.items.values() if i.kind == PEOPLE]
    assert any(named(site.case, "Bea").id in lane for lane in lanes)


async def test_through_the_api_nobody_sees_a_word_and_nothing_is_posted(site: Site) -> None:
    await hears(site, "Carl", "my secret", "mail")
    async with site.database.begin() as work:
        posted = await handler(work, "a1").command(CASE.id, PostHeld("1"), AT)
        put_aside = await handler(work, "a2").command(CASE.id, DiscardHeld("1"), AT)
    assert not posted.ok
    assert put_aside.ok
    assert "secret" not in posted.text + put_aside.text
    assert await ends(site) == [HoldEnd.DISCARDED]
