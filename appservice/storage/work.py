"""One unit of work: all stores over one database transaction."""

from appservice.crypto.identities import StoredIdentities
from appservice.storage import schema
from appservice.storage.addresses import SqlReplyAddresses
from appservice.storage.cases import SqlCases, SqlGhosts, SqlRooms
from appservice.storage.connections import Connection
from appservice.storage.crypto import SqlCryptoStore
from appservice.storage.echoes import SqlEchoes
from appservice.storage.epochs import SqlEpochs
from appservice.storage.journal import SqlHolds, SqlJournal
from appservice.storage.mails import SqlMailLedger
from appservice.storage.portal import SqlPortalStore
from appservice.storage.queue import SqlQueue
from appservice.storage.record import SqlRecord
from appservice.storage.seals import Seals
from appservice.storage.tallies import SqlTallies
from appservice.storage.vault import SqlVault
from appservice.storage.whatsapp import SqlWhatsAppLedger


class SqlWork:
    """The stores; `rooms.ports.Work` and what the appservice keeps besides."""

    def __init__(self, connection: Connection, seals: Seals) -> None:
        """The transaction is open, and is committed or rolled back by whoever opened it, after `settle`."""
        self.inbox = SqlQueue(connection, schema.INBOX, seals.sealer)
        self.outbox = SqlQueue(connection, schema.OUTBOX, seals.sealer)
        self.cases = SqlCases(connection, seals)
        self.rooms = SqlRooms(connection, seals)
        self.ghosts = SqlGhosts(connection)
        self.addresses = SqlReplyAddresses(connection, seals.sealer)
        self.journal = SqlJournal(connection, seals)
        self.echoes = SqlEchoes(connection, seals)
        self.holds = SqlHolds(connection, seals.sealer)
        self.record = SqlRecord(connection, seals)
        self.crypto = SqlCryptoStore(connection)
        self.identities = StoredIdentities(self.crypto)
        self.epochs = SqlEpochs(connection, seals)
        self.mails = SqlMailLedger(connection, seals)
        self.shelf = SqlPortalStore(connection, seals)
        self.whatsapp = SqlWhatsAppLedger(connection, seals)
        self.vault = SqlVault(connection, seals)
        self.tallies = SqlTallies(connection)

    @property
    def news(self) -> list[str]:
        """The queues in which an item was put, woken or revived."""
        return [name for name, queue in (("inbox", self.inbox), ("outbox", self.outbox)) if queue.news]

    async def settle(self) -> None:
        """What must be done last, before the commit."""
        await self.cases.settle()
        await self.inbox.settle()
        await self.outbox.settle()
