"""What is kept of mails beside what they say: which came, which left and what became of them, and their raw bytes."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Protocol

from bridges.email.convert_in import Likeness
from bridges.email.reception import Counted
from policies.case import CaseId, PersonId
from policies.message import MessageId
from policies.networks.mail import MailState
from rooms.mails import Mails, SentMail
from rooms.queue import ItemId


class MailLedger(Mails, Protocol):
    """The ledger, within one unit of work."""

    async def arrived(self, mails: Collection[tuple[str, Likeness]]) -> None:
        """Mails came, each to the address of that hash. The same again changes nothing."""

    async def counted(self, mails: Sequence[Sequence[Counted]], at: datetime) -> list[bool]:
        """Count mails that are about to be stored, each under its keys; of each, whether it is within the limits of all
        of them, and only then it is counted. Whoever counts under the same keys meanwhile waits for this unit of
        work."""

    async def forget_counts(self, before: datetime) -> None:
        """Keys under which nothing was counted since are forgotten."""

    async def came_elsewhere(self, token_hash: str, likeness: Likeness) -> bool:
        """Whether the same mail, by its name or by its sheet, came to another address of ours, in any case."""

    async def note_look(self, at: datetime) -> None:
        """Nothing lies in the mailbox any more, from which mail is fetched, that came before then."""

    async def looked(self) -> datetime | None:
        """The latest of those times; None where nobody has looked since the database was made, or restored."""

    async def keep(self, case: CaseId, message: MessageId, raw: bytes) -> None:
        """Keep the mail that brought a message, as it came, under the case's own key. The first is kept."""

    async def leaves(self, mail: SentMail) -> None:
        """A mail is on its way. One with the same `bounce_hash` is replaced."""

    async def has_begun(self, case: CaseId, person: PersonId, item: ItemId) -> bool:
        """Whether a mail to that person was on its way for that item before."""

    async def by_bounce(self, bounce_hash: str) -> SentMail | None:
        """The mail that reports to that address are about."""

    async def mark(self, bounce_hash: str, state: MailState, detail: str, at: datetime) -> None:
        """What is known of it now."""
