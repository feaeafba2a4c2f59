"""Calls to the homeserver: one request each, under the right name, each failure typed and safe to log."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from hypothesis import given
from hypothesis import strategies as st

from appservice.matrix.client import masked, refusal
from appservice.matrix.errors import NO_ANSWER, MatrixError, MediaTooLargeError
from appservice.matrix.homeserver import Homeserver
from appservice.matrix.ids import DeviceId, MediaUri, RoomId, UserId
from appservice.matrix.rooms import NewRoom

pytestmark = pytest.mark.enable_socket

TOKEN = "as-token-for-tests"
GHOST, DEVICE = UserId("@_mediatrix_g1:example.org"), DeviceId("GHOST 1/ü")


@dataclass
class FakeHomeserver:
    """Answers every request as told, and remembers it."""

    answer: Callable[[], Awaitable[web.StreamResponse]]
    requests: list[web.Request] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    url: str = ""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(request)
        self.bodies.append(await request.read())
        return await self.answer()

    def says(self, status: int, body: object, headers: dict[str, str] | None = None) -> None:
        async def answer() -> web.StreamResponse:
            if isinstance(body, bytes):
                return web.Response(status=status, body=body, headers=headers)
            return web.json_response(body, status=status, headers=headers)

        self.answer = answer


@pytest.fixture
async def there() -> AsyncIterator[FakeHomeserver]:
    fake = FakeHomeserver(answer=lambda: asyncio.sleep(0, web.json_response({})))
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", fake.handle)
    async with TestServer(app) as server:
        fake.url = str(server.make_url(""))
        yield fake


@pytest.fixture
async def matrix(there: FakeHomeserver) -> AsyncIterator[Homeserver]:
    async with Homeserver(there.url, TOKEN, timeout=60, max_media=10) as opened:
        yield opened


async def failure(call: Awaitable[object]) -> MatrixError:
    with pytest.raises(MatrixError) as caught:
        await call
    return caught.value


async def test_the_identity_goes_into_the_query_and_the_token_into_the_header(
    there: FakeHomeserver, matrix: Homeserver
) -> None:
    await matrix.accounts.whoami(GHOST, DEVICE)
    [request] = there.requests
    assert dict(request.query) == {"user_id": GHOST, "device_id": DEVICE}
    assert request.headers["Authorization"] == f"Bearer {TOKEN}"


async def test_a_stranger_shows_no_token(there: FakeHomeserver) -> None:
    async with Homeserver(there.url, None) as stranger:
        await stranger.accounts.versions()
    assert "Authorization" not in there.requests[0].headers


async def test_ids_stay_in_their_segment_whatever_is_in_them(there: FakeHomeserver, matrix: Homeserver) -> None:
    there.says(200, {"event_id": "$1"})
    await matrix.rooms.send(RoomId("!a/../b?c#d"), "m.x/y", {}, "txn?user_id=@eve:example.org", as_user=GHOST)
    [request] = there.requests
    assert request.raw_path.partition("?")[0].split("/")[5:] == [
        "%21a%2F..%2Fb%3Fc%23d",
        "send",
        "m.x%2Fy",
        "txn%3Fuser_id%3D%40eve%3Aexample.org",
    ]
    assert dict(request.query) == {"user_id": GHOST}


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (400, {"errcode": "M_BAD_JSON"}, ("M_BAD_JSON", False)),
        (403, {"errcode": "M_FORBIDDEN"}, ("M_FORBIDDEN", False)),
        (404, {"errcode": "M_NOT_FOUND"}, ("M_NOT_FOUND", False)),
        (401, {"errcode": "M_UNKNOWN_TOKEN"}, ("M_UNKNOWN_TOKEN", True)),
        (429, {"errcode": "M_LIMIT_EXCEEDED"}, ("M_LIMIT_EXCEEDED", True)),
        (500, {"errcode": "M_UNKNOWN"}, ("M_UNKNOWN", True)),
        (502, b"<html>bad gateway</html>", ("M_UNKNOWN", True)),
        (403, [], ("M_UNKNOWN", False)),
        (403, {"errcode": 7}, ("M_UNKNOWN", False)),
        (403, {"errcode": "carl@example.org"}, ("M_UNKNOWN", False)),
        (302, b"", ("M_UNKNOWN", False)),
    ],
)
async def test_a_refusal_says_whether_trying_again_can_help(
    there: FakeHomeserver, matrix: Homeserver, status: int, body: object, expected: tuple[str, bool]
) -> None:
    there.says(status, body, {"Location": "http://elsewhere.example.org/"} if status == 302 else None)
    error = await failure(matrix.rooms.join(RoomId("!room"), as_user=GHOST))
    assert error.status == status
    assert (error.errcode, error.transient) == expected
    assert len(there.requests) == 1


@pytest.mark.parametrize(
    ("body", "header", "wish"),
    [
        (b'{"retry_after_ms": 1500}', None, 1500),
        (b'{"retry_after_ms": 1500}', "9", 1500),
        (b"{}", "2", 2000),
        (b'{"retry_after_ms": -1}', "2", 2000),
        (b'{"retry_after_ms": true}', None, None),
        (b"", "Wed, 21 Oct 2026 07:28:00 GMT", None),
    ],
)
def test_the_homeservers_wish_for_a_pause_is_passed_on(body: bytes, header: str | None, wish: int | None) -> None:
    assert refusal("GET /x", 429, body, header).retry_after_ms == wish


async def test_no_answer_is_transient_and_asked_for_once(there: FakeHomeserver) -> None:
    async def never() -> web.StreamResponse:
        await asyncio.sleep(5)
        return web.Response()

    there.answer = never
    async with Homeserver(there.url, TOKEN, timeout=0.5) as impatient:
        error = await failure(impatient.rooms.join(RoomId("!room"), as_user=GHOST))
    assert (error.errcode, error.status, error.transient) == ("TIMEOUT", NO_ANSWER, True)
    assert len(there.requests) == 1


@pytest.mark.parametrize("body", [b"<html>", b"[]", b"", b'"x"', b"[" * 100_000])
async def test_a_success_that_is_no_object_is_not_believed(
    there: FakeHomeserver, matrix: Homeserver, body: bytes
) -> None:
    there.says(200, body)
    error = await failure(matrix.rooms.join(RoomId("!room"), as_user=GHOST))
    assert (error.errcode, error.transient) == ("M_NOT_JSON", True)


@pytest.mark.parametrize("body", [b"{}", b'{"maintenance": true}', b"[]", b"null"])
async def test_a_success_that_is_no_state_is_no_room_that_the_bot_was_put_out_of(
    there: FakeHomeserver, matrix: Homeserver, body: bytes
) -> None:
    there.says(200, body)
    error = await failure(matrix.rooms.state(RoomId("!room"), as_user=GHOST))
    assert (error.errcode, error.transient) == ("M_NOT_JSON", True)


async def test_an_error_names_no_id_no_token_and_no_body(there: FakeHomeserver, matrix: Homeserver) -> None:
    there.says(403, {"errcode": "M_FORBIDDEN", "error": "carl@example.org said no"})
    calls = (
        matrix.rooms.put_state(RoomId("!secret"), "m.room.name", {"name": "words"}, "@carl:x", as_user=GHOST),
        matrix.accounts.set_account_data(GHOST, "org.mediatrix.x", {}),
        matrix.accounts.put_device(GHOST, DEVICE, "Mediatrix"),
    )
    for call in calls:
        text = str(await failure(call))
        assert text.endswith("M_FORBIDDEN (403)")
        for secret in ("secret", "words", "carl", "_mediatrix_g1", "GHOST", TOKEN, "said"):
            assert secret not in text


@given(st.text(min_size=1, max_size=20).filter(lambda text: not text.isalpha() or not text.isascii()))
def test_a_masked_path_shows_no_segment_that_could_be_an_id(segment: str) -> None:
    shown = masked(f"/_matrix/client/v3/rooms/!{segment}x?user_id=@a:b")
    assert shown.startswith("/_matrix/client/v3/rooms/*")


async def test_a_room_is_asked_for_so_that_nobody_but_its_maker_stands_above_the_levels(
    there: FakeHomeserver, matrix: Homeserver
) -> None:
    there.says(200, {"room_id": "!new"})
    room = NewRoom(name="PRIVATE with mediator · 1042", power_levels={"invite": 100}, invite=(GHOST,))
    assert await matrix.rooms.create(room, as_user=GHOST) == "!new"
    body = there.bodies[0].decode()
    assert '"preset": "private_chat"' in body
    assert "trusted" not in body
    assert '"room_version": "12"' in body
    assert '"visibility": "private"' in body


async def test_a_download_stops_at_the_limit(there: FakeHomeserver, matrix: Homeserver, tmp_path: Path) -> None:
    uri = MediaUri("mxc://example.org/abc")
    there.says(200, b"x" * 10)
    await matrix.media.save(uri, tmp_path / "all", as_user=GHOST, most=10)
    assert (tmp_path / "all").read_bytes() == b"x" * 10
    there.says(200, b"x" * 11)
    with pytest.raises(MediaTooLargeError):
        await matrix.media.save(uri, tmp_path / "more", as_user=GHOST, most=10)


async def test_what_can_not_be_written_is_not_the_homeservers_fault(
    there: FakeHomeserver, matrix: Homeserver, tmp_path: Path
) -> None:
    there.says(200, b"x" * 10)
    with pytest.raises(FileNotFoundError):
        await matrix.media.save(MediaUri("mxc://example.org/abc"), tmp_path / "no" / "folder", as_user=GHOST, most=10)


async def test_a_file_is_sent_as_it_is_read(there: FakeHomeserver, matrix: Homeserver, tmp_path: Path) -> None:
    (tmp_path / "sealed").write_bytes(b"y" * 300_000)
    there.says(200, {})
    await matrix.media.fill(MediaUri("mxc://example.org/abc"), tmp_path / "sealed", as_user=GHOST)
    assert there.bodies[-1] == b"y" * 300_000


async def test_an_account_that_is_there_already_is_no_error(there: FakeHomeserver, matrix: Homeserver) -> None:
    there.says(400, {"errcode": "M_USER_IN_USE"})
    assert await matrix.accounts.register("_mediatrix_g1") is False


async def test_account_data_that_is_not_there_is_none(there: FakeHomeserver, matrix: Homeserver) -> None:
    there.says(404, {"errcode": "M_NOT_FOUND"})
    assert await matrix.accounts.account_data(GHOST, "org.mediatrix.epoch") is None
    there.says(403, {"errcode": "M_FORBIDDEN"})
    await failure(matrix.accounts.account_data(GHOST, "org.mediatrix.epoch"))


async def test_what_happened_in_a_room_is_asked_for_page_by_page_and_no_sooner_than_it_is_wanted(
    there: FakeHomeserver, matrix: Homeserver
) -> None:
    pages = [{"chunk": [{"n": 3}, {"n": 2}], "end": "t2"}, {"chunk": [{"n": 1}], "end": "t1"}, {"chunk": []}]

    async def next_page() -> web.StreamResponse:
        return web.json_response(pages[len(there.requests) - 1])

    there.answer = next_page
    found = []
    async for page in matrix.rooms.between(RoomId("!r"), "s9", "s1", as_user=GHOST):
        found.append(page)
        assert len(there.requests) == len(found)
    assert found == [[{"n": 3}, {"n": 2}], [{"n": 1}], []]
    assert [request.query["from"] for request in there.requests] == ["s9", "t2", "t1"]
    assert {request.query["to"] for request in there.requests} == {"s1"}
