"""What is done now and then, by one process at a time: sweeps, lists looked at again, what nobody needs any more.

    every half minute    the bot's device is swept, and with it what happened in rooms
                         what people reported in their clients is fetched, where we may
    every five minutes   every device in use is swept
                         device lists are marked that nobody asked for again in a day: a homeserver forgets to tell
                         of some changes (Synapse never sends `device_lists.left`)
                         what was left half-kept of documents is taken away
    every hour           what encryption remembers of long ago is forgotten, that there were receipts and key counts,
                         that there were messages to our devices, how many mails came, and links of last year

Each pause is counted from the end of the round before, which with many devices takes minutes.
All of it bears being done twice, so it matters little if two processes believe for a moment that it is theirs.
"""

from __future__ import annotations

import logging
import time
from datetime import UTC, datetime, timedelta
from typing import Protocol

from appservice.crypto.machine import old_devices_changed
from appservice.e2ee.exchange import now_ms
from appservice.e2ee.sweeping import Sweeper
from appservice.matrix.errors import MatrixError
from appservice.ports import ServiceDatabase

logger = logging.getLogger(__name__)

LISTS_FOR = timedelta(days=1)
"""How long a list of somebody's devices is believed without asking again."""
LISTS_AT_ONCE = 100
"""So many lists are asked for again in one round: one request."""
REMEMBERED_FOR = timedelta(days=30)
"""How long digests of Olm messages are kept, against replays, and with whom a former session of a room was shared, for
answers to those who ask for its key."""
PASSING_FOR = timedelta(hours=1)
"""What comes with nearly every transaction, and is old news a minute later."""
LINKS_FOR = timedelta(days=365)
"""So long after it opened anything, a link still stops mail: each mail has one to do so, and people find old mails.
PINs are tried with none that is so old (`appservice.portal.store.LINK_SENDS_ANOTHER`)."""
_PRUNE_EVERY = timedelta(hours=1).total_seconds()


class Duty(Protocol):
    """Whether it is on this process to do it."""

    @property
    def is_ours(self) -> bool: ...


class Sweeps(Protocol):
    """The vault of documents, as far as it is tidied."""

    async def sweep(self) -> None:
        """Take away what nobody works on any more. Raises OSError."""


class Fetches(Protocol):
    """The homeserver's list of reports, as far as it is looked at."""

    async def fetch(self) -> None:
        """Store what is new. Raises MatrixError."""


class Housekeeping:
    """One round after another."""

    every = timedelta(minutes=5)
    events_every = timedelta(seconds=30)
    """Each asks for what happened since the last, so that many cost little more than few."""

    def __init__(
        self,
        database: ServiceDatabase,
        duty: Duty,
        sweeper: Sweeper,
        vault: Sweeps | None = None,
        reports: Fetches | None = None,
    ) -> None:
        """`vault`: where there is one; `reports`: where we may see those that people make in their clients."""
        self._database, self._duty, self._sweeper = database, duty, sweeper
        self._vault, self._reports = vault, reports
        self._pruned_at: float | None = None

    async def round(self) -> None:
        """One round, if this process is on duty. Raises MatrixError, DatabaseUnavailable."""
        if not self._duty.is_ours:
            return
        async with self._database.begin() as work:
            await old_devices_changed(work.crypto, before_ms=_ago(LISTS_FOR), limit=LISTS_AT_ONCE)
        is_due = self._pruned_at is None or time.monotonic() - self._pruned_at >= _PRUNE_EVERY
        if is_due:
            async with self._database.begin() as work:
                await work.crypto.prune(_ago(REMEMBERED_FOR))
                await work.inbox.forget(datetime.now(UTC) - PASSING_FOR)
                await work.mails.forget_counts(datetime.now(UTC) - PASSING_FOR)
                await work.shelf.forget_links(datetime.now(UTC) - LINKS_FOR)
            self._pruned_at = time.monotonic()
        await self._tidy_the_vault()
        await self._sweeper.sweep_all()
        if is_due:
            await self._forget_messages()

    async def look_for_events(self) -> None:
        """Fetch what happened in rooms and never came, if this process is on duty. Raises MatrixError,
        DatabaseUnavailable."""
        if self._duty.is_ours:
            await self._sweeper.sweep_bot()
            await self._fetch_reports()

    async def _fetch_reports(self) -> None:
        """A token that does not count any more keeps nothing else from being done."""
        try:
            if self._reports:
                await self._reports.fetch()
        except MatrixError as error:
            logger.warning("reports that people made in their clients can't be fetched: %s", error)

    async def _forget_messages(self) -> None:
        """Messages to our devices are told apart by their items. A homeserver sends again what no sweep has made it
        forget: nothing older than the sweep that was just made, however long we were away. What comes again all the
        same (from one put back from a backup; to ghosts of cases that are over, which no sweep asks for) the ratchets
        refuse."""
        async with self._database.begin() as work:
            await work.inbox.forget_messages(datetime.now(UTC) - REMEMBERED_FOR)

    async def _tidy_the_vault(self) -> None:
        """A disk that fails keeps nothing else from being done."""
        try:
            if self._vault:
                await self._vault.sweep()
        except OSError as error:
            logger.warning("the vault of documents can't be tidied: %s", type(error).__name__)


def _ago(time_ago: timedelta) -> int:
    return now_ms() - int(time_ago / timedelta(milliseconds=1))
