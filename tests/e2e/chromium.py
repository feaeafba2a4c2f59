"""A real Chromium, driven over its DevTools protocol: enough of it to look at a page and use it."""

import asyncio
import base64
import contextlib
import itertools
import json
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from sandbox.children import end, tied_to_us

FLAGS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--hide-scrollbars"),
)
PATIENCE = 60.0  # seconds
_PLACE = "(({x, y, width, height}) => ({x, y, width, height, scale: 1}))(%s.getBoundingClientRect())"


def installed() -> str | None:
    """The path of Chromium, if it is installed."""
    return shutil.which("chromium")


class Tab:
    """One page in the browser."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._numbers = itertools.count(1)
        self.complaints: list[str] = []
        """What the page's console reported: errors, and what the content security policy stopped."""
        self.requested: list[str] = []
        """Every address that the page fetched."""

    async def open(self, url: str) -> None:
        """Load a page; errors and requests are noted from here on."""
        for domain in ("Page", "Runtime", "Log", "Network"):
            await self.call(f"{domain}.enable")
        await self.call("Page.navigate", url=url)

    async def evaluate(self, script: str) -> Any:
        """The value of an expression in the page, awaited if it is a promise."""
        answer = await self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    async def until(self, script: str) -> None:
        """Wait until an expression in the page is true."""
        async with asyncio.timeout(PATIENCE):
            while not await self.evaluate(script):  # noqa: ASYNC110 - the page has no event for it
                await asyncio.sleep(0.1)

    async def resize(self, width: int, height: int) -> None:
        await self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False
        )

    async def prefer(self, scheme: str) -> None:
        """`light` or `dark`."""
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        await self.call("Emulation.setEmulatedMedia", features=features)

    async def picture(self, *, whole: bool = False, part: str = "") -> bytes:
        """What is seen, as PNG; `whole` is the page beyond the window, too, `part` the selector of one element."""
        element = f"document.querySelector({json.dumps(part)})"
        clip = {"clip": await self.evaluate(_PLACE % element)} if part else {}
        answer = await self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole, **clip)
        return base64.b64decode(answer["data"])

    async def call(self, method: str, **params: object) -> Any:
        """One command of the protocol, and its result."""
        number = next(self._numbers)
        await self._socket.send_json({"id": number, "method": method, "params": params})
        async with asyncio.timeout(PATIENCE):
            while True:
                message = json.loads((await self._socket.receive()).data)
                if message.get("id") == number:
                    assert "error" not in message, message["error"]
                    return message["result"]
                self._note(message)

    def _note(self, event: dict[str, Any]) -> None:
        match event.get("method"):
            case "Runtime.exceptionThrown":
                self.complaints.append(str(event["params"]["exceptionDetails"]))
            case "Log.entryAdded" if event["params"]["entry"]["level"] in {"error", "warning"}:
                self.complaints.append(event["params"]["entry"]["text"])
            case "Network.requestWillBeSent":
                self.requested.append(event["params"]["request"]["url"])
            case _:
                pass  # of no interest here


@asynccontextmanager
async def chromium(folder: Path) -> AsyncIterator[Tab]:
    """A browser with one empty page; its profile is in `folder`."""
    executable = installed()
    assert executable is not None, "Chromium is not installed: apt-get install chromium"
    profile = folder / "profile"
    process = await asyncio.create_subprocess_exec(
        *tied_to_us(executable, *FLAGS, "--remote-debugging-port=0", f"--user-data-dir={profile}", "about:blank"),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        async with aiohttp.ClientSession() as http:
            port = await _port(profile / "DevToolsActivePort")
            async with http.get(f"http://127.0.0.1:{port}/json/list") as answer:
                pages = [target for target in await answer.json(content_type=None) if target["type"] == "page"]
            async with http.ws_connect(pages[0]["webSocketDebuggerUrl"], max_msg_size=0) as socket:
                yield Tab(socket)
    finally:
        await end(process)


async def _port(note: Path) -> int:
    """Where Chromium listens: it writes that down once it does."""
    async with asyncio.timeout(PATIENCE):
        while True:
            with contextlib.suppress(OSError, IndexError, ValueError):
                return int((await asyncio.to_thread(note.read_text)).splitlines()[0])
            await asyncio.sleep(0.05)
