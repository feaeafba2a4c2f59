"""The stand-in as a server on loopback: the service only knows its `graph_base_url`."""

import asyncio
import secrets
from collections import deque
from pathlib import Path
from typing import Final

from aiohttp import web

from sandbox.ports import LOOPBACK, require_free
from sandbox.whatsapp.graph import CODE, JOINT, NOTICE, PRIVATE, TEMPLATE, Graph, Mishap
from sandbox.whatsapp.rules import Json, error
from sandbox.whatsapp.telephone import Telephone
from sandbox.whatsapp.webhooks import Webhooks

CONTACTS: Final = {PRIVATE: "Example Mediation PRIVATE", JOINT: "Example Mediation JOINT"}
"""Our numbers, under the names that their owner gave them at Meta."""
APP, VERIFY, ACCESS = "whatsapp-app.secret", "whatsapp-verify.token", "whatsapp-access.token"
SECRETS: Final = {
    APP: "what signs the webhooks of the sandbox",
    VERIFY: "what-Meta-gives-back-in-the-handshake-0123456789",
    ACCESS: "what-opens-the-Cloud-API-of-the-sandbox",
}
"""By the file in which the service finds them. No secrets: all of it is on loopback, and test equipment."""
_MOST: Final = 101 * 1024 * 1024
"""Bytes of a request; the largest file has 100 MB (Media, supported media types)."""
SETTINGS: Final = f"""\
whatsapp:
  private_number: "{PRIVATE}"
  joint_number: "{JOINT}"
  template: {{name: {TEMPLATE[0]}, language: {TEMPLATE[1]}}}
  notices:
    notice: {{name: {NOTICE[0]}, language: {NOTICE[1]}}}
    code: {{name: {CODE[0]}, language: {CODE[1]}}}
  app_secret: {{file: secrets/{APP}}}
  verify_token: {{file: secrets/{VERIFY}}}
  access_token: {{file: secrets/{ACCESS}}}
  graph_base_url: BASE_URL
"""
"""The section of a service's configuration that it needs, but for the URL."""


class WhatsAppSandbox:
    """WhatsApp on one port. What is in `mishaps` goes wrong next, one at a time: an integer is an error's code."""

    def __init__(self, *, port: int = 0) -> None:
        self.graph = Graph(token=SECRETS[ACCESS], run=f"{secrets.token_hex(4)}.")
        self.webhooks = Webhooks(SECRETS[APP])
        self.mishaps: deque[Mishap | int] = deque()
        self._telephones: dict[str, Telephone] = {}
        self._port = port
        self._runner: web.AppRunner | None = None

    @property
    def base_url(self) -> str:
        """The service's `graph_base_url`."""
        assert self._port, "start() first"
        return f"http://{LOOPBACK}:{self._port}"

    def telephone(self, number: str, user: str, shown_as: str, file: Path | None = None) -> Telephone:
        """A telephone that uses WhatsApp; what it shows is kept in `file`, if that is given."""
        phone = self.graph.phone(number, user)
        found = self._telephones[user] = Telephone(phone, shown_as, self.graph, self.webhooks, file)
        return found

    async def start(self) -> None:
        """Listen. Raises PortTaken."""
        if self._port:
            require_free(self._port, "WhatsApp's stand-in")
        app = web.Application(client_max_size=_MOST)
        app.router.add_post("/v26.0/{number}/messages", self._messages)
        app.router.add_post("/v26.0/{number}/media", self._upload)
        app.router.add_get("/v26.0/{thing}", self._thing)
        app.router.add_get("/attachments/{key}", self._attachment)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
        await self._runner.setup()
        await web.TCPSite(self._runner, LOOPBACK, self._port).start()
        self._port = self._runner.addresses[0][1]
        await self.webhooks.start()

    async def stop(self) -> None:
        """Close every connection."""
        await self.webhooks.stop()
        if self._runner:
            await self._runner.cleanup()
        self._runner = None

    async def _thing(self, request: web.Request) -> web.Response:
        """GET of a number of ours, or of a file."""
        thing, number = request.match_info["thing"], request.query.get("phone_number_id")
        opens = request.headers.get("Authorization", "")
        if request.query.get("fields") == "id":
            status, answer = self.graph.describe(thing, opens)
        else:
            status, answer = self.graph.files.describe(thing, number, opens, self.base_url)
        return web.json_response(answer, status=status)

    async def _upload(self, request: web.Request) -> web.Response:
        """POST /{number}/media, as a form."""
        form, opens = await request.post(), request.headers.get("Authorization", "")
        file = form.get("file")
        data = file.file.read() if isinstance(file, web.FileField) else b""
        number = request.match_info["number"]
        status, answer = self.graph.files.upload(number, opens, form, data)
        return web.json_response(answer, status=status)

    async def _attachment(self, request: web.Request) -> web.Response:
        """GET of a file's URL."""
        key, opens = request.match_info["key"], request.headers.get("Authorization", "")
        status, data = self.graph.files.hand_out(key, opens)
        return web.Response(status=status, body=data, content_type="application/octet-stream")

    async def _messages(self, request: web.Request) -> web.StreamResponse:
        """POST /{number}/messages."""
        mishap = self.mishaps.popleft() if self.mishaps else None
        try:
            body = await request.json()
        except ValueError:
            body = None
        if isinstance(mishap, int):
            status, answer = error(400, mishap)
        elif mishap is Mishap.NO_ANSWER:
            return await _hung_up(request)
        else:
            status, answer = await self._taken(request, body)
        if mishap is Mishap.TAKEN_NO_ANSWER:
            return await _hung_up(request)
        return web.json_response({} if mishap is Mishap.ODD_ANSWER else answer, status=status)

    async def _taken(self, request: web.Request, body: Json | None) -> tuple[int, Json]:
        number = request.match_info["number"]
        status, answer = self.graph.answer(number, request.headers.get("Authorization", ""), body)
        phone = self.graph.addressed(body) if status == 200 and body else None
        if phone and body:
            wamid = answer["messages"][0]["id"]
            if code := self.graph.not_shown(number, phone, body):
                self._report(number, wamid, phone.user, body, "failed", code)
                return status, answer
            self._report(number, wamid, phone.user, body, "sent")
            await self._telephones[phone.user].arrived(number, wamid, body)
            if body["type"] != "reaction":  # Reaction messages: of them, only that they were sent is reported
                self._report(number, wamid, phone.user, body, "delivered")
        return status, answer

    def _report(self, number: str, wamid: str, user: str, body: Json, state: str, *codes: int) -> None:
        """What became of a message (Webhooks, message status)."""
        at = str(round(self.graph.clock().timestamp()))
        ours = body.get("biz_opaque_callback_data")
        opaque = {"biz_opaque_callback_data": ours} if ours else {}
        status = {"id": wamid, "status": state, "timestamp": at, "recipient_user_id": user} | opaque
        if codes:
            status["errors"] = [{"code": code, "title": "Parameter value is not valid"} for code in codes]
        self.webhooks.put({"statuses": [status]}, number)


async def _hung_up(request: web.Request) -> web.Response:
    """The connection ends without an answer."""
    assert request.transport is not None
    request.transport.close()
    await asyncio.sleep(0)
    return web.Response()
