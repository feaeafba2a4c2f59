"""Every label × role × channel × action × time, through every way on which a document can be reached, against a model.

The model (`entitled`) knows names, seats and what was given, and nothing of the product's. What it doesn't grant must
not be fetched, named, or told from what isn't there; what it grants must be had.
"""

from __future__ import annotations

import hashlib
import re
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from itertools import product
from pathlib import Path
from typing import Any, cast
from unittest.mock import patch

import pytest
from aiohttp import ClientResponse, web
from aiohttp.test_utils import TestClient, TestServer

from appservice.codec import JsonCodec
from appservice.documents.handout import Enclosures, Handouts
from appservice.documents.intake import Ends, Intake
from appservice.documents.shelf import Folder
from appservice.documents.vault import Vault
from appservice.mail import courier
from appservice.mail.courier import MailCourier, Sender
from appservice.matrix.homeserver import Homeserver
from appservice.portal import papers as portal_papers
from appservice.portal.papers import ServicePapers
from appservice.portal.store import SESSION_LASTS, Whose
from appservice.whatsapp import courier as whatsapp_courier
from appservice.whatsapp.courier import Template, WhatsAppCourier
from appservice.whatsapp.enclosing import WhatsAppEnclosures
from appservice.whatsapp.numbers import Numbers
from appservice.whatsapp.rendering import Voice
from bridges.email.api import MailServer, Security
from bridges.email.convert_out import OutgoingMail
from bridges.email.rate import RateCap
from bridges.portal import document_pages, requests
from bridges.portal.document_pages import DocumentPages
from bridges.portal.ids import form_mark, new_token
from bridges.portal.requests import COOKIE
from bridges.portal.views import House
from bridges.whatsapp.api import UploadResult
from bridges.whatsapp.convert_out import Addressee
from bridges.whatsapp.pace import Pace
from policies import routing
from policies.case import DESK, JOINT, Case, Conversation, Network, Person
from policies.commands import enclosing as sending
from policies.documents import rights as documents
from policies.documents import viewing
from policies.documents.carrying import Enclose, Hand
from policies.documents.document import Action, Consent, Document, DocumentId, Grant, Kept, Label, Version
from policies.documents.files import Kind
from policies.documents.rights import Allowed, relabelled, revoked
from policies.effects import Inform, Post, Publish, Tell
from policies.message import AuthenticatedMail, Proof, SignedDevice, SignedWebhook, Text
from policies.networks.delivery import Go
from rooms import clearance
from rooms.carriers import Courier
from rooms.deliver import Deliverer
from rooms.documents import may_hand
from rooms.homeserver import Trouble
from rooms.house import House as Handling
from rooms.ids import UserId
from rooms.lanes import person_lane
from rooms.outcome import Cancelled
from rooms.outgoing import PEOPLE
from rooms.queue import Item, ItemId
from tests.appservice.portal.test_papers import FakeCopier, FakeExaminer, FakeRenderer
from tests.bridges.whatsapp.builders import JOINT_NUMBER, PRIVATE
from tests.fakes.graph import FakeCloud, FakeGraph
from tests.fakes.memory import MemoryDatabase
from tests.fakes.post_office import PostOffice
from tests.policies.builders import both_sides, caucus_of, confirmed, done, facts, message, named

pytestmark = pytest.mark.enable_socket

CANARY = "zq0001qz"
SECRET = b"%PDF-1.7 what only some may see"
NOW = datetime(2026, 1, 5, 10, tzinfo=UTC)
CODEC = JsonCodec()


@dataclass(frozen=True)
class Seat:
    """Somebody, where they sit, and over which channel."""

    name: str
    role: str
    side: str = ""
    network: Network = Network.MATRIX


