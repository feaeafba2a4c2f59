"""The demo's page: five people side by side, each as that person sees things; served to this machine only."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

from aiohttp import web

from sandbox.client import Client
from sandbox.mail import Stamp
from sandbox.node import CommandFailed, NodeFailed
from sandbox.page.mailbox import Mailbox, NothingToAnswer
from sandbox.page.view import conversations
from sandbox.ports import LOOPBACK
from sandbox.whatsapp.server import CONTACTS
from sandbox.whatsapp.telephone import Bubble, NothingToPress, NotTaken, Telephone

_HERE: Final = Path(__file__).parent
_FILES: Final = {
    "/": ("page.html", "text/html"),
    "/page.css": ("page.css", "text/css"),
    "/page.js": ("page.js", "text/javascript"),
}
_BREATH: Final = 0.15  # seconds in which changes are gathered before they are told
_LONGEST: Final = 10_000  # characters of one message
_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


@dataclass(frozen=True, slots=True)
class Login:
    """How to log in with a client of one's own."""

    homeserver: str
    passwords: Mapping[str, str]


class Page:
    """The page: what it shows, and what is written in it. `clients` and `telephones` are by name, Mia's first."""

    def __init__(
        self,
        clients: Mapping[str, Client],
        mailbox: Mailbox,
        telephones: Mapping[str, Telephone],
        bot: str,
        login: Login,
    ) -> None:
        self._clients, self._mailbox, self._telephones = clients, mailbox, telephones
        self._bot, self._login = bot, login
        self._state = ""
        self._version = 0
        self._news = asyncio.Condition()
        self._stirred = asyncio.Event()

    async def serve(self, port: int, on_ready: Callable[[], None]) -> None:
        """Serve until cancelled; `on_ready` is called once the page can be opened."""
        app = web.Application(middlewares=[_guard(port)])
        app.add_routes([web.get(path, _file(*file)) for path, file in _FILES.items()])
        app.add_routes([web.get("/events", self._events), web.post("/say", self._say), web.post("/mail", self._mail)])
        app.add_routes([web.post("/text", self._text), web.post("/picture", self._picture)])
        app.add_routes([web.post("/press", self._press)])
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
        await runner.setup()
        try:
            await web.TCPSite(runner, LOOPBACK, port).start()
            on_ready()
            async with asyncio.TaskGroup() as group:
                for client in self._clients.values():
                    group.create_task(self._follow(client))
                group.create_task(self._receive())
                for telephone in self._telephones.values():
                    group.create_task(self._ring(telephone))
                group.create_task(self._tell())
        finally:
            await runner.cleanup()

    # --- what is seen

    async def _follow(self, client: Client) -> None:
        async for _ in client.follow():
            self._stirred.set()

    async def _receive(self) -> None:
        while True:
            await self._mailbox.receive()
            self._stirred.set()

    async def _ring(self, telephone: Telephone) -> None:
        while True:
            await telephone.changed(len(telephone.bubbles))
            self._stirred.set()

    async def _tell(self) -> None:
        """Renders what everyone sees, again after every change."""
        while True:
            self._stirred.clear()
            state = json.dumps(await self._seen(), ensure_ascii=False)
            if state != self._state:
                async with self._news:
                    self._state, self._version = state, self._version + 1
                    self._news.notify_all()
            await self._stirred.wait()
            await asyncio.sleep(_BREATH)

    async def _seen(self) -> dict[str, Any]:
        rooms = {name: await conversations(client, self._bot) for name, client in self._clients.items()}
        return {
            "people": {name: [asdict(room) for room in seen] for name, seen in rooms.items()},
            "mails": [asdict(letter) for letter in self._mailbox.letters],
            "contacts": CONTACTS,
            "telephones": {
                name: [asdict(bubble) for bubble in telephone.bubbles] for name, telephone in self._telephones.items()
            },
            "login": {"homeserver": self._login.homeserver, "passwords": dict(self._login.passwords)},
        }

    async def _events(self, request: web.Request) -> web.StreamResponse:
        """Server-sent events: the whole state, at once and after every change."""
        response = web.StreamResponse(headers={**_HEADERS, "Content-Type": "text/event-stream"})
        await response.prepare(request)
        with contextlib.suppress(ConnectionError):
            async for state in self._states():
                await response.write(f"data: {state}\n\n".encode())
        return response

    async def _states(self) -> AsyncIterator[str]:
        told = 0
        while True:
            async with self._news:
                await self._news.wait_for(lambda told=told: self._version > told)  # type: ignore[misc]
                told, state = self._version, self._state
            yield state

    # --- what is written

    async def _say(self, request: web.Request) -> web.Response:
        person, room, text = await _asked(request, "person", "room", "text")
        client = self._clients.get(person)
        if client is None:
            return _no(f"nobody here is called {person}")
        try:
            await client.text(room, text)
        except (CommandFailed, NodeFailed) as error:
            return _no(str(error))
        return web.json_response({})

    async def _mail(self, request: web.Request) -> web.Response:
        room, text, proof = await _asked(request, "room", "text", "proof")
        try:
            await self._mailbox.answer(room, text, Stamp.NONE if proof == "none" else Stamp.PASS)
        except (NothingToAnswer, ConnectionError, TimeoutError) as error:
            return _no(str(error) or "the service does not answer")
        self._stirred.set()
        return web.json_response({})

    async def _text(self, request: web.Request) -> web.Response:
        person, chat, text = await _asked(request, "person", "chat", "text")
        return await self._sent(person, lambda telephone: telephone.write(chat, text))

    async def _picture(self, request: web.Request) -> web.Response:
        person, chat = await _asked(request, "person", "chat")
        return await self._sent(person, lambda telephone: telephone.show_a_picture(chat, ""))

    async def _press(self, request: web.Request) -> web.Response:
        person, bubble, button = await _asked(request, "person", "bubble", "button")
        return await self._sent(person, lambda telephone: telephone.press(bubble, button))

    async def _sent(self, person: str, doing: Callable[[Telephone], Awaitable[Bubble]]) -> web.Response:
        telephone = self._telephones.get(person)
        if telephone is None:
            return _no(f"nobody here called {person} has a telephone")
        try:
            await doing(telephone)
            await telephone.taken()
        except (NothingToPress, NotTaken) as error:
            return _no(str(error))
        return web.json_response({})


