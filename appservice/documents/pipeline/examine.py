"""The way of a file: its size, the scanner, the workshop. Whatever can't be told, is not let through."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO, Final

from appservice.documents.pipeline import limits, orders
from appservice.documents.pipeline.kinds.made import HARMFUL, KEEPABLE, Change, Reason
from appservice.documents.pipeline.outcome import Clean, Examined
from appservice.documents.pipeline.scanner import Harmless, Infected, Scanner, Unscanned
from appservice.documents.pipeline.workshop import Answered, Died, Unstaffed, Workshop
from policies.documents.files import Kind
from policies.documents.filing import Refused, Waits
from policies.words.phrase import phrase

_log = logging.getLogger(__name__)

_NOT_NOW: Final = phrase(
    "This file could not be examined yet. It is kept closed, and examined as soon as that is possible again."
)
_INFECTED: Final = phrase(
    "This file was found to carry malware. It was not taken, and nobody got it. Please check your computer."
)
_MADE: Final = frozenset(Kind) - {Kind.OTHER}
_BROKE_IT: Final = phrase(
    "This file could not be opened safely: it needs too much time or memory, or is made to do harm. Please send it in "
    "another form, such as a new PDF."
)


class Pipeline:
    """`Examiner`: with the scanner, if there is one."""

    def __init__(self, workshop: Workshop, scanner: Scanner | None, *, most_bytes: int) -> None:
        self._workshop, self._scanner, self._most_bytes = workshop, scanner, most_bytes

    async def examine(self, source: Path) -> Examined:
        """As the port says. The scanner comes before the workshop: what it knows is not even parsed. The size comes
        before both, so that nobody keeps the scanner busy with what is not taken anyway; none of that is kept."""
        target = source.with_name(f"{source.name}.clean")
        try:
            with source.open("rb") as file:
                examined = await self._examine(file, target)
        except OSError:
            examined = Waits(_NOT_NOW)
        if not isinstance(examined, Clean):
            target.unlink(missing_ok=True)
        return examined

    async def _examine(self, file: BinaryIO, target: Path) -> Examined:
        if os.fstat(file.fileno()).st_size > self._most_bytes:
            return Refused(phrase("A file has at most {most} MB.", most=self._most_bytes // limits.MEGABYTE))
        if self._scanner:
            match await self._scanner.scan(file):
                case Infected():
                    return Refused(_INFECTED, harmful=True)
                case Unscanned():
                    _log.warning("clamd gave no verdict: a document waits")
                    return Waits(_NOT_NOW)
                case Harmless():
                    pass
        match await self._workshop.make({"task": orders.SANITISE}, file.fileno(), target):
            case Answered(said):
                return _outcome(said, target)
            case Died():
                return Refused(_BROKE_IT)
            case Unstaffed():
                return Waits(_NOT_NOW)


def _outcome(said: Mapping[str, Any], target: Path) -> Examined:
    """What a child said, believed only in its form: it read what a stranger made."""
    match said:
        case {"refused": str(named)} if named in Reason.__members__:
            reason = Reason[named]
            return Refused(reason.value, harmful=reason in HARMFUL, keepable=reason in KEEPABLE)
        case {"kind": str(named), "pages": int() | None as pages, "changes": [*changes]} if named in _MADE and set(
            changes
        ) <= set(Change.__members__):
            kind = Kind(named)
            return Clean(kind, target, pages, tuple(Change[change].value for change in changes))
        case _:
            return Refused(_BROKE_IT)