SEATS = (
    Seat("Mia", "mediator"),
    Seat("Alice", "party", "Smith"),
    Seat("Amy", "party", "Smith", Network.EMAIL),
    Seat("Ann", "counsel", "Smith", Network.WHATSAPP),
    Seat("Sue", "supporter", "Smith", Network.EMAIL),
    Seat("Ira", "interpreter", "Smith"),
    Seat("Carl", "party", "Jones", Network.EMAIL),
    Seat("Bob", "party", "Jones"),
    Seat("Ben", "party", "Jones", Network.WHATSAPP),
    Seat("Cal", "counsel", "Jones", Network.EMAIL),
    Seat("Cat", "supporter", "Jones", Network.WHATSAPP),
    Seat("Ida", "interpreter", "Jones"),
    Seat("Eva", "expert"),
    Seat("Ole", "observer"),
)
TIMES = ("now", "over", "used up", "taken back", "stricter for a while", "not agreed to")


def the_case() -> Case:
    known = {"Mia", "Alice", "Carl"}
    more = [
        f"!party add {s.name} {s.name.lower()}@example.net as {s.role} on {s.side}"
        if s.network is not Network.MATRIX
        else f"!party add {s.name} @{s.name.lower()}:example.org as {s.role}{f' on {s.side}' if s.side else ''}"
        for s in SEATS
        if s.name not in known
    ]
    case = both_sides(*more)
    for number, seat in enumerate(SEATS):
        person = named(case, seat.name)
        address = f"+155501{number:02}" if seat.network is Network.WHATSAPP else person.endpoint.address
        endpoint = replace(person.endpoint, network=seat.network, address=address)
        case = case.with_person(replace(person, endpoint=endpoint))
    return case


CASE = the_case()
HERS, HIS = caucus_of(CASE, "Smith"), caucus_of(CASE, "Jones")
ROOMS = {"": DESK, "Smith": HERS, "Jones": HIS}


@dataclass(frozen=True)
class State:
    """A document of Alice's: its label, what each of the others was given, and what became of that."""

    label: str
    given: str | None
    when: str = "now"


STATES = tuple(
    State(label, given, when)
    for label in ("joint", "consent-required", "caucus", "mediator-only", "privileged")
    for given in (None, "view", "download")
    for when in (TIMES if given else TIMES[:1])
)


def entitled(state: State, seat: Seat, wanted: str) -> bool:
    """Whether somebody may have it: the model."""
    own, hers = seat.name == "Alice", seat.side == "Smith"
    match state.label:
        case "privileged":
            return own or (hers and seat.role in {"party", "counsel"})
        case "mediator-only":
            return own or seat.role == "mediator"
        case "caucus":
            return hers or seat.role == "mediator"
        case _:
            by_grant = state.when == "now" and state.given in {wanted, "download"}
            return hers or seat.role == "mediator" or by_grant


def document(state: State, kept: Kept) -> Document:
    """As the product has it, in that state."""
    version = Version(1, Label.CONSENT, Kind.PDF, "application/pdf", NOW, kept, kept, pages=3)
    alice, mia = named(CASE, "Alice").id, named(CASE, "Mia").id
    others = [p.id for p in CASE.people if p.id != alice] if state.given else []
    expires = NOW - timedelta(minutes=1) if state.when == "over" else None
    most, opened = (2, 2) if state.when == "used up" else (None, 0)
    grants = tuple(
        Grant(1, person, Action(state.given or "view"), mia, NOW - timedelta(hours=1), expires, most, opened)
        for person in others
    )
    agreed = () if state.when == "not agreed to" else others
    consents = tuple(Consent(kept.sha256, person, Action.DOWNLOAD, NOW, "encrypted") for person in agreed)
    made = Document(DocumentId("D1"), alice, HERS, f"{CANARY}.pdf", (version,), grants, consents)
    if state.when == "taken back":
        made = revoked(made, 1, None, NOW)
    if state.when == "stricter for a while":
        made = relabelled(made, 1, Label.CAUCUS, NOW)
    # Not by a command, which would take back what a stricter label forbids: the label alone must be enough.
    return replace(made, versions=(replace(version, label=Label(state.label)),))


# --- commands, over each channel, and what stands in rooms ---------------------------------------------------------


