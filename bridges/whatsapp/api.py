"""Handing one message to the Cloud API, and saying honestly what is known afterwards (Graph v26.0, messages).

nothing of it sent …………………… NotSent: safe to repeat
an error with a code ………………… Refused: `faults` says what it calls for
200 with the message's id …… Accepted
anything else ……………………………… Unknown: it may be on its way, so nobody but a person repeats it

There is no idempotency key; what we send along (`biz_opaque_callback_data`) comes back with each status.
"""

import asyncio
import io
from collections.abc import Mapping
from dataclasses import field
from pathlib import Path
from typing import Any, Final

from aiohttp import (
    ClientConnectorError,
    ClientError,
    ClientSession,
    ClientTimeout,
    ConnectionTimeoutError,
    FormData,
    InvalidUrlClientError,
)

from bridges.unsent import NotSent, Unknown
from bridges.whatsapp.answers import as_object, error_code, is_hidden, whole
from bridges.whatsapp.convert_out import Json
from bridges.whatsapp.media import Medium, Source, fetch
from bridges.whatsapp.media import Outcome as FetchOutcome
from policies.frozen import frozen

SECONDS: Final = 30.0
UPLOAD_SECONDS: Final = 240.0
"""For one file."""
_CONNECT_SECONDS: Final = 10.0
_LOOK_SECONDS: Final = 10.0
"""For an answer that nobody's message waits for."""


@frozen
class Accepted:
    """The network has taken charge of it. The id holds the number of the person: never log it."""

    wamid: str = field(repr=False)


@frozen
class Refused:
    """It was not taken, for the reason that the code says (`faults`)."""

    code: int


@frozen
class Kept:
    """WhatsApp has a file, under that id."""

    id: str = field(repr=False)


@frozen
class Hidden:
    """We may not look, or there is nothing: that can't be told apart. Whether messages go is another question."""

    code: int


UploadResult = Kept | Refused | NotSent
SendResult = Accepted | Refused | NotSent | Unknown


@frozen
class Graph:
    """Where the Cloud API is, and what opens it."""

    base_url: str
    access_token: str = field(repr=False)
    version: str = "v26.0"


class CloudApi:
    """The Cloud API. Opens its connections when they are first needed; `close` once."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._session: ClientSession | None = None

    async def send(self, number: str, message: Json) -> SendResult:
        """Send one message from that number of ours. Raises nothing that the network can cause."""
        url = f"{self._graph.base_url}/{self._graph.version}/{number}/messages"
        headers = {"Authorization": f"Bearer {self._graph.access_token}"}
        try:
            async with self._opened().post(url, json=message, headers=headers, allow_redirects=False) as response:
                return _result(response.status, await whole(response.content))
        except (ClientConnectorError, ConnectionTimeoutError, InvalidUrlClientError) as error:
            return NotSent(f"no connection to WhatsApp ({type(error).__name__})")
        except (TimeoutError, ClientError, OSError) as error:
            return Unknown(f"WhatsApp did not answer ({type(error).__name__})")

    async def look(self, number: str) -> Refused | Hidden | NotSent | None:
        """What keeps us from that number of ours; None if WhatsApp has it, and lets us in (Phone numbers, get one by
        its id). Nothing is sent by that. Raises nothing that the network can cause."""
        url = f"{self._graph.base_url}/{self._graph.version}/{number}"
        headers, timeout = {"Authorization": f"Bearer {self._graph.access_token}"}, ClientTimeout(total=_LOOK_SECONDS)
        try:
            async with self._opened().get(
                url, params={"fields": "id"}, headers=headers, allow_redirects=False, timeout=timeout
            ) as response:
                return _looked(number, response.status, await whole(response.content))
        except (TimeoutError, ClientError, OSError) as error:
            return NotSent(f"no answer of WhatsApp ({type(error).__name__})")

    async def upload(self, number: str, file: Path | bytes, mimetype: str, name: str) -> UploadResult:
        """Have WhatsApp keep a file for a message from that number of ours (Media, upload media: for 30 days). Nobody
        is shown it by that, so whatever goes wrong may be tried again. Raises OSError of the disk."""
        url = f"{self._graph.base_url}/{self._graph.version}/{number}/media"
        headers = {"Authorization": f"Bearer {self._graph.access_token}"}
        with io.BytesIO(file) if isinstance(file, bytes) else await asyncio.to_thread(file.open, "rb") as opened:
            form = FormData()
            form.add_field("messaging_product", "whatsapp")
            form.add_field("type", mimetype)
            form.add_field("file", opened, filename=name, content_type=mimetype)
            timeout = ClientTimeout(total=UPLOAD_SECONDS, connect=_CONNECT_SECONDS)
            try:
                async with self._opened().post(
                    url, data=form, headers=headers, allow_redirects=False, timeout=timeout
                ) as response:
                    return uploaded(response.status, await whole(response.content))
            except (TimeoutError, ClientError) as error:
                return NotSent(f"WhatsApp took no file ({type(error).__name__})")

    async def fetch(self, medium: Medium, into: Path, most: int) -> FetchOutcome:
        """Fetch a file that somebody sent into a new one, if it has at most that many bytes. Raises OSError."""
        source = Source(self._graph.base_url, self._graph.version, self._graph.access_token)
        return await fetch(self._opened(), source, medium, into, most)

    async def close(self) -> None:
        """Let go of the connections."""
        if self._session:
            await self._session.close()

    def _opened(self) -> ClientSession:
        if self._session is None or self._session.closed:
            self._session = ClientSession(timeout=ClientTimeout(total=SECONDS, connect=_CONNECT_SECONDS))
        return self._session


def uploaded(status: int, body: bytes) -> UploadResult:
    """What an answer to a file says."""
    answer = as_object(body)
    if status == 200 and isinstance(medium := answer.get("id"), str) and medium:
        return Kept(medium)
    code = error_code(answer)
    return Refused(code) if code is not None else NotSent(f"the answer to a file was {status}")


def _looked(number: str, status: int, body: bytes) -> Refused | Hidden | NotSent | None:
    answer = as_object(body)
    if status == 200 and answer.get("id") == number:
        return None
    code = error_code(answer)
    if code is not None and is_hidden(answer):
        return Hidden(code)
    return Refused(code) if code is not None else NotSent(f"something before WhatsApp answered {status}")


def _result(status: int, body: bytes) -> SendResult:
    answer = as_object(body)
    if status == 200:
        wamid = _wamid(answer)
        return Accepted(wamid) if wamid else Unknown("WhatsApp's answer names no message")
    code = error_code(answer)
    if code is not None:
        return Refused(code)
    # Without a code it was not the API that answered: below 500 nothing was taken, above nobody knows.
    return (
        NotSent(f"something before WhatsApp answered {status}") if status < 500 else Unknown(f"the answer was {status}")
    )


def _wamid(answer: Mapping[str, Any]) -> str | None:
    messages = answer.get("messages")
    first = messages[0] if isinstance(messages, list) and messages else None
    wamid = first.get("id") if isinstance(first, dict) else None
    return wamid if isinstance(wamid, str) and wamid else None
