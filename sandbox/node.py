"""One Node process that hosts real Matrix clients, and the JSON lines to it (`peer/main.js` is the other side)."""

import asyncio
import itertools
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sandbox.children import end, tied_to_us

PROGRAM = Path(__file__).with_name("peer") / "main.js"
LINE_LIMIT = 64 * 1024 * 1024  # bytes; files travel inside a line
GRACE = 5.0  # seconds to stop in order

Receive = Callable[[Mapping[str, Any]], None]


class NodeFailed(Exception):
    """The Node process can't be started, or is gone."""


class CommandFailed(Exception):
    """A client or its homeserver refused a command; `errcode` and `status` are the homeserver's, if it was that."""

    def __init__(self, verb: str, message: str, errcode: str | None, status: int | None) -> None:
        super().__init__(f"{verb}: {message}")
        self.errcode = errcode
        self.status = status


class Node:
    """A process for any number of clients. Usable as an async context manager.

    `executable` is a Node of version 22 or later. `log` receives what the SDK warns about; without it, that goes to
    our own stderr.
    """

    def __init__(self, executable: Path, *, log: Path | None = None) -> None:
        self._executable = executable
        self._log = log
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None
        self._numbers = itertools.count(1)
        self._asked: dict[int, tuple[str, asyncio.Future[Any]]] = {}
        self._receivers: dict[str, Receive] = {}

    async def start(self) -> None:
        """Starts Node. Raises NodeFailed with the make target that installs what is missing."""
        if not self._executable.exists():
            raise NodeFailed(f"no Node at {self._executable}: run `make setup`")
        if not (PROGRAM.parent / "node_modules").exists():
            raise NodeFailed("matrix-js-sdk is not installed: run `make setup`")
        stderr = None if self._log is None else self._log.open("ab")
        try:
            self._process = await asyncio.create_subprocess_exec(
                *tied_to_us(str(self._executable.absolute()), str(PROGRAM)),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=stderr,
                limit=LINE_LIMIT,
                start_new_session=True,  # Ctrl-C is for whoever started us, who then stops us in order
            )
        finally:
            if stderr is not None:
                stderr.close()
        self._reader = asyncio.create_task(self._read(self._process))

    async def stop(self) -> None:
        """Ends the process and with it every client; commands still under way fail with NodeFailed."""
        process, self._process = self._process, None
        if process is None or process.stdin is None or self._reader is None:
            return
        process.stdin.close()  # the end of its input is its order to stop
        await asyncio.wait({self._reader}, timeout=GRACE)
        await end(process)
        await self._reader

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    def host(self, client: str, receive: Receive) -> None:
        """Sends every unsolicited line about `client`, a name of the caller's choice, to `receive`."""
        if client in self._receivers:
            raise ValueError(f"a client called {client} is hosted here")
        self._receivers[client] = receive

    def forget(self, client: str) -> None:
        self._receivers.pop(client, None)

    async def command(self, client: str, verb: str, **args: object) -> Any:
        """Asks the Node side to do one thing and returns its answer. Raises CommandFailed or NodeFailed."""
        process = self._process
        if process is None or process.returncode is not None or process.stdin is None:
            raise NodeFailed("the Node process does not run")
        number = next(self._numbers)
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._asked[number] = (verb, answer)
        line = json.dumps({"id": number, "client": client, "do": verb, "args": args})
        try:
            process.stdin.write(line.encode() + b"\n")
            await process.stdin.drain()
            return await answer
        except ConnectionError as error:
            raise NodeFailed("the Node process is gone") from error
        finally:
            self._asked.pop(number, None)

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        try:
            async for line in process.stdout:
                message = json.loads(line)
                if "event" not in message:
                    self._answer(message)
                elif receive := self._receivers.get(message["client"]):
                    receive(message)
        finally:
            for _, waiting in self._asked.values():
                if not waiting.done():
                    waiting.set_exception(NodeFailed("the Node process is gone"))

    def _answer(self, message: Mapping[str, Any]) -> None:
        verb, waiting = self._asked.get(message["id"], ("", None))
        if waiting is None or waiting.done():
            return  # whoever asked has given up
        if error := message.get("error"):
            failed = CommandFailed(verb, error["message"], error["errcode"], error["status"])
            waiting.set_exception(failed)
        else:
            waiting.set_result(message["ok"])