PROOFS: dict[Network, Proof] = {
    Network.MATRIX: SignedDevice(),
    Network.EMAIL: AuthenticatedMail(),
    Network.WHATSAPP: SignedWebhook(),
}


def who_reads(where: Conversation) -> list[Seat]:
    """Of a room: the model's answer."""
    if where == JOINT:
        return list(SEATS)
    side = next(side for side, room in ROOMS.items() if room == where)
    return [s for s in SEATS if s.role == "mediator" or (side and s.side == side)]


def ask(case: Case, seat: Seat, words: str) -> list[Any]:
    """What follows from a command of theirs, in their own room."""
    where = ROOMS[seat.side]
    known = replace(facts(named(case, seat.name).id, at=NOW), where=where, documents=True)
    heard = message(case, seat.name, where, Text(words), PROOFS[seat.network], native=seat.network is Network.MATRIX)
    return list(routing.decide(case, replace(heard, at=NOW), known).effects)


def reached_by(effect: object) -> list[Seat]:
    """Who reads that: a person over their own channel, or a room."""
    if isinstance(effect, Inform):
        seat = next(s for s in SEATS if named(CASE, s.name).id == effect.to)
        return who_reads(effect.conversation) if seat.network is Network.MATRIX else [seat]
    return who_reads(effect.conversation) if isinstance(effect, Tell | Post | Publish) else []


def judge_commands(state: State) -> None:
    kept = Kept(cast(Any, "b1"), "a1" * 32, 9)
    case = CASE.with_document(document(state, kept))
    none = CASE.with_document(replace(document(State("privileged", None), kept), owner=cast(Any, "nobody"), home=DESK))
    for seat in (s for s in SEATS if s.side or s.role == "mediator"):
        for words in ("!doc list", "!doc show D1", "!doc history D1", "!doc show D1 file", "!doc request D1 download"):
            effects = ask(case, seat, words)
            for effect in effects:
                if CANARY in str(effect):
                    assert all(entitled(state, reader, "view") for reader in reached_by(effect)), (state, seat, words)
                if isinstance(effect, Hand):
                    readers = who_reads(effect.conversation)
                    assert all(entitled(state, reader, "download") for reader in readers), (state, seat)
            if not entitled(state, seat, "view"):
                # As if there were none: neither in words, nor in who is told, nor in how much.
                assert str(effects) == str(ask(none, seat, words)), (state, seat, words)
        shown = "".join(str(e) for e in ask(case, seat, "!doc show D1"))
        assert ("D1" in shown and "There is no document" not in shown) is entitled(state, seat, "view"), (state, seat)
        handed = any(isinstance(e, Hand) for e in ask(case, seat, "!doc show D1 file"))
        assert handed is (
            entitled(state, seat, "view")
            and all(entitled(state, one, "download") for one in who_reads(ROOMS[seat.side]))
        ), (state, seat)


def judge_media(state: State) -> None:
    """What is about to be posted, or stands, in a room: there only while everybody who reads there may have it."""
    kept = Kept(cast(Any, "b1"), "a1" * 32, 9)
    case = CASE.with_document(document(state, kept))
    for where in (DESK, JOINT, HERS, HIS):
        verdict = may_hand(case, Hand(DocumentId("D1"), 1, kept.sha256, where), NOW)
        assert isinstance(verdict, Go) is all(entitled(state, s, "download") for s in who_reads(where)), (state, where)


@pytest.mark.parametrize("state", STATES, ids=str)
def test_commands_and_rooms_give_what_the_model_grants_and_nothing_else(state: State) -> None:
    judge_commands(state)
    judge_media(state)


# --- the page ------------------------------------------------------------------------------------------------------


