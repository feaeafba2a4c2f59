"""People's words for WhatsApp: marked as theirs, with WhatsApp's own formatting, in parts that it takes.

Every line of a person's words stands behind a mark, so that none of them can pass for one of ours (I10).
"""

import re
from typing import Final

from policies.case import Network
from policies.networks.capabilities import CAPABILITIES
from policies.words.text import clean, marked

LIMIT: Final = CAPABILITIES[Network.WHATSAPP].text or 0
"""Characters of one text, counted as UTF-16 does, to be on the safe side."""
MARK: Final = "> "
"""WhatsApp shows such a line as a quote."""

_CODE: Final = re.compile(r"(```.*?```|`[^`\n]+`)", re.DOTALL)
_BOLD: Final = re.compile(r"(?<![\w*])\*\*(?=\S)([^*\n]+?)(?<=\S)\*\*(?![\w*])")
_ITALIC: Final = re.compile(r"(?<![\w*])\*(?=\S)([^*\n]+?)(?<=\S)\*(?![\w*])")
_STRUCK: Final = re.compile(r"(?<![\w~])~~(?=\S)([^~\n]+?)(?<=\S)~~(?![\w~])")
_HEADING: Final = re.compile(r"^#{1,6} +(?=\S)", re.MULTILINE)
_LINK: Final = re.compile(r"\[([^\[\]\n]+)\]\((https?://[^\s()]+)\)")
_SENTENCE: Final = re.compile(r"(?<=[.!?…。！？])[\"'»”)\]]*\s+")


def formatted(markdown: str) -> str:
    """The formatting of Matrix clients as WhatsApp shows it; no word is added, lost or changed, and code stays."""
    pieces = _CODE.split(markdown)
    return "".join(piece if i % 2 else _inline(piece) for i, piece in enumerate(pieces))


def _inline(text: str) -> str:
    # Italics first: what is bold afterwards has one asterisk, too.
    text = _ITALIC.sub(r"_\1_", text)
    text = _STRUCK.sub(r"~\1~", _BOLD.sub(r"*\1*", text))
    return _HEADING.sub("", _LINK.sub(r"\1 (\2)", text))


def quoted(text: str) -> list[str]:
    """A person's words, line by line, each behind the mark; what WhatsApp takes for a line break is one here, too."""
    return marked(clean(text).strip())


def in_parts(lines: list[str], limit: int = LIMIT) -> list[str]:
    """Lines put together to texts of at most `limit` units; one that is too long is broken, at a sentence if possible.

    A marked line that is broken goes on behind a mark.
    """
    found: list[str] = []
    for piece in (piece for line in lines for piece in _broken(line, limit)):
        if found and units(found[-1]) + 1 + units(piece) <= limit:
            found[-1] += f"\n{piece}"
        else:
            found.append(piece)
    return found


def units(text: str) -> int:
    """The length of a text in UTF-16 units."""
    return len(text) + sum(char > "\uffff" for char in text)


def _broken(line: str, limit: int) -> list[str]:
    mark = MARK if line.startswith(MARK) else ""
    rest, room = line.removeprefix(mark), limit - len(mark)
    pieces: list[str] = []
    while units(rest) > room:
        cut = _cut(rest, room)
        pieces.append(mark + rest[:cut].rstrip())
        rest = rest[cut:].lstrip()
    return [*pieces, mark + rest] if rest or not pieces else pieces


def _cut(text: str, room: int) -> int:
    """Where to break: after a sentence, else after a word, else wherever it is full."""
    most = room
    while units(text[:most]) > room:
        most -= 1
    ends = [found.end() for found in _SENTENCE.finditer(text[: most + 1]) if found.end() <= most]
    if ends and ends[-1] > most // 2:
        return ends[-1]
    blank = text.rfind(" ", 1, most)
    return blank + 1 if blank > most // 2 else most
