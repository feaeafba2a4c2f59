"""Whether WhatsApp lets us in, with each of our numbers: asked, never inferred from silence."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

from bridges.unsent import NotSent
from bridges.whatsapp.api import Hidden, Refused
from bridges.whatsapp.faults import fault
from policies.frozen import frozen

RESTS: Final = timedelta(minutes=2)
"""So long an answer of WhatsApp counts, in each process: Meta counts questions too, 200 an hour at least for all of us
(Graph API, rate limits)."""
EXPIRED: Final = 190


class Looks(Protocol):
    """Asks for a number of ours, as `bridges.whatsapp.api.CloudApi` does."""

    async def look(self, number: str) -> Refused | Hidden | NotSent | None:
        """What keeps us from it; None if nothing does."""


@frozen
class Seen:
    """What was answered. `trouble`: what keeps us from writing, in words, without a number; None if nothing does.
    `untold`: why we can't tell, where nothing is known to."""

    at: datetime
    trouble: str | None
    untold: str | None = None


def now() -> datetime:
    """The time."""
    return datetime.now(UTC)


class Access:
    """What this process has seen of it."""

    def __init__(self, cloud: Looks, numbers: Mapping[str, str], *, clock: Callable[[], datetime] = now) -> None:
        """`numbers`: the ids of ours, by the name of their setting."""
        self._cloud, self._numbers, self._clock = cloud, numbers, clock
        self._answer: Seen | None = None

    async def look(self) -> Seen:
        """Ask, unless WhatsApp has answered a moment ago. That it did not answer is asked about every time."""
        at, last = self._clock(), self._answer
        if last and timedelta(0) <= at - last.at < RESTS:  # earlier than that, the clock was set back
            return last
        self._answer, trouble, untold = None, None, None
        for setting, number in self._numbers.items():
            found = await self._cloud.look(number)
            if isinstance(found, NotSent):
                return Seen(at, found.reason)
            if isinstance(found, Hidden):
                untold = f"WhatsApp does not show us whatsapp.{setting} (error {found.code})"
            elif found:
                trouble = _words(setting, found.code)
                break
        self._answer = Seen(at, trouble, None if trouble else untold)
        return self._answer


def _words(setting: str, code: int) -> str:
    if code == EXPIRED:
        return f"whatsapp.access_token does not count any more (error {code})"
    known = fault(code)
    return f"WhatsApp refuses whatsapp.{setting} (error {code}{f': {known.words}' if known.is_known else ''})"
