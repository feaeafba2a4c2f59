"""The running service: made ready, kept running, stopped in order. `appservice.main` wires it.

listen … wait for the homeserver … claim: does our database count? … let transactions in … catch up … work
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from appservice.backups.aftermath import Aftermath
from appservice.backups.claim import claim
from appservice.backups.settling import Settling
from appservice.documents.house import DocumentHouse
from appservice.e2ee.encryption import Encryption
from appservice.e2ee.sweeping import Sweeper
from appservice.ending import asked_to_end
from appservice.matrix.errors import MatrixError
from appservice.matrix.homeserver import Homeserver
from appservice.matrix.transaction import Transaction
from appservice.setup import probe
from appservice.setup.config import Config
from appservice.setup.mistakes import ConfigError, Mistake
from appservice.setup.probe import Store, Verdict
from appservice.storage.database import SqlDatabase
from appservice.storage.errors import DatabaseUnavailable
from appservice.upkeep.epoch import Epoch, OlderDatabase, Stage
from appservice.upkeep.housekeeping import Housekeeping
from appservice.upkeep.reach import Reach
from appservice.upkeep.rounds import Rounds
from appservice.web.server import WebServer
from appservice.worker import Worker
from bridges.email.reception import Entrance
from bridges.whatsapp.api import CloudApi
from policies.frozen import frozen
from rooms.homeserver import Trouble
from rooms.house import House
from rooms.outgoing import Codec

logger = logging.getLogger(__name__)

T = TypeVar("T")

BOT_NAME = "Mediatrix"
MARK_EVERY = timedelta(seconds=20)
"""A copy of the database that is put back is told apart once a mark was made after it was taken."""
LAST_MARK_MOST = 20.0
"""Seconds for the mark that is made at the end, so that no copy taken before it passes for the database itself."""
FULL_FOR = timedelta(minutes=1)
"""A database that had no room is believed to have none for so long, unless it takes something; marks find out anew."""
CATCHING_UP_MOST = 20.0
"""Seconds that listening waits for what was lost; after that the sweeps in the background find it."""


class Gate:
    """Keeps transactions waiting until this database is known to be the one that counts: what another one stored would
    be lost. Whoever asks how the service is, is answered meanwhile."""

    def __init__(self, store: Store) -> None:
        self._store, self._opened = store, asyncio.Event()

    def open(self) -> None:
        """Let them in."""
        self._opened.set()

    async def accept(self, transaction: Transaction) -> None:
        """Store a transaction. Raises DatabaseUnavailable if that has to wait for too long."""
        await self.passed()
        await self._store.accept(transaction)

    async def passed(self) -> None:
        """Wait until it is open. Raises DatabaseUnavailable if that takes too long."""
        try:
            await asyncio.wait_for(self._opened.wait(), CATCHING_UP_MOST)
        except TimeoutError:
            raise DatabaseUnavailable("the service is still starting") from None


class Condition:
    """Whether the service accepts and stores (`/ready`)."""

    def __init__(self, database: SqlDatabase) -> None:
        self._database = database
        self._problems: tuple[str, ...] = ("starting",)

    def now(self, *problems: str) -> None:
        """What keeps it from that, as far as the service knows; nothing once it has started."""
        self._problems = problems

    async def problems(self) -> tuple[str, ...]:
        """What keeps the service from accepting and storing."""
        if self._problems:
            return self._problems
        try:
            async with asyncio.timeout(2), self._database.begin() as work:
                await work.inbox.next_due(datetime.now(UTC))
        except (DatabaseUnavailable, TimeoutError):
            return ("the database does not answer",)
        full_at = self._database.full_at
        if full_at is not None and datetime.now(UTC) - full_at < FULL_FOR:
            return ("the database has no room left: what comes in is refused, and will come again",)
        return ()


@frozen
class Parts:
    """What the service is made of."""

    database: SqlDatabase
    matrix: Homeserver
    encryption: Encryption
    arrivals: Store
    unsent: asyncio.Event
    """Set when our machines have something to send."""
    inbox: Worker
    outbox: Worker
    rounds: Rounds
    sweeper: Sweeper
    housekeeping: Housekeeping
    aftermath: Aftermath
    settling: Settling
    codec: Codec
    house: House
    gate: Gate
    condition: Condition
    reach: Reach
    web: WebServer
    mail_in: Entrance | None
    cloud: CloudApi | None
    """WhatsApp's, where that is set up."""
    admin: Homeserver | None
    """The homeserver as its administrator, who is shown reports, if we have a token for that."""
    documents: DocumentHouse | None
    """Where there is a vault."""


