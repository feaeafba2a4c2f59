"""The page behind the links, and mails as their readers see them, in a real Chromium: accessible, and looked at.

Skipped where there is no Chromium; `.ci/root/20-page` installs it. With MEDIATRIX_PICTURES=1 the pictures in docs/ are
taken anew.
"""

import io
import json
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import TestServer

from appservice.documents.pipeline.drawing import Order, draw
from appservice.documents.pipeline.pages import Watermark
from bridges.email.convert_out import (
    Explanation,
    Invitation,
    LinkKind,
    LinkLetter,
    MailRoom,
    OutgoingMail,
    Post,
    Several,
    render,
    render_link,
)
from bridges.email.ids import EmailAddress
from bridges.email.rate import RateCap
from bridges.portal.document_pages import DocumentPages
from bridges.portal.marking import MarkingPages
from bridges.portal.papers import Download, Handed, NotNow, PageImage, Paper, Place, Wished
from bridges.portal.server import PortalPages
from bridges.portal.views import View
from catalogue import said
from policies.case import Kind, PersonId, SideId, caucus
from policies.documents.document import Area
from policies.documents.files import Kind as FileKind
from policies.effects import Pose
from policies.questions.asking import in_words
from policies.words.language import Language
from policies.words.phrase import phrase, verbatim
from tests.appservice.documents.pipeline import makers
from tests.bridges.email.builders import BOUNCES, letter, parsed
from tests.bridges.portal.test_server import HOUSE, LINK, PIN, VIEW, FakePortal
from tests.e2e.chromium import Tab, chromium
from tests.e2e.test_demo_page import AXE, needs_chromium

pytestmark = [pytest.mark.e2e, needs_chromium, pytest.mark.asyncio(loop_scope="session")]

PICTURES = Path(__file__).parents[2] / "docs" / "pictures"
WIDE, NARROW = (900, 900), (390, 844)
OF_A_PAGE = ("landmark-one-main", "region", "page-has-heading-one")
"""Rules for whole pages: a mail stands within its reader's mail program."""
VIOLATIONS = "axe.run({rules: %s}).then(r => r.violations.map(v => `${v.id}: ${v.nodes.map(n => n.html).join(' ')}`))"
AT = datetime(2026, 1, 5, 10, tzinfo=UTC)
JOINT = MailRoom("EVERYONE · 1042", Kind.JOINT)


def link(kind: LinkKind) -> OutgoingMail:
    """A mail without words."""
    url = "https://mediation.example.org/p/secret"
    organisation, telephone, noreply = "Town Mediation", "+1 555 0100", "noreply@reply.example.org"
    carl = EmailAddress("carl", "example.net")
    return render_link(
        LinkLetter(organisation, telephone, url, f"{url}/pause", kind, noreply, BOUNCES, carl, "<1@x.example>", AT)
    )


