"""A load balancer on loopback: each request, and each mail's connection, goes to the next of several processes.

A process that can't be reached is passed over. As common ones do, it repeats a request at another process only if the
first could not be reached at all; where one fell silent in the middle, the caller learns of it.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import Sequence

import aiohttp
from aiohttp import web
from multidict import CIMultiDict

_OF_A_HOP = {"transfer-encoding", "content-length", "connection", "keep-alive"}
_DROPPED = {*_OF_A_HOP, "content-encoding", "host"}


class Balancer:
    """Shares out what comes at two ports among processes, each of which has an HTTP port and an LMTP port."""

    def __init__(self, http: int, lmtp: int, behind: Sequence[tuple[int, int]]) -> None:
        self._http, self._lmtp = http, lmtp
        self._turns = itertools.cycle(behind)
        self._count = len(behind)
        self.served: dict[int, int] = {}
        """How many requests each HTTP port answered."""

    async def __aenter__(self) -> Balancer:
        # Cookies and redirections are the browser's affair.
        self._session = aiohttp.ClientSession(auto_decompress=False, cookie_jar=aiohttp.DummyCookieJar())
        app = web.Application(client_max_size=2**26)
        app.router.add_route("*", "/{path:.*}", self._request)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self._http).start()
        self._server = await asyncio.start_server(self._connection, "127.0.0.1", self._lmtp)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        await self._runner.cleanup()
        await self._session.close()

    async def _request(self, request: web.Request) -> web.Response:
        body = await request.read()
        for port, _ in itertools.islice(self._turns, self._count):
            try:
                return await self._passed_on(request, body, port)
            except aiohttp.ClientConnectorError:
                continue
            except aiohttp.ClientError:
                break
        return web.Response(status=502)

    async def _passed_on(self, request: web.Request, body: bytes, port: int) -> web.Response:
        headers = {name: value for name, value in request.headers.items() if name.lower() not in _DROPPED}
        url = f"http://127.0.0.1:{port}{request.raw_path}"
        sent = self._session.request(request.method, url, headers=headers, data=body, allow_redirects=False)
        async with sent as answer:
            said = await answer.read()
        self.served[port] = self.served.get(port, 0) + 1
        back = CIMultiDict((name, value) for name, value in answer.headers.items() if name.lower() not in _OF_A_HOP)
        return web.Response(status=answer.status, body=said, headers=back)

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _, port in itertools.islice(self._turns, self._count):
            try:
                inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                continue
            await asyncio.gather(_pump(reader, inner_writer), _pump(inner_reader, writer))
            return
        writer.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()
