"""Somebody opens the page behind a link, hands in a file, has a part of it made black, and wants no mail for a while,
while something is cut off (P1, D3, D8)."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from appservice.portal.page import ServicePortal
from appservice.portal.papers import ServicePapers
from bridges.portal.papers import Handed, PageImage, Wished
from bridges.portal.views import Closed
from policies.case import DESK, JOINT
from policies.documents.document import Document
from tests.appservice.portal.test_papers import FakeRenderer
from tests.faults.clock import Clock
from tests.faults.house import CASE, PEOPLE, House
from tests.faults.scenarios import Broken, Scenario, left_once
from tests.faults.test_documents import SECRET, VAULT, cards, case_of, nothing_lies_open
from tests.invariants.world import ALICE, CARL, MIA

T = TypeVar("T")
_OFTEN = 5
"""So often he presses one button at most."""
_PAUSED = "Carl wants no mail for now"


async def carl_is_at_the_page(house: House, word: str) -> None:
    """He presses again, whatever it is, until he is answered."""
    link, pin = await _link_for_carl(house)
    session = await _opened(house, link, pin)
    await _until(house, lambda: _handed_in(house, session, word))
    await house.drain()
    number = (await _document(house, word)).id
    await _until(house, lambda: _papers(house).open(session, number, 1))
    shown = await _until(house, lambda: _papers(house).page(session, number, 1, 1))
    if not isinstance(shown, PageImage):
        raise Broken(f"he is not shown his own file: {shown}")
    wish = Wished((), ("offer",), f"wish of {word}")
    await _until(house, lambda: _papers(house).redact(session, number, 1, wish))
    await house.drain()
    for _ in range(2):
        await _until(house, lambda: _done(_page(house).pause(link)))
    await house.rest()
    await house.post(ALICE, await house.room(), f"{word} waits")
    await house.rest()
    if any(f"| {word} waits\n" in mail.text for mail in house.post_office.mailbox(CARL)):
        raise Broken("he was mailed though he wanted no mail")
    await _until(house, lambda: _done(_page(house).leave(session)))
    async with house.calm():
        if await _page(house).view(session):
            raise Broken("his session goes on though he left")
    await house.post(MIA, await house.room(DESK), "!mail resume Carl")
    await house.drain()


async def _opened(house: House, link: str, pin: str) -> str:
    """The link opens once: if the answer was lost, another one is mailed to him, and opens."""
    house.links = len(house.post_office.links)
    session = await _until(house, lambda: _page(house).open(link, pin))
    if session is not Closed.USED:
        assert isinstance(session, str)
        return session
    await house.drain()
    [another] = house.post_office.links[house.links :]
    if another.to != CARL:
        raise Broken("his link went to somebody else")
    session = await _until(house, lambda: _page(house).open(another.link, pin))
    if isinstance(session, Closed):
        raise Broken(f"the other link does not open: {session}")
    return session


async def _link_for_carl(house: House) -> tuple[str, str]:
    now, carl = Clock.now(UTC), (await case_of(house)).named("Carl")
    assert carl
    at = datetime.fromtimestamp(now.timestamp(), UTC)
    async with house.calm(), house.database.begin() as work:
        link = await work.shelf.new_link(CASE, carl.id, carl.endpoint.id, at, at + timedelta(days=3))
        return link, await work.shelf.new_pin(CASE, carl.id)


async def _until(house: House, press: Callable[[], Awaitable[T]]) -> T:
    for _ in range(_OFTEN):
        if answer := await house.alive(press()):
            return answer
    raise Broken("he presses, and presses, and is not answered")


async def _done(press: Awaitable[None]) -> bool:
    await press
    return True


async def _handed_in(house: House, session: str, word: str) -> object:
    place = (await house.caucus_of("Carl")).id
    papers = _papers(house)
    async with papers.desk() as folder:
        (folder / "file").write_bytes(SECRET + word.encode())
        handed = Handed(place, f"{word}.pdf", f"file of {word}")
        return await papers.hand_in(session, handed, folder / "file")


def _page(house: House) -> ServicePortal:
    return ServicePortal(house.database, house.service.parts.codec, documents=True)


def _papers(house: House) -> ServicePapers:
    parts = house.service.parts
    assert parts.documents
    return ServicePapers(
        house.database,
        parts.codec,
        parts.house,
        parts.documents.vault,
        intake=parts.documents.intake,
        renderer=FakeRenderer(),
        handouts=parts.documents.handouts,
    )


async def _document(house: House, word: str) -> Document:
    found = [document for document in (await case_of(house)).documents if document.name == f"{word}.pdf"]
    if len(found) != 1:
        raise Broken(f"{len(found)} documents were made of what he handed in")
    return found[0]


async def each_press_counted_once(house: House, word: str) -> None:
    """His file is one, with one black version, in his room alone; who saw it is on record; nobody mailed him."""
    document, carl = await _document(house, word), (await case_of(house)).named("Carl")
    assert carl
    if [version.number for version in document.versions] != [1, 2] or document.home != await house.caucus_of("Carl"):
        raise Broken(f"{len(document.versions)} versions, in {document.home}")
    if not document.servings or {(one.person, one.version) for one in document.servings} != {(carl.id, 1)}:
        raise Broken(f"served: {document.servings}")
    if 1 not in {page for one in document.servings for page in one.pages}:
        raise Broken("the page that he was shown is not on record")
    for room in house.synapse.all_rooms.values():
        if any(word in text for text in await house.reads(ALICE, room)):
            raise Broken(f"the other side reads of it in {room.id}")
    for user in PEOPLE:
        wanted = 0 if user == ALICE else 1
        said = [text for text in await house.reads(user, await house.room()) if text == f"{word} waits"]
        if len(said) != wanted or await cards(house, user, await house.room(JOINT), f"{word}.pdf"):
            raise Broken(f"{user} reads Alice’s words {len(said)} times, or a card in the joint room")
    paused = [text for text in await house.reads(MIA, await house.room(DESK)) if text.startswith(_PAUSED)]
    if len(paused) != house.played:
        raise Broken(f"the desk heard {len(paused)} times that he wants no mail")
    if len(house.post_office.links) - house.links > 1:
        raise Broken("he was sent more than one link")
    await left_once(house, [f"{word} waits"], [mail.text for mail in house.post_office.mailbox(CARL)])
    await nothing_lies_open(house)


BEHIND_A_LINK = Scenario("somebody is at the page behind a link", carl_is_at_the_page, each_press_counted_once, VAULT)
