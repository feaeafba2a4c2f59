"""HTTP to the homeserver, as any user and device of our namespace, each failure typed.

nio brings the paths and bodies of the API (`nio.api.Api`); its client, with its retries, its login and its
encryption, stays unused: the outbox decides what is repeated, and the Olm machines are ours.
"""

import asyncio
import json
import re
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from pathlib import Path
from typing import Any, BinaryIO, Final
from urllib.parse import parse_qsl, urlencode

from aiohttp import ClientError, ClientResponse, ClientSession, ClientTimeout, TCPConnector
from yarl import URL

from appservice.matrix.errors import NO_ANSWER, MatrixError, MediaTooLargeError
from appservice.matrix.ids import DeviceId, JsonObject, UserId

CLIENT_API: Final = "/_matrix/client"
V1: Final = f"{CLIENT_API}/v1"
V3: Final = f"{CLIENT_API}/v3"

REQUEST_TIMEOUT: Final = 60.0
"""Seconds for one answer. Synapse itself gives up on most requests after 60."""

CONNECTIONS: Final = 32
"""Requests in flight at once: a Synapse of one process only queues what is above it."""

_MASKED: Final = "*"
_PLAIN_SEGMENT: Final = re.compile(r"[a-zA-Z_]+|v[0-9]+|m\.[a-z_.]+|\.well-known")
_ERRCODE: Final = re.compile(r"[A-Za-z0-9_.]{1,64}")
_TRANSIENT_STATUSES: Final = frozenset({401, 408, 425, 429})
"""401 is here because it condemns our registration, not this request: once that is mended, the same call works."""


class Client:
    """A connection pool, with the identity in each request instead of in the client (MSC4326, spec 1.17)."""

    def __init__(self, url: str, as_token: str | None, *, timeout: float = REQUEST_TIMEOUT) -> None:
        """A client for the homeserver at `url`, a stranger's without a token; `timeout` in seconds for a request."""
        self._homeserver, self._timeout = url.rstrip("/"), timeout
        self._authorization = {} if as_token is None else {"Authorization": f"Bearer {as_token}"}
        self._session: ClientSession | None = None

    async def send(
        self,
        method: str,
        path: str,
        data: bytes | BinaryIO | None = None,
        headers: Mapping[str, str] | None = None,
        *,
        timeout: float | None = None,  # noqa: ASYNC109
        as_user: UserId | None = None,
        device: DeviceId | None = None,
    ) -> ClientResponse:
        """Send one request, once, as `as_user` on `device`. A redirect is not followed: the token would go along."""
        if self._session is None:
            self._session = ClientSession(connector=TCPConnector(limit=CONNECTIONS))
        bare, _, query = path.partition("?")
        parameters = dict(parse_qsl(query, keep_blank_values=True))
        parameters.pop("access_token", None)
        if as_user is not None:
            parameters["user_id"] = as_user
        if device is not None:
            parameters["device_id"] = device
        url = f"{self._homeserver}{bare}" + (f"?{urlencode(parameters)}" if parameters else "")
        return await self._session.request(
            method,
            URL(url, encoded=True),
            data=data,
            headers={**(headers or {}), **self._authorization},
            timeout=ClientTimeout(total=self._timeout if timeout is None else timeout),
            allow_redirects=False,
        )

    async def close(self) -> None:
        """Close the connection pool."""
        if self._session is not None:
            await self._session.close()
            self._session = None


