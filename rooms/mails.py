"""What the use cases know of the mails that carry messages: what became of each, and the mail that brought one."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from policies.case import CaseId, EndpointId, PersonId
from policies.frozen import frozen
from policies.message import MessageId
from policies.networks.mail import MailState
from rooms.queue import ItemId


@frozen
class SentMail:
    """One mail of ours. `bounce_hash` is that of the address to which reports about it come; `detail` is a status code
    of RFC 3463, or what the mail server said, never an address; `about` names its room and what it brought, without
    words of anybody. Empty for mails from before that was kept."""

    bounce_hash: str
    case: CaseId
    person: PersonId
    endpoint: EndpointId
    item: ItemId
    state: MailState
    at: datetime
    detail: str = ""
    about: str = ""
    more: tuple[ItemId, ...] = ()
    """What left in it besides `item`."""


class Mails(Protocol):
    """What is kept of mails, to be looked at."""

    async def to_person(self, case: CaseId, person: PersonId, most: int) -> tuple[SentMail, ...]:
        """The latest mails to somebody, newest first."""

    async def destroy(self, case: CaseId) -> None:
        """The mails of a case are kept no longer, as they came; also those that never could be read. What became of
        ours stays."""

    async def raw(self, case: CaseId, message: MessageId) -> bytes | None:
        """The mail that brought a message, as it came."""
