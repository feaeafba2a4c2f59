"""A bare webhook handler as a program of its own: aiohttp, and one row committed before each 200.

`python -m benchmarks.barehandler PORT FILE`; says “ready” once it listens.
"""

from __future__ import annotations

import asyncio
import sqlite3
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
from aiohttp import web

from benchmarks.programs import running
from sandbox.ports import LOOPBACK, free_port


class BareRows:
    """Keeps whatever comes as a row each, and has the disk confirm it."""

    def __init__(self, file: Path) -> None:
        self._rows = sqlite3.connect(file, check_same_thread=False, isolation_level=None)
        for statement in ("PRAGMA journal_mode = WAL", "PRAGMA synchronous = FULL", "CREATE TABLE kept (raw BLOB)"):
            self._rows.execute(statement)

    async def keep(self, raw: bytes) -> None:
        """One row, committed."""
        await asyncio.to_thread(self._rows.execute, "INSERT INTO kept VALUES (?)", (raw,))


@asynccontextmanager
async def bare_handler(file: Path) -> AsyncIterator[str]:
    """The program runs within the block; its URL."""
    port = free_port()
    async with running("benchmarks.barehandler", str(port), str(file)):
        yield f"http://{LOOPBACK}:{port}/webhook"


async def post(http: aiohttp.ClientSession, url: str, body: bytes, headers: dict[str, str]) -> None:
    """One webhook. Raises RuntimeError unless it is taken."""
    async with http.post(url, data=body, headers=headers) as answer:
        if answer.status != 200:
            raise RuntimeError(f"a webhook was refused: {answer.status}")


async def _serve(port: int, file: Path) -> None:
    rows = BareRows(file)

    async def webhook(request: web.Request) -> web.Response:
        await rows.keep(await request.read())
        return web.json_response({})

    app = web.Application()
    app.router.add_post("/webhook", webhook)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, LOOPBACK, port).start()
    print("ready", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1]), Path(sys.argv[2])))
