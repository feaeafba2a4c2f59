"""clamd, as a strict fake of its protocol plays it. The real one answers in tests/malware."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager, suppress
from pathlib import Path

import pytest

from appservice.documents.pipeline.examine import Pipeline
from appservice.documents.pipeline.outcome import Clean
from appservice.documents.pipeline.scanner import Clamd, Harmless, Infected, Scanned, Unscanned
from appservice.documents.pipeline.workshop import Workshop
from policies.documents.filing import Refused, Waits

BAD = b"known to be bad"
MOST = 200_000
"""What this clamd takes (StreamMaxLength)."""


async def clamd(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One connection to it. Whatever is not INSTREAM or PING, chunk by chunk, is an error of ours."""
    command = await reader.readuntil(b"\0")
    if command == b"zPING\0":
        writer.write(b"PONG\0")
    else:
        assert command == b"zINSTREAM\0", command
        writer.write(await _verdict(reader))
    await writer.drain()
    writer.close()


async def _verdict(reader: asyncio.StreamReader) -> bytes:
    data = b""
    while size := int.from_bytes(await reader.readexactly(4), "big"):
        data += await reader.readexactly(size)
        if len(data) > MOST:
            return b"INSTREAM size limit exceeded. ERROR\0"
    return b"stream: Bad.Thing FOUND\0" if BAD in data else b"stream: OK\0"


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One that listens and says nothing."""
    await reader.read()
    writer.close()


async def rude(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One that hangs up."""
    del reader
    writer.close()


Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def listening(folder: Path, serve: Serve = clamd) -> AsyncIterator[Clamd]:
    """A client of it, while it listens."""
    socket, served = folder / "clamd.ctl", list[asyncio.Task[None] | None]()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        served.append(asyncio.current_task())
        await serve(reader, writer)
        with suppress(ConnectionError):
            await writer.wait_closed()

    async with await asyncio.start_unix_server(connected, socket):
        yield Clamd(socket, seconds=0.3 if serve is silent else 60)
        await asyncio.gather(*filter(None, served))


@pytest.mark.parametrize(
    ("data", "scanned"),
    [
        (b"", Harmless()),
        (b"words", Harmless()),
        (b"x" * (MOST - 20) + BAD, Infected()),
        (b"x" * 70_000 + BAD, Infected()),
        (b"x" * 2_000_000, Unscanned()),
    ],
    ids=["nothing", "words", "at the end", "in the second chunk", "too much"],
)
async def test_the_whole_file_is_looked_at_and_what_was_not_is_not_called_harmless(
    tmp_path: Path, data: bytes, scanned: Scanned
) -> None:
    async with listening(tmp_path) as scanner:
        assert await scanner.scan(io.BytesIO(data)) == scanned


@pytest.mark.parametrize("serve", [silent, rude])
async def test_a_scanner_that_says_nothing_has_found_nothing_out(tmp_path: Path, serve: Serve) -> None:
    async with listening(tmp_path, serve) as scanner:
        assert await scanner.scan(io.BytesIO(b"words")) == Unscanned()
        assert not await scanner.greets()


async def test_a_scanner_is_asked_whether_it_is_there(tmp_path: Path) -> None:
    async with listening(tmp_path) as scanner:
        assert await scanner.greets()
    assert not await Clamd(tmp_path / "nobody").greets()


async def test_malware_is_refused_and_while_the_scanner_is_down_files_wait(tmp_path: Path) -> None:
    for name, data in (("bad", BAD), ("good", b"words")):
        (tmp_path / name).write_bytes(data)
    async with aclosing(Workshop()) as workshop:
        async with listening(tmp_path) as scanner:
            pipeline = Pipeline(workshop, scanner, most_bytes=1000)
            refused = await pipeline.examine(tmp_path / "bad")
            assert isinstance(refused, Refused)
            assert "malware" in refused.why
            assert refused.harmful
            assert isinstance(await pipeline.examine(tmp_path / "good"), Clean)
        (tmp_path / "good.clean").unlink()
        assert isinstance(await pipeline.examine(tmp_path / "good"), Waits)
        assert not (tmp_path / "good.clean").exists()
