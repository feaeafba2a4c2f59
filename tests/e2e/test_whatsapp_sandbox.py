"""The WhatsApp of the demo against the real bridge: messages out over HTTP, signed webhooks in, and what goes wrong."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web

from appservice.storage.errors import DatabaseUnavailable
from appservice.web.errors import answer_errors
from appservice.web.whatsapp import PATH, WebhookSecrets, WhatsAppApi
from bridges.unsent import Unknown
from bridges.whatsapp.api import Accepted, CloudApi, Kept, Refused
from bridges.whatsapp.api import Graph as Credentials
from bridges.whatsapp.convert_in import read_message, read_status
from bridges.whatsapp.convert_out import Addressee, Notice, Uploaded, addressed, medium, render
from bridges.whatsapp.incoming import Incoming, Pressed, Progress, Status, Words
from bridges.whatsapp.signature import is_signed
from bridges.whatsapp.webhook import PartKind, parts
from policies.case import Kind
from policies.words.phrase import verbatim
from sandbox.ports import LOOPBACK
from sandbox.whatsapp.graph import JOINT, PRIVATE, Mishap
from sandbox.whatsapp.server import ACCESS, APP, SECRETS, VERIFY, WhatsAppSandbox
from sandbox.whatsapp.telephone import Telephone
from sandbox.whatsapp.webhooks import Unsubscribed, signature

PDF = b"%PDF-1.7 a copy"
BEA, NUMBER = "ES.4711aB", "+34600123456"


@dataclass
class Inbox:
    """Takes every webhook, but the first few if it is told to."""

    stored: list[bytes] = field(default_factory=list)
    down: int = 0

    async def accept(self, body: bytes) -> None:
        if self.down:
            self.down -= 1
            raise DatabaseUnavailable("for now")
        self.stored.append(body)

    def messages(self) -> list[Incoming]:
        """What people said, as the bridge reads it."""
        return [read_message(part.body) for part in self._parts() if part.kind is PartKind.MESSAGE]

    def statuses(self) -> list[Status]:
        """What became of our messages."""
        return [read_status(part.body) for part in self._parts() if part.kind is PartKind.STATUS]

    def _parts(self) -> list[Any]:
        return [part for body in self.stored for part in parts(json.loads(body))]


@dataclass
class World:
    """The sandbox, the bridge's way out and way in, and Bea's telephone."""

    sandbox: WhatsAppSandbox
    api: CloudApi
    inbox: Inbox
    telephone: Telephone

    async def send(self, words: str = "hello") -> object:
        message = addressed(render(Kind.CAUCUS, "1042", Notice(words))[0], Addressee(NUMBER), "item/0")
        return await self.api.send(PRIVATE, message)

    async def settled(self) -> None:
        await asyncio.wait_for(self.sandbox.webhooks.settled(), 60)


@pytest_asyncio.fixture(loop_scope="session")
async def world() -> AsyncIterator[World]:
    sandbox, inbox = WhatsAppSandbox(), Inbox()
    secrets = WebhookSecrets(app_secret=SECRETS[APP], verify_token=SECRETS[VERIFY])
    app = web.Application(middlewares=[answer_errors])
    app.add_routes(WhatsAppApi(secrets, inbox).routes())
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, LOOPBACK, 0).start()
    sandbox.webhooks.url = f"http://{LOOPBACK}:{runner.addresses[0][1]}{PATH}"
    await sandbox.start()
    api = CloudApi(Credentials(sandbox.base_url, SECRETS[ACCESS]))
    yield World(sandbox, api, inbox, sandbox.telephone(NUMBER, BEA, "Anybody"))
    await api.close()
    await sandbox.stop()
    await runner.cleanup()


async def test_the_subscription_is_confirmed_with_our_token_alone(world: World) -> None:
    await world.sandbox.webhooks.subscribe(SECRETS[VERIFY])
    with pytest.raises(Unsubscribed):
        await world.sandbox.webhooks.subscribe("another")


async def test_somebody_writes_is_answered_and_the_answer_is_reported(world: World) -> None:
    await world.telephone.write(PRIVATE, "für euch / für alle")
    assert isinstance(await world.send(), Accepted)
    await world.settled()

    (heard,) = world.inbox.messages()
    assert (heard.said, heard.number, heard.sender.user) == (Words("für euch / für alle"), PRIVATE, BEA)
    assert world.telephone.bubbles[-1].text.endswith("hello")
    assert [(s.progress, s.ours) for s in world.inbox.statuses()] == [
        (Progress.SENT, "item/0"),
        (Progress.DELIVERED, "item/0"),
    ]


async def test_a_button_comes_back_with_its_id(world: World) -> None:
    await world.telephone.arrived(PRIVATE, "wamid.1", _question())
    await world.telephone.press("wamid.1", "the id")
    await world.settled()

    (heard,) = world.inbox.messages()
    assert (heard.said, heard.quoted) == (Pressed("the id", "Yes"), "wamid.1")


async def test_a_file_is_uploaded_and_shown_with_its_name_and_what_stands_below(world: World, tmp_path: Path) -> None:
    await world.telephone.write(PRIVATE, "hello")
    file = tmp_path / "copy"
    file.write_bytes(PDF)
    kept = await world.api.upload(PRIVATE, file, "application/pdf", "brief.pdf")
    assert isinstance(kept, Kept)
    shown = medium(Kind.CAUCUS, "1042", Uploaded(kept.id, "application/pdf", "brief.pdf"), verbatim("yours"))
    assert isinstance(await world.api.send(PRIVATE, addressed(shown, Addressee(NUMBER), "item/0")), Accepted)
    assert isinstance(await world.api.send(JOINT, addressed(shown, Addressee(NUMBER), "item/1")), Refused)
    bubble = world.telephone.bubbles[-1]
    assert bubble.text.startswith("📎 brief.pdf\n🔒 PRIVATE")
    assert bubble.text.endswith("\nyours")
    assert world.telephone.phone.files(world.sandbox.graph.files) == [PDF]


async def test_a_file_that_is_not_what_it_says_is_not_taken(world: World, tmp_path: Path) -> None:
    file = tmp_path / "copy"
    file.write_bytes(PDF)
    assert await world.api.upload(PRIVATE, file, "image/png", "a.png") == Refused(131053)
    stranger = CloudApi(Credentials(world.sandbox.base_url, "another token"))
    assert await stranger.upload(PRIVATE, file, "application/pdf", "a.pdf") == Refused(190)
    await stranger.close()


async def test_outside_of_the_window_it_refuses(world: World) -> None:
    assert await world.send() == Refused(131047)


@pytest.mark.parametrize(
    ("mishap", "arrived"), [(Mishap.TAKEN_NO_ANSWER, 1), (Mishap.NO_ANSWER, 0), (Mishap.ODD_ANSWER, 1)]
)
async def test_without_an_answer_nobody_knows(world: World, mishap: Mishap, arrived: int) -> None:
    await world.telephone.write(PRIVATE, "hello")
    world.sandbox.mishaps.append(mishap)

    assert isinstance(await world.send(), Unknown)
    assert sum(not bubble.mine for bubble in world.telephone.bubbles) == arrived


async def test_a_webhook_that_was_not_taken_comes_again(world: World) -> None:
    world.inbox.down = 3
    await world.telephone.write(PRIVATE, "hello")
    await world.settled()

    assert [heard.said for heard in world.inbox.messages()] == [Words("hello")]


async def test_webhooks_come_twice_and_in_another_order_on_demand(world: World) -> None:
    world.sandbox.webhooks.times = 2
    world.sandbox.webhooks.hold()
    for words in ("one", "two"):
        await world.telephone.write(PRIVATE, words)
    await world.settled()
    assert not world.inbox.messages()

    world.sandbox.webhooks.release(backwards=True)
    await world.settled()

    assert [heard.said for heard in world.inbox.messages()] == [Words("two")] * 2 + [Words("one")] * 2


async def test_a_webhook_with_another_signature_is_not_taken(world: World) -> None:
    body = b'{"entry":[]}'
    headers = {"X-Hub-Signature-256": signature(body, "another secret")}
    async with aiohttp.ClientSession() as http, http.post(world.sandbox.webhooks.url, data=body, headers=headers) as no:
        assert no.status == 401
    assert is_signed(signature(body, SECRETS[APP]), body, SECRETS[APP])
    assert not world.inbox.stored


def _question() -> dict[str, Any]:
    reply = {"type": "reply", "reply": {"id": "the id", "title": "Yes"}}
    inner = {"type": "button", "body": {"text": "Well?"}, "action": {"buttons": [reply]}}
    return {"type": "interactive", "interactive": inner}