class Site:
    """The page, with its routes, and how often bytes were touched."""

    def __init__(self, http: TestClient[web.Request, web.Application], database: MemoryDatabase, vault: Vault) -> None:
        self.http, self.database, self.vault = http, database, vault
        self.touched = 0
        self.kept: Kept | None = None
        self.sessions: dict[str, str] = {}

    async def share(self, state: State, case: Case = CASE) -> None:
        """In that state; the bytes are the same each time."""
        if self.kept is None:
            async with self.vault.workroom.room() as room:
                (room / "plain").write_bytes(SECRET)
                self.kept = await self.vault.keep(CASE.id, room / "plain")
        async with self.database.begin() as work:
            await work.vault.keep(self.kept.blob)
            await work.cases.save(case.with_document(document(state, self.kept)))

    async def enter(self, seat: Seat) -> str:
        """Their session."""
        if seat.name not in self.sessions:
            token = self.sessions[seat.name] = new_token()
            async with self.database.begin() as work:
                await work.shelf.begin_session(token, Whose(CASE.id, named(CASE, seat.name).id), NOW + SESSION_LASTS)
        self.http.session.cookie_jar.update_cookies({COOKIE: self.sessions[seat.name]})
        return self.sessions[seat.name]

    async def written(self) -> tuple[int, int]:
        """How much is on record, and how much of the document was served."""
        committed = self.database.committed
        return len(committed.record), len(committed.cases[CASE.id].documents[0].servings)


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    database, app = MemoryDatabase(), web.Application()
    vault = Vault(tmp_path, database, Folder(tmp_path / "blobs"))
    intake = Intake(
        database, Ends(UserId("@bot:example.org"), cast(Homeserver, None), None), vault, FakeExaminer(), cast(Any, None)
    )
    papers = ServicePapers(
        database,
        CODEC,
        Handling("example.org", "_mediatrix_", None, {}, documents=True),
        vault,
        intake=intake,
        renderer=FakeRenderer(),
        handouts=Handouts(vault, FakeCopier()),
        clock=lambda: NOW,
    )
    pages = DocumentPages(
        papers, House("Town Mediation", "+1 555 0100"), RateCap(lambda: 0.0, limit=10**6), most_bytes=9
    )
    app.add_routes(pages.routes())
    async with TestClient(TestServer(app)) as http:
        made = Site(http, database, vault)
        read = vault.copy_out

        async def counted(*of: Any) -> None:
            made.touched += 1
            await read(*of)

        with patch.object(vault, "copy_out", counted):
            yield made


async def looked_at(answer: ClientResponse) -> tuple[int, tuple[tuple[str, str], ...], bytes]:
    """All that somebody can see of an answer. Nothing may be kept by what lies between."""
    assert answer.headers.get("Cache-Control") == "no-store"
    headers = sorted((name, value) for name, value in answer.headers.items() if name != "Date")
    # What is another each time, whoever asks.
    return answer.status, tuple(headers), re.sub(rb'name="nonce" value="[^"]*"', b"", await answer.read())


async def on_the_page(site: Site, seat: Seat, name: str) -> dict[str, tuple[int, Any, bytes]]:
    """What each URL answers, of a document of that name."""
    form, at = {"mark": form_mark(await site.enter(seat))}, f"/p/documents/{name}/1"
    answers = {
        "open": await site.http.post(f"{at}/open", data=form, allow_redirects=False),
        "paper": await site.http.get(f"{at}?page=1"),
        "picture": await site.http.get(f"{at}/pages/1"),
        "download": await site.http.post(f"{at}/download", data=form, allow_redirects=False),
    }
    return {what: await looked_at(answer) for what, answer in answers.items()}


async def judge_page(site: Site, state: State, seat: Seat) -> None:
    await site.share(state)
    view, download = (entitled(state, seat, wanted) for wanted in ("view", "download"))
    await site.enter(seat)
    listed = await looked_at(await site.http.get("/p/documents"))
    assert (CANARY.encode() in listed[2]) is view, (state, seat)
    before = site.touched, await site.written()
    shown = await on_the_page(site, seat, "D1")
    assert (shown["open"][0] == 303, shown["paper"][0] == 200, shown["picture"][0] == 200) == (view,) * 3, (state, seat)
    assert (shown["download"][0] == 200) is download, (state, seat)
    assert download is (SECRET in shown["download"][2])
    if view:
        # Whatever was handed out is on record: to whom, what, and how.
        servings = site.database.committed.cases[CASE.id].documents[0].servings
        assert {(s.person, s.action) for s in servings} == {
            (named(CASE, seat.name).id, action) for action in (Action.VIEW, *([Action.DOWNLOAD] if download else []))
        }
    else:
        # Nothing was read, drawn or written, so neither a size nor a time tells it from what there isn't.
        assert (site.touched, await site.written()) == before
        assert shown == await on_the_page(site, seat, "D99")


