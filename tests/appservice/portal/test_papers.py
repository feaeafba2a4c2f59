"""Documents on the page, through its own URLs: what is not granted can't be fetched or guessed, what is can be seen."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest
from aiohttp import ClientResponse, FormData, web
from aiohttp.test_utils import TestClient, TestServer

from appservice.codec import JsonCodec
from appservice.documents.handout import Handouts
from appservice.documents.intake import FILED, Ends, Intake
from appservice.documents.pipeline.copies import NotMade
from appservice.documents.pipeline.outcome import Clean, Examined
from appservice.documents.pipeline.pages import Page, Unrendered, Watermark
from appservice.documents.pipeline.redact import Redactor
from appservice.documents.reader import FilingReader
from appservice.documents.shelf import Folder
from appservice.documents.vault import Vault
from appservice.documents.workroom import Workroom
from appservice.matrix.homeserver import Homeserver
from appservice.portal.papers import ServicePapers
from appservice.portal.reader import PortalReader
from appservice.portal.store import SESSION_LASTS, Whose
from bridges.email.rate import RateCap
from bridges.portal import document_pages, handing
from bridges.portal.document_pages import SHOWN_MOST, DocumentPages
from bridges.portal.ids import form_mark, new_token, viewing_mark
from bridges.portal.marking import MarkingPages
from bridges.portal.requests import COOKIE
from bridges.portal.views import House
from policies.case import Case, Person, Phase
from policies.commands.redacting import MARKED_MOST
from policies.documents.carrying import Cover
from policies.documents.document import Action, Area, Consent, Document, DocumentId, Grant, Label, Serving, Version
from policies.documents.files import Kind
from policies.documents.filing import Refused, Waits
from policies.documents.recipient import Stamp
from policies.documents.rights import Allowed, Wish, may, revoked
from policies.effects import Inform
from policies.moderation.course import paused, withdrawn
from policies.words.phrase import verbatim
from rooms.house import House as Handling
from rooms.ids import UserId
from tests.fakes.memory import MemoryDatabase
from tests.policies.builders import both_sides, caucus_of, done, named

pytestmark = pytest.mark.enable_socket

CASE = both_sides()
ALICE, CARL = named(CASE, "Alice"), named(CASE, "Carl")
SECRET = b"%PDF-1.7 what only some may see"
HOUSE = Handling("example.org", "_mediatrix_", None, {}, documents=True)
ADDRESS = "/p/documents/D1/1"


@dataclass
class FakeRenderer:
    """Draws nothing, and says what it was asked to draw. Reads the file, as a real one would."""

    drawn: list[tuple[bytes, Kind, int, Watermark]] = field(default_factory=list)
    breaks: bool = False

    async def render(self, source: Path, kind: Kind, page: int, width: int, watermark: Watermark) -> Page | Unrendered:
        """A picture of nothing."""
        assert width > 0
        self.drawn.append((source.read_bytes(), kind, page, watermark))  # noqa: ASYNC240 - a few bytes
        return Unrendered("This page can't be shown.") if self.breaks else Page(b"\xff\xd8 a picture", 1, 1)


class FakeCopier:
    """Writes whose copy it is below it."""

    async def copy(self, source: Path, into: Path, kind: Kind, stamp: Stamp) -> NotMade | None:
        """Always."""
        assert kind is Kind.PDF
        into.write_bytes(source.read_bytes() + stamp.line.encode())  # noqa: ASYNC240 - a few bytes
        return None


class FakeExaminer:
    """Takes what begins like a PDF; what says so waits."""

    async def examine(self, source: Path) -> Examined:
        """The same bytes."""
        data = source.read_bytes()  # noqa: ASYNC240 - a few bytes
        if data.startswith(b"wait"):
            return Waits(verbatim("It is kept closed."))
        if data.startswith(b"film"):
            return Refused(verbatim("Videos are not taken."), keepable=True)
        if not data.startswith(b"%PDF"):
            return Refused(verbatim("Programs are not taken."))
        clean = source.with_suffix(".clean")
        clean.write_bytes(data)
        return Clean(Kind.PDF, clean, 3, ())


@dataclass
class Town:
    """A case with one document of Alice's side, the page, and who looks at it."""

    http: TestClient[web.Request, web.Application]
    database: MemoryDatabase
    vault: Vault
    renderer: FakeRenderer
    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    session: str = ""

    async def share(self, label: Label, *actions: Action, most: int | None = None, name: str = "plan.pdf") -> None:
        """Alice's document has that label; Carl was granted these, and she agreed."""
        async with self.vault.workroom.room() as room:
            (room / "plain").write_bytes(SECRET)
            kept = await self.vault.keep(CASE.id, room / "plain")
        version = Version(1, label, Kind.PDF, "application/pdf", self.now, kept, kept, pages=3)
        grants = tuple(Grant(1, CARL.id, action, ALICE.id, self.now, most=most) for action in actions)
        consents = tuple(Consent(kept.sha256, CARL.id, action, self.now, "encrypted") for action in actions)
        home = caucus_of(CASE, "Smith")
        document = Document(DocumentId("D1"), ALICE.id, home, name, (version,), grants, consents=consents)
        async with self.database.begin() as work:
            await work.vault.keep(kept.blob)
            await work.cases.save(CASE.with_document(document))

    async def enter(self, person: Person) -> None:
        """Somebody opened their link."""
        self.session = new_token()
        async with self.database.begin() as work:
            await work.shelf.begin_session(self.session, Whose(CASE.id, person.id), self.now + SESSION_LASTS)
        self.http.session.cookie_jar.update_cookies({COOKIE: self.session})

    async def press(self, what: str, mark: str | None = None, number: str = "D1") -> ClientResponse:
        """Of the form of a document's first version."""
        form = {"mark": mark or form_mark(self.session)}
        return await self.http.post(f"/p/documents/{number}/1/{what}", data=form, allow_redirects=False)

    async def hand_in(
        self, data: bytes, *, place: str = "", mark: str | None = None, nonce: str = "", former: str = ""
    ) -> ClientResponse:
        """A file, by the form on the page."""
        form = FormData(quote_fields=False, default_to_multipart=True)
        form.add_field("mark", mark or form_mark(self.session))
        form.add_field("place", place or caucus_of(CASE, "Jones").id)
        form.add_field("nonce", nonce)
        form.add_field("former", former)
        form.add_field("file", data, filename="../\u202eplan.exe")
        return await self.http.post("/p/documents", data=form, allow_redirects=False)

    async def filed(self) -> None:
        """What was handed in is read from the inbox."""
        for item in [item for item in self.database.committed.inbox.items.values() if item.kind == FILED and item.body]:
            async with self.database.begin() as work:
                await FilingReader(JsonCodec(), HOUSE).read(work, item)

    async def status(self, path: str) -> int:
        """Of what is fetched."""
        return (await self.http.get(path, allow_redirects=False)).status

    @property
    def case(self) -> Case:
        """As it is now."""
        return self.database.committed.cases[CASE.id]

    @property
    def document(self) -> Document:
        """As it is now."""
        return self.case.documents[0]

    @property
    def servings(self) -> tuple[Serving, ...]:
        """What is written down of it."""
        return self.document.servings

    async def change(self, document: Document) -> None:
        """As a command would."""
        async with self.database.begin() as work:
            await work.cases.save(self.case.with_document(document))


