"""Links to the page for whoever the homeserver says that an account is theirs; each opens with the PIN (D4)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

from appservice.matrix.errors import MatrixError
from appservice.matrix.ids import UserId
from appservice.portal.page import PortalDatabase
from bridges.portal.openid import Entrance, Unreachable
from policies.case import Network
from policies.membership import caucuses_of
from policies.plan import label

ENTRANCE_LASTS: Final = timedelta(minutes=10)


class Verifier(Protocol):
    """Asks the homeserver whose a token is, as `appservice.matrix.openid.OpenId` does."""

    async def user(self, token: str, server: str) -> UserId | None:
        """The account; None for no token of this homeserver. Raises MatrixError."""


class ServiceAccounts:
    """`bridges.portal.openid.Accounts`."""

    def __init__(
        self,
        database: PortalDatabase,
        verifier: Verifier,
        base: str,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`base`: what a link begins with."""
        self._database, self._verifier, self._base, self._clock = database, verifier, base, clock

    async def entrances(self, token: str, server: str) -> Sequence[Entrance] | None:
        """See the port. None, too, for mediators and strangers: who takes part with that account in no case as a party
        has no page."""
        try:
            user = await self._verifier.user(token, server)
        except MatrixError:
            raise Unreachable from None
        if user is None:
            return None
        found: list[Entrance] = []
        async with self._database.begin() as work:
            for number in await work.cases.of_matrix_user(user):
                case, at = await work.cases.load(number), self._clock()
                person = case.at_address(Network.MATRIX, user) if case else None
                own = caucuses_of(case, person.id) if case and person and not case.is_staff(person.id) else ()
                if case is None or person is None or not own:
                    continue
                link = await work.shelf.new_link(case.id, person.id, person.endpoint.id, at, at + ENTRANCE_LASTS)
                found.append(Entrance(label(own[0], case), f"{self._base}/{link}"))
        return found or None
