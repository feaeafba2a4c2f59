"""What the web server needs from the rest of the service."""

from typing import Protocol

from prometheus_client import CollectorRegistry

from appservice.casefile import CaseFile
from appservice.matrix.transaction import Transaction
from appservice.setup.probe import Finding
from appservice.web.schema import CaseStatus, CommandAnswer, Judgement, Trust
from policies.frozen import frozen


class TransactionStore(Protocol):
    """Where transactions are kept until the worker reads them."""

    async def accept(self, transaction: Transaction) -> None:
        """Store the whole transaction in one database transaction, and return when that is committed.

        Events are unique by event id, to-device messages by (user, device, `fingerprint`): what is there already
        is passed over, whatever the transaction id, which comes again after a restart of the homeserver.
        Must decide nothing and call nobody. If it raises, nothing was stored, and the homeserver tries again.
        """


class WebhookStore(Protocol):
    """Where WhatsApp's webhooks are kept until the worker reads them."""

    async def accept(self, body: bytes) -> None:
        """Store every part of a webhook that was found to be signed, in one database transaction, and return when that
        is committed. Whatever is there already is passed over. Raises DatabaseUnavailable, and then nothing was stored.
        """


class Readiness(Protocol):
    """Whether the service is accepting and storing."""

    async def problems(self) -> tuple[str, ...]:
        """What keeps it from that, in words without names or addresses; none when it is ready. Quick: a probe waits."""


class Metrics(Protocol):
    """The numbers. No names, addresses or Matrix ids among labels (I7)."""

    @property
    def registry(self) -> CollectorRegistry:
        """Where they are; the web server adds its own."""

    async def refresh(self) -> None:
        """Bring those that are measured, not counted, up to date: a scrape is about to read them."""


class SelfCheck(Protocol):
    """Looks what is wrong: with the homeserver (`setup.probe.check`), or with all of it (`upkeep.status`)."""

    async def __call__(self) -> tuple[Finding, ...]:
        """What was found. May take some seconds; never raises."""


@frozen
class Refused:
    """It was not done. `why` is for the caller, in words; `where` a path in the request, "" for the whole."""

    why: str
    where: str = ""


@frozen
class Missing:
    """There is no such thing, or none that the caller may know of."""


class Provisioning(Protocol):
    """The provisioning API's acts. Each is an inbox item like any other."""

    async def create_case(self, case: CaseFile, idempotency_key: str) -> CaseStatus | Refused:
        """Open a case. The same key again answers with the same case and opens no other."""

    async def cases(self) -> tuple[CaseStatus, ...]:
        """All cases, oldest first."""

    async def case(self, case: str) -> CaseStatus | Missing:
        """One case."""

    async def command(self, case: str, text: str, idempotency_key: str) -> CommandAnswer | Refused | Missing:
        """Run a desk command in a case, as the provisioning API, and return the desk's answer."""


class Trusting(Protocol):
    """Verification of the bot by emoji, as the administrator has part in it."""

    async def shown(self) -> Trust | Missing:
        """Who the bot is to encryption, and what waits to be compared; Missing before the bot has an identity."""

    async def judge(self, judgement: Judgement, idempotency_key: str) -> CommandAnswer | Refused:
        """A comparison was made. An inbox item like any other act."""
