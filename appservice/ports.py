"""What the service keeps beside the cases, in the same units of work: the state of encryption, the epoch, and mails."""

from contextlib import AbstractAsyncContextManager
from typing import Protocol

from appservice.crypto.store import CryptoStore
from appservice.mail.ledger import MailLedger
from appservice.portal.store import PortalStore
from appservice.upkeep.epoch import EpochStore
from appservice.whatsapp.ledger import WhatsAppLedger
from policies.people.joining import Funnel
from rooms.ports import Cases, Work


class Tallies(Protocol):
    """Numbers that are counted up and taken."""

    async def add(self, name: str) -> None:
        """One more under that name."""

    async def take(self, name: str) -> int:
        """How many there were; it begins anew."""


class CountedCases(Cases, Protocol):
    """Cases whose people are counted."""

    async def funnel(self) -> Funnel:
        """How many were invited in all cases together, and how far they came. Of a case that has not changed since
        these were first counted, nobody is."""


class ServiceWork(Work, Protocol):
    """One unit of work, with the Olm machines' state and the epoch in it."""

    @property
    def cases(self) -> CountedCases: ...
    @property
    def crypto(self) -> CryptoStore: ...
    @property
    def epochs(self) -> EpochStore: ...
    @property
    def mails(self) -> MailLedger: ...
    @property
    def shelf(self) -> PortalStore: ...
    @property
    def whatsapp(self) -> WhatsAppLedger: ...
    @property
    def tallies(self) -> Tallies: ...


class ServiceDatabase(Protocol):
    """Where units of work come from."""

    def begin(self) -> AbstractAsyncContextManager[ServiceWork]:
        """A unit of work: committed when the block ends, rolled back if it raises."""

    def read(self) -> AbstractAsyncContextManager[ServiceWork]:
        """The stores as they are now, for questions only; waits for no unit of work, and can write nothing."""

    def begin_repeatable(self) -> AbstractAsyncContextManager[ServiceWork]:
        """The same, of something that is simply done again should a power cut undo it: a crash of the process can't.

        Nothing outside may rest on it before something was committed by `begin`, which makes this one last, too.
        """