async def judge_pages(site: Site, pairs: Iterator[tuple[State, Seat]]) -> None:
    for state, seat in pairs:
        await judge_page(site, state, seat)


async def test_the_page_gives_what_the_model_grants_and_nothing_else(site: Site) -> None:
    """Some of all pairs: each state, and each person in many."""
    await judge_pages(site, (pair for n, pair in enumerate(product(STATES, SEATS)) if n % 9 == 0))


@pytest.mark.e2e
async def test_the_page_and_mails_give_what_the_model_grants_in_every_state_to_everybody(site: Site) -> None:
    await judge_pages(site, product(STATES, SEATS))
    mails = Mails(site)
    for state, seat in product(STATES, mails.seats):
        await judge_sent(mails, state, seat)


# --- what is sent to somebody's channel ----------------------------------------------------------------------------


LINKED = ("Sue", "Cal", "Cat")
"""Who take part by mail or WhatsApp, and have agreed to links alone."""
AGREED = CASE
for _seat in SEATS:
    if _seat.network is not Network.MATRIX and _seat.name not in (*LINKED, "Carl"):
        AGREED = done(AGREED, f"!consent {_seat.name}: agreed").case
AGREED = confirmed(AGREED)


class Sending(ABC):
    """A network that documents are sent by, with a vault behind it, and what left over it."""

    network: Network

    def __init__(self, site: Site) -> None:
        self.site, self.number = site, 0
        handling = Handling("example.org", "_mediatrix_", "reply.example.org", {}, documents=True)
        self.enclosures = Enclosures(Handouts(site.vault, FakeCopier()), CODEC, handling)

    @property
    def seats(self) -> list[Seat]:
        return [seat for seat in SEATS if seat.network is self.network]

    async def sent(self, state: State, seat: Seat) -> list[bytes]:
        """All that leaves if a mediator has the document sent to somebody, and if it was decided before all changed."""
        await self.site.share(state, AGREED)
        kept, person = self.site.kept, named(AGREED, seat.name)
        assert kept
        effect = Enclose(DocumentId("D1"), 1, kept.sha256, ROOMS[seat.side], person.id)
        self.number += 1
        name, body = ItemId(f"{self.network}{self.number}"), CODEC.dump(effect)
        item = Item(name, person_lane(CASE.id, person.id), PEOPLE, CASE.id, body, NOW)
        async with self.site.database.begin() as work:
            await work.outbox.put(item)
        return await self.carried(item, effect, person)

    @abstractmethod
    async def carried(self, item: Item, effect: Enclose, to: Person) -> list[bytes]:
        """The files that leave, each to whom it is for and as it should be."""

    async def deliver(self, item: Item, effect: Enclose, carrier: Courier) -> None:
        nothing = cast(Any, None)
        deliverer = Deliverer(self.site.database, nothing, nothing, {self.network: carrier}, clock=lambda: NOW)
        with suppress(Trouble):
            await deliverer.deliver(item, effect)


class Mails(Sending):
    """A post office beside the page."""

    network = Network.EMAIL

    async def carried(self, item: Item, effect: Enclose, to: Person) -> list[bytes]:
        office = PostOffice()
        sender = Sender("Town Mediation", "+1 555 0100", "reply.example.org", "https://mediation.example.org")
        server = MailServer("127.0.0.1", 25, Security.NONE)
        with patch.object(courier, "send", office.send):
            await self.deliver(item, effect, MailCourier(self.site.database, server, sender, self.enclosures))
        assert all(mail.recipient == to.endpoint.address for mail in office.taken)
        return [self._attached(mail) for mail in office.taken]

    def _attached(self, mail: OutgoingMail) -> bytes:
        message = message_from_bytes(mail.raw, policy=default)
        assert isinstance(message, EmailMessage)
        [file] = message.iter_attachments()
        data = file.get_content()
        assert isinstance(data, bytes)
        return data