QUESTION = Pose(
    PersonId("p2"),
    caucus(SideId("s2")),
    "4F2A",
    phrase("{name}, may these words of yours be shown to everybody?", name="Carl"),
    "I would accept 4,500, if it is before June.",
    phrase("Alice and Mia will read them."),
    AT + timedelta(days=1),
    of_the_case=True,
)
MAILS = {
    "mail-private": lambda: render(
        letter(Post("Mia", "Dear Carl,\n\nthank you for yesterday. What matters most to you?"))
    ),
    "mail-everyone": lambda: render(
        letter(Post("Alice", "I could do Tuesday, from 10 on.\nOr any day after."), room=JOINT)
    ),
    "mail-invitation": lambda: render(letter(Invitation("Town Mediation", "Mia Moss", "+1 555 0100", "Carl"))),
    "mail-question": lambda: render(letter(Explanation(said(in_words(QUESTION, "UTC"), Language.ENGLISH)))),
    "mail-digest": lambda: render(
        letter(
            Several(
                (
                    ("2026-01-05 09:10 (Berlin, UTC+1)", Post("Alice", "Shall we meet in the first week of June?")),
                    ("2026-01-05 11:45 (Berlin, UTC+1)", Post("Mia", "I could be there on Tuesday, from 10 on.")),
                )
            ),
            room=JOINT,
        )
    ),
    "mail-link": lambda: link(LinkKind.NEWS),
    "mail-link-first": lambda: link(LinkKind.FIRST),
    "mail-link-whose": lambda: link(LinkKind.WHOSE),
    "mail-link-discreet": lambda: link(LinkKind.DISCREET),
}
PLAN = Paper("D1", 1, verbatim("D1 “site plan.pdf” (PDF, 3 pages, 120 kB)"), verbatim("Alice"), False, 3, True, ())
_SERVED = verbatim("2026-01-05 10:00 UTC: version 1 served to Alice (view), as pictures of pages, marked K7Q2AB: 1, 2")
OWN = Paper("D2", 1, verbatim("D2 “survey.pdf” (PDF, 2 pages, 80 kB)"), verbatim("Carl"), True, 2, False, (_SERVED,))
MARK = Watermark("Carl", AT, "K7Q2AB")
PAPERS = {
    "page-documents": "/p/documents",
    "page-document": "/p/documents/D1/1?page=2",
    "page-marking": "/p/documents/D2/1/mark?page=2&areas=2:10.0,20.0-60.0,28.0&at.x=30&at.y=40",
}
PAGES = {"page-rooms": VIEW, "page-welcome": replace(VIEW, is_enrolled=False)}


async def _mail(request: web.Request) -> web.Response:
    body = parsed(MAILS[request.match_info["name"]]().raw).get_body(("html",))
    assert body is not None
    return web.Response(text=str(body.get_content()), content_type="text/html")


async def _elsewhere(_: web.Request) -> web.Response:
    return web.Response(text="<h1>The weather</h1>", content_type="text/html")


async def _nothing(_: web.Request) -> web.Response:
    return web.Response(status=204)


@dataclass
class FakePapers:
    """Two documents, of which one is open at its first pages."""

    portal: FakePortal

    async def language(self, session: str) -> Language | None:
        """As on the page."""
        return await self.portal.language(session)

    async def papers(self, session: str) -> Sequence[Paper] | None:
        """For whoever has a session."""
        return [PLAN, OWN] if session in self.portal.sessions else None

    async def has_rooms(self, session: str) -> bool:
        """As for everybody who gets mail."""
        return session in self.portal.sessions

    async def places(self, session: str) -> Sequence[Place]:
        """One private room."""
        return [Place("caucus-s2", "PRIVATE with mediator · 1042")]

    @asynccontextmanager
    async def desk(self) -> AsyncIterator[Path]:
        """Nothing is put down here."""
        yield Path("/nonexistent")

    async def hand_in(self, session: str, handed: Handed, file: Path) -> NotNow | bool:
        """Nothing is taken."""
        return False

    async def open(self, session: str, document: str, version: int) -> bool:
        """Everything opens."""
        return (document, version) in {("D1", 1), ("D2", 1)} and session in self.portal.sessions

    async def paper(self, session: str, document: str, version: int) -> Paper | None:
        """What was opened."""
        return {"D1": PLAN, "D2": OWN}[document] if await self.open(session, document, version) else None

    async def page(self, session: str, document: str, version: int, page: int) -> PageImage | None:
        """A page, drawn as it really is."""
        if not await self.open(session, document, version):
            return None
        image = io.BytesIO()
        draw(io.BytesIO(makers.pdf(3)), image, Order(FileKind.PDF, page, 1240, MARK.lines))
        return PageImage(image.getvalue())

    async def redact(self, session: str, document: str, version: int, wish: Wished) -> bool:
        """What is marked is remembered."""
        self.portal.wished.append(wish)
        return True

    @asynccontextmanager
    async def download(self, session: str, document: str, version: int) -> AsyncIterator[Download | None]:
        """Nothing is handed out."""
        yield None


