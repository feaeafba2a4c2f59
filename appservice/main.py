"""The process: everything wired together, started, and stopped. Nothing else makes these objects meet."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import itertools
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from appservice import probe
from appservice.backups.aftermath import Aftermath
from appservice.backups.claim import claim
from appservice.backups.settling import Settling
from appservice.building import Builder
from appservice.codec import JsonCodec
from appservice.config import Config, Email, Tls
from appservice.crypto.outbound import Rotation
from appservice.crypto.sealing import Sealer
from appservice.encryption import Encryption, Us
from appservice.epoch import Epoch, OlderDatabase, Stage
from appservice.mailing import MailCourier, MailReader, Sender
from appservice.matrix.errors import MatrixError
from appservice.matrix.homeserver import Homeserver
from appservice.matrix.transaction import Transaction
from appservice.metrics import ServiceMetrics
from appservice.mistakes import ConfigError, Mistake
from appservice.ports import ServiceWork
from appservice.probe import Finding, ProbeEcho, Store, Verdict, probe_user
from appservice.provisioning import CommandReader, InboxProvisioning, InboxTrust, mediator_name
from appservice.reading import EVENT, MAIL, TO_DEVICE, EventReader
from appservice.replaced import ReplacedReader
from appservice.seeking import Seeker
from appservice.sending import OutboxWork
from appservice.storage.database import SqlDatabase
from appservice.storage.errors import DatabaseUnavailable
from appservice.storage.receiving import KEY_COUNTS, MailInbox, TransactionInbox
from appservice.sweeping import Sweeper
from appservice.trust import JUDGEMENT, TIMEOUT, Verifications
from appservice.unsigned import UnsignedReader
from appservice.web.proxies import TrustedProxies
from appservice.web.server import WebPorts, WebServer, WebSettings, application
from appservice.worker import End, Fate, Park, Worker
from bridges.email.api import MailServer, Security
from bridges.email.rate import RateCap
from bridges.email.server import LmtpServer
from rooms.deliver import Courier, Deliverer, Letter, Outcome
from rooms.handle import Handler, House
from rooms.homeserver import Trouble
from rooms.ports import Item, ItemId, State, UserId

logger = logging.getLogger(__name__)

T = TypeVar("T")

BOT_NAME = "Mediatrix"
CATCHING_UP_MOST = 20.0
"""Seconds that listening waits for what was lost; after that the sweeps in the background find it."""
_SECURITY = {Tls.NONE: Security.NONE, Tls.STARTTLS: Security.STARTTLS, Tls.IMPLICIT: Security.IMPLICIT}


@dataclass(frozen=True, slots=True)
class NoMail:
    """Stands in where mail isn't set up: nobody can have been added by mail."""

    async def carry(self, item: Item, letter: Letter) -> Outcome:
        """Refuse, visibly."""
        raise Trouble("mail is not set up on this server", transient=False)


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
        try:
            await asyncio.wait_for(self._opened.wait(), CATCHING_UP_MOST)
        except TimeoutError:
            raise DatabaseUnavailable("the service is still starting") from None
        await self._store.accept(transaction)


