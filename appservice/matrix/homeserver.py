"""The homeserver, as the rest of the service sees it."""

from types import TracebackType
from typing import Self

from appservice.matrix.accounts import Accounts
from appservice.matrix.client import REQUEST_TIMEOUT, Client, Connection
from appservice.matrix.media import MAX_SIZE, Media
from appservice.matrix.reports import EventReports
from appservice.matrix.rooms import Rooms


class Homeserver:
    """All calls, by subject, over one connection pool. Every one may raise MatrixError.

    `as_user` in each of them is a user of our namespace; there is no default, so that nobody speaks by accident.
    """

    def __init__(
        self, url: str, as_token: str | None, *, timeout: float = REQUEST_TIMEOUT, max_media: int = MAX_SIZE
    ) -> None:
        """`as_token` None: as a stranger. `timeout` in seconds a request, `max_media` in bytes a file."""
        self._connection = Connection(Client(url, as_token, timeout=timeout))
        self.call = self._connection.call
        self.accounts = Accounts(self._connection)
        self.rooms = Rooms(self._connection)
        self.reports = EventReports(self._connection)
        self.media = Media(self._connection, max_size=max_media)

    async def close(self) -> None:
        """Close the pool."""
        await self._connection.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
