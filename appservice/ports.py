"""What the service keeps beside the cases: the state of encryption, in the same units of work."""

from contextlib import AbstractAsyncContextManager
from typing import Protocol

from appservice.crypto.store import CryptoStore
from rooms.ports import Work


class ServiceWork(Work, Protocol):
    """One unit of work, with the Olm machines' state in it."""

    @property
    def crypto(self) -> CryptoStore: ...


class ServiceDatabase(Protocol):
    """Where units of work come from."""

    def begin(self) -> AbstractAsyncContextManager[ServiceWork]:
        """A unit of work: committed when the block ends, rolled back if it raises."""
