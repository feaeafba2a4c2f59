"""Whether the formatted words of a message say what its plain words say (Matrix spec, "m.room.message msgtypes").

A message has its words twice: `body`, and `formatted_body`, which is what most clients show. A modified client can let
them differ; then people in Matrix would read one thing, and those who read by mail, or the mediator's record, another.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from html.parser import HTMLParser
from typing import Any, Final

HTML: Final = "org.matrix.custom.html"
_REPLY: Final = re.compile(r"<mx-reply>.*?</mx-reply>", re.DOTALL)
_BLOCKS: Final = frozenset(
    {"blockquote", "br", "div", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "li", "ol", "p", "pre", "table", "tr", "ul"}
)
_ADDRESS: Final = re.compile(r"""\bhref\s*=\s*(?:"([^"]*)"|'([^']*)')""")
_FENCE: Final = re.compile(r"^(?:```|~~~)\w*", re.MULTILINE)
_MEANING: Final = re.compile(r"-?\d+(?:[.,:]\d+)*|[^\W\d_]+|[?%$=\"';,/]|[^\w\s\x00-\x7f]")
"""What words are made of, without the marks that plain text uses for what is bold, a list, or a heading."""


def formatted(content: Mapping[str, Any]) -> str | None:
    """The formatted words of a message as text, without the reply that older clients repeat in them; None for none."""
    html = content.get("formatted_body")
    if content.get("format") != HTML or not isinstance(html, str) or not html.strip():
        return None
    reader = _Reader()
    try:
        reader.feed(_REPLY.sub("", html))
        reader.close()
    except AssertionError:  # what the standard library says to some declarations
        return html
    return "".join(reader.found).strip()


def agree(plain: str, content: Mapping[str, Any]) -> bool:
    """Whether a message's formatted words, if it has any, are its plain ones: each in its place, and no others."""
    rich = formatted(content)
    if rich is None:
        return True
    for found in _ADDRESS.finditer(str(content["formatted_body"])):
        # Plain text has to spell out where a link leads.
        address = found[1] or found[2] or ""
        plain = plain.replace(f"]({address})", "]") if address else plain
    return same_words(_FENCE.sub("", plain), rich)


def same_words(one: str, other: str) -> bool:
    """Whether two texts say the same, however it is laid out."""
    return _meaning(one) == _meaning(other)


class _Reader(HTMLParser):
    """All words of formatted text, whatever would hide them: clients show more than style sheets and tags promise."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._numbers: list[int | None] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Blocks begin on a line of their own; items of a numbered list have their number."""
        if tag in _BLOCKS:
            self.found.append("\n")
        if tag in {"ol", "ul"}:
            start = re.fullmatch(r"[0-9]{1,9}", dict(attrs).get("start") or "")
            first = int(start[0]) if start else 1
            self._numbers.append(first if tag == "ol" else None)
        if tag == "li" and self._numbers and (number := self._numbers[-1]) is not None:
            self.found.append(f"{number}. ")
            self._numbers[-1] = number + 1
        if tag == "img":
            self.found.append(dict(attrs).get("alt") or "")

    def handle_endtag(self, tag: str) -> None:
        """What follows a block stands on a new line."""
        if tag in _BLOCKS:
            self.found.append("\n")
        if tag in {"ol", "ul"} and self._numbers:
            self._numbers.pop()

    def handle_data(self, data: str) -> None:
        """Words."""
        self.found.append(data)


def _meaning(text: str) -> list[str]:
    return _MEANING.findall(text.casefold())