class Meta(FakeCloud):
    """The network, and whatever bytes were handed to it, whether it took them or not."""

    def __init__(self, graph: FakeGraph) -> None:
        super().__init__(graph)
        self.uploads: list[bytes] = []

    async def upload(self, number: str, file: Path | bytes, mimetype: str, name: str) -> UploadResult:
        self.uploads.append(file if isinstance(file, bytes) else file.read_bytes())  # noqa: ASYNC240 - a few bytes
        return await super().upload(number, file, mimetype, name)


class Telephones(Sending):
    """WhatsApp, to which everybody there has just written."""

    network = Network.WHATSAPP

    async def carried(self, item: Item, effect: Enclose, to: Person) -> list[bytes]:
        meta = Meta(FakeGraph(lambda: NOW))
        phones = {seat.name: meta.graph.phone(self._number(seat), f"US.{seat.name}") for seat in self.seats}
        async with self.site.database.begin() as work:
            for seat, number in product(self.seats, (PRIVATE, JOINT_NUMBER)):
                meta.graph.write(phones[seat.name], number)
                await work.whatsapp.heard(CASE.id, named(AGREED, seat.name).endpoint.id, number, NOW)
        await self.deliver(item, effect, self._courier(meta))
        # What Meta was given, and whoever it was shown to: the one whom it is for, from the number that is private.
        assert phones[to.name].files(meta.graph.files) == meta.uploads
        assert [number for number, _ in meta.graph.accepted] == [PRIVATE] * len(meta.uploads)
        assert len(meta.graph.requests) == len(meta.uploads)
        for shown in phones[to.name].shows:
            assert shown["document"]["filename"] == f"{CANARY}.pdf"
            assert "PRIVATE" in shown["document"]["caption"]
        return meta.uploads

    def _number(self, seat: Seat) -> str:
        return named(AGREED, seat.name).endpoint.address

    def _courier(self, meta: Meta) -> WhatsAppCourier:
        return WhatsAppCourier(
            self.site.database,
            meta,
            Numbers(PRIVATE, JOINT_NUMBER),
            CODEC,
            Handling("example.org", "_mediatrix_", None, {}, whatsapp=True, documents=True),
            template=Template("new_message", "en"),
            voice=Voice("Town Mediation", "+1 555 0100", one_number=False),
            pace=Pace(lambda: 0.0),
            enclosures=WhatsAppEnclosures(self.site.database, meta, self.enclosures),
            clock=lambda: NOW,
        )


async def judge_sent(network: Sending, state: State, seat: Seat) -> None:
    """What leaves is the file, for those alone who may have it and want words there; nothing else does."""
    site = network.site
    granted = entitled(state, seat, "download") and seat.name not in LINKED
    touched, records = site.touched, len(site.database.committed.record)
    left = await network.sent(state, seat)
    assert len(left) == granted, (state, seat)
    if granted:
        [data], servings = left, site.database.committed.cases[CASE.id].documents[0].servings
        assert len(servings) == 1, (state, seat)
        [serving] = servings
        assert (serving.person, serving.action) == (named(CASE, seat.name).id, Action.DOWNLOAD)
        assert data.startswith(SECRET)
        assert serving.sha256 == hashlib.sha256(data).hexdigest()
    else:
        assert site.touched == touched
        assert await site.written() == (records, 0)
    # By a command it is no other than by what was decided before.
    case = AGREED.with_document(document(state, cast(Kept, site.kept)))
    ordered = ask(case, SEATS[0], f"!doc send D1 to {seat.name}")
    if entitled(state, SEATS[0], "view"):
        assert any(isinstance(effect, Enclose) for effect in ordered) is granted, (state, seat)


