"""Where files are read: hands each to a child of the confined process, and gets back what it says.

The process is started when it is first needed, and anew when it is gone. It has an empty environment, one socket,
and of each file no more than an open descriptor.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import socket
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from appservice.documents.pipeline import limits
from policies.frozen import frozen

_log = logging.getLogger(__name__)

_START_SECONDS: Final = 30
_GRACE_SECONDS: Final = 10
"""After a child should have been killed."""
_ANSWER_BYTES: Final = 65_536
_END_SECONDS: Final = 5
_TRIES: Final = 2
_USUAL: Final = limits.Allowance()
AT_ONCE: Final = min(4, os.cpu_count() or 1)
"""Files that are read at the same time."""


@frozen
class Answered:
    """What the child said of its file."""

    said: Mapping[str, Any]


@frozen
class Died:
    """The child ended without an answer: by one of its limits, or because the file broke it."""


@frozen
class Unstaffed:
    """There is nobody to read it, for a reason that is not the file's."""


Reply = Answered | Died | Unstaffed


@dataclass(slots=True)
class _Nursery:
    """The confined process, as long as it lives."""

    process: asyncio.subprocess.Process
    channel: socket.socket

    @property
    def is_alive(self) -> bool:
        return self.process.returncode is None

    async def end(self) -> None:
        """With all its children."""
        self.channel.close()
        try:
            await asyncio.wait_for(self.process.wait(), _END_SECONDS)
        except TimeoutError:
            with suppress(ProcessLookupError):
                self.process.kill()
            await self.process.wait()


class Workshop:
    """Gives tasks to children of the confined process."""

    def __init__(self, allowance: limits.Allowance = _USUAL) -> None:
        self._allowance = allowance
        self._nursery: _Nursery | None = None
        self._starting = asyncio.Lock()
        self._places = asyncio.Semaphore(AT_ONCE)

    async def aclose(self) -> None:
        """End the process, and whatever it is at."""
        nursery, self._nursery = self._nursery, None
        if nursery:
            await nursery.end()

    async def do(self, task: Mapping[str, Any], source: int, result: int) -> Reply:
        """Have a task done on an open file, into another. The descriptors stay the caller's."""
        message = json.dumps({"task": dict(task), "allowance": asdict(self._allowance)}).encode()
        async with self._places:
            for _ in range(_TRIES):
                nursery = await self._staffed()
                if nursery is None:
                    return Unstaffed()
                answer = _hand_over(nursery.channel, message, source, result)
                if answer is not None:
                    return await self._answer(nursery, answer)
                await self._dismiss(nursery)  # it ended meanwhile
        return Unstaffed()

    async def make(self, task: Mapping[str, Any], source: int, target: Path) -> Reply:
        """The same into a new file, which only we can read. Raises OSError."""
        made = os.open(target, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            return await self.do(task, source, made)
        finally:
            os.close(made)

    async def _answer(self, nursery: _Nursery, pipe: int) -> Reply:
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(limit=_ANSWER_BYTES)
        file = os.fdopen(pipe, "rb", buffering=0)
        transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), file)
        try:
            answer = await asyncio.wait_for(_all_of(reader), self._allowance.wall_seconds + _GRACE_SECONDS)
        except TimeoutError:
            await self._dismiss(nursery)  # a child that can't be killed: the process does not do what it should
            return Died()
        finally:
            transport.close()
        try:
            said = json.loads(answer)
        except ValueError:
            return Died() if await self._still_serves(nursery) else Unstaffed()
        return Answered(said) if isinstance(said, dict) else Died()

    async def _still_serves(self, nursery: _Nursery) -> bool:
        """Whether a child that said nothing died of its file, and not with the process."""
        with suppress(TimeoutError):
            await asyncio.wait_for(nursery.process.wait(), 0.2)
        return nursery.is_alive

    async def _staffed(self) -> _Nursery | None:
        async with self._starting:
            if self._nursery and self._nursery.is_alive:
                return self._nursery
            if self._nursery:
                await self._nursery.end()
            self._nursery = await _start()
            return self._nursery

    async def _dismiss(self, nursery: _Nursery) -> None:
        async with self._starting:
            if self._nursery is nursery:
                self._nursery = None
        await nursery.end()


async def _start() -> _Nursery | None:
    """The process, ready; None if it can't be had."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    command = (sys.executable, "-I", "-c", _PROGRAM.format(channel=theirs.fileno()))
    try:
        with theirs:
            process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                env={},
                cwd="/",
            )
    except OSError:
        ours.close()
        _log.error("the process that reads documents could not be started")
        return None
    ours.setblocking(False)
    try:
        greeting = json.loads(await asyncio.wait_for(asyncio.get_running_loop().sock_recv(ours, 1024), _START_SECONDS))
    except (TimeoutError, ValueError, OSError):
        _log.error("the process that reads documents did not come up")
        await _Nursery(process, ours).end()
        return None
    if not greeting["is_cut_off"]:
        _log.warning("documents are read in a process that the kernel does not let leave the network")
    return _Nursery(process, ours)


def _hand_over(channel: socket.socket, message: bytes, source: int, result: int) -> int | None:
    """Send a task; where its answer will come. From here on only the child can write to it. None if nobody listens."""
    ours, theirs = os.pipe()
    try:
        socket.send_fds(channel, [message], [source, result, theirs])
    except OSError:
        os.close(ours)
        return None
    finally:
        os.close(theirs)
    return ours


async def _all_of(reader: asyncio.StreamReader) -> bytes:
    answer = await reader.read(_ANSWER_BYTES)
    while answer and (more := await reader.read(_ANSWER_BYTES)) and len(answer) < _ANSWER_BYTES:
        answer += more
    return answer


_PROGRAM: Final = "from appservice.documents.pipeline import nursery; nursery.main({channel})"
