"""A clock that the service lives by, and that a test moves: leases run out, and what waits is due, without waiting."""

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta, tzinfo
from unittest.mock import patch

from appservice.e2ee import exchange
from appservice.storage import documents


class Clock(datetime):
    """The service's time, which can be made to pass."""

    ahead = timedelta()

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> "Clock":
        return datetime.now(tz) + cls.ahead  # type: ignore[return-value]

    @classmethod
    def now_ms(cls) -> int:
        """The same in milliseconds, for the Olm machines."""
        return int(cls.now(UTC).timestamp() * 1000)


@contextmanager
def time_of_ours() -> Iterator[None]:
    """The service lives by `Clock`."""
    Clock.ahead = timedelta()
    now_ms = exchange.now_ms
    with ExitStack() as stack:
        for name, module in list(sys.modules.items()):
            # Where documents are written, it is the type that matters.
            ours = name.startswith(("appservice.", "rooms.")) and name != documents.__name__
            if ours and vars(module).get("datetime") is datetime:
                stack.enter_context(patch.object(module, "datetime", Clock))
            if name.startswith("appservice.") and vars(module).get("now_ms") is now_ms:
                stack.enter_context(patch.object(module, "now_ms", Clock.now_ms))
        yield
