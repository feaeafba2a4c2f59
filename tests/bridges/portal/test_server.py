"""The page's routes: nothing of anybody without link and PIN, nothing done without the session's own form."""

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from http import HTTPStatus

import pytest
from aiohttp import ClientResponse, web
from aiohttp.test_utils import TestClient, TestServer
from yarl import URL

from bridges.email.rate import RateCap
from bridges.portal.ids import form_mark, new_token
from bridges.portal.papers import Wished
from bridges.portal.server import PortalPages
from bridges.portal.views import Closed, Doubtful, House, Question, RoomView, Shown, View
from policies.words.language import Language
from policies.words.phrase import phrase

pytestmark = pytest.mark.enable_socket

AT = datetime(2026, 1, 5, 10, tzinfo=UTC)
LINK, PIN = new_token(), "123456"
HOUSE = House("Town Mediation", "+1 555 0100", discreet_host="letters.example")
VIEW = View(
    name="Carl",
    is_enrolled=True,
    gets_words=False,
    is_paused=False,
    rooms=(
        RoomView(
            "caucus-s2",
            "PRIVATE with mediator · 1042",
            True,
            phrase("PRIVATE. Who reads this room: {names}. Nobody else does.", names="Mia, Carl"),
            (
                Shown("Mia", "<script>alert(1)</script> \u202eevil", AT),
                Shown("Carl", "my own", AT, own=True),
                Shown(None, "a notice", AT),
            ),
        ),
        RoomView(
            "joint",
            "EVERYONE · 1042",
            False,
            phrase("EVERYONE in the case reads this room: {names}.", names="Mia, Carl"),
            (),
        ),
    ),
    questions=(Question("4FX2", "Accept the agreement?", "We keep it to ourselves.", "You join.", AT),),
    doubtful=(Doubtful("m7", AT, "I <b>accept</b>"),),
)


@dataclass
class FakePortal:
    """Opens for one link and one PIN."""

    shown: View = VIEW
    sessions: set[str] = field(default_factory=set)
    acts: list[tuple[str, str, Mapping[str, str]]] = field(default_factory=list)
    paused: list[str] = field(default_factory=list)
    wished: list[Wished] = field(default_factory=list)
    locked: bool = False
    discreet: bool = False
    before: str = ""

    async def open(self, link: str, pin: str) -> str | Closed:
        if self.locked:
            return Closed.LOCKED
        if (link, pin) != (LINK, PIN):
            return Closed.WRONG
        self.sessions.add(session := new_token())
        return session

    async def view(self, session: str, before: str = "") -> View | None:
        self.before = before
        return self.shown if session in self.sessions else None

    async def language(self, session: str) -> Language | None:
        return self.shown.language if session in self.sessions else None

    async def act(self, session: str, nonce: str, what: str, values: Mapping[str, str]) -> bool:
        if session in self.sessions:
            self.acts.append((nonce, what, values))
        return session in self.sessions

    async def may_be_named(self, link: str) -> bool:
        return link != LINK or not self.discreet

    async def pause(self, link: str) -> None:
        self.paused.append(link)

    async def leave(self, session: str) -> None:
        self.sessions.discard(session)


@dataclass
class Browser:
    """A browser and what it talks to."""

    http: TestClient[web.Request, web.Application]
    portal: FakePortal

    async def enter(self, pin: str = PIN, link: str = LINK) -> ClientResponse:
        return await self.http.post(f"/p/{link}", data={"pin": pin}, allow_redirects=False)

    @property
    def session(self) -> str:
        (session,) = self.portal.sessions
        return session

    async def press(self, act: str, **values: str) -> ClientResponse:
        form = {"act": act, "mark": form_mark(self.session), "nonce": "n1", **values}
        return await self.http.post("/p/act", data=form, allow_redirects=False)


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    """It has opened nothing yet."""
    portal = FakePortal()
    app = web.Application()
    cap = RateCap(lambda: 0.0, limit=20)
    app.add_routes(PortalPages(portal, HOUSE, lambda request: request.remote or "", cap, is_secure=False).routes())
    async with TestClient(TestServer(app)) as http:
        yield Browser(http, portal)


async def test_a_link_that_is_followed_shows_nothing_and_spends_nothing(browser: Browser) -> None:
    known, unknown = await browser.http.get(f"/p/{LINK}"), await browser.http.get(f"/p/{new_token()}")
    assert known.status == unknown.status == 200
    assert await known.text() == await unknown.text()
    assert "Carl" not in await known.text()
    assert not browser.portal.sessions


