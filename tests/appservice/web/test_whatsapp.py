"""What Meta calls: believed when it is signed, stored before it is answered."""

import asyncio
import hashlib
import hmac
import io
import json
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from appservice.storage.errors import DatabaseUnavailable
from appservice.web.errors import answer_errors
from appservice.web.whatsapp import MAX_WEBHOOK, PATH, WebhookSecrets, WhatsAppApi
from appservice.whatsapp import webhooks
from appservice.whatsapp.webhooks import WebhookInbox
from rooms.queue import ItemId, item_id
from tests.appservice.web.conftest import Client
from tests.bridges.whatsapp.builders import message, webhook
from tests.fakes.memory import MemoryDatabase, MemoryWork

pytestmark = pytest.mark.enable_socket
SECRETS = WebhookSecrets(app_secret="app-secret", verify_token="verify-token")


class Store:
    """Keeps bodies; fails while `broken`."""

    def __init__(self) -> None:
        self.kept: list[bytes] = []
        self.broken = False

    async def accept(self, body: bytes) -> None:
        if self.broken:
            raise DatabaseUnavailable("down")
        self.kept.append(body)


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
async def meta(store: Store) -> AsyncIterator[Client]:
    app = web.Application(middlewares=[answer_errors])
    app.add_routes(WhatsAppApi(SECRETS, store).routes())
    async with TestClient(TestServer(app)) as client:
        yield client


def signed(body: bytes, secret: str = "app-secret") -> dict[str, str]:
    return {"X-Hub-Signature-256": "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}


async def test_the_handshake_gives_the_challenge_back(meta: Client) -> None:
    asked = {"hub.mode": "subscribe", "hub.challenge": "4711", "hub.verify_token": "verify-token"}
    answer = await meta.get(PATH, params=asked)
    assert (answer.status, await answer.text()) == (200, "4711")
    assert (await meta.get(PATH, params=asked | {"hub.verify_token": "other"})).status == 403
    assert (await meta.get(PATH)).status == 403


async def test_a_signed_webhook_is_stored_byte_for_byte_and_then_answered(meta: Client, store: Store) -> None:
    body = rb'{"object":"x","a":"\u00e4\/"}'
    assert (await meta.post(PATH, data=body, headers=signed(body))).status == 200
    assert store.kept == [body]


async def test_without_the_right_signature_nothing_is_stored(meta: Client, store: Store) -> None:
    body = b"{}"
    wrong: list[dict[str, str]] = [{}, signed(b"{} "), signed(body, "other"), {"X-Hub-Signature-256": "sha256="}]
    wrong.append({"X-Hub-Signature-256": signed(body)["X-Hub-Signature-256"][:-2]})
    for headers in wrong:
        assert (await meta.post(PATH, data=body, headers=headers)).status == 401
    assert not store.kept


async def test_while_nothing_can_be_stored_meta_is_told_to_come_again(meta: Client, store: Store) -> None:
    store.broken = True
    body = json.dumps(webhook(message())).encode()
    assert (await meta.post(PATH, data=body, headers=signed(body))).status == 503
    store.broken = False
    assert (await meta.post(PATH, data=body, headers=signed(body))).status == 200
    assert store.kept == [body]


async def test_a_body_that_is_too_large_is_refused(meta: Client, store: Store) -> None:
    body = b"x" * (MAX_WEBHOOK + 1)
    assert (await meta.post(PATH, data=io.BytesIO(body), headers=signed(body))).status == 413
    assert not store.kept


# --- what is stored of it


async def _stored(*bodies: bytes) -> MemoryDatabase:
    database = MemoryDatabase()

    async def opened() -> None:
        return None

    for body in bodies:
        await WebhookInbox(database, opened).accept(body)
    return database


async def test_each_part_is_one_item_however_often_it_comes() -> None:
    both = json.dumps(webhook(message(wamid="a"), message(wamid="b"))).encode()
    one = json.dumps(webhook(message(wamid="b"), message(wamid="c"))).encode()
    database = await _stored(both, both, one)
    assert [item.kind for item in database.committed.inbox.items.values()] == ["whatsapp.message"] * 3


@pytest.mark.parametrize("body", [b"", b"\xff\xfe", b"[" * 100_000, b'{"a":' * 50_000, b"null", b'"text"'])
async def test_what_was_signed_and_is_no_payload_is_kept_all_the_same(body: bytes) -> None:
    (item,) = (await _stored(body)).committed.inbox.items.values()
    assert item.kind == "whatsapp.other"


async def test_no_number_or_id_of_a_person_stands_in_clear_in_the_queue() -> None:
    database = await _stored(json.dumps(webhook(message())).encode())
    (item,) = database.committed.inbox.items.values()
    assert "34600123456" not in f"{item.id} {item.lane} {item.kind}"
    assert "4711" not in f"{item.lane} {item.kind}"


class Counting(MemoryDatabase):
    """Counts units of work."""

    units = 0

    def begin(self) -> AbstractAsyncContextManager[MemoryWork]:  # type: ignore[override]
        self.units += 1
        return super().begin()


async def test_what_comes_at_once_is_stored_in_its_order_in_few_units_of_work() -> None:
    async def opened() -> None:
        return None

    database = Counting()
    inbox = WebhookInbox(database, opened)
    # Of sixty people, for of one stranger less is taken.
    senders = [{"from_user_id": f"ES.{number:04}"} for number in range(60)]
    bodies = [
        json.dumps(webhook(message(wamid=f"{number}", **sender), contacts=[])).encode()
        for number, sender in enumerate(senders)
    ]
    await asyncio.gather(*(inbox.accept(body) for body in bodies))
    stored = [json.loads(item.body)["message"]["id"] for item in database.committed.inbox.items.values()]
    assert stored == [f"{number}" for number in range(60)]
    assert database.units <= 3


async def test_one_webhook_that_can_not_be_stored_is_no_reason_to_refuse_those_that_came_with_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def opened() -> None:
        return None

    def bad(name: str) -> ItemId:
        if "bad" in name:
            raise ValueError("bad")
        return item_id(name)

    monkeypatch.setattr(webhooks, "item_id", bad)
    database = MemoryDatabase()
    inbox = WebhookInbox(database, opened)
    bodies = [json.dumps(webhook(message(wamid=name))).encode() for name in ("a", "bad", "c")]
    said = await asyncio.gather(*(inbox.accept(body) for body in bodies), return_exceptions=True)
    assert [type(one) for one in said] == [type(None), ValueError, type(None)]
    assert len(database.committed.inbox.items) == 2
