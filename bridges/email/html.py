"""HTML mail without a plain part: what clients mark as quoted is cut out by its structure, then it is made text.

The cut follows what the clients themselves write around a quote. It only ever takes away; whatever is left is read, cut
at our anchor, and doubted like any other text. Nothing is fetched, and no style is interpreted.
"""

import re
from collections.abc import Callable
from html.parser import HTMLParser
from typing import Final

from bridges.email.plaintext import tidied

_VOID: Final = frozenset({"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "wbr"})
_QUOTE_CLASSES: Final = frozenset(
    {"gmail_quote", "gmail_quote_container", "yahoo_quoted", "protonmail_quote", "moz-cite-prefix"}
)
_QUOTE_IDS: Final = frozenset({"appendonsend", "mail-editor-reference-message-container"})
_BEGINS: Final = re.compile(r"divRplyFwdMsg|isForwardContent|OLK_SRC_BODY_SECTION|reply-intro", re.IGNORECASE)
_RULE: Final = re.compile(r"border(?:-top)?:\s*(?:none;\s*border-top:\s*)?solid\s+#(?:b5c4df|e1e1e1)", re.IGNORECASE)
_MOST_OPEN: Final = 2_000
"""Deeper mail is not cut, and so is read whole: it is then doubted for what it quotes."""

Attributes = dict[str, str]


def _is_gmail(_: str, a: Attributes) -> bool:
    return not _QUOTE_CLASSES.isdisjoint(a.get("class", "").split())


def _is_cited(tag: str, a: Attributes) -> bool:
    return tag == "blockquote" and (a.get("type", "").lower() == "cite" or a.get("cite", "").lower().startswith("mid:"))


def _is_named(tag: str, a: Attributes) -> bool:
    return a.get("id", "").lower() in _QUOTE_IDS or (tag == "div" and a.get("name", "").lower() == "quote")


def _is_outlooks(tag: str, a: Attributes) -> bool:
    """What follows it, to the end, is quoted."""
    return _BEGINS.search(a.get("id", "")) is not None or (
        tag == "div" and _RULE.search(a.get("style", "")) is not None
    )


_WITHIN: Final[tuple[Callable[[str, Attributes], bool], ...]] = (_is_gmail, _is_cited, _is_named)


class _Cutter(HTMLParser):
    """Copies what is outside of quotes."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=False)
        self.kept: list[str] = []
        self.ended = False
        self._open: list[str] = []
        self._quoted_at: int | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        if not self.ended and self._quoted_at is None:
            if _is_outlooks(tag, attributes):
                self.ended = True
            elif any(rule(tag, attributes) for rule in _WITHIN):
                self._quoted_at = len(self._open)
            else:
                self.kept.append(self.get_starttag_text() or "")
        if tag not in _VOID and len(self._open) < _MOST_OPEN:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in self._open:
            while self._open.pop() != tag:
                pass
        if self._quoted_at is not None and len(self._open) <= self._quoted_at:
            self._quoted_at = None
        elif not self.ended and self._quoted_at is None:
            self.kept.append(f"</{tag}>")

    def handle_data(self, data: str) -> None:
        if not self.ended and self._quoted_at is None:
            self.kept.append(data)

    def handle_entityref(self, name: str) -> None:
        self.handle_data(f"&{name};")

    def handle_charref(self, name: str) -> None:
        self.handle_data(f"&#{name};")


def without_quotes(source: str) -> str:
    """The HTML without what clients mark as quoted."""
    cutter = _Cutter()
    cutter.feed(source)
    cutter.close()
    return "".join(cutter.kept)


def text_of(source: str) -> str:
    """HTML as the text that a reader would see, without the indents that only show how it was nested."""
    if not source.strip():
        return ""
    # Only now: it takes a while, and some MB, and most mails have a plain text.
    from inscriptis import get_text  # type: ignore[import-untyped]

    return "\n".join(line.strip() for line in tidied(get_text(source)).split("\n"))
