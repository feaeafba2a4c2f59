"""The lines that a mail client puts between an answer and what it quotes.

"On Monday Bea wrote:" in seven languages, the header block of Outlook in any, and, where our own address or the
room's name shows which mail is meant, the attribution of any other client.
"""

import re
from typing import Final

from bridges.email.plaintext import without_blank_end

_WROTE: Final = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"On .+ wrote\s?:",
        r"Am .+ schrieb\b.*:",
        r"Am .+ hat .+ geschrieben\s?:",
        r".+ schrieb am .+:",
        r"Le .+ a écrit\s?:",
        r"El .+ escribió\s?:",
        r"Il .+ ha scritto\s?:",
        r"Op .+ schreef\b.*:",
        r"Op .+ heeft .+ geschreven\s?:",
        r"Em .+ escreveu\s?:",
        r"(?:No dia|A) .+ escreveu\s?:",
    )
)
ATTRIBUTION_LINES: Final = 4
"""So many lines a program takes at most to say who wrote what it quotes."""
_LONGEST: Final = 500
"""Longer texts introduce nothing, and patterns would take long on them."""
_DATED: Final = re.compile(r"\b(?:19|20)\d\d\b|\b\d{1,2}[:.h]\d\d\b|\b\d{1,2}[./]\d{1,2}[./]\d\d")
_HEADER_LINE: Final = re.compile(r"\W{0,3}[^\W\d][^:]{0,24}:\W")
_HEADER_LINES: Final = 10
_FENCE: Final = re.compile(r"\s*(?:_{8,}|-{3,}.*-{3,}|={8,})\s*")


def without_attribution(lines: list[str], reply_address: str, room_name: str) -> list[str] | None:
    """The lines above a quote without what introduces it; None where something stays that may introduce it.

    The room's name and the address only count inside such a construction: people name the service in their own
    words.
    """
    lines = without_blank_end(lines)
    names = (reply_address.lower(), room_name.lower())
    start = _header_block(lines, names)
    if start is not None:
        if start and is_fence(lines[start - 1]):
            start -= 1
        return without_blank_end(lines[:start])
    paragraph = _last_paragraph(lines)
    for count in range(1, min(len(paragraph), ATTRIBUTION_LINES) + 1):
        if is_attribution(paragraph[-count:]):
            return without_blank_end(lines[:-count])
    for count in range(1, min(len(paragraph), ATTRIBUTION_LINES - 1) + 1):
        # As few as will do: what stands right above it are words.
        if _names_our_mail(paragraph[-count:], names):
            return without_blank_end(lines[:-count])
    if paragraph and (paragraph[-1].rstrip().endswith(":") or is_fence(paragraph[-1])):
        return None
    return lines


def introduces_a_quote(lines: list[str]) -> bool:
    """Whether anywhere in these lines a quote seems to begin that was not marked as one."""
    return any(
        is_fence(line)
        or any(is_attribution(lines[i : i + count]) for count in range(1, ATTRIBUTION_LINES + 1))
        or begins_header_block(lines[i : i + 3])
        for i, line in enumerate(lines)
    )


def is_attribution(lines: list[str]) -> bool:
    """Whether these lines, joined, are a known client's "… wrote:"."""
    if not lines or not lines[-1].rstrip().endswith(":"):
        return False
    joined = " ".join(line.strip("> ") for line in lines)
    return len(joined) <= _LONGEST and any(pattern.fullmatch(joined) for pattern in _WROTE)


def is_fence(line: str) -> bool:
    """A line such as "-----Original Message-----" or a row of underscores."""
    return len(line) <= _LONGEST and _FENCE.fullmatch(line) is not None


def _last_paragraph(lines: list[str]) -> list[str]:
    start = len(lines)
    while start and lines[start - 1].strip("> ") and len(lines) - start < ATTRIBUTION_LINES:
        start -= 1
    return lines[start:]


def _names_our_mail(paragraph: list[str], names: tuple[str, str]) -> bool:
    """An attribution in a language that we don't know: it names our mail, is dated, and ends with a colon."""
    joined = " ".join(line.strip() for line in paragraph).lower()
    named = any(name in joined for name in names)
    for name in names:
        joined = joined.replace(name, "")
    return named and joined.endswith(":") and _DATED.search(joined) is not None


def _header_block(lines: list[str], names: tuple[str, str]) -> int | None:
    """Where Outlook's "From: … Sent: … To: … Subject: …" begins, if the lines end with one of our own mail."""
    start = len(lines)
    while start and len(lines) - start < _HEADER_LINES and is_header_line(lines[start - 1]):
        start -= 1
    block = lines[start:]
    sender = next((i for i, line in enumerate(block) if any(name in line.lower() for name in names)), None)
    if sender is None or len(block) - sender < 3:
        return None
    return start + sender


def begins_header_block(lines: list[str]) -> bool:
    """Whether these three lines are the first of Outlook's "From: … Sent: … To: …"."""
    return len(lines) == 3 and all(is_header_line(line) for line in lines) and any("@" in x for x in lines)


def is_header_line(line: str) -> bool:
    """Whether a line could stand in such a block."""
    return _HEADER_LINE.match(line) is not None
