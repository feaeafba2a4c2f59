"""A file is fetched in two steps, and taken only if it is the very one that a signed webhook named."""

import base64
import hashlib
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer, unused_port

from bridges.whatsapp.api import CloudApi, Graph
from bridges.whatsapp.media import (
    GONE,
    NOT_THE_FILE,
    NOT_WHAT_IT_SAYS,
    Fetched,
    Medium,
    NotNow,
    Outcome,
    is_what_it_says,
    too_large,
)
from sandbox.whatsapp.media import Files, Stored
from sandbox.whatsapp.telephone import PICTURE
from tests.bridges.whatsapp.builders import JOINT_NUMBER, PRIVATE

pytestmark = pytest.mark.enable_socket
TOKEN, MOST = "opens", 10_000


class Meta:
    """The strict stand-in's files on loopback, or whatever else it is told to answer."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 22, 6, tzinfo=UTC)
        self.files = Files(lambda: self.now, token=TOKEN)
        self.base_url, self.late = "", timedelta()
        self.answer: web.Response | None = None
        self.has_length = True
        self.shown_to: list[tuple[str, str | None]] = []
        """Who was shown the token."""

    async def describe(self, request: web.Request) -> web.Response:
        self.shown_to.append((request.path, request.headers.get("Authorization")))
        if self.answer:
            return self.answer
        number, opens = request.query["phone_number_id"], request.headers["Authorization"]
        status, answer = self.files.describe(request.match_info["medium"], number, opens, self.base_url)
        self.now += self.late
        return web.json_response(answer, status=status)

    async def hand_out(self, request: web.Request) -> web.Response:
        self.shown_to.append((request.path, request.headers.get("Authorization")))
        status, data = self.files.hand_out(request.match_info["key"], request.headers["Authorization"])
        response = web.Response(status=status, body=data)
        if not self.has_length:
            response.enable_chunked_encoding()
        return response


@pytest.fixture
def meta() -> Meta:
    return Meta()


@pytest.fixture
async def api(meta: Meta) -> AsyncIterator[CloudApi]:
    app = web.Application()
    app.router.add_get("/v26.0/{medium}", meta.describe)
    app.router.add_get("/attachments/{key}", meta.hand_out)
    async with TestServer(app) as server:
        meta.base_url = str(server.make_url("")).rstrip("/")
        opened = CloudApi(Graph(meta.base_url, TOKEN))
        yield opened
        await opened.close()


def named(stored: Stored) -> Medium:
    """As its webhook has it."""
    return Medium(stored.id, stored.number, stored.mime, stored.sha256)


async def fetched(api: CloudApi, medium: Medium, folder: Path) -> Outcome:
    return await api.fetch(medium, folder / "source", MOST)


async def test_a_picture_is_fetched_whole(api: CloudApi, meta: Meta, tmp_path: Path) -> None:
    medium = named(meta.files.receive(PRIVATE, "image/png", PICTURE))
    assert await fetched(api, medium, tmp_path) == Fetched(len(PICTURE))
    assert (tmp_path / "source").read_bytes() == PICTURE


@pytest.mark.parametrize(
    ("mime", "data", "said", "becomes"),
    [
        ("image/jpeg", PICTURE, {}, NOT_WHAT_IT_SAYS),
        ("audio/ogg; codecs=opus", b"OggS" + b"\0" * 24 + b"vorbis", {}, NOT_WHAT_IT_SAYS),
        ("image/png", PICTURE, {"data": PICTURE[:-1] + b"x"}, NOT_THE_FILE),
        ("image/png", PICTURE, {"data": PICTURE + b"x"}, NOT_THE_FILE),
        ("image/png", PICTURE, {"data": PICTURE[:-1], "file_size": None}, NOT_THE_FILE),
        ("image/png", PICTURE, {"file_size": len(PICTURE) + 1}, NOT_THE_FILE),
        ("image/png", PICTURE, {"file_size": str(len(PICTURE))}, Fetched(len(PICTURE))),
        ("image/png", PICTURE, {"file_size": "9" * 400}, Fetched(len(PICTURE))),
        ("image/png", PICTURE, {"file_size": 10**9}, too_large(MOST)),
        ("application/pdf", b"x" * (MOST + 1), {}, too_large(MOST)),
        ("application/pdf", b"x" * (MOST + 1), {"file_size": 5}, too_large(MOST)),
        ("application/pdf", b"x" * MOST, {"mime_type": "image/png"}, Fetched(MOST)),
    ],
)
async def test_what_is_not_what_the_webhook_named_is_refused(  # noqa: PLR0917 (a table of five columns)
    api: CloudApi, meta: Meta, tmp_path: Path, mime: str, data: bytes, said: dict[str, Any], becomes: Outcome
) -> None:
    medium = named(meta.files.receive(PRIVATE, mime, data, said))
    assert await fetched(api, medium, tmp_path) == becomes
    if becomes == too_large(MOST) and (tmp_path / "source").exists():
        assert (tmp_path / "source").read_bytes() == b""


@pytest.mark.parametrize("rest", [PICTURE[:-1], b""])
async def test_a_file_of_which_only_a_part_came_is_asked_for_again(
    api: CloudApi, meta: Meta, tmp_path: Path, rest: bytes
) -> None:
    stored = meta.files.receive(PRIVATE, "image/png", PICTURE, {"data": rest})
    assert isinstance(await fetched(api, named(stored), tmp_path), NotNow)
    (tmp_path / "source").unlink()
    stored.said.clear()
    assert await fetched(api, named(stored), tmp_path) == Fetched(len(PICTURE))


async def test_a_file_that_ends_with_its_connection_is_asked_for_again(
    api: CloudApi, meta: Meta, tmp_path: Path
) -> None:
    stored = meta.files.receive(PRIVATE, "image/png", PICTURE, {"data": PICTURE[:-1], "file_size": None})
    meta.has_length = False
    assert isinstance(await fetched(api, named(stored), tmp_path), NotNow)


@pytest.mark.parametrize(
    "sha256", ["", "no base64", hashlib.sha256(PICTURE).hexdigest(), base64.b64encode(b"").decode()]
)
async def test_a_hash_that_is_none_is_no_files(api: CloudApi, meta: Meta, tmp_path: Path, sha256: str | bytes) -> None:
    medium = replace(named(meta.files.receive(PRIVATE, "image/png", PICTURE)), sha256=str(sha256))
    assert await fetched(api, medium, tmp_path) == NOT_THE_FILE


async def test_what_expired_or_never_was_or_came_to_another_number_is_told_apart_from_nothing(
    api: CloudApi, meta: Meta, tmp_path: Path
) -> None:
    """WhatsApp says the same of a token that lacks a permission: then no file is gone."""
    medium = named(meta.files.receive(PRIVATE, "image/png", PICTURE))
    assert isinstance(await fetched(api, replace(medium, id="7"), tmp_path), NotNow)
    assert isinstance(await fetched(api, replace(medium, number=JOINT_NUMBER), tmp_path), NotNow)
    meta.now += timedelta(days=7)
    assert isinstance(await fetched(api, medium, tmp_path), NotNow)


async def test_a_url_that_expires_on_the_way_is_asked_for_again(api: CloudApi, meta: Meta, tmp_path: Path) -> None:
    medium = named(meta.files.receive(PRIVATE, "image/png", PICTURE))
    meta.late = timedelta(minutes=5)
    assert isinstance(await fetched(api, medium, tmp_path), NotNow)
    meta.late = timedelta()
    assert await fetched(api, medium, tmp_path) == Fetched(len(PICTURE))


def json(url: object) -> Callable[[], web.Response]:
    return lambda: web.json_response({"url": url, "file_size": 5})


def error(code: object) -> Callable[[], web.Response]:
    return lambda: web.json_response({"error": {"code": code}}, status=400)


@pytest.mark.parametrize(
    "answer",
    [
        json("http://lookaside.fbsbx.com/x"),
        json("https://lookaside.fbsbx.com.example.org/x"),
        json("https://evil-fbsbx.com/x"),
        json("https://me:you@lookaside.fbsbx.com/x"),
        json("https://127.0.0.1/x"),
        json("http://127.0.0.1:1/x"),
        json("file:///etc/passwd"),
        json("http://[bad"),
        json("/v26.0/x"),
        json(None),
        json(["x"]),
        error(100),
        error(190),
        error(131000),
        error(999),
        error("x"),
        lambda: web.Response(status=302, headers={"Location": "/v26.0/other"}),
        lambda: web.Response(body=b"[" * 100_000),
        lambda: web.Response(status=500, body=b"\xff"),
    ],
)
async def test_an_answer_that_names_no_place_of_metas_is_tried_again_and_nobody_else_sees_the_token(
    api: CloudApi, meta: Meta, tmp_path: Path, answer: Callable[[], web.Response]
) -> None:
    medium = named(meta.files.receive(PRIVATE, "image/png", PICTURE))
    meta.answer = answer()
    assert isinstance(await fetched(api, medium, tmp_path), NotNow)
    assert meta.shown_to == [(f"/v26.0/{medium.id}", f"Bearer {TOKEN}")]


@pytest.mark.parametrize("code", [131052, 131053])
async def test_what_meta_says_is_gone_is_gone(api: CloudApi, meta: Meta, tmp_path: Path, code: int) -> None:
    meta.answer = error(code)()
    assert await fetched(api, Medium("1", PRIVATE, "image/png", ""), tmp_path) == GONE


async def test_without_a_connection_it_is_tried_again(tmp_path: Path) -> None:
    api = CloudApi(Graph(f"http://127.0.0.1:{unused_port()}", TOKEN))
    assert isinstance(await fetched(api, Medium("1", PRIVATE, "image/png", ""), tmp_path), NotNow)
    await api.close()


def test_what_whatsapp_carries_is_known_by_its_beginning() -> None:
    voice = b"OggS" + b"\0" * 24 + b"OpusHead"
    good = {"audio/ogg; codecs=opus": voice, "IMAGE/PNG": PICTURE, "video/mp4": b"\0\0\0 ftypisom", "x/y": b""}
    assert all(is_what_it_says(mime, head) for mime, head in good.items())
    assert not any(is_what_it_says(mime, b"%PDF-1.7") for mime in good if mime != "x/y")
