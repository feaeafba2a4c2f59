"""Looks for known malware with clamd, over its socket (clamd(8), INSTREAM). It sees the bytes, and gets no name."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Final, Protocol

from policies.frozen import frozen

_CHUNK: Final = 1 << 16
_ANSWER_BYTES: Final = 1024
_SECONDS: Final = 120.0
_PING_SECONDS: Final = 5.0


@frozen
class Harmless:
    """Nothing known was found."""


@frozen
class Infected:
    """Known malware. Its name is the scanner's business."""


@frozen
class Unscanned:
    """No verdict: the scanner is down, or would not look at it (StreamMaxLength in clamd.conf)."""


Scanned = Harmless | Infected | Unscanned


class Scanner(Protocol):
    """Looks for malware."""

    async def scan(self, file: BinaryIO) -> Scanned:
        """The verdict on the bytes from the file's beginning. Never raises for a scanner that is down."""


@frozen
class Clamd:
    """clamd at a Unix socket, or at a host and port."""

    socket: Path | None = None
    host: str = ""
    port: int = 0
    seconds: float = _SECONDS

    async def scan(self, file: BinaryIO) -> Scanned:
        """As the port says."""
        try:
            async with asyncio.timeout(self.seconds):
                answer = await self._ask(file)
        except (OSError, TimeoutError):
            return Unscanned()
        if answer == "stream: OK":
            return Harmless()
        if answer.startswith("stream: ") and answer.endswith(" FOUND"):
            return Infected()
        return Unscanned()

    async def greets(self) -> bool:
        """Whether clamd answers at all."""
        try:
            async with asyncio.timeout(_PING_SECONDS):
                reader, writer = await self._connect()
                try:
                    writer.write(b"zPING\0")
                    return await reader.read(_ANSWER_BYTES) == b"PONG\0"
                finally:
                    writer.close()
        except (OSError, TimeoutError):
            return False

    async def _ask(self, file: BinaryIO) -> str:
        reader, writer = await self._connect()
        try:
            with suppress(ConnectionError):  # it stops listening where it has enough, and has said why
                writer.write(b"zINSTREAM\0")
                file.seek(0)
                while chunk := await asyncio.to_thread(file.read, _CHUNK):
                    writer.write(len(chunk).to_bytes(4, "big") + chunk)
                    await writer.drain()
                writer.write(bytes(4))
                await writer.drain()
            answer = await reader.read(_ANSWER_BYTES)
        finally:
            writer.close()
        return answer.rstrip(b"\0\n").decode("utf-8", "replace")

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self.socket is not None:
            return await asyncio.open_unix_connection(self.socket)
        return await asyncio.open_connection(self.host, self.port)
