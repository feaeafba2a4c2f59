"""A copy of a file for one recipient, made in the confined process."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from appservice.documents.pipeline import orders
from appservice.documents.pipeline.workshop import Answered, Died, Unstaffed, Workshop
from policies.documents.files import Kind
from policies.documents.recipient import Stamp
from policies.frozen import frozen


@frozen
class NotMade:
    """There is no copy. `now`: because nobody can make one now."""

    now: bool


class Copier(Protocol):
    """Makes copies."""

    async def copy(self, source: Path, into: Path, kind: Kind, stamp: Stamp) -> NotMade | None:
        """Write the copy of a file that was found clean; None once it is whole. Raises OSError."""


class Copies:
    """`Copier`, in the confined process."""

    def __init__(self, workshop: Workshop) -> None:
        self._workshop = workshop

    async def copy(self, source: Path, into: Path, kind: Kind, stamp: Stamp) -> NotMade | None:
        """As the port says."""
        task = {"task": orders.STAMP, "kind": kind.value, "line": stamp.line, "mark": stamp.mark}
        with source.open("rb") as file:
            match await self._workshop.make(task, file.fileno(), into):
                case Answered({"stamped": True}):
                    return None
                case Answered() | Died():
                    return NotMade(now=False)
                case Unstaffed():
                    return NotMade(now=True)
