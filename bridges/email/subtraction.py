"""Lines that we sent, taken out of a mail: of what quotes us, and of what is put to its author as probably theirs.

Storage keeps keyed hashes of the lines that each person was sent, room by room (`sent_lines`). A line that is marked as
quoted and was sent by us is no doubt any more; a line that only might be quoted goes on being one. What is unmarked
stays in words that count, whatever it repeats: to take away what somebody says again would lose it.
"""

from collections.abc import Collection, Iterator
from typing import Final

from bridges.email.anchor import bare, shows_mark
from bridges.email.attribution import (
    ATTRIBUTION_LINES,
    begins_header_block,
    is_attribution,
    is_fence,
    is_header_line,
    without_attribution,
)
from bridges.email.plaintext import WORDS_MARK, without_signature

MOST_LINES: Final = 2_000
"""So many lines of one mail are looked up: no honest one has more."""
_LEAST: Final = 12
"""Letters of an unmarked line that is taken for ours: a shorter one, everybody may write."""


def sent_lines(text: str) -> frozenset[str]:
    """The lines of a text, bare of the layout in which a client quotes them."""
    return frozenset(found for line in text.split("\n")[:MOST_LINES] if (found := bare(line)))


def without_sent_quotes(
    lines: list[str], sent: Collection[str], reply_address: str, room_name: str
) -> list[str] | None:
    """The lines above a quote at their end of which each line is ours; None where there is no such quote."""
    first = next((i for i, line in enumerate(lines) if _is_marked(line)), None)
    if first is None or not sent:
        return None
    quoted = [line for line in without_signature(lines[first:]) if line.strip()]
    quoted = quoted[_attribution_at(quoted) :]
    if any(not _is_marked(line) or (bare(line) and bare(line) not in sent) for line in quoted):
        return None
    return without_attribution(lines[:first], reply_address, room_name)


def probably_own(lines: list[str], sent: Collection[str], *, is_ours: bool) -> str:
    """What a mail says beside everything that is marked as quoted, or that we sent. `is_ours`: what it quotes is a mail
    of ours, below which an answer may stand; below another mail nothing is its author's."""
    kept = list(_beside_quotes(without_signature(lines), sent, is_ours=is_ours))
    return "\n".join(line.rstrip() for line in kept).strip()


def _beside_quotes(lines: list[str], sent: Collection[str], *, is_ours: bool) -> Iterator[str]:
    behind = 0
    for i, line in enumerate(lines):
        if i < behind:
            continue
        introduced = _introduction(lines, i)
        if introduced and not is_ours:
            return
        behind = i + introduced
        if not introduced and not _is_quoted(line, sent):
            yield line


def _introduction(lines: list[str], start: int) -> int:
    """How many lines from there introduce a quote."""
    if is_fence(lines[start]):
        return 1
    if begins_header_block(lines[start : start + 3]):
        end = next((i for i in range(start, len(lines)) if not is_header_line(lines[i])), len(lines))
        return end - start
    return _attribution_at(lines[start : start + ATTRIBUTION_LINES])


def _attribution_at(lines: list[str]) -> int:
    """How many of the first lines say who wrote what follows."""
    return next((n for n in range(1, ATTRIBUTION_LINES + 1) if is_attribution(lines[:n])), 0)


def _is_quoted(line: str, sent: Collection[str]) -> bool:
    found = bare(line)
    ours = line.lstrip().startswith(WORDS_MARK.strip()) or shows_mark(line)
    return ours or _is_marked(line) or (len(found) >= _LEAST and found in sent)


def _is_marked(line: str) -> bool:
    return line.lstrip().startswith(">")
