"""Meta's webhooks: signed over their very bytes, handed to the service one by one, and again until it takes them.

On demand they come twice, late, or in another order; Meta promises none of that not to happen (Webhooks, retries).
"""

import asyncio
import contextlib
import hashlib
import hmac
import json
import secrets
from dataclasses import dataclass, field
from typing import Final

import aiohttp

from sandbox.whatsapp.rules import Json

_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 2.0
"""Seconds until what was not answered with 200 comes again. Meta takes longer, and goes on for seven days."""
_PATIENCE: Final = 30.0  # seconds for one answer
_ACCOUNT: Final = "102290129340398"


class Unsubscribed(Exception):
    """The service did not confirm the subscription."""


@dataclass
class Webhooks:
    """What Meta sends to one service. `url` is where, as its administrator gave it; `times` how often each comes."""

    app_secret: str = field(repr=False)
    url: str = ""
    times: int = 1
    _held: list[Json] | None = None
    _queue: asyncio.Queue[Json] = field(default_factory=asyncio.Queue)
    _task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to hand them over."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Stop; what was not taken by then is lost."""
        if self._task:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        self._task = None

    async def subscribe(self, verify_token: str) -> None:
        """The handshake of a subscription (Webhooks, verification requests). Raises Unsubscribed."""
        challenge = secrets.token_hex(8)
        query = {"hub.mode": "subscribe", "hub.challenge": challenge, "hub.verify_token": verify_token}
        try:
            async with aiohttp.ClientSession() as http, http.get(self.url, params=query) as answer:
                status, echo = answer.status, await answer.text()
        except aiohttp.ClientError as error:
            raise Unsubscribed(f"the service did not answer the handshake of WhatsApp: {error}") from error
        if status != 200 or echo != challenge:
            raise Unsubscribed(f"the service answered {status} to the handshake of WhatsApp")

    def put(self, value: Json, number: str) -> None:
        """A message or a report of that number of ours, to be handed over."""
        if self._held is not None:
            self._held.append(payload(value, number))
        else:
            self._queue.put_nowait(payload(value, number))

    def hold(self) -> None:
        """From now on they wait."""
        self._held = self._held or []

    def release(self, *, backwards: bool = False) -> None:
        """What waits is handed over, the last first if so wanted, and nothing waits any more."""
        held, self._held = self._held or [], None
        for one in reversed(held) if backwards else held:
            self._queue.put_nowait(one)

    async def settled(self) -> None:
        """Until the service has taken all of them."""
        await self._queue.join()

    async def _run(self) -> None:
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_PATIENCE)) as http:
            while True:
                one = await self._queue.get()
                for _ in range(self.times):
                    await self._hand_over(http, one)
                self._queue.task_done()

    async def _hand_over(self, http: aiohttp.ClientSession, one: Json) -> None:
        pause = _FIRST_PAUSE
        body = written(one)
        headers = signed(body, self.app_secret)
        while True:
            with contextlib.suppress(aiohttp.ClientError, TimeoutError, ConnectionError):
                async with http.post(self.url, data=body, headers=headers) as answer:
                    if answer.status == 200:
                        return
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)


def payload(value: Json, number: str) -> Json:
    """A whole webhook with that message or report of that number of ours."""
    metadata = {"display_phone_number": f"4930{number[-6:]}", "phone_number_id": number}
    whole = {"messaging_product": "whatsapp", "metadata": metadata} | value
    change = {"value": whole, "field": "messages"}
    return {"object": "whatsapp_business_account", "entry": [{"id": _ACCOUNT, "changes": [change]}]}


def signed(body: bytes, app_secret: str) -> dict[str, str]:
    """The headers of a webhook of these bytes."""
    return {"Content-Type": "application/json", "X-Hub-Signature-256": signature(body, app_secret)}


def written(whole: Json) -> bytes:
    """JSON as Meta writes it: nothing but ASCII, with slashes escaped. The signature is over these bytes."""
    return json.dumps(whole, separators=(",", ":")).replace("/", "\\/").encode()


def signature(body: bytes, app_secret: str) -> str:
    """The header X-Hub-Signature-256 (Webhooks, validating payloads)."""
    return f"sha256={hmac.new(app_secret.encode(), body, hashlib.sha256).hexdigest()}"
