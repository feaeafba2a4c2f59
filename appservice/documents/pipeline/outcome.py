"""What becomes of a file that came in."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from policies.documents.files import Kind
from policies.documents.filing import Refused, Waits
from policies.frozen import frozen
from policies.words.phrase import Phrase


@frozen
class Clean:
    """A file that may be kept: made anew, without what was dangerous or told too much.

    `path` lies beside the source and belongs to the caller. `pages`: how many page images can be made of it; None where
    there are none. `changes`: what was taken away, in words for the uploader.
    """

    kind: Kind
    path: Path
    pages: int | None
    changes: tuple[Phrase, ...]


Examined = Clean | Refused | Waits
"""Refused for good; or it waits for a reason of ours, such as a scanner that is down."""


class Examiner(Protocol):
    """Looks into files."""

    async def examine(self, source: Path) -> Examined:
        """What the file at `source` is, whatever it is called, and the harmless version of it.

        `source` lies in a folder of the caller's that nobody else reads; the result is put beside it. Never raises for
        what a file contains.
        """
