"""Plain text made harmless: one kind of line end, no control or direction characters, nothing that imitates."""

import re
import textwrap
import unicodedata
from typing import Final

_KEPT_FORMAT_CHARACTERS: Final = "\u200c\u200d"
"""Zero-width (non-)joiners: Persian and Indic words and many emoji need them."""
_BLANKS: Final = "\u115f\u1160\u2800\u3164\uffa0"
"""Letters that show nothing; taken for spaces."""

WORDS_MARK: Final = "| "
"""Stands before every line of a person's words, so that no such line can pass for one of ours."""
_WIDTH: Final = 70
_SIGNATURE_LINES: Final = 12
_BARE_SIGNATURE_LINES: Final = 6
_LINK: Final = re.compile(r"https?://[!-~]+")


def tidied(text: str) -> str:
    """LF line ends only (all that Unicode calls a line end), and nothing that steers a display or a store.

    Control characters, bidi controls and other invisible format characters go; lone surrogates become `?`.
    """
    lines = text.replace("\t", "    ").encode("utf-8", "replace").decode("utf-8").splitlines()
    return "\n".join("".join(char for char in line if _is_harmless(char)) for line in lines).rstrip("\n")


def one_line(text: str, limit: int = 100) -> str:
    """The text as a label or header value: tidied, on one line, plain single spaces, at most `limit` characters."""
    return " ".join(_with_plain_blanks(tidied(text)).split())[:limit].strip()


def as_words(text: str) -> str:
    """A person's words for a mail: every line wrapped by us and marked, whatever it looks like."""
    lines = _with_plain_blanks(tidied(text)).strip().split("\n")
    return "\n".join(f"{WORDS_MARK}{piece}".rstrip() for line in lines for piece in _wrapped(line))


def without_blank_end(lines: list[str]) -> list[str]:
    """Without trailing lines that show nothing, be they quoted or not."""
    end = len(lines)
    while end and not lines[end - 1].strip("> \u00a0"):
        end -= 1
    return lines[:end]


def without_signature(lines: list[str]) -> list[str]:
    """Without what follows the signature mark `-- ` (RFC 3676, 4.3), if it is short enough to be a signature."""
    shown = len(without_blank_end(lines))
    for i in range(len(lines) - 1, -1, -1):
        following = shown - i - 1
        if lines[i] == "-- " and following <= _SIGNATURE_LINES:
            return lines[:i]
        if lines[i].rstrip() == "--" and following <= _BARE_SIGNATURE_LINES:
            return lines[:i]
    return lines


def _wrapped(line: str) -> list[str]:
    if any(len(word) > _WIDTH and _LINK.fullmatch(word) for word in line.split()):
        return textwrap.wrap(line, _WIDTH, break_long_words=False, break_on_hyphens=False) or [""]
    return textwrap.wrap(line, _WIDTH, break_on_hyphens=False) or [""]


def _with_plain_blanks(text: str) -> str:
    return "".join(" " if unicodedata.category(char) == "Zs" or char in _BLANKS else char for char in text)


def _is_harmless(char: str) -> bool:
    return char in _KEPT_FORMAT_CHARACTERS or unicodedata.category(char) not in ("Cc", "Cf", "Cs")
