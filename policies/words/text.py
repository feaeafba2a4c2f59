"""Words that came from outside, made harmless to show: nothing is trusted because of how it looks (I10)."""

from __future__ import annotations

import unicodedata
from datetime import datetime
from html import escape
from itertools import groupby

from policies.words.zones import UNIVERSAL, on_the_clock

_BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_INVISIBLE = frozenset("\u00ad\u200b\u200c\u200d\u2060\ufeff\u180e\u3164")
_RESERVED = (
    *("everyone", "joint", "private", "mediatrix", "desk", "held", "released"),
    *("alle", "privat", "freigegeben", "zurückgehalten"),
    *("todos", "privado", "compartido", "retenido"),
    *("tous", "privé", "transmis", "retenu"),
)
"""How labels of ours begin, in every language."""
NAME_LIMIT = 64


def clean(body: str) -> str:
    """A body without control characters and bidirectional overrides; line breaks and tabs stay."""
    return "".join(c for c in body.replace("\r\n", "\n") if c in "\n\t" or not _is_control(c))


def marked(words: str) -> list[str]:
    """Somebody's words, line by line, each behind a mark, so that none of them can pass for one of ours (I10)."""
    return [f"> {line}".rstrip() for line in clean(words).splitlines()]


def as_html(text: str) -> str | None:
    """Words of ours with marked ones among them, as HTML that says the same; None for such as have none.

    A mark stands at the beginning of a line. Where the line is too long for a window it goes on below without one, and
    what is padded with spaces would begin there like a line of ours: clients draw a bar beside all of a quotation.
    """
    lines = text.split("\n")
    if not any(map(_is_marked, lines)):
        return None
    parts: list[str] = []
    for quoted, group in groupby(lines, _is_marked):
        shown = "<br>".join(escape(line.removeprefix(">").removeprefix(" ") if quoted else line) for line in group)
        parts.append(f"<blockquote>{shown}</blockquote>" if quoted else shown)
    return "".join(parts)


def _is_marked(line: str) -> bool:
    return line.startswith("> ") or line == ">"


def name_problem(name: str) -> str | None:
    """Why this can't be somebody's name in a case, in words for the mediator; None if it can.

    A name stands beside words that we vouch for, so it must not be able to pass for one of our own labels.
    """
    if not name.strip():
        return "a name is missing"
    if len(name) > NAME_LIMIT:
        return f"a name has at most {NAME_LIMIT} characters"
    if any(_is_control(c) or c in _INVISIBLE for c in name):
        return "the name contains invisible or direction-changing characters"
    if any(c in '<>()[]{}|·@:!`*_#"\\\n' for c in name):
        return "a name contains letters, digits, spaces, dots, hyphens and apostrophes"
    folded = skeleton(name)
    if any(folded == word or folded.startswith(f"{word} ") for word in map(skeleton, _RESERVED)):
        return f"“{name}” looks like one of our own labels"
    return None


def skeleton(name: str) -> str:
    """What a name looks like to a reader: two names with one skeleton can't stand in one case.

    Compatibility forms, accents, case, the commonest Cyrillic and Greek twins of Latin letters, and those that a font
    shows alike (I, l, 1; O, 0) are folded (Unicode TS 39 in the small). To compare, not to show.
    """
    decomposed = unicodedata.normalize("NFKD", name)
    bare = "".join(c for c in decomposed if not unicodedata.combining(c) and c not in _INVISIBLE)
    return " ".join(bare.translate(_TWINS).casefold().translate(_ALIKE).split())


def technical(name: str, limit: int = 20) -> str:
    """A name that a program or a stranger chose, such as a device's: too short and too plain to say anything with."""
    plain = "".join(c for c in name if c.isascii() and (c.isalnum() or c in "._-"))
    return f"“{plain[:limit]}”"


def moment(at: datetime, zone: str = UNIVERSAL) -> str:
    """A time, by the clock of that zone, which it names."""
    return on_the_clock(at, zone, "{:%Y-%m-%d %H:%M}".format)


def one_line(text: str, limit: int = 80) -> str:
    """The text as one short line, for lists and titles."""
    line = " ".join(clean(text).split())
    return line if len(line) <= limit else f"{line[: limit - 1]}…"


def _is_control(char: str) -> bool:
    return char in _BIDI or unicodedata.category(char) in {"Cc", "Cs", "Co", "Zl", "Zp"}


_TWINS = str.maketrans("АВЕЅІЈКМНОРСТУХасеорхуіјѕΑΒΕΖΗΙΚΜΝΟΡΤΥΧο", "ABESIJKMHOPCTYXaceopxyijsABEZHIKMNOPTYXo")
_ALIKE = str.maketrans("l10", "iio")
