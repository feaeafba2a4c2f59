"""A worker sleeps, and is woken."""

import asyncio
from datetime import timedelta


class Wakeup:
    """Tells the workers of this process that there may be something to do."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def __call__(self) -> None:
        """There may be something to do. Safe to call often."""
        self._event.set()

    async def wait(self, at_most: timedelta) -> None:
        """Until called, or until the time has gone."""
        try:
            async with asyncio.timeout(max(at_most.total_seconds(), 0)):
                await self._event.wait()
        except TimeoutError:
            return
        self._event.clear()