async def test_link_and_pin_together_open_and_neither_alone_does(browser: Browser) -> None:
    wrong_pin, wrong_link = await browser.enter(pin="000000"), await browser.enter(link=new_token())
    assert wrong_pin.status == wrong_link.status == 403
    assert await wrong_pin.text() == await wrong_link.text()
    right = await browser.enter("123 456")
    assert (right.status, right.headers["Location"]) == (303, "/p/rooms")
    cookie = right.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    shown = await browser.http.get("/p/rooms")
    assert "PRIVATE with mediator" in await shown.text()


async def test_without_a_session_nothing_is_shown_or_done(browser: Browser) -> None:
    for answer in (
        await browser.http.get("/p/rooms"),
        await browser.http.post("/p/act", data={"act": "say", "room": "joint", "text": "x"}),
        await browser.http.get("/p/rooms", cookies={"mediatrix": new_token()}),
        await browser.http.get("/p/rooms", cookies={"mediatrix": "'; DROP"}),
    ):
        assert answer.status == 403
        assert "Carl" not in await answer.text()
    assert not browser.portal.acts


async def test_what_is_written_is_stored_as_it_is_for_the_room_of_its_form(browser: Browser) -> None:
    await browser.enter()
    answer = await browser.press("say", room="caucus-s2", text="I want 4,500.", evil="x")
    assert (answer.status, answer.headers["Location"]) == (303, "/p/rooms?done=say&room=caucus-s2")
    assert browser.portal.acts == [("n1", "say", {"room": "caucus-s2", "text": "I want 4,500."})]
    page = await (await browser.http.get("/p/rooms?done=say")).text()
    assert "Sent." in page
    assert "<script" not in await (await browser.http.get("/p/rooms?done=<script>")).text()


@pytest.mark.parametrize(
    ("act", "values"),
    [
        ("answer", {"code": "4FX2", "yes": "no"}),
        ("enrol", {"words": "yes"}),
        ("enrol", {}),
        ("mine", {"message": "m7"}),
        ("pause", {}),
    ],
)
async def test_every_act_that_the_page_offers_is_stored(browser: Browser, act: str, values: dict[str, str]) -> None:
    await browser.enter()
    await browser.press(act, **values)
    assert browser.portal.acts == [("n1", act, values)]


@pytest.mark.parametrize(
    "form",
    [
        {"act": "say", "room": "joint", "text": "x", "mark": "0" * 32},
        {"act": "say", "room": "joint", "text": "x"},
        {"act": "say", "room": "joint", "text": "x", "mark": "é"},
    ],
)
async def test_a_form_of_another_site_does_nothing(browser: Browser, form: dict[str, str]) -> None:
    await browser.enter()
    assert (await browser.http.post("/p/act", data=form)).status == 403
    assert not browser.portal.acts


@pytest.mark.parametrize("values", [{"text": "  "}, {"text": "x" * 20_001}, {}])
async def test_nothing_and_too_much_are_refused(browser: Browser, values: dict[str, str]) -> None:
    await browser.enter()
    assert (await browser.press("say", room="joint", **values)).status == 400
    assert (await browser.press("destroy")).status == 400
    assert not browser.portal.acts


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
async def test_no_other_site_has_somebody_enter_as_somebody_else(browser: Browser, site: str) -> None:
    answer = await browser.http.post(f"/p/{LINK}", data={"pin": PIN}, headers={"Sec-Fetch-Site": site})
    assert answer.status == 403
    assert "Set-Cookie" not in answer.headers
    assert not browser.portal.sessions


async def test_many_tries_from_one_place_are_stopped_whatever_the_link(browser: Browser) -> None:
    answers = [(await browser.enter(pin=f"{n:06d}", link=new_token())).status for n in range(21)]
    assert answers == [403] * 20 + [429]
    assert (await browser.enter()).status == 429


async def test_a_locked_link_says_so(browser: Browser) -> None:
    browser.portal.locked = True
    assert "locked" in await (await browser.enter()).text()


async def test_one_press_in_a_mail_client_stops_mail_without_a_pin_and_tells_nothing(browser: Browser) -> None:
    """RFC 8058: the mail client posts, nobody sees a page."""
    known = await browser.http.post(f"/p/{LINK}/pause", data={"List-Unsubscribe": "One-Click"})
    unknown = await browser.http.post(f"/p/{new_token()}/pause")
    assert await known.text() == await unknown.text()
    assert browser.portal.paused[0] == LINK