@pytest.fixture
async def town(tmp_path: Path) -> AsyncIterator[Town]:
    """Nobody has entered yet."""
    database, renderer, app = MemoryDatabase(), FakeRenderer(), web.Application()
    vault = Vault(tmp_path, database, Folder(tmp_path / "blobs"))
    async with database.begin() as work:
        await work.cases.save(CASE)
    times: list[Town] = []
    ends = Ends(UserId("@bot:example.org"), cast(Homeserver, None), None)
    intake = Intake(database, ends, vault, FakeExaminer(), cast(Redactor, None))
    papers = ServicePapers(
        database,
        JsonCodec(),
        HOUSE,
        vault,
        intake=intake,
        renderer=renderer,
        handouts=Handouts(vault, FakeCopier()),
        clock=lambda: times[0].now,
    )
    pages = DocumentPages(
        papers, House("Town Mediation", "+1 555 0100"), RateCap(lambda: 0.0, limit=20), most_bytes=1000
    )
    app.add_routes([*MarkingPages(papers, House("Town Mediation", "+1 555 0100")).routes(), *pages.routes()])
    async with TestClient(TestServer(app)) as http:
        times.append(Town(http, database, vault, renderer))
        yield times[0]


async def test_what_was_granted_is_opened_shown_page_by_page_and_on_record_before_it_leaves(town: Town) -> None:
    await town.share(Label.CONSENT, Action.VIEW)
    await town.enter(CARL)
    assert "plan.pdf" in await (await town.http.get("/p/documents")).text()
    opened = await town.press("open")
    assert (opened.status, opened.headers["Location"]) == (303, f"{ADDRESS}?page=1")
    page = await town.http.get(f"{ADDRESS}?page=2")
    html = await page.text()
    assert "img-src 'self'" in page.headers["Content-Security-Policy"]
    assert "<script" not in html
    assert viewing_mark(town.session) in html
    (picture,) = re.findall(r'<img[^>]* src="([^"]*)"', html)
    shown = await town.http.get(picture)
    assert (shown.status, shown.content_type, shown.headers["Cache-Control"]) == (200, "image/jpeg", "no-store")
    (asked,) = town.renderer.drawn
    assert asked == (SECRET, Kind.PDF, 2, Watermark("Carl", town.now, viewing_mark(town.session)))
    (serving,) = town.servings
    assert (serving.person, serving.action, serving.pages) == (CARL.id, Action.VIEW, (2,))
    assert viewing_mark(town.session) == serving.mark
    rules = [line.rule for line in town.database.committed.record.values()]
    assert rules == ["document-served", "document-served"]


