"""A homeserver that costs next to nothing: it answers what the service asks while it runs, and knows nothing.

For measures in which the homeserver must not be the limit. It remembers account data, and lets everything be done; what
happens in rooms comes from whoever measures, straight to the service.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

import aiohttp
from aiohttp import web

from appservice.matrix.rooms import ROOM_VERSION
from appservice.setup import config
from appservice.setup.registration import SENDER_LOCALPART
from sandbox.ports import LOOPBACK
from sandbox.world import World

_US: Final = f"@{SENDER_LOCALPART}:mediatrix.localhost"
_C: Final = "/_matrix/client/v3"


class StandIn:
    """The homeserver."""

    def __init__(self) -> None:
        self._account_data: dict[str, Any] = {}
        self._registered: set[str] = set()

    def application(self) -> web.Application:
        """Its routes."""
        app = web.Application(client_max_size=64 * 1024 * 1024)
        data = f"{_C}/user/{{user}}/account_data/{{kind}}"
        app.add_routes(
            [
                web.get("/_matrix/client/versions", _answer({"versions": ["v1.17"]})),
                web.get(f"{_C}/account/whoami", self._whoami),
                web.get(f"{_C}/capabilities", _answer(_CAPABILITIES)),
                web.post(f"{_C}/register", self._register),
                web.get(data, self._get_account_data),
                web.put(data, self._put_account_data),
                web.post(f"{_C}/keys/upload", _answer({"one_time_key_counts": {"signed_curve25519": 50}})),
                web.post(f"{_C}/keys/query", _answer({"device_keys": {}})),
                web.get(f"{_C}/sync", _answer({"next_batch": "s1"})),
                web.get(f"{_C}/rooms/{{room}}/state", _refuse("M_FORBIDDEN", 403)),
                web.route("*", "/{anything:.*}", _anything),
            ]
        )
        return app

    async def _whoami(self, request: web.Request) -> web.Response:
        query = request.query
        device = {"device_id": query["device_id"]} if "device_id" in query else {}
        return web.json_response({"user_id": query.get("user_id", _US), **device})

    async def _register(self, request: web.Request) -> web.Response:
        name = (await request.json()).get("username", "")
        if name in self._registered:
            return web.json_response({"errcode": "M_USER_IN_USE", "error": ""}, status=400)
        self._registered.add(name)
        return web.json_response({"user_id": f"@{name}"})

    async def _get_account_data(self, request: web.Request) -> web.Response:
        found = self._account_data.get(request.path)
        missing = {"errcode": "M_NOT_FOUND", "error": ""}
        return web.json_response(missing, status=404) if found is None else web.json_response(found)

    async def _put_account_data(self, request: web.Request) -> web.Response:
        self._account_data[request.path] = await request.json()
        return web.json_response({})


_CAPABILITIES: Final = {"capabilities": {"m.room_versions": {"default": ROOM_VERSION, "available": {ROOM_VERSION: ""}}}}


@asynccontextmanager
async def standing_in(port: int) -> AsyncIterator[None]:
    """A stand-in listens within the block."""
    runner = web.AppRunner(StandIn().application(), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, LOOPBACK, port).start()
    try:
        yield
    finally:
        await runner.cleanup()


class Feed:
    """Brings transactions to a service, as its homeserver does."""

    def __init__(self, world: World, http: aiohttp.ClientSession) -> None:
        registration = config.load(world.config).appservice.registration
        self._url = f"http://{LOOPBACK}:{world.ports.service}/_matrix/app/v1/transactions"
        self._headers = {
            "Authorization": f"Bearer {registration.hs_token.get_secret_value()}",
            "Content-Type": "application/json",
        }
        self._http = http
        self._number = 0

    async def bring(self, events: Sequence[Mapping[str, Any]]) -> None:
        """One transaction; it is stored when this returns."""
        self._number += 1
        url, body = f"{self._url}/{self._number}", json.dumps({"events": events})
        async with asyncio.timeout(60), self._http.put(url, data=body, headers=self._headers) as response:
            if response.status != 200:
                raise RuntimeError(f"the service refused a transaction: {response.status}")


def _answer(content: Mapping[str, Any]) -> Any:
    async def answer(_: web.Request) -> web.Response:
        return web.json_response(content)

    return answer


def _refuse(code: str, status: int) -> Any:
    async def refuse(_: web.Request) -> web.Response:
        return web.json_response({"errcode": code, "error": ""}, status=status)

    return refuse


async def _anything(_: web.Request) -> web.Response:
    return web.json_response({})
