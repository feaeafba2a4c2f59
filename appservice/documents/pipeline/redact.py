"""Redacted versions, made and looked at in the confined process."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Protocol

from appservice.documents.pipeline import orders
from appservice.documents.pipeline.kinds.made import Reason
from appservice.documents.pipeline.workshop import Answered, Died, Unstaffed, Workshop
from policies.documents.document import Area
from policies.documents.files import Kind
from policies.documents.filing import Refused, Waits
from policies.frozen import frozen
from policies.words.phrase import phrase

_NOT_NOW: Final = phrase("It is tried again by itself.")


@frozen
class Covered:
    """A PDF of pictures, beside the source and the caller's own: its pages, and how many places are black on which."""

    path: Path
    pages: int
    places: int
    on: tuple[int, ...]


class Redactor(Protocol):
    """Makes redacted versions."""

    async def redact(
        self, source: Path, kind: Kind, areas: Sequence[Area], words: Sequence[str]
    ) -> Covered | Refused | Waits:
        """Of a file that was found clean. Never raises for what it contains."""


class Covering:
    """`Redactor`, in the confined process."""

    def __init__(self, workshop: Workshop) -> None:
        self._workshop = workshop

    async def redact(
        self, source: Path, kind: Kind, areas: Sequence[Area], words: Sequence[str]
    ) -> Covered | Refused | Waits:
        """As the port says. Raises OSError."""
        target = source.with_name(f"{source.name}.redacted")
        task = {
            "task": orders.COVER,
            "kind": kind.value,
            "areas": [(area.page, area.left, area.top, area.right, area.bottom) for area in areas],
            "words": list(words),
        }
        with source.open("rb") as file:
            match await self._workshop.make(task, file.fileno(), target):
                case Answered(said):
                    return _outcome(said, target)
                case Died():
                    return Refused(Reason.TOO_MUCH.value)
                case Unstaffed():
                    return Waits(_NOT_NOW)


def _outcome(said: Mapping[str, Any], target: Path) -> Covered | Refused:
    """What a child said, believed only in its form."""
    match said:
        case {"refused": str(named)} if named in Reason.__members__:
            return Refused(Reason[named].value)
        case {"pages": int(pages), "places": int(places), "on": [*on]} if all(isinstance(one, int) for one in on):
            return Covered(target, pages, places, tuple(on))
        case _:
            return Refused(Reason.TOO_MUCH.value)
