"""Who has an account gets links by a Matrix OpenID token, one for each case; each opens with a code that is told
to that person's devices alone, or with the PIN."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import pytest
from aiohttp import ClientResponse, StreamReader, web
from aiohttp.test_utils import TestClient, TestServer

from appservice.codec import JsonCodec
from appservice.matrix.errors import MatrixError
from appservice.matrix.ids import UserId
from appservice.matrix.openid import USERINFO, OpenId
from appservice.portal.openid import ServiceAccounts
from appservice.portal.page import ServicePortal
from bridges.email.rate import RateCap
from bridges.portal.openid import OpenIdDoor
from bridges.portal.views import Closed
from policies.case import CaseId
from policies.effects import Confide, Reconcile
from rooms.house import House
from rooms.shown import CODE_LASTS, GIVEN_LINK_LASTS
from tests.fakes.memory import MemoryDatabase
from tests.policies.builders import both_sides, named

pytestmark = pytest.mark.enable_socket

CASE = both_sides("!party add Bob @bob:example.org on Jones")
ALICE = named(CASE, "Alice")
BASE = "https://mediation.example.org/p"
CODEC = JsonCodec()
HOUSE = House("example.org", "_mediatrix_", "reply.example.org", {})


@dataclass
class Verifier:
    """Knows some tokens."""

    users: dict[str, str] = field(default_factory=lambda: {"a": "@alice:example.org", "m": "@mia:example.org"})
    fails: bool = False

    async def user(self, token: str, server: str) -> UserId | None:
        """As the homeserver."""
        if self.fails:
            raise MatrixError("openid", "M_UNKNOWN", 0, transient=True)
        found = self.users.get(token)
        return UserId(found) if found and server == "example.org" else None


@dataclass
class Door:
    """The handler, and what lies behind it."""

    http: TestClient[web.Request, web.Application]
    database: MemoryDatabase
    verifier: Verifier
    now: datetime

    async def post(self, token: object, server: object = "example.org") -> ClientResponse:
        return await self.http.post("/p/openid", json={"access_token": token, "matrix_server_name": server})

    async def links(self) -> list[str]:
        answer = await self.post("a")
        assert answer.status == 200
        return [str(one["url"]) for one in (await answer.json())["links"]]


def code_of(door: Door, url: str) -> str:
    """What the person of a link is told."""
    sent = door.database.committed.links[url.rpartition("/")[2]]
    assert sent.code
    told = [CODEC.load(item.body) for item in door.database.committed.outbox.items.values()]
    assert [one for one in told if isinstance(one, Confide) and f"{sent.code[0][:4]} {sent.code[0][4:]}" in one.text]
    return sent.code[0]


@pytest.fixture
async def door() -> AsyncIterator[Door]:
    database, verifier, app = MemoryDatabase(), Verifier(), web.Application()
    async with database.begin() as work:
        await work.cases.save(CASE)
    now = datetime.now(UTC)
    given = RateCap(lambda: 0.0, limit=3, window=9)
    accounts = ServiceAccounts(database, verifier, CODEC, HOUSE, base=BASE, asked=given, clock=lambda: now)
    app.add_routes(OpenIdDoor(accounts, lambda _: "caller", RateCap(lambda: 0.0, limit=5, window=9)).routes())
    async with TestClient(TestServer(app)) as http:
        yield Door(http, database, verifier, now)


async def test_an_account_gets_a_link_that_opens_its_own_page_with_the_pin_and_not_without(door: Door) -> None:
    [url] = await door.links()
    assert url.startswith(f"{BASE}/")
    async with door.database.begin() as work:
        pin = await work.shelf.new_pin(CASE.id, ALICE.id)
    portal = ServicePortal(door.database, JsonCodec(), lambda: door.now)
    link = url.rpartition("/")[2]
    assert await portal.open(link, "999999") is Closed.WRONG
    session = await portal.open(link, pin)
    assert isinstance(session, str)
    async with door.database.begin() as work:
        whose = await work.shelf.session(session, door.now)
    assert whose is not None
    assert (whose.case, whose.person) == (CASE.id, ALICE.id)


async def test_it_opens_with_the_code_that_its_person_alone_is_told_once_and_in_time(door: Door) -> None:
    [one], [other] = await door.links(), await door.links()
    link, code = one.rpartition("/")[2], code_of(door, one)
    portal = ServicePortal(door.database, JsonCodec(), lambda: door.now)
    assert await portal.open(other.rpartition("/")[2], code) is Closed.WRONG, "of another link"
    assert isinstance(await portal.open(link, code), str)
    assert await portal.open(link, code) is Closed.WRONG, "again"
    late = ServicePortal(door.database, JsonCodec(), lambda: door.now + CODE_LASTS)
    assert await late.open(other.rpartition("/")[2], code_of(door, other)) is Closed.WRONG, "too late"


async def test_who_never_had_a_pin_is_locked_after_some_wrong_codes_and_the_desk_is_told(door: Door) -> None:
    [url] = await door.links()
    portal, link = ServicePortal(door.database, JsonCodec(), lambda: door.now), url.rpartition("/")[2]
    tries = [await portal.open(link, "00000000") for _ in range(5)]
    assert tries == [Closed.WRONG] * 4 + [Closed.LOCKED]
    assert await portal.open(link, code_of(door, url)) is Closed.LOCKED
    assert [item for item in door.database.committed.inbox.items.values() if b'"locked"' in item.body]


async def test_link_and_code_begin_together_and_the_record_says_that_one_was_asked_for(door: Door) -> None:
    [url] = await door.links()
    words = [line.words for line in door.database.committed.record.values()]
    assert words == ["page-link (a link to the page was given to the account of Alice)"]
    committed = door.database.committed
    kept = [CODEC.load(item.body) for item in committed.outbox.items.values()]
    assert [type(thing) for thing in kept] == [Reconcile, Confide]
    assert url.rpartition("/")[2] not in str(kept)


async def test_an_account_is_given_links_only_so_often_whether_or_not_it_takes_part(door: Door) -> None:
    door.verifier.users["s"] = "@stranger:example.org"
    assert [(await door.post("s")).status for _ in range(4)] == [403] * 3 + [429]
    assert (await door.post("a")).status == 200


async def test_such_a_link_lasts_for_an_hour(door: Door) -> None:
    [url] = await door.links()
    async with door.database.begin() as work:
        found = await work.shelf.link(url.rpartition("/")[2])
    assert found is not None
    assert found.until == door.now + GIVEN_LINK_LASTS


async def test_there_is_one_for_each_case_of_that_account_named_by_its_room(door: Door) -> None:
    async with door.database.begin() as work:
        await work.cases.save(replace(CASE, id=CaseId("1043")))
    answer = await (await door.post("a")).json()
    assert [one["room"] for one in answer["links"]] == ["PRIVATE with mediator · 1042", "PRIVATE with mediator · 1043"]


@pytest.mark.parametrize(
    ("token", "server", "status"),
    [
        ("unknown", "example.org", 403),
        ("a", "evil.example", 403),
        ("m", "example.org", 403),
        ("", "example.org", 400),
        ("a b", "example.org", 400),
        ("a" * 600, "example.org", 400),
        (7, "example.org", 400),
        ("a", None, 400),
    ],
)
async def test_anybody_else_gets_nothing(door: Door, token: object, server: object, status: int) -> None:
    assert (await door.post(token, server)).status == status
    assert not door.database.committed.links


async def test_mediators_strangers_and_unknown_tokens_are_answered_alike(door: Door) -> None:
    door.verifier.users["s"] = "@stranger:example.org"
    answers = [await (await door.post(token)).text() for token in ("m", "s", "unknown")]
    assert len(set(answers)) == 1


async def test_what_a_form_of_another_site_can_send_is_not_taken(door: Door) -> None:
    token = {"access_token": "a", "matrix_server_name": "example.org"}
    assert (await door.http.post("/p/openid", data=token)).status == 400
    text = await door.http.post("/p/openid", data='{"access_token":"a","matrix_server_name":"example.org"}')
    assert text.status == 400
    assert (await door.http.post("/p/openid", json=["a"])).status == 400
    assert not door.database.committed.links


async def test_while_the_homeserver_can_not_be_asked_it_says_so(door: Door) -> None:
    door.verifier.fails = True
    assert (await door.post("a")).status == 503


async def test_nobody_tries_tokens_for_long(door: Door) -> None:
    assert [(await door.post("unknown")).status for _ in range(6)] == [403] * 5 + [429]


async def test_deeply_nested_json_and_too_much_of_it_are_no_token(door: Door) -> None:
    for body in (b"[" * 4096, b'{"access_token":"a","matrix_server_name":"example.org"}' + b" " * 4096, b"\xff"):
        answer = await door.http.post("/p/openid", data=body, headers={"Content-Type": "application/json"})
        assert answer.status == 400


@pytest.fixture
def fed(monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """Set once a piece of a body has come, to the server or the client."""
    come, feed = asyncio.Event(), StreamReader.feed_data

    def tells(reader: StreamReader, *data: Any) -> Any:
        come.set()
        return feed(reader, *data)

    monkeypatch.setattr(StreamReader, "feed_data", tells)
    return come


async def test_a_body_may_come_in_two_pieces(door: Door, fed: asyncio.Event) -> None:
    async def body() -> AsyncIterator[bytes]:
        yield b'{"access_token":"a",'
        await fed.wait()
        yield b'"matrix_server_name":"example.org"}'

    answer = await door.http.post("/p/openid", data=body(), headers={"Content-Type": "application/json"})
    assert answer.status == 200


async def test_without_documents_there_is_nothing_for_accounts_and_that_is_said() -> None:
    app = web.Application()
    app.add_routes(OpenIdDoor(None, lambda _: "caller", RateCap(lambda: 0.0, limit=5, window=9)).routes())
    async with TestClient(TestServer(app)) as http:
        answer = await http.post("/p/openid", json={"access_token": "a", "matrix_server_name": "example.org"})
        assert answer.status == 404
        assert (await answer.json())["errcode"] == "M_NOT_FOUND"


FED = web.AppKey("FED", asyncio.Event)


async def _userinfo(request: web.Request) -> web.StreamResponse:
    token = request.query["access_token"]
    match token:
        case "alice":
            return web.json_response({"sub": "@alice:example.org"})
        case "elsewhere":
            return web.json_response({"sub": "@alice:evil.example"})
        case "odd":
            return web.json_response({"sub": 7})
        case "moved":
            return web.HTTPFound("/elsewhere")
        case "pieces":
            answer = web.StreamResponse()
            await answer.prepare(request)
            for piece in (b'{"sub": "@ali', b'ce:example.org"}'):
                request.app[FED].clear()
                await answer.write(piece)
                await request.app[FED].wait()
            return answer
        case "deep":
            return web.Response(body=b"[" * 4096)
        case "long":
            return web.Response(text='{"sub": "' + "a" * 9000)
        case _:
            return web.json_response({"errcode": "M_UNKNOWN_TOKEN"}, status=401)


async def test_the_homeserver_is_asked_and_only_its_own_accounts_are_believed(fed: asyncio.Event) -> None:
    app = web.Application()
    app[FED] = fed
    app.add_routes([web.get(USERINFO, _userinfo)])
    async with TestServer(app) as server:
        openid = OpenId(str(server.make_url("/")), "example.org")
        assert await openid.user("alice", "example.org") == "@alice:example.org"
        assert await openid.user("pieces", "example.org") == "@alice:example.org"
        assert await openid.user("alice", "evil.example") is None
        assert await openid.user("elsewhere", "example.org") is None
        assert await openid.user("wrong", "example.org") is None
        for token in ("odd", "moved", "long", "deep"):
            with pytest.raises(MatrixError):
                await openid.user(token, "example.org")
    with pytest.raises(MatrixError):
        await openid.user("alice", "example.org")
