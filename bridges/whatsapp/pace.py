"""How fast we may write: to one person about once in six seconds with bursts that are paid back, and overall."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

BURST: Final = 45
EVERY: Final = 6.0
"""To one person (Cloud API, pair rate limit): a burst of so many, and one in so many seconds after it."""
OVERALL: Final = 80.0
"""Messages a second from one number (Cloud API, throughput)."""


@dataclass(slots=True)
class Pace:
    """Counts what was sent. Memory is bounded by whom was written to within the time of a burst.

    `now` is a clock that never goes back, in seconds.
    """

    now: Callable[[], float]
    _full_at: dict[tuple[str, str], float] = field(default_factory=dict, repr=False)
    _overall: dict[str, float] = field(default_factory=dict, repr=False)

    def may_send(self, number: str, to: str) -> bool:
        """Whether one more may go from that number to that person now; if so, it is counted."""
        now = self.now()
        # A debt: each message adds its share, time pays it back.
        debt = max(self._full_at.get((number, to), now), now)
        overall = max(self._overall.get(number, now), now)
        if debt - now > (BURST - 1) * EVERY or overall - now > 1 - 1 / OVERALL:
            return False
        if len(self._full_at) > 10_000:
            self._full_at = {key: at for key, at in self._full_at.items() if at > now}
        self._full_at[number, to] = debt + EVERY
        self._overall[number] = overall + 1 / OVERALL
        return True