class Service:
    """One process of Mediatrix."""

    def __init__(self, config: Config, parts: Parts) -> None:
        """Touches neither disk nor network."""
        self._config, self.parts = config, parts
        self._counts = False
        """Whether this process has begun to serve, on the database that counts."""

    async def run(self, on_ready: Callable[[], None] = lambda: None) -> None:
        """Serve until cancelled. Raises what keeps the service from starting; OlderDatabase also later, when another
        database is found to have taken this one's place."""
        parts = self.parts
        try:
            # Before the database is opened: a newer program must not change it below one that serves.
            parts.database.duty.begin()
            await parts.database.open()
            parts.database.on_work(parts.inbox.wakeup, "inbox")
            parts.database.on_work(parts.outbox.wakeup, "outbox")
            await parts.web.start()
            await self._require_homeserver()
            epoch = await self._count()
            self._counts = True
            parts.gate.open()
            if parts.mail_in:
                await parts.mail_in.start()
            async with _ending_alone(OlderDatabase), asyncio.TaskGroup() as group:
                group.create_task(every(MARK_EVERY, self._claim))
                if epoch.stage is not Stage.SETTLED:
                    group.create_task(self._settle())
                group.create_task(parts.inbox.run())
                group.create_task(parts.outbox.run())
                group.create_task(every(timedelta(seconds=20), self._refresh, parts.encryption.devices_wanted))
                group.create_task(every(timedelta(seconds=5), parts.encryption.flush_all, parts.unsent))
                group.create_task(every(parts.housekeeping.every, parts.housekeeping.round, parts.database.duty.taken))
                group.create_task(every(parts.housekeeping.events_every, parts.housekeeping.look_for_events))
                group.create_task(every(parts.reach.every, parts.reach.look))
                group.create_task(parts.rounds.go())
                parts.condition.now()
                on_ready()
        finally:
            await self._stop()

    # --- starting

    async def _require_homeserver(self) -> None:
        """Wait for a homeserver that has what encryption needs. Raises ConfigError for one that lacks any of it.

        Whether it delivers to us is not asked here: after we were away it may rest for minutes before it tries.
        """
        while lacking := [f for f in await probe.check(self._config, None) if f.verdict is Verdict.BROKEN]:
            if any(finding.setting != probe.REACHED for finding in lacking):
                raise ConfigError("the homeserver", [Mistake(f.setting, f.seen, f.remedy) for f in lacking])
            await self._wait_for_homeserver("it does not answer")

    async def _count(self) -> Epoch:
        """Be the bot, on the database that counts, with all in it that was lost on its way to us. Raises OlderDatabase.

        What was lost is older than what we listen for, so it comes first. After a restore it also came before that,
        and may have been acted on then.
        """
        parts = self.parts
        await self._insist(lambda: parts.matrix.accounts.register(self._config.appservice.bot))
        epoch = await self._insist(self._claim)
        await self._insist(lambda: parts.encryption.ensure_identity(self._config.bot_user, BOT_NAME))
        if epoch.stage is Stage.SETTLED:
            await self._catch_up()
            return epoch
        await self._insist(lambda: parts.sweeper.sweep_user(self._config.bot_user, hurries=True))
        epoch = await parts.settling.caught_up()
        parts.aftermath.begin(epoch)
        await parts.settling.tell_desks(epoch, parts.codec, parts.house)
        return epoch

    async def _claim(self) -> Epoch:
        parts = self.parts
        epoch = await claim(parts.database, parts.matrix.accounts, self._config.bot_user)
        parts.aftermath.begin(epoch)
        return epoch

    async def _insist(self, act: Callable[[], Awaitable[T]]) -> T:
        """Do it as soon as the homeserver lets us."""
        while True:
            try:
                return await act()
            except (Trouble, MatrixError) as error:
                if not error.transient:
                    raise
                await self._wait_for_homeserver(str(error))

    async def _catch_up(self) -> None:
        """What was lost on its way to us while we were away."""
        try:
            async with asyncio.timeout(CATCHING_UP_MOST):
                await self.parts.sweeper.sweep_user(self._config.bot_user, hurries=True)
        except (MatrixError, TimeoutError) as error:
            logger.warning("not swept yet: %s", error)

    async def _settle(self) -> None:
        """What a restore has left to be done at the homeserver."""
        while True:
            try:
                return await self.parts.settling.settle()
            except (Trouble, MatrixError, DatabaseUnavailable) as error:
                logger.warning("will try again: %s", error)
                await asyncio.sleep(5)

    async def _wait_for_homeserver(self, why: str) -> None:
        self.parts.condition.now("the homeserver can't be reached")
        logger.warning("waiting for the homeserver: %s", why)
        await asyncio.sleep(1)

    async def _refresh(self) -> None:
        while await self.parts.encryption.refresh_devices():
            pass

    async def _last_mark(self) -> None:
        """With it, a copy that was taken while the service ran is known as older, however young it is."""
        if not self._counts:
            return
        try:
            async with asyncio.timeout(LAST_MARK_MOST):
                await self._claim()
        except (OlderDatabase, Trouble, MatrixError, DatabaseUnavailable, TimeoutError) as error:
            logger.warning("the last mark could not be written: %s", str(error) or type(error).__name__)

    async def _stop(self) -> None:
        parts = self.parts
        await self._last_mark()
        await parts.web.stop()
        if parts.mail_in:
            await parts.mail_in.stop()
        if parts.cloud:
            await parts.cloud.close()
        if parts.admin:
            await parts.admin.close()
        if parts.documents:
            await parts.documents.close()
        await parts.matrix.close()
        await parts.database.close()


async def every(pause: timedelta, act: Callable[[], Awaitable[object]], early: asyncio.Event | None = None) -> None:
    """Do it again and again, whatever fails; `early` has it done at once. Raises OlderDatabase alone."""
    early = early or asyncio.Event()
    while True:
        early.clear()
        try:
            await act()
        except OlderDatabase:
            raise
        except (Trouble, MatrixError, DatabaseUnavailable) as error:
            logger.warning("will try again: %s", error)
        except Exception:
            logger.exception("what is done now and then failed unexpectedly; it will be tried again")
        if asked_to_end():
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(pause.total_seconds()):
                await early.wait()


@contextlib.asynccontextmanager
async def _ending_alone(kind: type[Exception]) -> AsyncIterator[None]:
    """Have an exception of that kind out of a group of tasks come out by itself."""
    try:
        yield
    except BaseExceptionGroup as group:
        found = group.subgroup(kind)
        if found is None:
            raise
        raise found.exceptions[0] from None