async def test_a_link_to_pause_that_is_only_followed_does_nothing(browser: Browser) -> None:
    answer = await browser.http.get(f"/p/{LINK}/pause")
    assert answer.status == 200
    assert 'method="post"' in await answer.text()
    assert not browser.portal.paused


async def test_whoever_leaves_is_out(browser: Browser) -> None:
    await browser.enter()
    bye = await browser.http.post("/p/leave", data={"mark": form_mark(browser.session)})
    assert not browser.portal.sessions
    assert 'href="/p/forget.css"' in await bye.text()
    forget = await browser.http.get("/p/forget.css")
    assert (forget.headers["Clear-Site-Data"], forget.headers["Cache-Control"]) == ('"cache"', "no-store")
    assert (await browser.http.get("/p/rooms")).status == 403


async def test_one_link_ends_the_session_and_leads_elsewhere_at_once(browser: Browser) -> None:
    door = await browser.http.get(f"/p/{LINK}")
    assert 'href="/p/exit"' in await door.text()
    await browser.enter()
    answer = await browser.http.get("/p/exit")
    assert (answer.status, answer.headers["Refresh"]) == (200, f"0; url={HOUSE.leave_to}")
    page = await answer.text()
    assert 'href="/p/forget.css"' in page
    assert not [word for word in (HOUSE.organisation, "Carl", "ediation") if word in page]
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.cookies["mediatrix"]["max-age"] == "0"
    assert not browser.portal.sessions
    back = await browser.http.get("/p/rooms")
    assert back.status == 403
    assert "Carl" not in await back.text()


async def test_the_link_out_leads_elsewhere_without_a_session_too_and_ends_nobody_elses(browser: Browser) -> None:
    await browser.enter()
    browser.http.session.cookie_jar.clear()
    assert HOUSE.leave_to in (await browser.http.get("/p/exit")).headers["Refresh"]
    assert browser.portal.sessions


async def test_words_can_not_become_markup_and_nothing_is_fetched_from_elsewhere(browser: Browser) -> None:
    await browser.enter()
    answer = await browser.http.get("/p/rooms")
    page = await answer.text()
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert "\u202e" not in page
    for address in re.findall(r'(?:href|src|action)="([^"]*)"', page):
        assert address.startswith(("/p/", "#"))
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Referrer-Policy"] == "no-referrer"


async def test_who_comes_first_reads_what_can_not_be_protected_before_anything_else(browser: Browser) -> None:
    browser.portal.shown = View("Carl", False, False, False, VIEW.rooms, VIEW.questions, ())
    await browser.enter()
    page = await (await browser.http.get("/p/rooms")).text()
    assert "What can't be protected" in page
    assert "my own" not in page


async def test_whoever_has_just_confirmed_is_told_so_and_not_asked_again(browser: Browser) -> None:
    """The page may be quicker than the service, which works off what it has accepted."""
    browser.portal.shown = replace(VIEW, is_enrolled=False)
    await browser.enter()
    asked, told = [await (await browser.http.get(f"/p/rooms{query}")).text() for query in ("", "?done=enrol")]
    assert ("This mailbox is mine" in asked, "This mailbox is mine" in told) == (True, False)
    assert "Thank you, that has been taken." in told


async def test_the_page_has_a_choice_of_when_to_be_mailed(browser: Browser) -> None:
    browser.portal.shown = replace(VIEW, digest="08:00, 18:00 Europe/Berlin")
    await browser.enter()
    page = await (await browser.http.get("/p/rooms")).text()
    assert 'value="" selected>at 08:00, 18:00 Europe/Berlin<' in page
    assert 'value="18:00">' in page


async def test_times_are_shown_by_the_readers_clock_which_is_named(browser: Browser) -> None:
    browser.portal.shown = replace(VIEW, zone="America/New_York")
    await browser.enter()
    page = await (await browser.http.get("/p/rooms")).text()
    assert "You can answer until 5 January 2026, 05:00 (New York, UTC-5)." in page
    assert "10:00 UTC" not in page