@pytest_asyncio.fixture(loop_scope="session")
async def portal() -> AsyncIterator[tuple[str, FakePortal]]:
    """The page on a free port, and the mails beside it."""
    portal, app = FakePortal(), web.Application()
    pages = PortalPages(
        portal, replace(HOUSE, leave_to="/elsewhere"), lambda _: "", RateCap(lambda: 0.0, limit=1000), is_secure=False
    )
    marking = MarkingPages(FakePapers(portal), HOUSE)
    papers = DocumentPages(FakePapers(portal), HOUSE, RateCap(lambda: 0.0, limit=1000), most_bytes=1000)
    app.add_routes(
        [
            *marking.routes(),
            *papers.routes(),
            *pages.routes(),
            web.get("/mail/{name}", _mail),
            web.get("/favicon.ico", _nothing),
            web.get("/elsewhere", _elsewhere),
        ]
    )
    async with TestServer(app) as server:
        yield str(server.make_url("")), portal


@pytest_asyncio.fixture(loop_scope="session")
async def tab(tmp_path: Path) -> AsyncIterator[Tab]:
    """A browser."""
    async with chromium(tmp_path) as tab:
        yield tab


async def looked_at(tab: Tab, name: str) -> None:
    """No violation, in light and dark, wide and narrow, nothing cut off; and a picture, if they are wanted."""
    await tab.evaluate(AXE.read_text())
    rules = {rule: {"enabled": False} for rule in OF_A_PAGE} if name.startswith("mail") else {}
    without = json.dumps(rules)
    for scheme in ("dark", "light"):
        await tab.prefer(scheme)
        for size in (NARROW, WIDE):
            await tab.resize(*size)
            found = await tab.evaluate(VIOLATIONS.replace("%s", without))
            assert not found, f"{name}, {scheme}: {found}"
            assert await tab.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
            if os.environ.get("MEDIATRIX_PICTURES") and scheme == "light":
                narrow = "-phone" if size == NARROW and name.startswith("page") else ""
                PICTURES.mkdir(exist_ok=True)
                (PICTURES / f"{name}{narrow}.png").write_bytes(await tab.picture(whole=True))
    assert not tab.complaints


@pytest.mark.parametrize("name", MAILS)
async def test_a_mail_can_be_read_by_everybody(tab: Tab, portal: tuple[str, FakePortal], name: str) -> None:
    await tab.open(f"{portal[0]}mail/{name}" if portal[0].endswith("/") else f"{portal[0]}/mail/{name}")
    await tab.until("document.readyState === 'complete'")
    await looked_at(tab, name)


@pytest.mark.parametrize("name", ["page-door", *PAGES])
async def test_a_page_can_be_used_by_everybody_and_fetches_nothing_from_elsewhere(
    tab: Tab, portal: tuple[str, FakePortal], name: str
) -> None:
    base, fake = portal[0].rstrip("/"), portal[1]
    view: View = PAGES.get(name, VIEW)
    fake.shown = view
    await tab.open(f"{base}/p/{LINK}")
    await tab.until("document.querySelector('#pin') !== null")
    if name != "page-door":
        await tab.evaluate(f"document.querySelector('#pin').value = '{PIN}', document.forms[0].submit()")
        await tab.until("document.readyState === 'complete' && document.querySelector('#pin') === null")
    await tab.call("Page.setBypassCSP", enabled=True)  # or axe-core could not be put in
    await looked_at(tab, name)
    assert all(address.startswith(base) for address in tab.requested if not address.startswith("about:"))


