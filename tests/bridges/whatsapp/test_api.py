"""The Cloud API's answers, and what is known after each."""

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer, unused_port

from bridges.unsent import NotSent, Unknown
from bridges.whatsapp.api import Accepted, CloudApi, Graph, Hidden, Refused, SendResult
from bridges.whatsapp.convert_out import Addressee, Notice, addressed, render, template
from policies.case import Kind
from tests.bridges.whatsapp.builders import BEA, BEA_PHONE, PRIVATE
from tests.fakes.graph import TOKEN, FakeGraph

pytestmark = pytest.mark.enable_socket
HELLO = render(Kind.CAUCUS, "1042", Notice("hello"))[0]


class Meta:
    """A server on loopback over the strict stand-in, which can also answer nonsense."""

    def __init__(self) -> None:
        self.graph = FakeGraph()
        self.phone = self.graph.phone(BEA_PHONE, BEA)
        self.graph.write(self.phone, PRIVATE)
        self.answer: tuple[int, bytes] | None = None
        self.hangs_up = self.pieces = False
        self.paths: list[str] = []

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.paths.append(request.path)
        body = await request.json()
        if self.hangs_up:
            assert request.transport is not None
            request.transport.close()
            await asyncio.sleep(0)
        if self.answer:
            return web.Response(status=self.answer[0], body=self.answer[1])
        number = request.match_info["number"]
        status, answer = self.graph.answer(number, request.headers["Authorization"], body)
        if self.pieces:
            response = web.StreamResponse(status=status)
            await response.prepare(request)
            for byte in json.dumps(answer).encode():
                await response.write(bytes([byte]))
                await asyncio.sleep(0)
            return response
        return web.json_response(answer, status=status)

    async def describe(self, request: web.Request) -> web.Response:
        assert request.query == {"fields": "id"}
        if self.answer:
            return web.Response(status=self.answer[0], body=self.answer[1])
        status, answer = self.graph.describe(request.match_info["number"], request.headers["Authorization"])
        return web.json_response(answer, status=status)


@pytest.fixture
def meta() -> Meta:
    return Meta()


@pytest.fixture
async def api(meta: Meta) -> AsyncIterator[CloudApi]:
    app = web.Application()
    app.router.add_post("/v26.0/{number}/messages", meta.handle)
    app.router.add_get("/v26.0/{number}", meta.describe)
    async with TestServer(app) as server:
        opened = CloudApi(Graph(str(server.make_url("")).rstrip("/"), TOKEN))
        yield opened
        await opened.close()


async def send(api: CloudApi, to: Addressee | None = None) -> SendResult:
    return await api.send(PRIVATE, addressed(HELLO, to or Addressee(BEA_PHONE), "item/0"))


async def test_a_message_is_taken_and_arrives_as_it_was_meant(api: CloudApi, meta: Meta) -> None:
    assert await send(api) == Accepted("wamid.out1")
    assert meta.phone.texts[0].endswith("hello")
    assert meta.paths == [f"/v26.0/{PRIVATE}/messages"]
    assert await send(api, Addressee(BEA)) == Accepted("wamid.out2")
    assert len(meta.phone.texts) == 2


async def test_a_refusal_has_its_code_and_nothing_of_what_the_answer_quotes(api: CloudApi, meta: Meta) -> None:
    meta.graph.windows.clear()
    assert await send(api) == Refused(131047)
    assert await send(api, Addressee("+15550001111")) == Refused(131026)


async def test_the_template_needs_no_window(api: CloudApi, meta: Meta) -> None:
    meta.graph.windows.clear()
    asked = addressed(template("new_message", "en"), Addressee(BEA_PHONE), "item/n")
    assert isinstance(await api.send(PRIVATE, asked), Accepted)


@pytest.mark.parametrize(
    ("status", "body", "known"),
    [
        (200, b"{}", Unknown),
        (200, b"<html>", Unknown),
        (200, b'{"messages":[{"id":7}]}', Unknown),
        (500, b"<html>", Unknown),
        (502, b"", Unknown),
        (404, b"<html>", NotSent),
        (302, b"", NotSent),
        (503, json.dumps({"error": {"code": 131016}}).encode(), Refused),
        (400, b"[" * 50_000, NotSent),
    ],
)
async def test_every_answer_is_taken_for_what_it_proves(
    api: CloudApi, meta: Meta, status: int, body: bytes, known: type[SendResult]
) -> None:
    meta.answer = (status, body)
    assert isinstance(await send(api), known)


async def test_a_connection_that_breaks_after_the_message_leaves_it_unknown(api: CloudApi, meta: Meta) -> None:
    meta.hangs_up = True
    assert isinstance(await send(api), Unknown)


async def test_where_nobody_listens_nothing_was_sent() -> None:
    api = CloudApi(Graph(f"http://127.0.0.1:{unused_port()}", TOKEN))
    assert isinstance(await send(api), NotSent)
    await api.close()


def test_no_token_or_number_shows_when_values_are_printed() -> None:
    assert TOKEN not in repr(Graph("x", TOKEN))
    assert BEA_PHONE not in repr(Addressee(BEA_PHONE, BEA))
    assert BEA not in repr(Addressee(BEA_PHONE, BEA))


async def test_an_answer_that_comes_in_pieces_is_read_to_its_end(meta: Meta, api: CloudApi) -> None:
    meta.pieces = True
    assert await api.send(PRIVATE, addressed(HELLO, Addressee(BEA_PHONE), "i/0")) == Accepted("wamid.out1")


async def test_an_answer_without_end_is_read_up_to_a_bound(meta: Meta, api: CloudApi) -> None:
    meta.answer = (200, b" " * 10_000_000)
    assert isinstance(await api.send(PRIVATE, addressed(HELLO, Addressee(BEA_PHONE), "i/0")), Unknown)


async def test_a_number_of_ours_is_there_and_another_is_refused(api: CloudApi) -> None:
    assert await api.look(PRIVATE) is None
    assert await api.look("333333333") == Refused(100)


@pytest.mark.parametrize(
    ("status", "body", "keeps_us"),
    [
        (401, b'{"error":{"code":190}}', Refused),
        (400, b'{"error":{"code":100}}', Refused),
        (400, b'{"error":{"code":100,"error_subcode":33}}', Hidden),
        (403, b'{"error":{"code":10}}', Hidden),
        (403, b'{"error":{"code":200}}', Hidden),
        (400, b'{"error":{"code":299,"error_subcode":{}}}', Hidden),
        (400, b'{"error":{"code":368}}', Refused),
        (200, b'{"id":"333333333"}', NotSent),
        (200, b"<html>", NotSent),
        (502, b"", NotSent),
        (302, b"", NotSent),
    ],
)
async def test_whatever_else_is_answered_about_a_number_is_no_yes(
    api: CloudApi, meta: Meta, status: int, body: bytes, keeps_us: type[Refused | Hidden | NotSent]
) -> None:
    meta.answer = (status, body)
    assert isinstance(await api.look(PRIVATE), keeps_us)


async def test_where_nobody_listens_no_number_is_there() -> None:
    api = CloudApi(Graph(f"http://127.0.0.1:{unused_port()}", TOKEN))
    assert isinstance(await api.look(PRIVATE), NotSent)
    await api.close()
