"""Links to the page for whoever the homeserver says that an account is theirs (D4).

Each opens with a code that is told to that person's own cross-signed devices alone, or with the PIN: whoever runs the
homeserver has neither.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Final, Protocol

from appservice.matrix.errors import MatrixError
from appservice.matrix.ids import UserId
from appservice.portal.page import PortalDatabase
from bridges.email.rate import RateCap
from bridges.portal.openid import Entrance, TooOften, Unreachable
from policies.case import CaseId, Network
from policies.people.membership import caucuses_of
from policies.plan import label
from rooms.handle import Handler
from rooms.house import House
from rooms.outgoing import Codec
from rooms.queue import item_id
from rooms.shown import GIVEN_LINK_LASTS

ACCOUNT_MOST: Final = 5
ACCOUNT_WINDOW: Final = 600.0
"""So many times in so many seconds is one account given links: each is a code in its person's room."""


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
        codec: Codec,
        house: House,
        *,
        base: str,
        asked: RateCap,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`base`: what a link begins with; `asked` caps how often one account is given links, and told codes."""
        self._database, self._verifier, self._base, self._clock = database, verifier, base, clock
        self._codec, self._house, self._asked = codec, house, asked

    async def entrances(self, token: str, server: str) -> Sequence[Entrance] | None:
        """See the port. None, too, for mediators and strangers: who takes part with that account in no case as a party
        has no page. Raises TooOften before it looks whether anybody does."""
        try:
            user = await self._verifier.user(token, server)
        except MatrixError:
            raise Unreachable from None
        if user is None:
            return None
        if self._asked.is_full(user):
            raise TooOften
        self._asked.count(user)
        async with self._database.read() as work:
            numbers = await work.cases.of_matrix_user(user)
        found = [await self._entrance(number, user) for number in numbers]
        return [one for one in found if one] or None

    async def _entrance(self, number: CaseId, user: UserId) -> Entrance | None:
        """Link and code begin together, or not at all."""
        at = self._clock()
        async with self._database.begin() as work:
            case = await work.cases.load(number, lock=True)
            person = case.at_address(Network.MATRIX, user) if case else None
            own = caucuses_of(case, person.id) if case and person and not case.is_staff(person.id) else ()
            if case is None or person is None or not own:
                return None
            link = await work.shelf.new_link(case.id, person.id, person.endpoint.id, at, at + GIVEN_LINK_LASTS)
            handler = Handler(work, self._codec, self._house, item_id(f"openid/{link}"), at)
            await handler.entered(case, person, link)
        return Entrance(label(own[0], case), f"{self._base}/{link}")