@pytest.mark.parametrize(("press", "after"), [("a.exit", "The weather"), ("header form button", "Goodbye")])
async def test_one_press_ends_it_and_going_back_shows_nothing(
    tab: Tab, portal: tuple[str, FakePortal], press: str, after: str
) -> None:
    """Also what is `no-store` Chromium shows again as it was, if it is not told to forget it."""
    base = portal[0].rstrip("/")
    await tab.open(f"{base}/p/{LINK}")
    await tab.until("document.querySelector('#pin') !== null")
    await tab.evaluate(f"document.querySelector('#pin').value = '{PIN}', document.forms[0].submit()")
    await tab.until("document.readyState === 'complete' && document.querySelector('.room') !== null")
    assert "my own" in await tab.evaluate("document.body.innerText")
    await tab.evaluate(f"document.querySelector('{press}').click()")
    await tab.until(f"document.readyState === 'complete' && document.querySelector('h1')?.innerText === '{after}'")
    assert not portal[1].sessions
    await tab.evaluate("history.back()")
    await tab.until("document.readyState === 'complete' && location.pathname === '/p/rooms'")
    assert await tab.evaluate("document.querySelector('.room') === null")
    assert "my own" not in await tab.evaluate("document.body.innerText")


@pytest.mark.parametrize("name", PAPERS)
async def test_documents_can_be_looked_at_by_everybody_with_scripts_off(
    tab: Tab, portal: tuple[str, FakePortal], name: str
) -> None:
    base = portal[0].rstrip("/")
    await tab.open(f"{base}/p/{LINK}")
    await tab.until("document.querySelector('#pin') !== null")
    await tab.evaluate(f"document.querySelector('#pin').value = '{PIN}', document.forms[0].submit()")
    await tab.until("document.readyState === 'complete' && document.querySelector('#pin') === null")
    await tab.open(f"{base}{PAPERS[name]}")
    await tab.until("document.readyState === 'complete' && document.querySelector('h1') !== null")
    if name == "page-marking":
        await marked_with_two_presses(tab, portal[1])
        await tab.open(f"{base}{PAPERS[name]}")
        await tab.until("document.readyState === 'complete' && document.querySelector('h1') !== null")
    if name == "page-document":
        assert await tab.evaluate("document.querySelector('img').naturalWidth") == 1240
    await tab.call("Page.setBypassCSP", enabled=True)  # or axe-core could not be put in
    await looked_at(tab, name)
    assert all(address.startswith(base) for address in tab.requested if not address.startswith("about:"))


async def marked_with_two_presses(tab: Tab, portal: FakePortal) -> None:
    """On a telephone: the second corner by a press, another place by numbers; what is sent is where it was pressed."""
    await tab.resize(*NARROW)
    box = await tab.evaluate(
        "(({left, top, width, height}) => [left, top, width, height])"
        "(document.querySelector('.pressed').getBoundingClientRect())"
    )
    assert box[2:] == [340, 480]
    await tab.evaluate("window.scrollTo(0, document.querySelector('.pressed').getBoundingClientRect().top)")
    left, top = await tab.evaluate(
        "(({left, top}) => [left, top])(document.querySelector('.pressed').getBoundingClientRect())"
    )
    for kind in ("mousePressed", "mouseReleased"):
        await tab.call("Input.dispatchMouseEvent", type=kind, x=left + 170, y=top + 120, button="left", clickCount=1)
    await tab.until("document.readyState === 'complete' && document.querySelectorAll('main li').length === 2")
    numbers = {"left": "5", "top": "5", "right": "50", "bottom": "7.5"}
    for side, number in numbers.items():
        await tab.evaluate(f"document.querySelector('#{side}').value = '{number}'")
    await tab.evaluate("document.querySelector('.typed button').click()")
    await tab.until("document.readyState === 'complete' && document.querySelectorAll('main li').length === 3")
    await tab.evaluate("document.querySelector('#words').value = 'Alice Smith'")
    await tab.evaluate("document.querySelector('#words').form.submit()")
    await tab.until("document.readyState === 'complete' && document.querySelector('.done') !== null")
    [wish] = portal.wished
    first, pressed, typed = wish.areas
    assert (first, typed) == (Area(2, 100, 200, 600, 280), Area(2, 50, 50, 500, 75))
    assert (pressed.page, pressed.left, pressed.top) == (2, 88, 83)
    # To a point of the picture: half of its width, and a quarter of its height.
    assert abs(pressed.right - 500) <= 3
    assert abs(pressed.bottom - 250) <= 3
    assert wish.words == ("Alice Smith",)
