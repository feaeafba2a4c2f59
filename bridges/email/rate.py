"""How much mail one address may get: a sliding window over what was accepted."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

PER_HOUR: Final = 60
_HOUR: Final = 3600.0
_MANY_KEYS: Final = 10_000


@dataclass(slots=True)
class RateCap:
    """At most `limit` in any `window` seconds for each key. Keys whose time is over are forgotten.

    Only what was accepted counts: probes of a recipient, refusals and repeats after an error are free.
    """

    now: Callable[[], float]
    limit: int = PER_HOUR
    window: float = _HOUR
    _accepted: dict[str, deque[float]] = field(default_factory=dict, repr=False)

    def is_full(self, key: str) -> bool:
        """Whether one more would be too many."""
        times = self._accepted.get(key)
        if times is None:
            return False
        while times and times[0] <= self.now() - self.window:
            times.popleft()
        if not times:
            del self._accepted[key]
        return len(times) >= self.limit

    def uncount(self, key: str) -> None:
        """One that was counted was not accepted after all."""
        if times := self._accepted.get(key):
            times.pop()

    def count(self, key: str) -> None:
        """One was accepted."""
        if len(self._accepted) >= _MANY_KEYS:
            for old in list(self._accepted):
                self.is_full(old)
        self._accepted.setdefault(key, deque()).append(self.now())
