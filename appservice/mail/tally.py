"""How many mails were accepted under which keys within the hour: `bridges.email.rate`, over all processes."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

_HOUR: Final = 3_600_000  # milliseconds


def times_in(text: str) -> list[int]:
    """The times as they are stored."""
    return [int(time) for time in text.split()]


class Tally:
    """What was counted under some keys, at one moment. Times in milliseconds."""

    def __init__(self, times: Mapping[bytes, Sequence[int]], now: int) -> None:
        self._now = now
        self._times = {key: [time for time in known if time > now - _HOUR] for key, known in times.items()}
        self._changed: set[bytes] = set()

    def take(self, keys: Sequence[tuple[bytes, int]]) -> bool:
        """Whether one more is within all of these keys' limits; then it is counted under each."""
        if any(len(self._times.get(key, [])) >= limit for key, limit in keys):
            return False
        for key, _ in keys:
            self._times.setdefault(key, []).append(self._now)
            self._changed.add(key)
        return True

    def changed(self) -> Iterator[tuple[bytes, Sequence[int]]]:
        """What is to be stored, in the order of the keys."""
        return ((key, self._times[key]) for key in sorted(self._changed))