@pytest.mark.parametrize("label", Label)
@pytest.mark.parametrize("actions", [(), (Action.VIEW,), (Action.DOWNLOAD,)])
@pytest.mark.parametrize("who", [person.name for person in CASE.people])
async def test_every_url_answers_as_the_policy_says_and_no_and_nothing_look_alike(
    town: Town, label: Label, actions: tuple[Action, ...], who: str
) -> None:
    person = named(CASE, who)
    await town.share(label, *actions)
    await town.enter(person)
    allowed = {
        action: isinstance(may(town.case, town.document, Wish(person.id, action, 1, town.now)), Allowed)
        for action in Action
    }
    assert ("plan.pdf" in await (await town.http.get("/p/documents")).text()) is allowed[Action.VIEW]
    opened = await town.press("open")
    assert (opened.status == 303) is allowed[Action.VIEW]
    fetched = {path: await town.status(path) for path in (f"{ADDRESS}?page=1", f"{ADDRESS}/pages/1")}
    assert set(fetched.values()) == ({200} if allowed[Action.VIEW] else {404})
    download = await town.press("download")
    assert (download.status == 200) is allowed[Action.DOWNLOAD]
    if allowed[Action.DOWNLOAD]:
        # Her own as it is kept; whoever else it is given to, gets a copy of their own, and its hash is on record.
        data, [written] = await download.read(), [s for s in town.servings if s.action is Action.DOWNLOAD]
        assert data[: len(SECRET)] == SECRET
        assert (data == SECRET) is (person == ALICE)
        assert person == ALICE or data[len(SECRET) :].startswith(f"Copy for {who}, ".encode())
        assert written.sha256 == hashlib.sha256(data).hexdigest()
        assert person == ALICE or data.decode().rpartition(" ")[2] == written.mark
        assert download.headers["Content-Disposition"].startswith("attachment")
        assert "sandbox" in download.headers["Content-Security-Policy"]
    else:
        missing = await town.http.post("/p/documents/D99/1/download", data={"mark": form_mark(town.session)})
        assert (missing.status, await missing.text()) == (download.status, await download.text())
    assert bool(town.servings) is any(allowed.values())


async def test_no_two_downloads_are_one_copy_and_each_is_on_record_before_it_leaves(town: Town) -> None:
    await town.share(Label.CONSENT, Action.DOWNLOAD)
    await town.enter(CARL)
    copies = [await (await town.press("download")).read() for _ in range(2)]
    assert copies[0] != copies[1]
    assert [s.sha256 for s in town.servings] == [hashlib.sha256(copy).hexdigest() for copy in copies]