async def test_a_cookie_is_kept_to_https_where_people_use_that() -> None:
    app = web.Application()
    pages = PortalPages(FakePortal(), HOUSE, lambda _: "", RateCap(lambda: 0.0), is_secure=True)
    app.add_routes(pages.routes())
    async with TestClient(TestServer(app)) as http:
        answer = await http.post(URL(f"/p/{LINK}"), data={"pin": PIN}, allow_redirects=False)
        assert "Secure" in answer.headers["Set-Cookie"]


async def test_words_that_a_mediator_sees_first_are_not_called_sent(browser: Browser) -> None:
    own, joint = VIEW.rooms
    waits = replace(joint, kept=phrase("in the joint room only the mediator writes"))
    browser.portal.shown = replace(VIEW, rooms=(own, waits))
    await browser.enter()
    page = await (await browser.http.get("/p/rooms")).text()
    assert "Send to EVERYONE" not in page
    assert "Send to the mediator" in page
    assert "not shown to the others, because in the joint room only the mediator writes" in " ".join(page.split())
    done = await (await browser.http.get("/p/rooms?done=say&room=joint")).text()
    assert "The mediator looks at it first." in done
    assert "Sent." not in done
    assert "Sent." in await (await browser.http.get("/p/rooms?done=say&room=caucus-s2")).text()


async def test_a_doubtful_mail_is_known_again_by_its_first_words(browser: Browser) -> None:
    await browser.enter()
    assert "I &lt;b&gt;accept&lt;/b&gt;" in await (await browser.http.get("/p/rooms")).text()


async def test_what_is_older_is_a_page_further_back(browser: Browser) -> None:
    browser.portal.shown = replace(VIEW, earlier="i&7")
    await browser.enter()
    assert 'href="/p/rooms?before=i%267"' in await (await browser.http.get("/p/rooms")).text()
    await browser.http.get("/p/rooms?before=i%267")
    assert browser.portal.before == "i&7"


TELLING = ("Town Mediation", "+1 555 0100", "mediat", "!page", "genuine")


async def _without_a_pin(browser: Browser, host: str, link: str) -> list[str]:
    """Whatever somebody is shown who has nothing but a link, and the page of whoever has no session any more."""
    headers, door = {"Host": host}, f"/p/{link}"
    ways = (("GET", door), ("GET", f"{door}/pause"), ("POST", f"{door}/pause"), ("POST", door), ("GET", "/p/rooms"))
    answers = [await browser.http.request(how, where, headers=headers, data={"pin": "000000"}) for how, where in ways]
    browser.portal.locked = True
    answers += [await browser.http.post(door, headers=headers, data={"pin": "000000"}) for _ in range(22)]
    return [await answer.text() for answer in answers]


async def test_a_discreet_person_s_link_does_not_say_who_we_are_before_the_pin(browser: Browser) -> None:
    browser.portal.discreet = True
    for shown in await _without_a_pin(browser, "town.example", LINK):
        assert not [word for word in TELLING if word in shown], shown


async def test_under_the_discreet_name_of_the_server_no_link_says_who_we_are(browser: Browser) -> None:
    for link in (LINK, new_token(), "x"):
        for shown in await _without_a_pin(browser, "letters.example", link):
            assert not [word for word in TELLING if word in shown], shown


async def test_any_other_link_says_who_asks_for_the_pin(browser: Browser) -> None:
    browser.portal.discreet = True
    shown = (await _without_a_pin(browser, "town.example", new_token()))[0]
    assert HOUSE.organisation in shown
    assert HOUSE.telephone in shown


async def test_who_has_left_leaves_no_name_of_ours_on_the_screen(browser: Browser) -> None:
    await browser.enter()
    answer = await browser.http.post("/p/leave", data={"mark": form_mark(browser.session)})
    assert HOUSE.organisation not in await answer.text()


@pytest.mark.parametrize("trouble", ["stuck", "lost"])
async def test_whoever_leaves_quickly_is_gone_whatever_the_database_does(
    browser: Browser, monkeypatch: pytest.MonkeyPatch, trouble: str
) -> None:
    await browser.enter()
    free = asyncio.Event()

    async def leave(session: str) -> None:
        if trouble == "lost":
            raise OSError(session)
        await free.wait()

    monkeypatch.setattr(browser.portal, "leave", leave)
    answer = await browser.http.get("/p/exit", allow_redirects=False)
    free.set()
    assert answer.status == HTTPStatus.OK
    assert HOUSE.leave_to in answer.headers["Refresh"]
    assert answer.cookies["mediatrix"].value == ""