def _file(name: str, kind: str) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def serve(_: web.Request) -> web.Response:
        return web.Response(text=(_HERE / name).read_text(), content_type=kind, headers=_HEADERS)

    return serve


def _guard(port: int) -> Any:
    """Only this machine's own browser, and only this page in it: no other site may write here (DNS rebinding, CSRF)."""
    hosts = {f"{LOOPBACK}:{port}", f"localhost:{port}"}

    @web.middleware
    async def guard(
        request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        origin = request.headers.get("Origin")
        if request.host not in hosts or (origin is not None and origin.removeprefix("http://") not in hosts):
            return web.Response(status=HTTPStatus.FORBIDDEN, text="this page is for this machine only")
        if request.method == "POST" and request.content_type != "application/json":
            return web.Response(status=HTTPStatus.UNSUPPORTED_MEDIA_TYPE)
        return await handler(request)

    return guard


async def _asked(request: web.Request, *fields: str) -> Sequence[str]:
    """These fields of the JSON body, each a string that is neither empty nor too long."""
    try:
        body = await request.json()
    except ValueError:
        raise web.HTTPBadRequest(text="not JSON") from None
    values = [body.get(field) for field in fields] if isinstance(body, dict) else []
    texts = [value for value in values if isinstance(value, str) and value.strip() and len(value) <= _LONGEST]
    if len(texts) != len(fields):
        raise web.HTTPBadRequest(text=f"wanted: {', '.join(fields)}")
    return texts


def _no(why: str) -> web.Response:
    return web.json_response({"error": why}, status=HTTPStatus.CONFLICT)