async def test_what_is_taken_back_while_a_copy_is_made_does_not_leave(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    await town.share(Label.CONSENT, Action.DOWNLOAD)
    await town.enter(CARL)
    copy = FakeCopier.copy

    async def taken_back(*of: Any) -> NotMade | None:
        await town.change(revoked(town.document, 1, None, town.now))
        return await copy(*of)

    monkeypatch.setattr(FakeCopier, "copy", taken_back)
    assert (await town.press("download")).status == 404
    assert not town.servings


@pytest.mark.parametrize("now", [True, False])
async def test_without_a_copy_nothing_leaves_and_nothing_is_written_down(
    town: Town, now: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object) -> NotMade:
        return NotMade(now)

    monkeypatch.setattr(FakeCopier, "copy", fail)
    await town.share(Label.CONSENT, Action.DOWNLOAD)
    await town.enter(CARL)
    answer = await town.press("download")
    assert answer.status == 503
    assert ("later" in await answer.text()) is now
    assert not town.servings


async def test_nothing_is_opened_by_a_get_a_foreign_form_or_without_a_session(town: Town) -> None:
    await town.share(Label.CONSENT, Action.DOWNLOAD)
    await town.enter(CARL)
    for path in (f"{ADDRESS}?page=1", f"{ADDRESS}/pages/1"):
        assert await town.status(path) == 404
    assert await town.status(f"{ADDRESS}/open") == await town.status(f"{ADDRESS}/download") == 405
    assert (await town.press("open", mark=form_mark("another"))).status == 403
    assert (await town.press("download", mark="x")).status == 403
    town.http.session.cookie_jar.clear()
    assert await town.status("/p/documents") == 403
    assert await town.status(f"{ADDRESS}/pages/1") == 404
    assert not town.servings
    assert not town.renderer.drawn


async def test_taken_back_is_refused_at_once_also_to_who_has_it_open(town: Town) -> None:
    await town.share(Label.CONSENT, Action.VIEW)
    await town.enter(CARL)
    await town.press("open")
    assert await town.status(f"{ADDRESS}/pages/1") == 200
    await town.change(revoked(town.document, 1, frozenset({CARL.id}), town.now))
    for path in (f"{ADDRESS}/pages/1", f"{ADDRESS}/pages/2", f"{ADDRESS}?page=1"):
        assert await town.status(path) == 404
    assert (await town.press("open")).status == 404
    assert len(town.renderer.drawn) == 1


async def test_after_a_restore_nothing_is_shown_before_a_mediator_has_confirmed_the_case(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def restored(*_: object) -> bool:
        return True

    await town.share(Label.CONSENT, Action.DOWNLOAD)
    await town.enter(CARL)
    await town.press("open")
    async with town.database.begin() as work:
        monkeypatch.setattr(type(work.epochs), "unconfirmed", restored)
    assert "plan.pdf" not in await (await town.http.get("/p/documents")).text()
    assert [(await town.press(what)).status for what in ("open", "download")] == [404, 404]
    assert await town.status(f"{ADDRESS}/pages/1") == 404


async def test_what_may_be_opened_once_is_opened_once_and_not_by_another_session(town: Town) -> None:
    await town.share(Label.CONSENT, Action.VIEW, most=1)
    await town.enter(CARL)
    await town.press("open")
    assert await town.status(f"{ADDRESS}/pages/3") == 200
    await town.enter(CARL)
    assert await town.status(f"{ADDRESS}/pages/3") == 404
    assert (await town.press("open")).status == 404


async def test_pages_that_there_are_not_and_odd_numbers_are_nothing(town: Town) -> None:
    await town.share(Label.CONSENT, Action.VIEW)
    await town.enter(CARL)
    await town.press("open")
    paths = (
        f"{ADDRESS}/pages/0",
        f"{ADDRESS}/pages/4",
        f"{ADDRESS}/pages/1e3",
        f"{ADDRESS}?page=²",
        f"{ADDRESS}?page=-1",
    )
    for path in (*paths, "/p/documents/D1/2/pages/1", "/p/documents/d1/1/pages/1", "/p/documents/../D1/1/pages/1"):
        assert await town.status(path) == 404, path


async def test_an_owner_sees_who_was_served_and_nobody_else_does(town: Town) -> None:
    await town.share(Label.CONSENT, Action.VIEW)
    await town.enter(CARL)
    await town.press("open")
    await town.status(f"{ADDRESS}/pages/1")
    assert "served to" not in await (await town.http.get("/p/documents")).text()
    await town.enter(ALICE)
    own = await (await town.http.get("/p/documents")).text()
    assert "version 1 served to Carl (view), as pictures of pages" in own
    assert "To be served is not to be read" in own


async def test_documents_and_what_is_said_of_them_are_in_the_readers_language(town: Town) -> None:
    await town.share(Label.CONSENT, Action.VIEW)
    async with town.database.begin() as work:
        await work.cases.save(done(done(town.case, "!language Carl fr").case, "!language Alice de").case)
    await town.enter(CARL)
    await town.press("open")
    await town.status(f"{ADDRESS}/pages/1")
    for path in ("/p/documents", f"{ADDRESS}?page=1", f"{ADDRESS}?page=9"):
        assert '<html lang="fr">' in await (await town.http.get(path)).text()
    answer = await (await town.hand_in(b"film of our call")).text()
    assert "Il est verrouillé : votre médiation en a été informée" in answer
    assert "Choisissez d’abord un fichier." in await (await town.hand_in(b"")).text()
    await town.enter(ALICE)
    own = await (await town.http.get("/p/documents")).text()
    assert "Fassung 1 ausgeliefert an Carl (ansehen), als Bilder von Seiten, Kennzeichen " in own
    assert '<html lang="en">' in await (await town.http.get("/p/documents", cookies={COOKIE: new_token()})).text()


async def test_a_session_has_so_many_pages_a_minute(town: Town) -> None:
    await town.share(Label.CONSENT, Action.VIEW)
    await town.enter(CARL)
    await town.press("open")
    found = [await town.status(f"{ADDRESS}/pages/{1 + number % 3}") for number in range(22)]
    assert [status for status, _ in itertools.groupby(found)] == [200, 429]


async def test_a_page_that_can_not_be_drawn_says_so_and_bytes_that_are_gone_are_no_error_page(town: Town) -> None:
    await town.share(Label.CONSENT, Action.DOWNLOAD)
    await town.enter(CARL)
    await town.press("open")
    town.renderer.breaks = True
    assert await town.status(f"{ADDRESS}/pages/1") == 503
    async with town.database.begin() as work:
        await work.vault.forget([town.document.newest.served.blob])
    assert await town.status(f"{ADDRESS}/pages/1") == 503
    assert (await town.press("download")).status == 503


async def test_a_file_is_handed_out_under_a_name_that_is_one(town: Town) -> None:
    await town.share(Label.CONSENT, Action.DOWNLOAD, name='a"\r\nX: y/\u202eplan.pdf')
    await town.enter(CARL)
    header = (await town.press("download")).headers["Content-Disposition"]
    assert header == "attachment; filename*=UTF-8''plan.pdf"
    assert [serving.action for serving in town.servings] == [Action.DOWNLOAD]


async def test_what_is_handed_in_is_its_sides_document_and_nobody_elses(town: Town) -> None:
    await town.enter(CARL)
    assert "Hand in a document to PRIVATE" in await (await town.http.get("/p/documents")).text()
    assert (await town.hand_in(SECRET)).headers["Location"] == "/p/documents?done=handed-in"
    await town.filed()
    document = town.document
    assert (document.owner, document.home, document.name) == (CARL.id, caucus_of(CASE, "Jones"), "plan.exe.pdf")
    assert "plan.exe.pdf" in await (await town.http.get("/p/documents")).text()
    assert (await town.press("open", number=document.id)).status == 303
    await town.enter(ALICE)
    assert "plan.exe.pdf" not in await (await town.http.get("/p/documents")).text()
    assert (await town.press("open", number=document.id)).status == 404


def left_in(folder: Path) -> list[Path]:
    """The files that are there."""
    return [path for path in folder.rglob("*") if path.is_file()]


@pytest.mark.parametrize("data", [b"MZ a program", b"wait for the scanner", b"", b"%PDF" + b"x" * 2000])
async def test_what_is_not_taken_is_told_and_nothing_of_it_is_kept(town: Town, tmp_path: Path, data: bytes) -> None:
    await town.enter(CARL)
    answer = await town.hand_in(data)
    assert answer.status == 400
    said = await answer.text()
    assert "Not taken" in said
    assert "It is kept closed" not in said
    assert not town.database.committed.inbox.items
    assert not left_in(tmp_path)


@pytest.mark.parametrize("rests", ["closed", "withdrawn", "paused"])
async def test_into_a_room_that_rests_nothing_is_handed_in_and_a_pause_keeps_nobody_from_the_mediator(
    town: Town, tmp_path: Path, rests: str
) -> None:
    resting = {
        "closed": replace(CASE, phase=Phase.CLOSED),
        "withdrawn": withdrawn(CASE, CARL.id),
        "paused": paused(CASE, CARL.id, None),
    }
    async with town.database.begin() as work:
        await work.cases.save(resting[rests])
    await town.enter(CARL)
    answer = await town.hand_in(SECRET)
    if rests == "paused":
        assert answer.status == 303
        return
    assert answer.status == 400
    why = {"closed": "the mediation is closed", "withdrawn": "somebody of this side has withdrawn"}[rests]
    assert f"Nothing can be handed in there now: {why}." in await answer.text()
    assert not town.database.committed.inbox.items
    assert not left_in(tmp_path)


async def test_what_a_mediator_may_have_kept_all_the_same_lies_locked_and_is_not_shown(town: Town) -> None:
    await town.enter(CARL)
    answer = await town.hand_in(b"film of our call")
    assert answer.status == 400
    assert "It lies locked: your mediator was told" in await answer.text()
    await town.filed()
    assert town.document.quarantined
    assert "film" not in await (await town.http.get("/p/documents")).text()
    for what in ("open", "download"):
        assert (await town.press(what, number=town.document.id)).status == 404


async def test_two_presses_of_one_button_hand_in_one_file(town: Town) -> None:
    await town.enter(CARL)
    for nonce in ("n1", "n1", "n2"):
        assert (await town.hand_in(SECRET, nonce=nonce)).status == 303
    await town.filed()
    assert [len(document.versions) for document in town.case.documents] == [1]
    used = {kept.blob for kept in (town.document.newest.served, town.document.newest.original)}
    assert {blob for blob, (_, whole) in town.database.committed.blobs.items() if whole} == used


async def test_of_one_person_one_file_at_a_time_is_put_down_and_none_is_lost(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    await town.enter(CARL)
    now, most, room = set[Path](), list[int](), Workroom.room

    @asynccontextmanager
    async def counted(self: Workroom) -> AsyncIterator[Path]:
        async with room(self) as folder:
            now.add(folder)
            most.append(len(now))
            yield folder
            now.discard(folder)

    monkeypatch.setattr(Workroom, "room", counted)
    answers = await asyncio.gather(*(town.hand_in(SECRET + bytes([n]), nonce=f"n{n}") for n in range(4)))
    assert {answer.status for answer in answers} == {303}
    assert set(most) == {1}
    await town.filed()
    assert len(town.case.documents) == 4


async def test_a_file_whose_line_went_dead_keeps_the_next_one_waiting_for_a_moment_only(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handing, "SILENCE", 0.5)
    await town.enter(CARL)
    opened, server = asyncio.Event(), town.http.server
    room = Workroom.room

    @asynccontextmanager
    async def told(self: Workroom) -> AsyncIterator[Path]:
        async with room(self) as folder:
            opened.set()
            yield folder

    monkeypatch.setattr(Workroom, "room", told)
    fields = {"mark": form_mark(town.session), "place": caucus_of(CASE, "Jones").id, "nonce": "n1", "former": ""}
    parts = [f'--XX\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{has}\r\n' for name, has in fields.items()]
    half = "".join([*parts, '--XX\r\nContent-Disposition: form-data; name="file"; filename="a.pdf"\r\n\r\nhalf'])
    head = f"POST /p/documents HTTP/1.1\r\nHost: x\r\nCookie: {COOKIE}={town.session}\r\nContent-Length: 5000\r\n"
    reader, writer = await asyncio.open_connection(server.host, server.port)
    writer.write(f"{head}Content-Type: multipart/form-data; boundary=XX\r\n\r\n{half}".encode())
    await asyncio.wait_for(opened.wait(), 5)
    async with asyncio.timeout(5):
        assert (await town.hand_in(SECRET, nonce="n2")).status == 303
        assert b" 503 " in await reader.readline()
    writer.close()
    await town.filed()
    assert len(town.case.documents) == 1


async def test_a_file_that_comes_slowly_is_taken(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handing, "SILENCE", 0.5)
    await town.enter(CARL)

    async def slowly() -> AsyncIterator[bytes]:
        for _ in range(8):
            await asyncio.sleep(0.1)
            yield SECRET.ljust(90)

    form = FormData(default_to_multipart=True)
    for name, has in {"mark": form_mark(town.session), "place": caucus_of(CASE, "Jones").id}.items():
        form.add_field(name, has)
    form.add_field("file", slowly(), filename="a.pdf")
    assert (await town.http.post("/p/documents", data=form, allow_redirects=False)).status == 303


async def test_another_file_by_the_same_form_is_another_unless_it_is_said_to_be_a_new_version(town: Town) -> None:
    await town.enter(CARL)
    newer = SECRET + b"\n% the right one\n"
    for data in (SECRET, newer):
        assert (await town.hand_in(data, nonce="n1")).status == 303
        await town.filed()
    assert [document.name for document in town.case.documents] == ["plan.exe.pdf", "plan.exe (2).pdf"]
    shown = await (await town.http.get("/p/documents")).text()
    assert '<option value="D1001">A new version of D1001 “plan.exe.pdf”' in shown
    assert (await town.hand_in(newer + b"%", former="D1001")).status == 303
    await town.filed()
    assert [len(document.versions) for document in town.case.documents] == [2, 1]


async def test_nobody_hands_in_a_version_of_what_is_not_their_own(town: Town) -> None:
    await town.share(Label.JOINT, Action.DOWNLOAD)
    await town.enter(CARL)
    assert "A new version of" not in await (await town.http.get("/p/documents")).text()
    assert (await town.hand_in(SECRET + b"%", former="D1")).status == 404
    assert not town.database.committed.inbox.items


async def test_nothing_is_written_for_whoever_makes_up_a_session(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[object] = []
    monkeypatch.setattr(document_pages, "put_down", lambda *of: written.append(of))
    for _ in range(SHOWN_MOST + 1):
        town.session = new_token()
        town.http.session.cookie_jar.update_cookies({COOKIE: town.session})
        assert (await town.hand_in(SECRET)).status == 403
    assert not written


async def test_nothing_is_handed_in_to_another_side_to_all_or_by_a_foreign_form(town: Town, tmp_path: Path) -> None:
    await town.enter(CARL)
    for place in (caucus_of(CASE, "Smith").id, "joint", "desk", "nowhere"):
        assert (await town.hand_in(SECRET, place=place)).status == 404
    assert (await town.hand_in(SECRET, mark=form_mark("another"))).status == 403
    assert (await town.http.post("/p/documents", data={"mark": form_mark(town.session)})).status == 403
    town.http.session.cookie_jar.clear()
    assert (await town.hand_in(SECRET)).status == 403
    assert not town.database.committed.inbox.items
    assert not left_in(tmp_path)


async def test_its_owner_has_a_redacted_version_made_and_nobody_else_does(town: Town) -> None:
    await town.share(Label.CONSENT, Action.DOWNLOAD)
    form = {"areas": "2:10.0,20.0-60.0,28.5", "words": "Alice  Smith\n\nBob", "nonce": "n1"}
    for person in (CARL, ALICE, ALICE):
        await town.enter(person)
        answer = await town.http.post(
            f"{ADDRESS}/redact", data={**form, "mark": form_mark(town.session)}, allow_redirects=False
        )
        assert answer.status == (303 if person == ALICE else 404)
        assert len(town.database.committed.inbox.items) == (person == ALICE)
    [item] = town.database.committed.inbox.items.values()
    async with town.database.begin() as work:
        await PortalReader(JsonCodec(), HOUSE).read(work, item)
    effects = [JsonCodec().load(one.body) for one in town.database.committed.outbox.items.values()]
    [wish] = [one for one in effects if isinstance(one, Cover)]
    assert (wish.document, wish.version, wish.by) == ("D1", 1, ALICE.id)
    assert (wish.areas, wish.words) == ((Area(2, 100, 200, 600, 285),), ("Alice Smith", "Bob"))


async def test_a_page_is_marked_by_its_owner_while_it_is_open(town: Town) -> None:
    await town.share(Label.CONSENT, Action.DOWNLOAD)
    await town.enter(ALICE)
    assert await town.status(f"{ADDRESS}/mark?page=1") == 403
    await town.press("open")
    assert await town.status(f"{ADDRESS}/mark?page=1") == 200
    assert await town.status(f"{ADDRESS}/mark?page=4") == 403
    assert "mark?page=1" in await (await town.http.get(f"{ADDRESS}?page=1")).text()
    await town.enter(CARL)
    await town.press("open")
    assert await town.status(f"{ADDRESS}/mark?page=1") == 403
    assert "mark?page=1" not in await (await town.http.get(f"{ADDRESS}?page=1")).text()


async def test_words_are_neither_cut_nor_left_out(town: Town) -> None:
    await town.share(Label.CONSENT)
    await town.enter(ALICE)
    lines = [f"{number:02d} {'x' * 90}" for number in range(MARKED_MOST)]
    form = {"mark": form_mark(town.session), "words": "\r\n".join(lines)}
    answer = await town.http.post(f"{ADDRESS}/redact", data=form, allow_redirects=False)
    assert answer.status == 303
    [item] = town.database.committed.inbox.items.values()
    assert json.loads(item.body)["values"]["words"].splitlines() == lines
    await town.press("open")
    assert "maxlength" not in (await (await town.http.get(f"{ADDRESS}/mark")).text()).partition("<textarea")[2]


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"words": "x" * 101}, "each of at most 100 characters"),
        ({"words": "\n".join(map(str, range(MARKED_MOST + 1)))}, "At most 50 places and words"),
        ({"words": " \n "}, "mark at least one place"),
    ],
)
async def test_too_much_and_nothing_are_told_apart(town: Town, form: dict[str, str], said: str) -> None:
    await town.share(Label.CONSENT)
    await town.enter(ALICE)
    answer = await town.http.post(f"{ADDRESS}/redact", data={"mark": form_mark(town.session), **form})
    assert answer.status == 400
    assert said in await answer.text()
    assert not town.database.committed.inbox.items