class Service:
    """One process of Mediatrix."""

    def __init__(self, config: Config) -> None:
        """Wires everything; touches neither disk nor network."""
        self._config = config
        registration = config.appservice.registration
        self._sealer = Sealer(config.secrets.masters)
        self.database = SqlDatabase(config.database.url.get_secret_value(), self._sealer)
        self.matrix = Homeserver(config.homeserver.url, registration.as_token.get_secret_value())
        self._house = House(
            server_name=config.homeserver.server_name,
            own_prefix=config.appservice.user_prefix,
            reply_domain=config.email.reply_domain if config.email else None,
            mediators={user: mediator_name(user) for user in config.mediators},
        )
        self._codec = JsonCodec()
        rotation = Rotation(config.rooms.rotation_hours * 3_600_000, config.rooms.rotation_messages)
        self.builder = Builder(
            self.matrix,
            config.bot_user,
            config.appservice.user_prefix,
            {"rotation_period_ms": rotation.period_ms, "rotation_period_msgs": rotation.messages},
            self._make_ghost,
        )
        self._verifications = Verifications(self._sealer, self._codec, config.bot_user, config.mediators)
        us = Us(config.bot_user, self.builder.is_ours, rotation, self._verifications)
        self.encryption = Encryption(self.database, self.matrix, self._sealer, us)
        self.transactions = TransactionInbox(self.database, on_device_lists=self.encryption.devices_wanted.set)
        self._sweeper = Sweeper(self.database, self.matrix, self, config.bot_user)
        self._seeker = Seeker(self.encryption, self._sweeper, config.bot_user)
        self._events = EventReader(
            self.encryption,
            self._verifications,
            self._codec,
            self._house,
            config.bot_user,
            is_ours=self.builder.is_ours,
        )
        self._commands = CommandReader(self._codec, self._house)
        self._unsigned = UnsignedReader(self._codec, self._house)
        self._replaced = ReplacedReader(self._codec, self._house)
        self._mails = (
            MailReader(self.database, self._codec, self._house, _sender(config, config.email)) if config.email else None
        )
        self._aftermath = Aftermath(
            Deliverer(self.database, self.builder, self.encryption, _courier(config, self.database)),
            self.database,
            self.matrix,
            bot=config.bot_user,
            is_ours=self.builder.is_ours,
        )
        self._settling = Settling(self.database, self.matrix, self.encryption, config.bot_user)
        self._outbox_work = OutboxWork(self.database, self._aftermath, self._codec, self._house)
        self._unsent = asyncio.Event()
        self._inbox = Worker(
            "inbox", self.database, lambda work: work.inbox, self._read, self._was_read, quick=self._read_quickly
        )
        self._outbox = Worker(
            "outbox",
            self.database,
            lambda work: work.outbox,
            self._outbox_work.one,
            self._outbox_work.after,
            quick=self._outbox_work.quick,
            tasks=8,
        )
        self._gate = Gate(self)
        self._echo = ProbeEcho(self._gate, probe_user(config))
        self._problems: tuple[str, ...] = ("starting",)
        self._web = self._make_web()
        self._lmtp = self._make_lmtp(config.email)

    async def run(self, on_ready: Callable[[], None] = lambda: None) -> None:
        """Serve until cancelled. Raises what keeps the service from starting; OlderDatabase also later, when another
        database is found to have taken this one's place."""
        await self.database.open()
        self.database.on_work(self._inbox.wakeup)
        self.database.on_work(self._outbox.wakeup)
        try:
            await self._web.start()
            await self._require_homeserver()
            epoch = await self._count()
            self._gate.open()
            if self._lmtp:
                await self._lmtp.start()
            async with _ending_alone(OlderDatabase), asyncio.TaskGroup() as group:
                group.create_task(self._every(timedelta(minutes=1), self._claim))
                if epoch.stage is not Stage.SETTLED:
                    group.create_task(self._settle())
                group.create_task(self._inbox.run())
                group.create_task(self._outbox.run())
                group.create_task(self._every(timedelta(seconds=20), self._refresh, self.encryption.devices_wanted))
                group.create_task(self._every(timedelta(seconds=5), self.encryption.flush_all, self._unsent))
                group.create_task(self._every(self._sweeper.pause, self._sweeper.sweep_all))
                await self._look_at_every_case()
                self._problems = ()
                on_ready()
        finally:
            await self._stop()

    async def problems(self) -> tuple[str, ...]:
        """What keeps the service from accepting and storing (`/ready`)."""
        if self._problems:
            return self._problems
        try:
            async with asyncio.timeout(2), self.database.begin() as work:
                await work.inbox.next_due(datetime.now(UTC))
        except (DatabaseUnavailable, TimeoutError):
            return ("the database does not answer",)
        return ()

    async def check(self) -> tuple[Finding, ...]:
        """What the homeserver lacks, delivery to us included."""
        return await probe.check(self._config, self._echo)

    async def accept(self, transaction: Transaction) -> None:
        """Store a transaction; rooms whose state it changes are looked at again before anything is sent there."""
        await self.transactions.accept(transaction)
        for event in transaction.events:
            if event.state_key is not None:
                self.builder.forget(event.room_id)

    # --- what the workers do

    async def _read(self, item: Item) -> Fate:
        """Read, decide and apply one inbox item."""
        if item.kind == MAIL and self._mails:
            return await self._mails.read(item)
        async with self.database.begin() as work:
            (fate,) = await self._dispatch(work, item.kind, [item])
        return fate

    async def _read_quickly(self, work: ServiceWork, items: Sequence[Item]) -> Sequence[Fate]:
        """The same for items of one lane, up to the first mail: those are parsed outside of any unit of work."""
        fates: list[Fate] = []
        for kind, alike in itertools.groupby(items, lambda item: item.kind):
            if kind == MAIL:
                break
            fates += await self._dispatch(work, kind, list(alike))
        return fates

    async def _dispatch(self, work: ServiceWork, kind: str, items: Sequence[Item]) -> Sequence[Fate]:
        match kind:
            case "matrix.event":
                return await self._events.read(work, items)
            case "matrix.to_device":
                return await self.encryption.receive(work, items)
            case "matrix.key_counts":
                return [await self.encryption.take_counts(work, item) for item in items]
            case "device.unsigned":
                return [await self._unsigned.read(work, item) for item in items]
            case "verification.timeout":
                return [await self._verifications.time_is_up(work, item) for item in items]
            case "verification.judgement":
                return [await self._verifications.judged(work, item) for item in items]
            case "identity.replaced":
                return [await self._replaced.read(work, item) for item in items]
            case "command":
                return [await self._commands.read(work, item) for item in items]
            case _:
                raise Trouble(f"nothing reads items of kind {kind}", transient=False)

    async def _was_read(self, item: Item, fate: Fate) -> None:
        """What reading an item calls for, once it is stored."""
        match fate:
            case Park() if item.kind == EVENT:
                await self._seeker.seek(item)
            case End(State.DEAD | State.UNKNOWN as state, why):
                await self._unreadable(item, state, why)
            case _ if item.kind in {TO_DEVICE, KEY_COUNTS, TIMEOUT, JUDGEMENT}:
                self._unsent.set()

    async def _unreadable(self, item: Item, state: State, why: str) -> None:
        logger.error("an inbox item of kind %s ended as %s", item.kind, state)
        if item.case is not None:
            text = f"Something that arrived could not be read ({why}). It is kept; your administrator can see it."
            async with self.database.begin() as work:
                await self._handler(work, f"unreadable/{item.id}").tell_desk(item.case, text)

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
        await self._insist(lambda: self.matrix.accounts.register(self._config.appservice.bot))
        epoch = await self._insist(self._claim)
        await self._insist(lambda: self.encryption.ensure_identity(self._config.bot_user, BOT_NAME))
        if epoch.stage is Stage.SETTLED:
            await self._catch_up()
            return epoch
        await self._insist(lambda: self._sweeper.sweep_user(self._config.bot_user))
        epoch = await self._settling.caught_up()
        self._aftermath.begin(epoch)
        await self._settling.tell_desks(epoch, self._codec, self._house)
        return epoch

    async def _claim(self) -> Epoch:
        epoch = await claim(self.database, self.matrix.accounts, self._config.bot_user)
        self._aftermath.begin(epoch)
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
                await self._sweeper.sweep_user(self._config.bot_user)
        except (MatrixError, TimeoutError) as error:
            logger.warning("not swept yet: %s", error)

    async def _settle(self) -> None:
        """What a restore has left to be done at the homeserver."""
        while True:
            try:
                return await self._settling.settle()
            except (Trouble, MatrixError, DatabaseUnavailable) as error:
                logger.warning("will try again: %s", error)
                await asyncio.sleep(5)

    async def _wait_for_homeserver(self, why: str) -> None:
        self._problems = ("the homeserver can't be reached",)
        logger.warning("waiting for the homeserver: %s", why)
        await asyncio.sleep(1)

    async def _look_at_every_case(self) -> None:
        """What changed while we were away is repaired (R6)."""
        async with self.database.begin() as work:
            for case in await work.cases.all_ids():
                await self._handler(work, f"start/{case}/{time.time()}").drift(case)

    async def _refresh(self) -> None:
        while await self.encryption.refresh_devices():
            pass

    async def _every(
        self, pause: timedelta, act: Callable[[], Awaitable[object]], early: asyncio.Event | None = None
    ) -> None:
        """Do it again and again, whatever fails; `early` has it done at once."""
        early = early or asyncio.Event()
        while True:
            early.clear()
            try:
                await act()
            except (Trouble, MatrixError, DatabaseUnavailable) as error:
                logger.warning("will try again: %s", error)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause.total_seconds()):
                    await early.wait()

    async def _stop(self) -> None:
        await self._web.stop()
        if self._lmtp:
            await self._lmtp.stop()
        await self.matrix.close()
        await self.database.close()

    async def _make_ghost(self, ghost: UserId, name: str) -> None:
        await self.encryption.ensure_identity(ghost, name)

    def _handler(self, work: ServiceWork, identity: str) -> Handler:
        item = ItemId(hashlib.sha256(identity.encode()).hexdigest()[:40])
        return Handler(work, self._codec, self._house, item, datetime.now(UTC))

    def _make_web(self) -> WebServer:
        config = self._config
        settings = WebSettings(
            hs_token=config.appservice.registration.hs_token.get_secret_value(),
            provisioning_token=config.secrets.provisioning_token.get_secret_value(),
            public_base_url=config.appservice.public_base_url,
            proxies=TrustedProxies(config.appservice.trusted_proxies),
        )
        ports = WebPorts(
            transactions=self._echo,
            check=self.check,
            readiness=self,
            metrics=ServiceMetrics(self.database),
            provisioning=InboxProvisioning(self.database),
            trust=InboxTrust(self.database, self._verifications),
        )
        listen = config.appservice.listen
        return WebServer(application(settings, ports), listen.host, listen.port)

    def _make_lmtp(self, email: Email | None) -> LmtpServer | None:
        if email is None:
            return None
        inbox, cap = MailInbox(self.database), RateCap(time.monotonic)
        return LmtpServer(inbox, email.reply_domain, host=email.lmtp.host, port=email.lmtp.port, cap=cap)


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


def _sender(config: Config, email: Email) -> Sender:
    return Sender(config.organisation.name, config.organisation.telephone, email.reply_domain, email.authserv_id)


def _courier(config: Config, database: SqlDatabase) -> Courier:
    if config.email is None:
        return NoMail()
    smtp = config.email.smtp
    server = MailServer(
        smtp.host,
        smtp.port,
        _SECURITY[smtp.tls],
        smtp.username,
        smtp.password.get_secret_value() if smtp.password else None,
    )
    return MailCourier(database, server, _sender(config, config.email))
