"""The page in each language: nothing of ours in another, and what others wrote is not said to be in the reader's."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from html.parser import HTMLParser
from typing import Final

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from bridges.email.rate import RateCap
from bridges.portal import render
from bridges.portal.ids import form_mark, new_token
from bridges.portal.marking import Marked
from bridges.portal.papers import Former, Paper, Place
from bridges.portal.server import PortalPages
from bridges.portal.views import House, View
from catalogue.gather import translated
from policies.documents.document import Area
from policies.words.language import Language
from policies.words.phrase import phrase, verbatim
from tests.bridges.portal.test_server import AT, HOUSE, LINK, PIN, VIEW, FakePortal

OTHERS = tuple(translated())
SESSION: Final = new_token()
SPOKEN = frozenset({"alt", "aria-label"})
SAME = {"PIN", "Town Mediation", "Mia", "Carl", "Page 1", "Page 2", "Page 3", "a notice", "No"}
"""Names, a notice that was written in its reader's language, and words that another language has, too."""
OWN, JOINT = VIEW.rooms
KEPT = replace(JOINT, id="kept", kept=phrase("the joint room rests until {time}", time="x"))
NOTED = replace(OWN, shown=(*OWN.shown, replace(OWN.shown[0], note=phrase("(corrects an earlier message)"))))
FULL = replace(VIEW, rooms=(NOTED, JOINT, KEPT), digest="08:00", earlier="i1", has_documents=True)
TITLE = phrase("A file")
LINE = phrase("taken back: {what}", what="D1")
PAPERS = [
    Paper("D1", 1, TITLE, phrase("somebody who left"), is_own=False, pages=3, may_download=True, history=()),
    Paper("D2", 1, TITLE, verbatim("Carl"), is_own=True, pages=0, may_download=False, history=(LINE,)),
]
PLACES = [Place("s2", OWN.name, (Former("D2", TITLE),))]
NOT_TAKEN = phrase("This file is empty.")

MARKED = Marked(
    2, (Area(2, 100, 200, 600, 280),), (100, 200), phrase("That is one corner. Now press the opposite one.")
)
PAGES: Mapping[str, Callable[[House], str]] = {
    "door": render.locked_door,
    "door-wrong": lambda house: render.locked_door(house, problem=phrase("Please wait a minute.")),
    "door-unnamed": lambda house: render.locked_door(house.unnamed),
    "pause-unnamed": lambda house: render.pause(house.unnamed),
    "rooms": lambda house: _rooms(house, FULL),
    "rooms-paused": lambda house: _rooms(house, replace(FULL, is_paused=True, gets_words=True)),
    "rooms-discreet": lambda house: _rooms(house, replace(FULL, is_discreet=True, set_for_them=True)),
    "rooms-none": lambda house: _rooms(house, View("Carl", True, True, False, (), (), ())),
    "welcome": lambda house: _rooms(house, replace(VIEW, is_enrolled=False)),
    "papers": lambda house: render.papers(
        house, render.Papers(PAPERS, PLACES), SESSION, done=phrase("Your answer has been taken.")
    ),
    "papers-none": lambda house: render.papers(house, render.Papers([], []), SESSION),
    "paper": lambda house: render.paper(house, PAPERS[0], 2, SESSION),
    "marking": lambda house: render.marking(house, PAPERS[0], MARKED, SESSION, (340, 480)),
    "pause": render.pause,
    "plain": lambda house: render.plain(house, phrase("Not taken"), NOT_TAKEN),
}


def _rooms(house: House, view: View) -> str:
    return render.rooms(
        house, replace(view, language=house.language), SESSION, done=phrase("Your answer has been taken.")
    )


