"""What the use cases need to know of a restore."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from policies.case import CaseId


class Epochs(Protocol):
    """Cases that came out of a backup, and that no mediator has looked at since.

    What was decided after the backup isn't known any more: who was removed, which room was closed, which mail was sent.
    So an unconfirmed case only narrows: nobody is let in, no room is made, nothing leaves for another network.
    """

    async def unconfirmed(self, case: CaseId) -> bool:
        """Whether the case is such a one."""

    async def confirm(self, case: CaseId) -> None:
        """A mediator has looked, and says that the case is as it should be."""

    async def doubtful(self, received_at: datetime) -> bool:
        """Whether what was received then may have been acted on by a database that was lost."""