async def test_who_has_no_session_any_more_is_told_so_when_they_have_something_redacted(town: Town) -> None:
    await town.share(Label.CONSENT)
    await town.enter(ALICE)
    town.database.committed.sessions.clear()
    form = {"mark": form_mark(town.session), "words": "Alice"}
    answer = await town.http.post(f"{ADDRESS}/redact", data=form)
    assert answer.status == 403
    assert "open your link again" in await answer.text()


@pytest.mark.parametrize("gone", [True, False])
async def test_a_wish_that_can_not_be_followed_when_it_is_handled_is_answered_to_whoever_had_it(
    town: Town, gone: bool
) -> None:
    await town.share(Label.CONSENT)
    await town.enter(ALICE)
    form = {"mark": form_mark(town.session), "words": "Alice"}
    assert (await town.http.post(f"{ADDRESS}/redact", data=form, allow_redirects=False)).status == 303
    case = town.database.committed.cases[CASE.id]
    [document] = case.documents
    other = replace(document, owner=CARL.id, home=caucus_of(CASE, "Jones"))
    async with town.database.begin() as work:
        await work.cases.save(replace(case, documents=() if gone else (other,)))
    [item] = town.database.committed.inbox.items.values()
    async with town.database.begin() as work:
        await PortalReader(JsonCodec(), HOUSE).read(work, item)
    effects = [JsonCodec().load(one.body) for one in town.database.committed.outbox.items.values()]
    [told] = [one for one in effects if isinstance(one, Inform)]
    assert (told.to, told.conversation) == (ALICE.id, caucus_of(CASE, "Smith"))
    assert "is not made. There is no document D1.1" in told.text
    assert not [one for one in effects if isinstance(one, Cover)]


@pytest.mark.parametrize("form", [{}, {"areas": "nonsense"}, {"words": "x" * 200}, {"areas": "1:0,0-9,9", "mark": "x"}])
async def test_what_marks_nothing_or_is_no_form_of_ours_has_nothing_made(town: Town, form: dict[str, str]) -> None:
    await town.share(Label.CONSENT)
    await town.enter(ALICE)
    answer = await town.http.post(f"{ADDRESS}/redact", data={"mark": form_mark(town.session), **form})
    assert answer.status in {400, 403}
    assert not town.database.committed.inbox.items