class Reading(HTMLParser):
    """What a page says, by the language that it says it is in, and what its forms send."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.said: list[tuple[str, str]] = []
        self.forms: list[tuple[str, str | None, str | None, str | None]] = []
        self._languages: list[tuple[str, str]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Elements that have no end are in the language of what is around them."""
        found = dict(attrs)
        if tag not in {"meta", "link", "input", "img"}:
            outer = self._languages[-1][1] if self._languages else ""
            self._languages.append((tag, found.get("lang", outer) or ""))
        self.said += [(self._languages[-1][1], str(found[name])) for name in SPOKEN & found.keys()]
        if tag in {"form", "input", "button", "textarea", "select", "option"}:
            value = None if found.get("name") == "nonce" else found.get("value")
            self.forms.append((tag, found.get("name"), value, found.get("action")))

    def handle_endtag(self, tag: str) -> None:
        """Each closes the last one that was opened, or the page is broken."""
        assert self._languages.pop()[0] == tag

    def handle_data(self, data: str) -> None:
        """Text, as it is shown."""
        if data.strip():
            self.said.append((self._languages[-1][1], " ".join(data.split()).strip(": ")))

    def in_language(self, language: str) -> set[str]:
        """What stands there in that one; "" for what is in one that we don't know."""
        return {text for spoken, text in self.said if spoken == language and text}


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("language", OTHERS)
def test_a_page_is_in_one_language_and_its_forms_are_the_same_in_each(language: Language, name: str) -> None:
    english = Reading(PAGES[name](HOUSE))
    other = Reading(PAGES[name](HOUSE.speaking(language)))
    assert {text for _, text in english.said} & other.in_language(language) <= SAME
    assert len(other.said) >= len(english.said)
    assert other.forms == english.forms


@pytest.mark.parametrize("language", Language)
def test_what_others_wrote_is_in_no_language_that_we_know_and_names_of_rooms_are_english(language: Language) -> None:
    page = Reading(PAGES["rooms"](HOUSE.speaking(language)))
    assert {"my own", "I <b>accept</b>", "We keep it to ourselves."} <= page.in_language("")
    assert {room.name for room in VIEW.rooms} <= page.in_language("en")
    assert "a notice" in page.in_language(language)


@pytest.mark.parametrize(
    ("language", "date"),
    [
        (Language.GERMAN, "5. Januar 2026, 10:00 UTC"),
        (Language.SPANISH, "5 de enero de 2026, 10:00 UTC"),
        (Language.FRENCH, "5 janvier 2026, 10:00 UTC"),
    ],
)
def test_dates_are_written_as_the_reader_writes_them(language: Language, date: str) -> None:
    assert VIEW.questions[0].expires == AT
    assert date in PAGES["rooms"](HOUSE.speaking(language))


@pytest.mark.parametrize("language", Language)
def test_names_can_not_become_markup_in_any_language(language: Language) -> None:
    page = PAGES["welcome"](replace(HOUSE, organisation='<i>{0}"', language=language))
    assert "<i>" not in page
    assert "&lt;i&gt;{0}&#34;" in page


@pytest.mark.enable_socket
async def test_before_anybody_is_known_every_link_speaks_the_organisations_language_and_then_the_readers() -> None:
    portal, app = FakePortal(shown=replace(VIEW, language=Language.FRENCH)), web.Application()
    house = HOUSE.speaking(Language.GERMAN)
    app.add_routes(PortalPages(portal, house, lambda _: "", RateCap(lambda: 0.0), is_secure=False).routes())
    async with TestClient(TestServer(app)) as http:

        async def read(path: str, **form: str) -> str:
            answer = await (http.post(path, data=form) if form else http.get(path, headers={"Accept-Language": "es"}))
            return await answer.text()

        for end in ("", "/pause"):
            known, unknown = await read(f"/p/{LINK}{end}"), await read(f"/p/{new_token()}{end}")
            assert known == unknown
            assert '<html lang="de">' in known
        assert "öffnen nichts" in await read(f"/p/{LINK}", pin="000000")
        assert "öffnen Sie Ihren Link noch einmal" in await read("/p/rooms")
        assert '<html lang="fr">' in await read(f"/p/{LINK}", pin=PIN)
        (session,) = portal.sessions
        mark = {"mark": form_mark(session), "nonce": "n"}
        assert "Envoyé." in await read("/p/act", act="say", room="caucus-s2", text="Bonjour", **mark)
        assert [what for _, what, _ in portal.acts] == ["say"]
        assert "Revenez en arrière" in await read("/p/act", act="destroy", **mark)
        assert "Au revoir" in await read("/p/leave", **mark)
        assert '<html lang="de">' in await read("/p/rooms")
