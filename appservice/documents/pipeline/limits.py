"""How much a file may cost us, and how much may be in it."""

from __future__ import annotations

from typing import Final

from policies.frozen import frozen

MEGABYTE: Final = 1_000_000


@frozen
class Allowance:
    """What a child may use for its one file. `memory`: bytes of address space on top of what it has before it reads the
    file; `result`: bytes that it may write."""

    cpu_seconds: int = 30
    wall_seconds: float = 60.0
    memory: int = 1_200 * MEGABYTE
    result: int = 400 * MEGABYTE


PIXELS: Final = 64 * MEGABYTE
"""Of a picture; of an animation, those of all its frames together."""
PAGES: Final = 3_000
COVERED_PAGES: Final = 200
"""Of a document of which a redacted version is made: each is drawn, and looked at again."""
UNPACKED: Final = 400 * MEGABYTE
"""Bytes of all parts of a packed document."""
PARTS: Final = 10_000
TEXT: Final = 16 * MEGABYTE
"""Bytes of a plain text."""
SMALL_PART: Final = 4 * MEGABYTE
"""Bytes of a part that is rewritten in memory."""
SIDE: Final = 3_000
"""Pixels of the longer side of a page image."""
