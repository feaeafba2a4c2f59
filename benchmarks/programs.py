"""Programs of this package that run beside the one that measures."""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sandbox.children import end, environment, tied_to_us

_START_SECONDS = 30


@asynccontextmanager
async def running(module: str, *arguments: str) -> AsyncIterator[Process]:
    """That module runs within the block, from when it has said that it is ready. Raises RuntimeError if it does not."""
    program = await asyncio.create_subprocess_exec(
        *tied_to_us(sys.executable, "-m", module, *arguments),
        env=environment(),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    assert program.stdout is not None
    try:
        async with asyncio.timeout(_START_SECONDS):
            if b"ready" not in await program.stdout.readline():
                raise RuntimeError(f"{module} did not start")
        yield program
    finally:
        await end(program)