class Connection:
    """One connection pool to the homeserver. Each method is one request and one answer; nothing is retried here.

    Raises MatrixError for every refusal, and for no answer at all (`status` NO_ANSWER): then the request may
    have been carried out.
    """

    def __init__(self, client: Client) -> None:
        self._client = client

    async def close(self) -> None:
        """Close the pool; requests in flight fail."""
        await self._client.close()

    async def call(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        as_user: UserId | None,
        device: DeviceId | None = None,
        query: Mapping[str, str] | None = None,
        timeout: float | None = None,  # noqa: ASYNC109
    ) -> JsonObject:
        """Call an endpoint. `path` is percent-encoded; `as_user` None is the registration's own user."""
        return await self.built(
            (method, f"{path}?{urlencode(query)}" if query else path, json.dumps({} if body is None else body)),
            as_user=as_user,
            device=device,
            timeout=timeout,
        )

    async def built(
        self,
        request: tuple[str, str] | tuple[str, str, str],
        *,
        as_user: UserId | None,
        device: DeviceId | None = None,
        timeout: float | None = None,  # noqa: ASYNC109
    ) -> JsonObject:
        """Send what a builder of `nio.api.Api` made (with an empty access token: ours goes into the header)."""
        method, path, data = request if len(request) == 3 else (*request, "{}")
        answer = await self.exchange(
            method,
            path,
            None if method == "GET" else data.encode(),
            as_user=as_user,
            device=device,
            timeout=timeout,
        )
        return expect_object(f"{method} {masked(path)}", answer)

    async def exchange(
        self,
        method: str,
        path: str,
        data: bytes | BinaryIO | None = None,
        content_type: str = "application/json",
        *,
        as_user: UserId | None,
        device: DeviceId | None = None,
        timeout: float | None = None,  # noqa: ASYNC109
    ) -> object:
        """Send bytes, those of a file as they are read, get whatever JSON the answer is."""
        endpoint = f"{method} {masked(path)}"
        headers = {"Content-Type": content_type} if data is not None else {}
        try:
            response = await self._client.send(
                method, path, data, headers, timeout=timeout, as_user=as_user, device=device
            )
            async with response:
                body = await response.read()
        except (ClientError, TimeoutError, OSError) as error:
            raise unanswered(endpoint, error) from None
        if response.status not in {200, 201}:
            raise refusal(endpoint, response.status, body, response.headers.get("Retry-After"))
        try:
            return json.loads(body)
        except (ValueError, RecursionError):
            raise misshapen(endpoint) from None

    async def save(
        self,
        path: str,
        into: Path,
        *,
        as_user: UserId,
        limit: int,
        timeout: float,  # noqa: ASYNC109
    ) -> None:
        """Write raw bytes into a new file as they come, at most `limit` of them. Raises MediaTooLargeError as soon as
        there are more, and OSError where they can't be written."""
        received = 0
        with into.open("xb") as file:
            async with aclosing(self._pieces(path, as_user, timeout)) as pieces:
                async for piece in pieces:
                    received += len(piece)
                    if received > limit:
                        raise MediaTooLargeError(f"GET {masked(path)}: more than {limit} bytes")
                    await asyncio.to_thread(file.write, piece)

    async def _pieces(self, path: str, as_user: UserId, seconds: float) -> AsyncGenerator[bytes, None]:
        """The bytes of an answer as they come. What whoever takes them raises is theirs."""
        endpoint = f"GET {masked(path)}"
        try:
            response = await self._client.send("GET", path, timeout=seconds, as_user=as_user)
            async with response:
                if response.status != 200:
                    body, wait = await response.read(), response.headers.get("Retry-After")
                    raise refusal(endpoint, response.status, body, wait)
                async for piece in response.content.iter_any():
                    yield piece
        except (ClientError, TimeoutError, OSError) as error:
            raise unanswered(endpoint, error) from None


def masked(path: str) -> str:
    """A path fit for a log: every segment that could hold an id, a key or a name is masked, the query is cut off."""
    segments = path.partition("?")[0].split("/")
    return "/".join(part if not part or _PLAIN_SEGMENT.fullmatch(part) else _MASKED for part in segments)


def unanswered(endpoint: str, error: BaseException) -> MatrixError:
    """The error for a request that got no answer."""
    code = "TIMEOUT" if isinstance(error, asyncio.TimeoutError) else "UNREACHABLE"
    return MatrixError(endpoint, code, NO_ANSWER, transient=True)


def misshapen(endpoint: str) -> MatrixError:
    """The error for a success that is not what the spec promises: a proxy's page, most likely."""
    return MatrixError(endpoint, "M_NOT_JSON", 200, transient=True)


def expect_object(endpoint: str, answer: object) -> JsonObject:
    """An answer as the JSON object it must be."""
    if isinstance(answer, dict):
        return answer
    raise misshapen(endpoint)


def refusal(endpoint: str, status: int, body: bytes, retry_after: str | None) -> MatrixError:
    """The error for an answer other than success. Of `retry_after`, that header, only whole seconds are understood."""
    try:
        answer = expect_object(endpoint, json.loads(body))
    except (MatrixError, ValueError, RecursionError):
        answer = {}
    code, wish = answer.get("errcode"), answer.get("retry_after_ms")
    if not (type(wish) is int and wish >= 0):
        wish = int(retry_after) * 1000 if retry_after and re.fullmatch("[0-9]{1,6}", retry_after) else None
    return MatrixError(
        endpoint,
        code if isinstance(code, str) and _ERRCODE.fullmatch(code) else "M_UNKNOWN",
        status,
        transient=status >= 500 or status in _TRANSIENT_STATUSES,
        retry_after_ms=wish,
    )