async def test_mails_carry_what_the_model_grants_and_nothing_else(site: Site) -> None:
    """Some of all pairs: each state, and each person in many."""
    mails = Mails(site)
    for state, seat in (pair for n, pair in enumerate(product(STATES, mails.seats)) if n % 3 == 0):
        await judge_sent(mails, state, seat)


async def test_whatsapp_carries_what_the_model_grants_in_every_state_to_everybody_and_nothing_else(site: Site) -> None:
    telephones = Telephones(site)
    for state, seat in product(STATES, telephones.seats):
        await judge_sent(telephones, state, seat)


# --- planted faults ------------------------------------------------------------------------------------------------


async def what_shows_a_fault(site: Site) -> None:
    """A few states, each of which a fault below would turn into a leak."""
    mails = Mails(site)
    states = [State("consent-required", "view"), *(State("joint", "download", when) for when in TIMES)]
    strict = [State("privileged", "download"), State("mediator-only", "download"), State("caucus", "download")]
    for state in (*states, *strict):
        judge_commands(state)
        judge_media(state)
        await judge_pages(site, ((state, seat) for seat in SEATS if seat.name in {"Mia", "Sue", "Carl"}))
        for seat in mails.seats:
            await judge_sent(mails, state, seat)


async def test_these_states_are_without_fault(site: Site) -> None:
    await what_shows_a_fault(site)


async def _says_more(*_: object, **__: object) -> bool:
    return True


@pytest.mark.parametrize(
    ("where", "name", "wrong"),
    [
        (documents, "at_home", lambda case, *_: frozenset(p.id for p in case.people)),
        (documents, "_covers", lambda *_: True),
        (documents, "consents", lambda *_: True),
        (Grant, "counts", lambda *_: True),
        (documents, "_NO_FURTHER", {}),
        (viewing, "may", lambda *_: Allowed("")),
        (portal_papers, "may", lambda *_: Allowed("")),
        (document_pages, "HEADERS", {"Content-Security-Policy": ""}),
        (requests, "HEADERS", {"Cache-Control": "private"}),
        (ServicePapers, "open", _says_more),
        (clearance, "may_enclose", lambda *_: Go()),
        (sending, "not_enclosed", lambda *_: None),
    ],
    ids=lambda value: getattr(value, "__name__", "") if not isinstance(value, str) else value,
)
async def test_a_planted_fault_is_caught(site: Site, where: Any, name: str, wrong: Callable[..., Any]) -> None:
    with patch.object(where, name, wrong), pytest.raises(AssertionError):
        await what_shows_a_fault(site)


# --- planted faults on the way to a telephone ----------------------------------------------------------------------


async def _not_asked(*_: object) -> None:
    return None


async def _never_taken(*_: object) -> Cancelled:
    return Cancelled("it is never sent")


_UNASKED = (Enclosures, "noted", _not_asked)
_CLEARED = (clearance, "may_enclose", lambda *_: Go())
_ANNS = Addressee(named(AGREED, "Ann").endpoint.address)


@pytest.mark.parametrize(
    "planted",
    [
        [_CLEARED],
        [_UNASKED],
        [_CLEARED, _UNASKED],
        [(whatsapp_courier._Line, "addressee", _ANNS)],
        [(Numbers, "of", lambda *_: JOINT_NUMBER)],
        [(WhatsAppEnclosures, "taken", _never_taken)],
    ],
    ids=["asked late", "not on record", "never asked", "another's telephone", "the number of all", "never sent"],
)
async def test_a_fault_on_the_way_to_a_telephone_is_caught(site: Site, planted: list[tuple[Any, str, Any]]) -> None:
    telephones = Telephones(site)
    with ExitStack() as stack:
        for where, name, wrong in planted:
            stack.enter_context(patch.object(where, name, wrong))
        stack.enter_context(pytest.raises(AssertionError))
        for state, seat in product((State("joint", "download", "over"), State("joint", "download")), telephones.seats):
            await judge_sent(telephones, state, seat)
